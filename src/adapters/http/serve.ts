import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import type { CallerKind, Operation } from '../../api/operation.js'
import { parseInput } from '../../api/shapes.js'
import { isProcuraError, ProcuraError } from '../../errors.js'
import type { Caller } from '../../registrar/registrar.js'
import { countCall, proveCaller, proveResourceServer, type ProofPorts, type ResourceServer } from './callers.js'
import type { Bounds } from './limits.js'
import { KEY_HEADER, keyOf, requestDigest, type Repeats } from './repeats.js'

/** What an operation is asked, read; and by whom, proved. */
export interface Call<O extends Operation> {
  readonly params: z.output<O['params']>
  readonly query: z.output<O['query']>
  readonly body: O['body'] extends z.ZodType ? z.output<O['body']> : undefined
  readonly by: CallersOf[O['caller']]
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

interface CallersOf {
  readonly anyone: null
  readonly 'resource-server': ResourceServer
  readonly subject: Caller
}

/** What a handler answers; a reply that it took over itself is handed back. */
export type Answered<O extends Operation> =
  FastifyReply | (O['answer'] extends z.ZodType ? z.input<O['answer']> : string | null)

/**
 * Serves an operation.
 *
 * @param look - what has to be looked up elsewhere first: the transaction that keeps an answer waits for no other host
 */
export type Serve = <O extends Operation>(
  operation: O,
  handle: (call: Call<O>) => Promise<Answered<O>>,
  look?: (call: Call<O>) => Promise<unknown>,
) => void

/** What all operations need. */
export interface ServeParts extends ProofPorts {
  readonly resourceServers: readonly ResourceServer[]
  readonly repeats: Repeats
  readonly bounds: Bounds
  /** the body as it came over the wire */
  readonly bodyOf: (request: FastifyRequest) => Uint8Array | null
}

/**
 * Serves operations on `app`: who calls is proved before anything is read, what is read is read by the operation's
 * schemas, and what may not happen twice happens once.
 */
export function serveOn(app: FastifyInstance, parts: ServeParts): Serve {
  return (operation, handle, look) => {
    app.route({
      method: operation.method,
      url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      exposeHeadRoute: operation.cache !== undefined || operation.isProbe === true,
      handler: async (request, reply) => {
        const by = await whoCalls(operation, request, reply, parts)
        const call = { ...read(operation, request), by, request, reply } as Call<typeof operation>
        await look?.(call)
        const answer = await repeated(operation, call, () => handle(call), parts)
        if (answer === reply) return reply
        void reply.code(operation.status)
        if (operation.status === 204) return reply.send()
        if (operation.type !== undefined) void reply.type(operation.type)
        if (operation.cache !== undefined) return sendCacheable(request, reply, operation.cache, answer)
        return reply.send(answer)
      },
    })
  }
}

/**
 * Proves who calls. Who cannot, or nobody knows, is counted by its address, and who calls by what it proved; admins are
 * not.
 */
async function whoCalls(
  { caller, counted, isProbe = false }: Operation,
  request: FastifyRequest,
  reply: FastifyReply,
  parts: ServeParts,
): Promise<CallersOf[CallerKind]> {
  const { bounds, resourceServers, admins } = parts
  let met: Promise<void> | undefined
  const meet = (): Promise<void> => (met ??= bounds.stranger(request, reply))
  if (caller === 'anyone') {
    if (!isProbe) await meet()
    return null
  }
  try {
    if (caller === 'resource-server') {
      const server = proveResourceServer(request, resourceServers)
      await bounds.resourceServer(request, reply, server.name)
      if (counted !== undefined) await countCall(counted, server, parts)
      return server
    }
    const did = await proveCaller(request, parts.bodyOf(request), parts, meet, counted)
    const isAdmin = admins.has(did)
    if (!isAdmin) await bounds.subject(request, reply, did)
    return { did, isAdmin }
  } catch (error) {
    if (isProcuraError(error) && (error.kind === 'unauthenticated' || error.kind === 'malformed')) await meet()
    throw error
  }
}

function read(operation: Operation, request: FastifyRequest): Readonly<Record<'params' | 'query' | 'body', unknown>> {
  const { params, query, body } = operation
  return {
    params: parseInput(params, request.params, 'path'),
    query: parseInput(query, request.query, 'query'),
    body: body === null ? undefined : parseInput(body, request.body, 'body'),
  }
}

async function repeated(
  { repeat }: Operation,
  { by, request, reply }: Call<Operation>,
  work: () => Promise<unknown>,
  { repeats, bodyOf }: ServeParts,
): Promise<unknown> {
  const key = keyOf(request)
  if (key === undefined) return work()
  if (repeat === 'free' || by === null) {
    throw new ProcuraError('SCHEMA', {
      at: `header ${KEY_HEADER}`,
      why: 'is not taken here: asking twice does no harm',
    })
  }
  const who = 'did' in by ? by.did : by.name
  const call = { who, key, request: requestDigest(request, bodyOf(request)), isAtomic: repeat === 'once' }
  const { answer, isReplay } = await repeats(call, work)
  if (isReplay) void reply.header('idempotency-replayed', 'true')
  return answer
}

/** Answers with a strong ETag; 304 to who has it. */
function sendCacheable(request: FastifyRequest, reply: FastifyReply, cache: string, answer: unknown): FastifyReply {
  const body = typeof answer === 'string' ? answer : JSON.stringify(answer)
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  void reply.header('etag', etag).header('cache-control', cache)
  if (request.headers['if-none-match'] === etag) return reply.code(304).send()
  if (typeof answer !== 'string' && reply.getHeader('content-type') === undefined) void reply.type('application/json')
  return reply.send(body)
}
