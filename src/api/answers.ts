import { z } from 'zod'
import { did, json, key, s256, seconds, token } from './shapes.js'

const digest = z.string().meta({ id: 'Digest', description: 'digest of a credential: uEi…' })
const link = z.int().nullable().meta({ description: 'the link that refused: 0 is the root, −1 the policy' })
const refusal = { code: z.string(), kind: z.string(), detail: z.string() }

const actor = z
  .object({
    sub: did,
    get act() {
      return actor.optional()
    },
  })
  .meta({ id: 'Actor' })

/** What a decision knows, allowed or not (profile §6). */
const evidence = {
  decisionId: z.string(),
  policyVersion: z.string(),
  at: seconds,
  holder: did.nullable(),
  root: did.nullable(),
  onBehalfOf: z.string().nullable(),
  path: z.array(did).readonly().meta({ description: 'subjects, root → leaf' }),
  unproved: z.array(did).readonly(),
  act: actor.readonly().nullable().meta({ description: 'the path as RFC 8693 §4.1 nests it' }),
  digests: z.array(digest).readonly(),
  purpose: s256.nullable(),
  validUntil: seconds.nullable(),
  statusAge: z.int().nullable(),
  identities: z.array(digest).readonly(),
  approvedBy: z.object({ did, id: z.string(), method: z.string() }).readonly().nullable(),
}

const approval = z
  .object({
    audience: z.string(),
    leaf: digest,
    action: z.string(),
    resource: z.string(),
    paramsDigest: s256,
    display: json,
  })
  .readonly()

/** Answer of `POST /v1/verify`. */
export const decisionAnswer = z
  .union([
    z.object({
      ...evidence,
      allow: z.literal(true),
      code: z.null(),
      link: z.null(),
      reservedUntil: seconds.nullable(),
    }),
    z.object({
      ...evidence,
      allow: z.literal(false),
      ...refusal,
      link,
      approval: approval.nullable().meta({ description: 'what has to be approved, under APPROVAL_REQUIRED' }),
      disclose: z.boolean().meta({ description: 'false: the caller may learn only the kind' }),
    }),
  ])
  .meta({ id: 'Decision' })

/** Answer of `POST /v1/commit` and `POST /v1/release`. */
export const commitmentAnswer = z.union([
  z.object({ decisionId: z.string(), allow: z.literal(true), code: z.null(), link: z.null() }),
  z.object({ decisionId: z.string(), allow: z.literal(false), ...refusal, link }),
])

/** Answer of `POST /v1/challenges`. */
export const challengeAnswer = z.object({
  nonce: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/)
    .nullable()
    .meta({ description: 'good once, for 60 s; null if the policy asks for none' }),
})

const subject = z
  .object({
    id: z.string(),
    did,
    key,
    kind: z.enum(['agent', 'person', 'organisation']),
    name: z.string(),
    state: z.enum(['active', 'suspended', 'retired']),
    owner: z.string().nullable().meta({ description: 'id of the subject whose sub-agent it is' }),
    agent: json.optional(),
    registeredAt: seconds,
    expiresAt: seconds.nullable(),
  })
  .meta({ id: 'Subject' })

/** A subject of the register. */
export const subjectAnswer = subject

/** An issued credential. */
export const issuedAnswer = z
  .object({ credential: token, digest, id: z.string(), validUntil: seconds })
  .meta({ id: 'Issued' })

/** Answer of `POST /v1/subjects`. */
export const registeredAnswer = z.object({ subject, identity: issuedAnswer.nullable() })

/** Answer of `POST /v1/subjects/{did}/rotate`. */
export const rotatedAnswer = registeredAnswer.extend({ credentials: z.array(issuedAnswer).readonly() })

/** Answer of `GET /v1/subjects`. */
export const subjectsAnswer = z.object({
  subjects: z.array(subject).readonly(),
  next: z.string().nullable().meta({ description: 'for `after`; null at the end' }),
})

/** Answer of `POST /v1/status/allocations`. */
export const allocationAnswer = z.object({
  indexes: z.array(z.object({ url: z.url().max(512), index: z.int().min(0) })).readonly(),
  until: seconds,
})

/** Answer of `POST /v1/status/publications`. */
export const publicationAnswer = z.object({ lists: z.array(z.string()).readonly() })

const changed = z.object({
  digest,
  list: z.string(),
  index: z.int(),
  version: z.int().meta({ description: 'a published version of the list that shows it' }),
})

const ended = z.object({
  digest,
  parent: digest.nullable().meta({ description: 'the one above it that would end too' }),
  issuer: did,
  agent: did.meta({ description: 'who holds it' }),
  validUntil: seconds,
  grants: z.array(z.object({ resource: z.string(), actions: z.array(z.string()).readonly() })).readonly(),
})

/** Answer of `POST /v1/revocations`, by what was asked. */
export const revocationAnswer = z.union([
  changed,
  z
    .object({ results: z.array(z.union([changed, z.object({ code: z.string(), detail: z.string() })])).readonly() })
    .meta({ description: 'of `revocations`, in their order' }),
  z.object({ agent: did, changed: z.int() }),
  z.object({ issuer: did, changed: z.int(), unseen: z.int() }),
  z
    .object({
      credentials: z.array(digest).readonly(),
      descendants: z.int(),
      agents: z.array(did).readonly(),
      reservations: z.array(z.string()).readonly(),
      tree: z.array(ended).readonly(),
    })
    .meta({ description: 'of `dryRun`: what would end' }),
])

/** Answer of `GET /v1/events` to who asks for JSON. */
export const eventsAnswer = z.object({ sets: z.array(token).readonly(), heartbeat: token })

/** Answer of `GET /healthz`. */
export const healthAnswer = z.object({ status: z.literal('ok') })

/** Answer of `GET /readyz`, ready or not. */
export const readyAnswer = z.object({
  ready: z.boolean(),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), why: z.string().optional() })),
  /** what verifies signatures: `node:crypto` or `sodium-native` */
  signatures: z.string(),
})

/** Answer of `GET /.well-known/procura`. */
export const metadataAnswer = z.object({
  issuer: did,
  did_document: z.url(),
  verify: z.url(),
  challenges: z.url(),
  chains: z.url(),
  status_lists: z.url(),
  events: z.url(),
  openapi: z.url(),
  formats: z.array(z.string()).readonly(),
  algorithms: z.array(z.string()).readonly(),
  limits: z.object({ body_bytes: z.int(), chain_links: z.int(), presentation_characters: z.int() }),
})

/** A DID document. */
export const documentAnswer = z.looseObject({ id: did })

/** A problem document. @see https://www.rfc-editor.org/rfc/rfc9457#section-3.1 */
export const problemAnswer = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().optional().meta({ description: 'stable; switch on it' }),
    detail: z.string().optional(),
  })
  .meta({ id: 'Problem' })
