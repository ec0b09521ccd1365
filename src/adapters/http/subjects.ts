import type { FastifyInstance, FastifyRequest } from 'fastify'
import { methodOf, type Did } from '../../did/did.js'
import { fromDidKey } from '../../did/key.js'
import { parsePublicKey, type PublicKey } from '../../ed25519.js'
import { ProcuraError } from '../../errors.js'
import type { StoredCredential, Subject } from '../../ports.js'
import type { Registered, Registrar } from '../../registrar/registrar.js'
import { didParam, emptyBody, parseBody, rotationBody, subjectBody, subjectQuery } from './bodies.js'
import type { ProvedCaller } from './callers.js'

/** What the routes of the register answer with. */
export interface SubjectParts {
  readonly registrar: Registrar
  /** who calls, proved */
  readonly caller: ProvedCaller
  /** Requires that the holder of a key agrees to this call. @throws the codes of a proof */
  readonly possess: (request: FastifyRequest, possession: string, holder: Holder) => Promise<void>
}

/** A DID and the key that is said to be its own. */
export interface Holder {
  readonly did: Did
  readonly key: PublicKey
}

type Named = { Params: { did: string } }

/** `/v1/subjects`: registering agents, people and organisations, and their life (service.md §3). */
export function subjectRoutes(app: FastifyInstance, { registrar, caller, possess }: SubjectParts): void {
  const named = (request: FastifyRequest): Did => parseBody(didParam, request.params).did

  app.post('/v1/subjects', async (request, reply) => {
    const by = await caller(request)
    const { kind, did, key: stated, name, agent, ttl, possession } = parseBody(subjectBody, request.body)
    const key = keyOf(did, stated)
    if (possession !== undefined) await possess(request, possession, { did, key })
    else if (!by.isAdmin)
      throw new ProcuraError('SCHEMA', { at: 'body.possession', why: 'is needed from all but admins' })
    const optional = { ...(agent === undefined ? {} : { agent }), ...(ttl === undefined ? {} : { ttl }) }
    return reply.code(201).send(toAnswer(await registrar.register({ kind, did, key, name, ...optional }, by)))
  })

  app.get('/v1/subjects', async request => {
    const by = await caller(request)
    const { after = null, limit, ...query } = parseBody(subjectQuery, request.query)
    const found = await registrar.list({ after, limit, ...defined(query) }, by)
    return { subjects: found.map(toJson), next: found.length < limit ? null : (found.at(-1)?.id ?? null) }
  })

  app.get<Named>('/v1/subjects/:did', async request => {
    return toJson(await registrar.show(named(request), await caller(request)))
  })

  for (const verb of ['suspend', 'resume', 'retire'] as const) {
    app.post<Named>(`/v1/subjects/:did/${verb}`, async request => {
      const by = await caller(request)
      parseBody(emptyBody, request.body)
      return toJson(await registrar[verb](named(request), by))
    })
  }

  app.post<Named>('/v1/subjects/:did/identity', async (request, reply) => {
    const by = await caller(request, 'identities')
    parseBody(emptyBody, request.body)
    return reply.code(201).send(toIssued(await registrar.identify(named(request), by)))
  })

  app.post<Named>('/v1/subjects/:did/rotate', async request => {
    const by = await caller(request)
    const { did, key: stated, possession } = parseBody(rotationBody, request.body)
    const key = keyOf(did, stated)
    await possess(request, possession, { did, key })
    const { credentials, ...rotated } = await registrar.rotate(named(request), did, key, by)
    return { ...toAnswer(rotated), credentials: credentials.map(toIssued) }
  })
}

/** The key that a DID contains, or that is stated beside it. @throws SCHEMA, KEY_WEAK */
function keyOf(did: Did, stated: string | undefined): PublicKey {
  const key = stated === undefined ? null : parsePublicKey(Buffer.from(stated, 'base64url'), 'body.key')
  if (methodOf(did) !== 'key') {
    if (key !== null) return key
    throw new ProcuraError('SCHEMA', { at: 'body.key', why: `is needed for ${did}` })
  }
  const own = fromDidKey(did)
  if (key !== null && key.x !== own.x)
    throw new ProcuraError('SCHEMA', { at: 'body.key', why: `is not the key of ${did}` })
  return own
}

function toAnswer({ subject, identity }: Registered): object {
  return { subject: toJson(subject), identity: identity === null ? null : toIssued(identity) }
}

function toJson({ agent, ...subject }: Subject): object {
  return { ...subject, ...(agent === null ? {} : { agent }) }
}

/** An issued credential as every route answers it. */
export function toIssued({ token, digest, id, validUntil }: StoredCredential): object {
  return { credential: token, digest, id, validUntil }
}

function defined<T extends object>(value: T): { readonly [K in keyof T]-?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never
}
