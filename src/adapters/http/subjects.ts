import type { FastifyRequest } from 'fastify'
import type { z } from 'zod'
import type { issuedAnswer, registeredAnswer, subjectAnswer } from '../../api/answers.js'
import { OPERATIONS } from '../../api/operations.js'
import type { AuthorityDraft } from '../../authority/authority.js'
import { methodOf, type Did } from '../../did/did.js'
import { fromDidKey } from '../../did/key.js'
import { parsePublicKey, type PublicKey } from '../../ed25519.js'
import { ProcuraError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import type { StoredCredential } from '../../ports/issuing.js'
import type { Subject } from '../../ports/register.js'
import type { Registered, Registrar } from '../../registrar/registrar.js'
import { provePossession, type ProofPorts } from './callers.js'
import type { Serve } from './serve.js'

/** What the routes of the register answer with. */
export interface SubjectParts extends ProofPorts {
  readonly registrar: Registrar
}

/** `/v1/subjects` and `/v1/grants`: registering agents, people and organisations, their life, and what they are granted. */
export function subjectRoutes(serve: Serve, { registrar, ...ports }: SubjectParts): void {
  /** The holder of a key agrees to this call. */
  const possess = (request: FastifyRequest, possession: string, did: Did, key: PublicKey): Promise<void> =>
    provePossession(request, possession, { did, key }, ports)

  serve(OPERATIONS.register, async ({ body, by, request }) => {
    const { possession, did, key: stated, ...said } = body
    const key = keyOf(did, stated)
    if (possession !== undefined) await possess(request, possession, did, key)
    else if (!by.isAdmin)
      throw new ProcuraError('SCHEMA', { at: 'body.possession', why: 'is needed from all but admins' })
    return toAnswer(await registrar.register({ did, key, ...defined(said) }, by))
  })

  serve(OPERATIONS.subjects, async ({ query, by }) => {
    const { after = null, limit, ...wanted } = query
    const found = await registrar.list({ after, limit, ...defined(wanted) }, by)
    return { subjects: found.map(toJson), next: found.length < limit ? null : (found.at(-1)?.id ?? null) }
  })

  serve(OPERATIONS.subject, async ({ params: { did }, by }) => toJson(await registrar.show(did, by)))

  for (const verb of ['suspend', 'resume', 'retire'] as const) {
    serve(OPERATIONS[verb], async ({ params: { did }, by }) => toJson(await registrar[verb](did, by)))
  }

  serve(OPERATIONS.identify, async ({ params: { did }, by }) => toIssued(await registrar.identify(did, by)))

  serve(OPERATIONS.rotate, async ({ params, body, by, request }) => {
    const { did, key: stated, possession } = body
    const key = keyOf(did, stated)
    await possess(request, possession, did, key)
    const { credentials, ...rotated } = await registrar.rotate(params.did, did, key, by)
    return { ...toAnswer(rotated), credentials: credentials.map(toIssued) }
  })

  serve(OPERATIONS.grant, async ({ body: { to, ttl, authority }, by }) =>
    toIssued(await registrar.grant({ to, ttl, authority: draftOf(authority) }, by)),
  )
}

/** The members a caller may set. What they say is read by the issuer with the verifier's eyes. */
function draftOf(members: JsonObject): AuthorityDraft {
  for (const name of ['v', 'hop', 'parent', 'statusIssuers']) {
    if (Object.hasOwn(members, name))
      throw new ProcuraError('SCHEMA', { at: `body.authority.${name}`, why: 'is set by the issuer' })
  }
  return members as unknown as AuthorityDraft
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

function toAnswer({ subject, identity }: Registered): z.input<typeof registeredAnswer> {
  return { subject: toJson(subject), identity: identity === null ? null : toIssued(identity) }
}

function toJson({ agent, ...subject }: Subject): z.input<typeof subjectAnswer> {
  return { ...subject, ...(agent === null ? {} : { agent }) }
}

function toIssued({ token, digest, id, validUntil }: StoredCredential): z.input<typeof issuedAnswer> {
  return { credential: token, digest, id, validUntil }
}

function defined<T extends object>(value: T): { readonly [K in keyof T]-?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never
}
