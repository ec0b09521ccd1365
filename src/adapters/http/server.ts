import cors from '@fastify/cors'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import helmet from 'helmet'
import type { Answers, Transactions } from '../../ports/world.js'
import type { Issuer } from '../../issuer/issuer.js'
import type { Registrar } from '../../registrar/registrar.js'
import { auditRoutes, type AuditParts } from './audit-routes.js'
import type { ProofPorts, ResourceServer } from './callers.js'
import { documentApi } from './docs.js'
import { eventRoutes, type EventParts } from './events.js'
import {
  createBounds,
  type CallLimits,
  type Counts,
  type Limits,
  type RequestLimits,
  type SharedCount,
} from './limits.js'
import { publicRoutes, type PublicParts } from './public-routes.js'
import { answerRefusals, refuseBeforeRouting, refuseOnTheWire, refusing } from './refusals.js'
import { createRepeats } from './repeats.js'
import { serveOn } from './serve.js'
import { endSilentConnections } from './silent.js'
import { statusRoutes } from './status-routes.js'
import { subjectRoutes } from './subjects.js'
import { verifyRoutes } from './verify-routes.js'

/** What the service answers with. */
export interface ServerParts extends ProofPorts, Transactions, PublicParts {
  readonly issuer: Issuer
  readonly registrar: Registrar
  readonly answers: Answers
  readonly resourceServers: readonly ResourceServer[]
  readonly events: EventParts
  readonly audit: AuditParts
  readonly limits: Limits & CallLimits & RequestLimits
  /** where all processes count calls together; `null`: each counts its own */
  readonly redis: Omit<SharedCount, 'origin'> | null
  /** where the processes of a service on one machine count calls; `null`: this one is alone */
  readonly counts: Counts | null
  /** addresses or networks of proxies whose `X-Forwarded-For` counts */
  readonly trustedProxies: readonly string[]
  /** web origins whose pages may call; none is the default */
  readonly cors: readonly string[]
  /** aborted when the service begins to stop */
  readonly stopping: AbortSignal
  /** told of every answer of 500 */
  readonly onDefect: (error: unknown) => void
}

/** How often Node looks for requests that take too long, in milliseconds. */
const LOOK = 1000

/** The HTTP service (service.md §3): every refusal is a problem document with a stable code. */
export async function createServer(parts: ServerParts): Promise<FastifyInstance> {
  const { limits } = parts
  const app = Fastify({
    bodyLimit: limits.body,
    routerOptions: { maxParamLength: 512 },
    requestTimeout: limits.arrival * 1000,
    http: { headersTimeout: limits.arrival * 1000, connectionsCheckingInterval: LOOK, requireHostHeader: false },
    trustProxy: parts.trustedProxies.length === 0 ? false : [...parts.trustedProxies],
    forceCloseConnections: 'idle',
    // while it stops, what still comes is served: `Connection: close` tells who asks to ask elsewhere next time
    return503OnClosing: false,
    clientErrorHandler: refuseOnTheWire,
    // targets that no route can read
    frameworkErrors: (...asked) => void refusing(parts.onDefect)(...asked),
  })
  const bodies = keepRawBodies(app)
  protectBrowsers(app)
  if (parts.cors.length > 0) await app.register(cors, { origin: [...parts.cors] })
  answerRefusals(app, parts.onDefect)
  refuseBeforeRouting(app, new Set([parts.origin, ...parts.cors]))
  sendAway(app, parts.stopping)
  endSilentConnections(app)

  const serve = serveOn(app, {
    ...parts,
    repeats: createRepeats(parts.answers, parts, parts.clock),
    bounds: await createBounds(
      app,
      limits,
      parts.redis === null ? null : { ...parts.redis, origin: parts.origin },
      parts.counts,
    ),
    bodyOf: request => bodies.get(request) ?? null,
  })
  verifyRoutes(serve)
  subjectRoutes(serve, parts)
  statusRoutes(serve, parts)
  auditRoutes(serve, parts.audit)
  eventRoutes(app, serve, parts.events, parts.resourceServers)
  publicRoutes(serve, parts)
  await documentApi(app, parts.origin)
  return app
}

/** Who asks while the service stops is served, and told to come back over another connection. */
function sendAway(app: FastifyInstance, stopping: AbortSignal): void {
  app.addHook('onRequest', (_request, reply, done) => {
    if (stopping.aborted) void reply.header('connection', 'close')
    done()
  })
}

/** What browsers are told is the same in every answer, so it is worked out once. */
function protectBrowsers(app: FastifyInstance): void {
  const headers: Record<string, string> = {}
  const told = { setHeader: (name: string, value: string) => (headers[name] = value), removeHeader: () => undefined }
  helmet()({} as never, told as never, () => undefined)
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.headers(headers)
    done()
  })
}

/** Keeps bodies as they came: what is signed is bytes. */
function keepRawBodies(app: FastifyInstance): WeakMap<FastifyRequest, Buffer> {
  const bodies = new WeakMap<FastifyRequest, Buffer>()
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    bodies.set(request, body as Buffer)
    const parse = app.getDefaultJsonParser('error', 'error')
    void parse(request, (body as Buffer).toString('utf8'), done)
  })
  return bodies
}
