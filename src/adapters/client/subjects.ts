import type { Client } from '../../api/client.js'
import { signProof } from '../../presentation/proof.js'
import type { Signer } from '../../signer.js'
import { createClient, type ServiceOptions } from './api.js'

/** What is said of a sub-agent; its operator is its owner's. */
export interface SubAgent {
  readonly name: string
  /** L0 to L5, and not above its owner's */
  readonly autonomy: string
  readonly risk: 'low' | 'high'
  /** seconds after which the registration ends by itself */
  readonly ttl: number
}

/** What registering answers. */
export type Registration = Awaited<ReturnType<Client['register']>>

/**
 * Registers `subAgent` as a sub-agent of `owner`; both prove that they agree.
 *
 * @returns the subject, and its identity credential
 * @throws SUBJECT_UNKNOWN, SUBJECT_STATE, SUBJECT_LIMIT, SUBJECT_EXISTS, SCHEMA, SERVICE_UNAVAILABLE
 */
export async function registerSubAgent(
  owner: Signer,
  subAgent: Signer,
  { name, autonomy, risk, ttl }: SubAgent,
  options: ServiceOptions,
): Promise<Registration> {
  const possession = await possessionOf(subAgent, '/v1/subjects', options)
  const body = { kind: 'agent', did: subAgent.did, name, agent: { autonomy, risk }, ttl, possession } as const
  return createClient(owner, options).register({ body })
}

/** What a new key holds from now on. */
export interface Succession {
  readonly credentials: readonly string[]
  readonly identity: string | null
}

/**
 * Hands the registration of `current` over to `next`, which proves that it agrees.
 *
 * @returns the roots that were issued anew, and of an agent its identity credential: tokens
 * @throws SUBJECT_UNKNOWN, SUBJECT_STATE, SUBJECT_EXISTS, SERVICE_UNAVAILABLE
 */
export async function rotateTo(current: Signer, next: Signer, options: ServiceOptions): Promise<Succession> {
  const path = `/v1/subjects/${encodeURIComponent(current.did)}/rotate`
  const possession = await possessionOf(next, path, options)
  const { credentials, identity } = await createClient(current, options).rotate({
    params: { did: current.did },
    body: { did: next.did, possession },
  })
  return { credentials: credentials.map(({ credential }) => credential), identity: identity?.credential ?? null }
}

function possessionOf(signer: Signer, path: string, { service, clock, ids }: ServiceOptions): Promise<string> {
  const bound = { method: 'POST', url: `${service}${path}`, bodyDigest: null }
  return signProof(signer, service, bound, ids.token(), clock.now())
}
