import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isProcuraError, ProcuraError } from '../../errors.js'
import { headerValues } from './guard.js'
import { PROBLEM, toProblem, toRefusal } from './problem.js'

/**
 * Answers what was thrown with a problem document.
 *
 * @param onDefect - told of what is answered with 500
 */
export function refusing(
  onDefect: (error: unknown) => void,
): (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  return (error, _request, reply) => {
    const refusal = toRefusal(asRefusal(error))
    if (refusal.kind === 'misconfigured') onDefect(error)
    const problem = toProblem(refusal, true)
    const status = isProcuraError(error) ? problem.status : (error.statusCode ?? problem.status)
    if (status === 401) void reply.header('www-authenticate', 'Agent-Proof')
    if (isProcuraError(error) && error.code === 'RATE_LIMITED' && !reply.hasHeader('retry-after'))
      void reply.header('retry-after', String(error.facts['per']))
    if (status === 503) void reply.header('retry-after', '1')
    return reply
      .code(status)
      .type(PROBLEM)
      .send({ ...problem, status })
  }
}

/** Answers what handlers and Fastify throw, and what is not served, with problem documents. */
export function answerRefusals(app: FastifyInstance, onDefect: (error: unknown) => void): void {
  app.setErrorHandler(refusing(onDefect))
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type(PROBLEM)
      .send(toProblem(toRefusal(new ProcuraError('NOT_FOUND', { what: `route ${request.method} here` })), true)),
  )
}

/**
 * Refuses what no honest client sends, before anything is read: bodies in a coding of their own, none or several `Host`, and
 * calls that a browser makes for a page of another origin.
 *
 * @param origins - whose pages may call
 */
export function refuseBeforeRouting(app: FastifyInstance, origins: ReadonlySet<string>): void {
  // by callback: a refused request has no way on, even if its client hangs up while the refusal is sent
  app.addHook('onRequest', (request, _reply, done) => {
    const refuse = (at: string, why: string): void => done(new ProcuraError('SCHEMA', { at: `header ${at}`, why }))
    const values = (name: string): readonly string[] => headerValues(request.raw, name)
    if (values('content-encoding').length > 0) refuse('content-encoding', 'is not taken: send the body as it is')
    else if (values('host').length !== 1) refuse('host', 'is due once')
    else if (values('origin').some(origin => !origins.has(origin)))
      done(new ProcuraError('CALLER_FORBIDDEN', { caller: 'a page of another origin', what: 'call this service' }))
    else done()
  })
}

/** Statuses of what Node refuses before there is a request. */
const WIRE: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'took too long to arrive'],
}

/** Answers what is not HTTP, too large or too slow with a problem document, and closes the connection. */
export function refuseOnTheWire(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, why] = WIRE[error.code ?? ''] ?? [400, 'are malformed']
  const problem = toProblem(toRefusal(new ProcuraError('SCHEMA', { at: 'the request’s headers or body', why })), true)
  const body = JSON.stringify({ ...problem, status })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `content-type: ${PROBLEM}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Faults that Fastify found are malformed requests; the rest is ours, or a defect. */
function asRefusal(error: FastifyError): unknown {
  if (isProcuraError(error) || error.statusCode === undefined || error.statusCode >= 500) return error
  return new ProcuraError('SCHEMA', { at: 'request', why: error.message }, { cause: error })
}
