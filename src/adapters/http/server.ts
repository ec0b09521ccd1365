import { createHash } from 'node:crypto'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { AuthorityDraft } from '../../authority/authority.js'
import type { Did } from '../../did/did.js'
import type { Hosting } from '../../did/hosting.js'
import { isProcuraError, ProcuraError } from '../../errors.js'
import type { Issuer } from '../../issuer/issuer.js'
import type { JsonObject } from '../../json.js'
import type { Registrar } from '../../registrar/registrar.js'
import { challengeBody, decisionBody, grantBody, parseBody, verifyBody } from './bodies.js'
import { keepChain } from './chains.js'
import {
  provePossession,
  proveCaller,
  proveResourceServer,
  type ProofPorts,
  type ProvedCaller,
  type ResourceServer,
} from './callers.js'
import { routeEvents, type EventParts } from './events.js'
import { requireSettled, throttleOf } from './limits.js'
import { endSilentConnections } from './silent.js'
import { PROBLEM, toProblem, toRefusal } from './problem.js'
import { statusRoutes } from './status-routes.js'
import { subjectRoutes, toIssued } from './subjects.js'

/** What the service answers with. */
export interface ServerParts extends ProofPorts {
  /** the service's own https origin: what proofs are bound to */
  readonly origin: string
  readonly issuer: Issuer
  readonly registrar: Registrar
  /** the issuer's DID document */
  readonly document: () => Promise<JsonObject>
  /** documents of agents under paths of the origin */
  readonly hosting: Pick<Hosting, 'documentAt'>
  readonly resourceServers: readonly ResourceServer[]
  readonly events: Omit<EventParts, 'resourceServers'>
  readonly admins: ReadonlySet<Did>
  /** told of every answer of 500 */
  readonly onDefect: (error: unknown) => void
}

const BODY_LIMIT = 256 * 1024
/** DID documents; together with a resolver's own 300 s this bounds how long a key that was taken away still counts. */
const DOCUMENT_CACHE = 'public, max-age=60, must-revalidate'

/** The HTTP service (service.md §3): every refusal is a problem document with a stable code. */
export function createServer(parts: ServerParts): FastifyInstance {
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    routerOptions: { maxParamLength: 512 },
    requestTimeout: 15_000,
    forceCloseConnections: 'idle',
  })
  const bodies = new WeakMap<FastifyRequest, Buffer>()
  const caller: ProvedCaller = async (request, counted) => {
    const did = await proveCaller(request, bodies.get(request) ?? null, parts, counted)
    return { did, isAdmin: parts.admins.has(did) }
  }

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    bodies.set(request, body as Buffer)
    const parse = app.getDefaultJsonParser('error', 'error')
    void parse(request, (body as Buffer).toString('utf8'), done)
  })

  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const refusal = toRefusal(asRefusal(error))
    if (refusal.kind === 'misconfigured') parts.onDefect(error)
    const problem = toProblem(refusal, true)
    const status = isProcuraError(error) ? problem.status : (error.statusCode ?? problem.status)
    if (status === 401) void reply.header('www-authenticate', 'Agent-Proof')
    if (isProcuraError(error) && error.code === 'RATE_LIMITED')
      void reply.header('retry-after', String(error.facts['per']))
    return reply
      .code(status)
      .type(PROBLEM)
      .send({ ...problem, status })
  })
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type(PROBLEM)
      .send(toProblem(toRefusal(new ProcuraError('NOT_FOUND', { what: `route ${request.method} here` })), true)),
  )

  app.get('/healthz', () => ({ status: 'ok' }))
  app.get('/.well-known/did.json', async (request, reply) => sendDocument(request, reply, await parts.document()))
  app.get('/*', async (request, reply) => {
    // the path as it came: a decoded one would give an agent's document many names
    const document = await parts.hosting.documentAt(request.raw.url ?? '')
    if (document !== null) return sendDocument(request, reply, document)
    reply.callNotFound()
    return reply
  })

  statusRoutes(app, parts, caller)

  endSilentConnections(app)
  routeEvents(app, { ...parts.events, resourceServers: parts.resourceServers })

  app.post('/v1/verify', async request => {
    const { verifier } = proveResourceServer(request, parts.resourceServers)
    const { presentation, proof = '', approval, reserve = false, request: asked } = parseBody(verifyBody, request.body)
    const received = { ...asked, bodyDigest: asked.bodyDigest ?? null, ...(approval === undefined ? {} : { approval }) }
    return verifier.decide(presentation ?? { proof }, received, { reserve })
  })

  for (const how of ['commit', 'release'] as const) {
    app.post(`/v1/${how}`, async request => {
      const { verifier } = proveResourceServer(request, parts.resourceServers)
      return verifier[how](parseBody(decisionBody, request.body).decisionId)
    })
  }

  app.put<{ Params: { digest: string } }>('/v1/chains/:digest', async (request, reply) => {
    const { verifier, secretHash } = proveResourceServer(request, parts.resourceServers)
    const throttles = [throttleOf(parts.limits, 'chains', secretHash)]
    requireSettled(await parts.ledger.settle({ uses: [], throttles, charges: [], hold: null, now: parts.clock.now() }))
    await keepChain(verifier, request.params.digest, request.body)
    return reply.code(204).send()
  })

  app.post('/v1/challenges', async (request, reply) => {
    const { verifier } = proveResourceServer(request, parts.resourceServers)
    const { action } = parseBody(challengeBody, request.body)
    return reply.code(201).send({ nonce: await verifier.challenge(action) })
  })

  subjectRoutes(app, {
    registrar: parts.registrar,
    caller,
    possess: (request, possession, key) => provePossession(request, possession, key, parts),
  })

  app.post('/v1/grants', async (request, reply) => {
    const by = await caller(request)
    const { to, ttl, authority } = parseBody(grantBody, request.body)
    const issued = await parts.registrar.grant({ to, ttl, authority: draftOf(authority) }, by)
    return reply.code(201).send(toIssued(issued))
  })
  return app
}

function sendDocument(request: FastifyRequest, reply: FastifyReply, document: JsonObject): FastifyReply {
  void reply.type('application/did+json').header('cache-control', DOCUMENT_CACHE)
  return sendCacheable(request, reply, JSON.stringify(document))
}

/** Answers with a strong ETag; 304 to who has it. */
function sendCacheable(request: FastifyRequest, reply: FastifyReply, body: string): FastifyReply {
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  void reply.header('etag', etag)
  return request.headers['if-none-match'] === etag ? reply.code(304).send() : reply.send(body)
}

/** Faults that Fastify found are malformed requests; the rest is ours, or a defect. */
function asRefusal(error: FastifyError): unknown {
  if (isProcuraError(error) || error.statusCode === undefined || error.statusCode >= 500) return error
  return new ProcuraError('SCHEMA', { at: 'request', why: error.message }, { cause: error })
}

/** The members a caller may set. What they say is read by the issuer with the verifier's eyes. */
function draftOf(members: JsonObject): AuthorityDraft {
  for (const name of ['v', 'hop', 'parent', 'statusIssuers']) {
    if (Object.hasOwn(members, name))
      throw new ProcuraError('SCHEMA', { at: `body.authority.${name}`, why: 'is set by the issuer' })
  }
  return members as unknown as AuthorityDraft
}
