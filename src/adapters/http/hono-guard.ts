import type { IncomingMessage } from 'node:http'
import type { Context, MiddlewareHandler } from 'hono'
import { ProcuraError } from '../../errors.js'
import type { Verifier } from '../../verifier/verifier.js'
import type { Allowed } from './allowed.js'
import { MAX_UPLOAD, takeUpload, uploadOf } from './chains.js'
import { headerValues, intentOf, judge, type Guarding } from './guard.js'
import { PROBLEM, type Problem } from './problem.js'
import { readAs, readBody } from './raw-body.js'

/** What a guarded route finds in its context. */
export interface GuardedEnv {
  readonly Variables: {
    /** the decision that allowed this request */
    readonly authority: Allowed
    /** the body that was judged: JSON as its value, none as `undefined`, any other as its bytes */
    readonly body: unknown
  }
}

/** What the route is about to do. `params` is mandatory: what is not in it is not constrained. */
export interface GuardOptions extends Guarding<Context<GuardedEnv>> {
  /** bytes; 1 MiB unless given */
  readonly bodyLimit?: number
}

/**
 * Guards a route of Hono on `@hono/node-server`: the handler runs only for requests that the verifier allows, and finds
 * the decision in `c.get('authority')`, the body in `c.get('body')`.
 *
 * ```ts
 * app.post('/models', requireAuthority(verifier, { action: 'write', params: c => c.get('body') as JsonObject }), handler)
 * ```
 */
export function requireAuthority(verifier: Verifier, options: GuardOptions): MiddlewareHandler<GuardedEnv> {
  return async (context, next) => {
    const incoming = incomingOf(context)
    const body = await bytesOf(context, incoming, options.bodyLimit)
    const [{ method }, { url: target = '' }, routed] = [context.req, incoming, new URL(context.req.url).pathname]
    const raw = { method, target, routed, body, header: (name: string) => headerValues(incoming, name) }
    const intent = () => {
      context.set('body', readAs(incoming.headers['content-type'], body))
      return intentOf(options, context)
    }
    const verdict = await judge(verifier, raw, intent, options.reserve)
    if (!verdict.allow) return answer(verdict.problem, verdict.headers)
    context.set('authority', verdict.authority)
    return next()
  }
}

/** Serves `PUT /.well-known/procura/chains/{digest}`: put `app.use(acceptChains(verifier))` before what reads bodies. */
export function acceptChains(verifier: Verifier): MiddlewareHandler {
  return async (context, next) => {
    const digest = uploadOf(context.req.method, context.req.path)
    if (digest === null) return next()
    const body = await bytesOf(context, incomingOf(context), MAX_UPLOAD)
    const problem = await takeUpload(verifier, digest, () => readAs(context.req.header('content-type'), body))
    return problem === null ? new Response(null, { status: 204 }) : answer(problem)
  }
}

function answer(problem: Problem, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { ...headers, 'content-type': PROBLEM },
  })
}

/** The request as it came: the URL of a web `Request` is tidied up already, and its repeated headers are joined. */
function incomingOf({ env }: Context): IncomingMessage {
  const { incoming } = (env ?? {}) as { readonly incoming?: IncomingMessage }
  if (incoming !== undefined) return incoming
  throw new ProcuraError('CONFIG_INVALID', { at: 'requireAuthority', why: 'serve the app with @hono/node-server' })
}

/** The handler's `c.req.json()` and its like read these very bytes, whatever became of the request in between. */
async function bytesOf({ req }: Context, incoming: IncomingMessage, limit?: number): Promise<Buffer> {
  const body = await readBody(incoming, limit)
  // what Hono keeps there is the promise, whatever its type says
  req.bodyCache.arrayBuffer = Promise.resolve(Uint8Array.from(body).buffer) as never
  return body
}
