import { isObject, member, type Json, type JsonObject } from '../../json.js'
import { signProof } from '../../presentation/proof.js'
import type { Signer } from '../../signer.js'
import { postAs, type ServiceOptions } from './service.js'

/** What is said of a sub-agent; its operator is its owner's. */
export interface SubAgent {
  readonly name: string
  /** L0 to L5, and not above its owner's */
  readonly autonomy: string
  readonly risk: 'low' | 'high'
  /** seconds after which the registration ends by itself */
  readonly ttl: number
}

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
): Promise<JsonObject> {
  const path = '/v1/subjects'
  const agent = { autonomy, risk }
  const possession = await possessionOf(subAgent, path, options)
  return postAs(owner, path, { kind: 'agent', did: subAgent.did, name, agent, ttl, possession }, options)
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
  const answer = await postAs(current, path, { did: next.did, possession }, options)
  const issued = member(answer, 'credentials')
  const credentials = (Array.isArray(issued) ? (issued as readonly Json[]) : []).map(tokenOf)
  return { credentials: credentials.filter(token => token !== null), identity: tokenOf(member(answer, 'identity')) }
}

function tokenOf(issued: Json | undefined): string | null {
  const token = isObject(issued) ? member(issued, 'credential') : undefined
  return typeof token === 'string' ? token : null
}

function possessionOf(signer: Signer, path: string, { service, clock, ids }: ServiceOptions): Promise<string> {
  const bound = { method: 'POST', url: `${service}${path}`, bodyDigest: null }
  return signProof(signer, service, bound, ids.token(), clock.now())
}
