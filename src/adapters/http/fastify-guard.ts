import type * as F from 'fastify'
import type { Verifier } from '../../verifier/verifier.js'
import type { Allowed } from './allowed.js'
import { CHAINS_PATH, MAX_UPLOAD, takeUpload } from './chains.js'
import { headerValues, intentOf, judge, refusePath, type Guarding, type RawRequest, type Refusing } from './guard.js'
import { PROBLEM } from './problem.js'
import { collect, streamOf, wasRead } from './raw-body.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** the decision that allowed this request; set on routes guarded by `requireAuthority` */
    authority?: Allowed
  }
}

/** What the route is about to do. `params` is mandatory: what is not in it is not constrained. */
export type GuardOptions = Guarding<F.FastifyRequest>
/** Route options of Fastify: spread them into a route, or pass them as its second argument. */
export interface Guarded {
  readonly onRequest: F.onRequestHookHandler
  readonly preParsing: F.preParsingAsyncHookHandler
  readonly preHandler: F.preHandlerHookHandler
}

const bodies = new WeakMap<F.FastifyRequest, Buffer>()

/**
 * Guards a route: the handler runs only for requests that the verifier allows, and finds the decision in
 * `request.authority`.
 *
 * ```ts
 * app.post('/models', requireAuthority(verifier, { action: 'write', params: request => request.body }), handler)
 * ```
 */
export function requireAuthority(verifier: Verifier, options: GuardOptions): Guarded {
  return {
    // With callbacks, a refused request has no way on: an async hook goes on to the handler when the client hangs up
    // while the refusal is still being sent.
    onRequest(request, reply, done) {
      const refused = refusePath(request.raw.url ?? '')
      if (refused === null) done()
      else send(reply, refused)
    },
    async preParsing(request, _reply, payload) {
      const body = await collect(payload, request.routeOptions.bodyLimit)
      bodies.set(request, body)
      return streamOf(body)
    },
    preHandler(request, reply, done) {
      judge(verifier, toRaw(request), () => intentOf(options, request), options.reserve)
        .then(verdict => {
          if (verdict.allow) request.authority = verdict.authority
          if (verdict.allow) done()
          else send(reply, verdict)
        })
        .catch(done)
    },
  }
}

/**
 * Lets agents upload a chain once and name it from then on, which keeps headers small: serves
 * `PUT /.well-known/procura/chains/{digest}`.
 *
 * ```ts
 * await app.register(acceptChains(verifier))
 * ```
 */
export function acceptChains(verifier: Verifier): F.FastifyPluginAsync {
  return app => {
    const limited = { bodyLimit: MAX_UPLOAD }
    app.put<{ Params: { digest: string } }>(`${CHAINS_PATH}:digest`, limited, async (request, reply) => {
      const problem = await takeUpload(verifier, request.params.digest, () => request.body)
      return problem === null ? reply.code(204).send() : reply.code(problem.status).type(PROBLEM).send(problem)
    })
    return Promise.resolve()
  }
}

function send(reply: F.FastifyReply, { problem, headers }: Refusing): void {
  void reply.code(problem.status).headers(headers).type(PROBLEM).send(problem)
}

/** A guard of which only a part was put into the route would leave the body unbound. */
function toRaw(request: F.FastifyRequest): RawRequest {
  const body = bodies.get(request)
  if (body === undefined) throw wasRead()
  const { method, raw } = request
  return { method, target: raw.url ?? '', body, header: name => headerValues(raw, name) }
}
