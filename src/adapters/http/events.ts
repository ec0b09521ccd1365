import type { FastifyInstance, FastifyRequest } from 'fastify'
import { OPERATIONS } from '../../api/operations.js'
import { ProcuraError } from '../../errors.js'
import { proveResourceServer, type ResourceServer } from './callers.js'
import { serveFeed, type FeedParts } from './feed.js'
import type { Serve } from './serve.js'

/** Who may read the feed. */
export type Readers = 'public' | 'resource-servers'

/** What the feed is served from, and to whom. */
export interface EventParts extends FeedParts {
  readonly readers: Readers
}

/** Announcements in one answer of the pull form. */
const MAX_PAGE = 200

/**
 * `GET /v1/events` (service.md §3): server-sent events, resumed by `Last-Event-ID` or `?after=`; without either, what
 * comes from now on. With `Accept: application/json` one page of the same tokens, for who cannot hold a stream open.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function eventRoutes(
  app: FastifyInstance,
  serve: Serve,
  { readers, ...parts }: EventParts,
  resourceServers: readonly ResourceServer[],
): void {
  const feed = serveFeed(parts)
  app.addHook('preClose', done => {
    feed.close()
    done()
  })
  serve(OPERATIONS.events, async ({ query, request, reply }) => {
    if (readers === 'resource-servers') proveResourceServer(request, resourceServers)
    const from = request.headers['last-event-id'] ?? query.after
    const after = from === undefined ? await feed.last() : numberOf('after', from)
    void reply.header('cache-control', 'no-store')
    if (wantsPage(request)) return feed.page(after, Math.min(Number(query.limit ?? MAX_PAGE), MAX_PAGE))
    // what the answer would say beside, to browsers above all, the stream says
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) reply.raw.setHeader(name, value)
    feed.stream(reply.raw, after)
    return reply.hijack()
  })
}

function wantsPage({ headers: { accept = '' } }: FastifyRequest): boolean {
  return accept.includes('application/json') && !accept.includes('text/event-stream')
}

function numberOf(name: string, value: unknown): number {
  if (typeof value === 'string' && /^\d{1,15}$/.test(value)) return Number(value)
  throw new ProcuraError('SCHEMA', { at: `query.${name}`, why: 'is not a number' })
}
