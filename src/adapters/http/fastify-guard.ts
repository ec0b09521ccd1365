import { Readable } from 'node:stream'
import type {
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  onRequestHookHandler,
  preHandlerHookHandler,
  preParsingAsyncHookHandler,
} from 'fastify'
import type { Decision, Verifier } from '../../verifier/verifier.js'
import { CHAINS_PATH, keepChain } from './chains.js'
import { headerValues, judge, requirePlainPath, type Intent, type RawRequest, type Verdict } from './guard.js'
import { PROBLEM, toProblem, toRefusal } from './problem.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** the decision that allowed this request; set on routes guarded by `requireAuthority` */
    authority?: Decision
  }
}

/** What the route is about to do. `params` is mandatory: what is not in it is not constrained. */
export interface GuardOptions {
  readonly action: string
  readonly params: (request: FastifyRequest) => Intent['params']
  /** path of the resource; the request's own path if left out */
  readonly path?: (request: FastifyRequest) => string
  /** hold the charge until the handler calls `verifier.commit(request.authority.decisionId)`, or `release` */
  readonly reserve?: boolean
}

/** Route options of Fastify: spread them into a route, or pass them as its second argument. */
export interface Guarded {
  readonly onRequest: onRequestHookHandler
  readonly preParsing: preParsingAsyncHookHandler
  readonly preHandler: preHandlerHookHandler
}

const bodies = new WeakMap<FastifyRequest, Buffer>()

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
      try {
        requirePlainPath(request.raw.url ?? '')
        done()
      } catch (thrown) {
        void reply
          .code(400)
          .type(PROBLEM)
          .send(toProblem(toRefusal(thrown), true))
      }
    },
    async preParsing(request, _reply, payload) {
      const body = await collect(payload, request.routeOptions.bodyLimit)
      bodies.set(request, body)
      return Object.assign(Readable.from(body.length === 0 ? [] : [body]), { receivedEncodedLength: body.length })
    },
    preHandler(request, reply, done) {
      const answer = (verdict: Verdict): void => {
        if (verdict.allow) {
          request.authority = verdict.decision
          done()
        } else send(reply, verdict)
      }
      judge(verifier, toRaw(request), () => toIntent(options, request), options.reserve ?? false)
        .then(answer)
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
export function acceptChains(verifier: Verifier): FastifyPluginAsync {
  return app => {
    app.put<{ Params: { digest: string } }>(
      `${CHAINS_PATH}:digest`,
      { bodyLimit: MAX_UPLOAD },
      async (request, reply) => {
        try {
          await keepChain(verifier, request.params.digest, request.body)
        } catch (thrown) {
          // whoever uploads proved nothing, so it learns only the kind
          const problem = toProblem(toRefusal(thrown), false)
          return reply.code(problem.status).type(PROBLEM).send(problem)
        }
        return reply.code(204).send()
      },
    )
    return Promise.resolve()
  }
}

/** Bytes of an uploaded chain: eight credentials and their commas. */
const MAX_UPLOAD = 66 * 1024

function send(reply: FastifyReply, { problem, headers }: Extract<Verdict, { allow: false }>): void {
  void reply.code(problem.status).headers(headers).type(PROBLEM).send(problem)
}

function toIntent({ action, params, path }: GuardOptions, request: FastifyRequest): Intent {
  return { action, params: params(request), ...(path === undefined ? {} : { path: path(request) }) }
}

/** The body as it came over the wire; Fastify's own limit is kept, because parsing comes later. */
async function collect(payload: AsyncIterable<unknown>, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of payload) {
    chunks.push(chunk as Buffer)
    size += (chunk as Buffer).length
    if (size > limit) throw Object.assign(new Error('Request body is too large'), { statusCode: 413 })
  }
  return Buffer.concat(chunks)
}

/** A guard of which only a part was put into the route would leave the body unbound. */
function bodyOf(request: FastifyRequest): Buffer {
  const body = bodies.get(request)
  if (body === undefined) throw new TypeError('requireAuthority is not the whole of the route options')
  return body
}

function toRaw(request: FastifyRequest): RawRequest {
  return {
    method: request.method,
    target: request.raw.url ?? '',
    body: bodyOf(request),
    header: name => headerValues(request.raw, name),
  }
}
