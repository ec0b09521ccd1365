import { leafOf, openChain, requireInTime, type Chain, type ChainRules } from '../delegation/chain.js'
import type { Digest } from '../encoding.js'
import { toProcuraError } from '../errors.js'
import type { Policy, Root } from '../policy/policy.js'
import type { Audit, Clock, Ids, Keys, State, StatusLists } from '../ports.js'
import { toApprovalRequest } from '../presentation/approval.js'
import { openPresentation, readTokens, requireFresh } from '../presentation/presentation.js'
import { requireRequest, type ReceivedRequest } from '../presentation/request.js'
import type { UnixSeconds } from '../time.js'
import { requireApproved } from './approved.js'
import { settle } from './charges.js'
import {
  readShown,
  requireAudience,
  requireEveryLinkAllows,
  requireNonce,
  requireProvenance,
  requireRootKey,
  requireTrustedRoot,
  useOf,
  type Shown,
} from './checks.js'
import { evidence, nothingKnown, recordOf, refusal, type Decision, type Known } from './decision.js'
import { requireLive } from './live.js'

export type { Shown } from './checks.js'
export type { Actor, Decision, Evidence } from './decision.js'

/** One interface whether the decision is made in this process or by `POST /v1/verify`. */
export interface Verifier {
  /** the audience that presentations must name: an https origin */
  readonly self: string
  decide(shown: Shown, received: ReceivedRequest): Promise<Decision>
  /**
   * Keeps a chain for presentations that name it by its leaf, after verifying signatures and narrowing (steps 1–10).
   *
   * @param tokens - root first
   * @returns the digest of its leaf
   * @throws the codes of steps 1–3 and 6–10, TIME_EXPIRED
   */
  keepChain(tokens: readonly string[]): Promise<Digest>
  /** A fresh nonce for the next presentation, or `null` where the policy does not challenge. */
  challenge(): Promise<string | null>
}

/** A verifier in this process: the policy and all ports are required, no check can be left out. */
export function createVerifier(policy: Policy, ports: VerifierPorts): Verifier {
  return {
    self: policy.self,
    decide: (shown, received) => decide(shown, received, policy, ports),
    keepChain: tokens => keepChain(tokens, policy, ports),
    challenge: () => (policy.challenge === 'never' ? Promise.resolve(null) : ports.nonces.issue(policy.self)),
  }
}

/** Everything a verifier needs of the world. None may be left out. */
export interface VerifierPorts extends State {
  readonly clock: Clock
  readonly ids: Ids
  readonly keys: Keys
  readonly statusLists: StatusLists
  readonly audit: Audit
}

/**
 * Answers one question: may the sender of `shown` have `received` executed here, now?
 *
 * The body is profile §6; the order of its lines is the order of the checks, and the first failure is the answer.
 * A refusal is a value. Only AUDIT_UNAVAILABLE turns a yes into a no after the fact: what cannot be recorded is denied.
 *
 * @param shown - `vp+jwt`, or a proof that names a chain uploaded before
 * @param received - what the server is about to do, derived by the server
 */
export async function decide(
  shown: Shown,
  received: ReceivedRequest,
  policy: Policy,
  ports: VerifierPorts,
): Promise<Decision> {
  const known = nothingKnown()
  try {
    known.decisionId = ports.ids.uuid()
    const presented = await readShown(shown, policy, ports.chains) // 1–5
    const root = requireTrustedRoot(presented.credentials[0], policy) // 6
    const rootKey = await requireRootKey(presented.credentials[0], policy, ports.keys) // 7
    const chain = await openChain(presented.credentials, rootKey, rulesOf(root, policy, ports), known) // 8–10
    known.chain = chain
    const presentation = openPresentation(presented, leafOf(chain)) // 11
    known.authenticated = true
    requireAudience(presentation.aud, chain, policy.self, known) // 12
    const now = tellTime(known, ports.clock) // 13
    requireFresh(presentation, now)
    requireInTime(chain, now, known)
    await requireNonce(presentation.nonce, policy, ports.nonces) // 14
    const call = requireRequest(presentation.request, received, purposesOf(chain)) // 15
    const allowing = requireEveryLinkAllows(root, chain, call, known) // 16
    requireProvenance(presentation.request, policy)
    known.statusAge = await requireLive(chain, policy, call, () => tellTime(known, ports.clock), ports, known) // 17
    const then = tellTime(known, ports.clock) // 13 again: looking things up took time
    requireFresh(presentation, then)
    requireInTime(chain, then, known)
    known.approval = toApprovalRequest(policy.self, leafOf(chain).digest, call)
    const approved = await requireApproved(allowing, received.approval, known.approval, root, policy, ports.keys, then)
    const uses = [useOf(presentation, leafOf(chain).key), ...approved]
    await settle(uses, policy.self, root, chain, call, then, ports.ledger) // 18
    const allowed: Decision = { ...evidence(known, policy), allow: true, code: null, link: null }
    await ports.audit.record(recordOf(allowed, received)) // 19
    return allowed
  } catch (thrown) {
    const error = toProcuraError(thrown)
    const refused = refusal(error, known, policy)
    const defect = error.cause instanceof Error && error.code === 'INTERNAL' ? { defect: error.cause.stack } : {}
    await putOnRecord(ports.audit, () => ({ ...recordOf(refused, received), ...defect }))
    return refused
  }
}

async function keepChain(tokens: readonly string[], policy: Policy, ports: VerifierPorts): Promise<Digest> {
  const sealed = readTokens(tokens, policy.maxChain)
  const root = requireTrustedRoot(sealed[0], policy)
  const rootKey = await requireRootKey(sealed[0], policy, ports.keys)
  const chain = await openChain(sealed, rootKey, rulesOf(root, policy, ports))
  requireInTime(chain, ports.clock.now())
  const { digest } = leafOf(chain)
  await ports.chains.keep(digest, tokens, Math.min(...chain.map(({ validUntil }) => validUntil)))
  return digest
}

/** Reads the clock; it never runs backwards within a decision. One that tells no time would pass every comparison. */
function tellTime(known: Known, clock: Clock): UnixSeconds {
  const now = clock.now()
  if (!Number.isSafeInteger(now)) throw new TypeError('the clock tells no time')
  known.now = Math.max(known.now, now)
  return known.now
}

/** A refusal stays a refusal also where it cannot be recorded. */
async function putOnRecord(audit: Audit, entry: () => object): Promise<void> {
  try {
    await audit.record(entry())
  } catch {
    return
  }
}

function rulesOf({ maxTtl }: Root, { subjectKeyBinding: binding }: Policy, { keys }: VerifierPorts): ChainRules {
  return { maxTtl, binding, keys }
}

function purposesOf(chain: Chain): readonly string[] {
  return chain.flatMap(({ claims }) => claims.authority.purpose?.s256 ?? [])
}
