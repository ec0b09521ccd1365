import type { Request, RequestHandler, Response } from 'express'
import type { Verifier } from '../../verifier/verifier.js'
import type { Allowed } from './allowed.js'
import { MAX_UPLOAD, takeUpload, uploadOf } from './chains.js'
import { headerValues, intentOf, judge, type Guarding } from './guard.js'
import { PROBLEM, type Problem } from './problem.js'
import { readAs, readBody } from './raw-body.js'

declare global {
  // the way Express wants its request to be extended
  // eslint-disable-next-line @typescript-eslint/no-namespace
  namespace Express {
    interface Request {
      /** the decision that allowed this request; set on routes guarded by `requireAuthority` */
      authority?: Allowed
    }
  }
}

/** What the route is about to do. `params` is mandatory: what is not in it is not constrained. */
export interface GuardOptions extends Guarding<Request> {
  /** bytes; 1 MiB unless given */
  readonly bodyLimit?: number
}

/**
 * Guards a route of Express 5: the handler runs only for requests that the verifier allows, and finds the decision in
 * `request.authority`. The guard reads the body itself, so no body parser may stand before it; JSON is in
 * `request.body` from then on, and any other body as its bytes.
 *
 * ```ts
 * app.post('/models', requireAuthority(verifier, { action: 'write', params: request => request.body }), handler)
 * ```
 */
export function requireAuthority(verifier: Verifier, options: GuardOptions): RequestHandler {
  return async (request, response, next) => {
    const body = await readBody(request, options.bodyLimit)
    const { method, originalUrl: target } = request
    const raw = {
      method,
      target,
      routed: routedOf(request),
      body,
      header: (name: string) => headerValues(request, name),
    }
    const intent = () => {
      request.body = readAs(request.headers['content-type'], body)
      return intentOf(options, request)
    }
    const verdict = await judge(verifier, raw, intent, options.reserve)
    if (verdict.allow) {
      request.authority = verdict.authority
      next()
    } else send(response, verdict.problem, verdict.headers)
  }
}

/** Serves `PUT /.well-known/procura/chains/{digest}`: put `app.use(acceptChains(verifier))` before any body parser. */
export function acceptChains(verifier: Verifier): RequestHandler {
  return async (request, response, next) => {
    const digest = uploadOf(request.method, request.originalUrl)
    if (digest === null) {
      next()
      return
    }
    const body = await readBody(request, MAX_UPLOAD)
    const problem = await takeUpload(verifier, digest, () => readAs(request.headers['content-type'], body))
    if (problem === null) response.status(204).end()
    else send(response, problem)
  }
}

function send(response: Response, problem: Problem, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(problem.status, { ...headers, 'content-type': PROBLEM }).end(JSON.stringify(problem))
}

/** The path that routes were found by; where a router is mounted, with what it is mounted at. */
function routedOf({ baseUrl, path }: Request): string {
  return baseUrl !== '' && path === '/' ? baseUrl : baseUrl + path
}
