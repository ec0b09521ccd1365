import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ProcuraError } from '../../errors.js'
import { proveResourceServer, type ResourceServer } from './callers.js'
import { serveFeed, type FeedParts } from './feed.js'

/** Who may read the feed. */
export type Readers = 'public' | 'resource-servers'

/** What the route needs. */
export interface EventParts extends FeedParts {
  readonly readers: Readers
  readonly resourceServers: readonly ResourceServer[]
}

/** Announcements in one answer of the pull form. */
const MAX_PAGE = 200
const NUMBER = /^\d{1,15}$/

/**
 * `GET /v1/events` (service.md §3): server-sent events, resumed by `Last-Event-ID` or `?after=`; without either, what
 * comes from now on. With `Accept: application/json` one page of the same tokens, for who cannot hold a stream open.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function routeEvents(app: FastifyInstance, { readers, resourceServers, ...parts }: EventParts): void {
  const feed = serveFeed(parts)
  app.addHook('preClose', done => {
    feed.close()
    done()
  })
  app.get<{ Querystring: { after?: unknown; limit?: unknown } }>(
    '/v1/events',
    { exposeHeadRoute: false },
    async (request, reply) => {
      if (readers === 'resource-servers') proveResourceServer(request, resourceServers)
      const { after: asked, limit = String(MAX_PAGE) } = request.query
      const from = request.headers['last-event-id'] ?? asked
      const after = from === undefined ? await feed.last() : numberOf('after', from)
      void reply.header('cache-control', 'no-store')
      if (wantsPage(request)) return feed.page(after, Math.min(numberOf('limit', limit), MAX_PAGE))
      feed.stream(reply.raw, after)
      return reply.hijack()
    },
  )
}

function wantsPage({ headers: { accept = '' } }: FastifyRequest): boolean {
  return accept.includes('application/json') && !accept.includes('text/event-stream')
}

function numberOf(name: string, value: unknown): number {
  if (typeof value === 'string' && NUMBER.test(value)) return Number(value)
  throw new ProcuraError('SCHEMA', { at: `query.${name}`, why: 'is not a number' })
}
