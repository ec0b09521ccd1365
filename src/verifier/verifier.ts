import type { Digest } from '../encoding.js'
import type { Did } from '../did/did.js'
import { leafOf, openChain, requireInTime, type Chain, type Progress } from '../delegation/chain.js'
import type { JsonObject } from '../json.js'
import { toProcuraError, type Code, type Kind } from '../errors.js'
import type { Policy } from '../policy/policy.js'
import type {
  Audit,
  Clock,
  Ids,
  Keys,
  Ledger,
  ListVersions,
  Nonces,
  Replay,
  Revocations,
  StatusLists,
} from '../ports.js'
import { openPresentation, readPresentation, requireFresh } from '../presentation/presentation.js'
import { paramsDigest, requireRequest, type ReceivedRequest } from '../presentation/request.js'
import { nearest } from '../delegation/narrowing.js'
import type { UnixSeconds } from '../time.js'
import { chargeAll } from './charges.js'
import {
  requireAudience,
  requireEveryLinkAllows,
  requireNonce,
  requireRootKey,
  requireTrustedRoot,
  requireUnused,
} from './checks.js'
import { requireApprovals, requireLive } from './live.js'

/** One interface whether the decision is made in this process or by `POST /v1/verify`. */
export interface Verifier {
  /** the audience that presentations must name: an https origin */
  readonly self: string
  decide(token: string, received: ReceivedRequest): Promise<Decision>
}

/** A verifier in this process: the policy and all ports are required, no check can be left out. */
export function createVerifier(policy: Policy, ports: VerifierPorts): Verifier {
  return { self: policy.self, decide: (token, received) => decide(token, received, policy, ports) }
}

/** Everything a verifier needs of the world. None may be left out. */
export interface VerifierPorts {
  readonly clock: Clock
  readonly ids: Ids
  readonly keys: Keys
  readonly statusLists: StatusLists
  readonly listVersions: ListVersions
  readonly revocations: Revocations
  readonly nonces: Nonces
  readonly replay: Replay
  readonly ledger: Ledger
  readonly audit: Audit
}

/** What a decision knows; `null` for what was not verified before it was refused. */
export interface Evidence {
  readonly decisionId: string
  readonly policyVersion: string
  readonly at: UnixSeconds
  /** who presents */
  readonly holder: Did | null
  /** who rooted the authority */
  readonly root: Did | null
  /** the accountable principal */
  readonly onBehalfOf: string | null
  /** subjects, root → leaf */
  readonly path: readonly Did[]
  /** the same as RFC 8693 §4.1 nests it: the actor, and before it those who acted for the one before */
  readonly act: Actor | null
  /** credentials, root → leaf */
  readonly digests: readonly Digest[]
  /** SHA-256 of the mission the chain was made for */
  readonly purpose: string | null
  /** the earliest end of the chain */
  readonly validUntil: UnixSeconds | null
  /** seconds since the host of the oldest status list answered; `null` if no link has one */
  readonly statusAge: number | null
}

/** @see https://www.rfc-editor.org/rfc/rfc8693#section-4.1 */
export interface Actor {
  readonly sub: Did
  readonly act?: Actor
}

/** The answer to one request. */
export type Decision = Evidence &
  (
    | { readonly allow: true; readonly code: null; readonly link: null }
    | {
        readonly allow: false
        readonly code: Code
        readonly kind: Kind
        /** one sentence with the facts */
        readonly detail: string
        /** index of the link that refused, −1 for the policy, `null` if none in particular */
        readonly link: number | null
        /** false: the caller proved nothing and may learn only the kind of the refusal (and CHAIN_UNKNOWN) */
        readonly disclose: boolean
      }
  )

/**
 * Answers one question: may the sender of `token` have `received` executed here, now?
 *
 * The body is profile §6; the order of its lines is the order of the checks, and the first failure is the answer.
 * A refusal is a value. Only AUDIT_UNAVAILABLE turns a yes into a no after the fact: what cannot be recorded is denied.
 *
 * @param token - `vp+jwt`
 * @param received - what the server is about to do, derived by the server
 */
export async function decide(
  token: string,
  received: ReceivedRequest,
  policy: Policy,
  ports: VerifierPorts,
): Promise<Decision> {
  const known: Known = { now: 0, decisionId: '', link: null, chain: null, authenticated: false, statusAge: null }
  try {
    const now = begin(known, ports)
    const presented = readPresentation(token, policy.maxChain) //                                            1–4
    const root = requireTrustedRoot(presented.credentials[0], policy) //                                     6
    const rootKey = await requireRootKey(presented.credentials[0], root, ports.keys) //                      7
    const chain = await openChain(
      presented.credentials,
      rootKey,
      root.maxTtl,
      policy.subjectKeyBinding,
      ports.keys,
      known,
    ) // 8–10
    known.chain = chain
    const presentation = openPresentation(presented, leafOf(chain)) //                                       11
    known.authenticated = true
    requireAudience(presentation.aud, chain, policy.self, known) //                                          12
    requireFresh(presentation, now) //                                                                       13
    requireInTime(chain, now, known)
    await requireNonce(presentation.nonce, policy.challenge, ports.nonces) //                                14
    const call = requireRequest(presentation.request, received, purposesOf(chain)) //                        15
    const allowing = requireEveryLinkAllows(root, chain, call, known) //                                     16
    known.statusAge = await requireLive(chain, policy, call, now, ports, known) //                           17
    requireApprovals(allowing, call)
    await requireUnused(presentation, leafOf(chain).key, ports.replay) //                                                       18
    await chargeAll(root, chain, call, now, ports.ledger)
    const allowed: Decision = { ...evidence(known, policy), allow: true, code: null, link: null }
    await ports.audit.record(recordOf(allowed, received)) //                                                     19
    return allowed
  } catch (thrown) {
    const error = toProcuraError(thrown)
    const { code, kind, message: detail, cause } = error
    const { link, authenticated: disclose } = known
    const refused: Decision = { ...evidence(known, policy), allow: false, code, kind, detail, link, disclose }
    const defect = code === 'INTERNAL' && cause instanceof Error ? { defect: cause.stack } : {}
    await ports.audit.record({ ...recordOf(refused, received), ...defect }).catch(() => undefined)
    return refused
  }
}

/** How far a decision has come. */
interface Known extends Progress {
  now: UnixSeconds
  decisionId: string
  chain: Chain | null
  authenticated: boolean
  statusAge: number | null
}

/** Names the decision and reads the clock once. A clock that tells no time would pass every comparison. */
function begin(known: Known, { clock, ids }: VerifierPorts): UnixSeconds {
  known.decisionId = ids.uuid()
  known.now = clock.now()
  if (!Number.isSafeInteger(known.now)) throw new TypeError('the clock tells no time')
  return known.now
}

function evidence(known: Known, policy: Policy): Evidence {
  const chain = known.chain ?? []
  const authorities = chain.map(link => link.claims.authority)
  const path = chain.map(link => link.subject)
  return {
    decisionId: known.decisionId,
    policyVersion: policy.version,
    at: known.now,
    holder: known.authenticated ? (path.at(-1) ?? null) : null,
    root: chain[0]?.issuer ?? null,
    onBehalfOf: nearest(authorities, 'onBehalfOf') ?? null,
    path,
    act: path.reduce<Actor | null>((act, sub) => (act === null ? { sub } : { sub, act }), null),
    digests: chain.map(link => link.digest),
    purpose: nearest(authorities, 'purpose')?.s256 ?? null,
    validUntil: chain.length === 0 ? null : Math.min(...chain.map(link => link.validUntil)),
    statusAge: known.statusAge,
  }
}

/** A decision for the log: digests of parameters, never their values, and no token. */
function recordOf(decision: Decision, { method, url, action, resource, params }: ReceivedRequest): object {
  return { ...decision, method, url, action, resource, paramsDigest: digestOfParams(params) }
}

/** `null` where the server's own parameters have no canonical form: the refusal says so already. */
function digestOfParams(params: JsonObject): string | null {
  try {
    return paramsDigest(params)
  } catch {
    return null
  }
}

function purposesOf(chain: Chain): readonly string[] {
  return chain.flatMap(({ claims }) => claims.authority.purpose?.s256 ?? [])
}
