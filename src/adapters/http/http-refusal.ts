import type { ProcuraError } from '../../errors.js'
import { PROBLEM, toProblem, toRefusal, type Problem } from './problem.js'

/**
 * A refusal that is thrown where a framework takes over: each answers with its status, because Fastify reads
 * `statusCode`, Express `status`, and Hono calls `getResponse`. An error handler of the application finds the document
 * in `problem`.
 */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal'
  readonly code: string
  readonly problem: Problem
  readonly status: number
  readonly statusCode: number

  /** @param status - if it is not that of the error's kind */
  constructor(error: ProcuraError, status?: number) {
    super(error.message, { cause: error })
    const problem = toProblem(toRefusal(error), true)
    this.code = error.code
    this.status = this.statusCode = status ?? problem.status
    this.problem = { ...problem, status: this.status }
  }

  /** The answer, for Hono. */
  getResponse(): Response {
    return new Response(JSON.stringify(this.problem), { status: this.status, headers: { 'content-type': PROBLEM } })
  }
}
