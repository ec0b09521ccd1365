import { leafOf, openChain, requireInTime, type Chain, type ChainRules } from '../delegation/chain.js'
import { toProcuraError } from '../errors.js'
import type { Policy, Root } from '../policy/policy.js'
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
import { toApprovalRequest } from '../presentation/approval.js'
import { openPresentation, readPresentation, requireFresh } from '../presentation/presentation.js'
import { requireRequest, type ReceivedRequest } from '../presentation/request.js'
import type { UnixSeconds } from '../time.js'
import { requireApproved } from './approved.js'
import { chargeAll } from './charges.js'
import {
  requireAudience,
  requireEveryLinkAllows,
  requireNonce,
  requireProvenance,
  requireRootKey,
  requireTrustedRoot,
  requireUnused,
  useOf,
} from './checks.js'
import { evidence, nothingKnown, recordOf, refusal, type Decision, type Known } from './decision.js'
import { requireLive } from './live.js'

export type { Actor, Decision, Evidence } from './decision.js'

/** One interface whether the decision is made in this process or by `POST /v1/verify`. */
export interface Verifier {
  /** the audience that presentations must name: an https origin */
  readonly self: string
  decide(token: string, received: ReceivedRequest): Promise<Decision>
  /** A fresh nonce for the next presentation, or `null` where the policy does not challenge. */
  challenge(): Promise<string | null>
}

/** A verifier in this process: the policy and all ports are required, no check can be left out. */
export function createVerifier(policy: Policy, ports: VerifierPorts): Verifier {
  return {
    self: policy.self,
    decide: (token, received) => decide(token, received, policy, ports),
    challenge: () => (policy.challenge === 'never' ? Promise.resolve(null) : ports.nonces.issue()),
  }
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
  const known = nothingKnown()
  try {
    const now = begin(known, ports)
    const presented = readPresentation(token, policy.maxChain) // 1–4
    const root = requireTrustedRoot(presented.credentials[0], policy) // 6
    const rootKey = await requireRootKey(presented.credentials[0], root, ports.keys) // 7
    const chain = await openChain(presented.credentials, rootKey, rulesOf(root, policy, ports), known) // 8–10
    known.chain = chain
    const presentation = openPresentation(presented, leafOf(chain)) // 11
    known.authenticated = true
    requireAudience(presentation.aud, chain, policy.self, known) // 12
    requireFresh(presentation, now) // 13
    requireInTime(chain, now, known)
    await requireNonce(presentation.nonce, policy.challenge, ports.nonces) // 14
    const call = requireRequest(presentation.request, received, purposesOf(chain)) // 15
    const allowing = requireEveryLinkAllows(root, chain, call, known) // 16
    requireProvenance(presentation.request, policy)
    known.statusAge = await requireLive(chain, policy, call, now, ports, known) // 17
    known.approval = toApprovalRequest(policy.self, leafOf(chain).digest, call)
    const approved = await requireApproved(allowing, received.approval, known.approval, root, ports.keys, now)
    await requireUnused([useOf(presentation, leafOf(chain).key), ...approved], ports.replay) // 18
    await chargeAll(root, chain, call, now, ports.ledger)
    const allowed: Decision = { ...evidence(known, policy), allow: true, code: null, link: null }
    await ports.audit.record(recordOf(allowed, received)) // 19
    return allowed
  } catch (thrown) {
    const error = toProcuraError(thrown)
    const refused = refusal(error, known, policy)
    const defect = error.cause instanceof Error && error.code === 'INTERNAL' ? { defect: error.cause.stack } : {}
    await ports.audit.record({ ...recordOf(refused, received), ...defect }).catch(() => undefined)
    return refused
  }
}

/** Names the decision and reads the clock once. A clock that tells no time would pass every comparison. */
function begin(known: Known, { clock, ids }: VerifierPorts): UnixSeconds {
  known.decisionId = ids.uuid()
  known.now = clock.now()
  if (!Number.isSafeInteger(known.now)) throw new TypeError('the clock tells no time')
  return known.now
}

function rulesOf({ maxTtl }: Root, { subjectKeyBinding: binding }: Policy, { keys }: VerifierPorts): ChainRules {
  return { maxTtl, binding, keys }
}

function purposesOf(chain: Chain): readonly string[] {
  return chain.flatMap(({ claims }) => claims.authority.purpose?.s256 ?? [])
}
