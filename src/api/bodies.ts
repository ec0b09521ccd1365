import { z } from 'zod'
import { chain, did, json, key, s256 } from './shapes.js'

/** Body of `POST /v1/verify`. */
export const verifyBody = z
  .strictObject({
    presentation: z.string().min(1).optional(),
    proof: z.string().min(1).optional(),
    approval: z.string().min(1).optional(),
    reserve: z.boolean().optional(),
    request: z.strictObject({
      method: z.string().min(1).max(32),
      url: z.string().min(1).max(2048),
      bodyDigest: s256.nullish(),
      action: z.string().min(1).max(512),
      resource: z.string().min(1).max(512),
      params: json,
      traceparent: z.string().max(512).optional(),
    }),
  })
  .refine(({ presentation, proof }) => (presentation === undefined) !== (proof === undefined), {
    message: 'needs either presentation or proof',
  })

/** Body of `PUT /v1/chains/{digest}`: tokens, root first. */
export const chainBody = chain

/** Body of `POST /v1/commit` and `POST /v1/release`. */
export const decisionBody = z.strictObject({ decisionId: z.string().min(1).max(64) })

/** Body of a request that has nothing to say. */
export const emptyBody = z.strictObject({})

/** Body of `POST /v1/challenges`. */
export const challengeBody = z.strictObject({ action: z.string().min(1).max(512).optional() })

/** An `agent-proof+jwt` of the new key for this route: nobody registers a DID that is not his. */
const possession = z.string().min(1).max(4096)

/** Body of `POST /v1/subjects`. What is said of an agent is read by the same code that will verify it. */
export const subjectBody = z.strictObject({
  kind: z.enum(['agent', 'person', 'organisation']),
  did,
  key: key.optional(),
  name: z.string().min(1).max(128),
  agent: json.optional(),
  ttl: z.int().min(1).max(31_622_400).optional(),
  possession: possession.optional(),
})

/** Body of `POST /v1/subjects/{did}/rotate`. */
export const rotationBody = z.strictObject({ did, key: key.optional(), possession })

/** Query of `GET /v1/subjects`. */
export const subjectQuery = z.strictObject({
  after: z.uuid().optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  kind: z.enum(['agent', 'person', 'organisation']).optional(),
  state: z.enum(['active', 'suspended', 'retired']).optional(),
  owner: z.uuid().optional(),
})

/** Body of `POST /v1/grants`. The authority is read by the same code that will verify it. */
export const grantBody = z.strictObject({
  to: did,
  ttl: z.int().min(1).max(86_400),
  authority: json,
})

/** Body of `POST /v1/status/allocations`. */
export const allocationBody = z.strictObject({ chain, count: z.int().min(1).max(256) })

const name = z.string().min(1).max(512)

/**
 * Body of `POST /v1/revocations`: one credential that this service keeps, by digest or id; one it never saw, with its
 * chain; many of either; everything of an agent; or everything that an issuer made before an instant.
 */
export const revocationBody = z
  .strictObject({
    credential: name.optional(),
    chain: chain.optional(),
    revocations: z
      .array(z.union([name, chain]))
      .min(1)
      .max(2000)
      .optional(),
    agent: did.optional(),
    issuer: did.optional(),
    /** seconds since 1970 */
    before: z.int().min(0).optional(),
    change: z.enum(['revoke', 'suspend', 'resume']).optional(),
    dryRun: z.boolean().optional(),
  })
  .refine(
    ({ credential, chain, revocations, agent, issuer }) =>
      [credential, chain, revocations, agent, issuer].filter(one => one !== undefined).length === 1,
    'needs one of credential, chain, revocations, agent, issuer',
  )
  .refine(({ issuer, before }) => (issuer === undefined) === (before === undefined), 'issuer and before go together')
  .refine(
    ({ issuer, change = 'revoke', dryRun = false }) => issuer === undefined || (change === 'revoke' && !dryRun),
    'what an issuer made is revoked, without a dry run',
  )

/** See {@link revocationBody}. */
export type RevocationBody = z.infer<typeof revocationBody>

/** Query of `GET /v1/events`. */
export const eventsQuery = z.strictObject({
  after: z
    .string()
    .regex(/^\d{1,15}$/, 'is not a number')
    .optional(),
  limit: z
    .string()
    .regex(/^\d{1,15}$/, 'is not a number')
    .optional(),
})
