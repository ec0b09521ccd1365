import { leafOf, requireInTime } from '../delegation/chain.js'
import type { Digest } from '../encoding.js'
import type { Policy } from '../policy/policy.js'
import { demandsOf } from '../policy/risk.js'
import type { RevocationEvent } from '../ports/deciding.js'
import { readTokens } from '../presentation/presentation.js'
import type { ReceivedRequest } from '../presentation/request.js'
import { explainChain } from './chain.js'
import { requireRootKey, requireTrustedRoot, type Shown } from './checks.js'
import { readClock } from './clock.js'
import { commit, recheck, release, type Commitment } from './commit.js'
import { decide, rulesOf, type Trust, type VerifierPorts } from './decide.js'
import { nothingKnown, type Decision } from './decision.js'
import { toExplanation, type Explanation } from './explanation.js'
import { createVerdicts } from './verdicts.js'

export type { VerifierPorts } from './decide.js'
export type { Shown } from './checks.js'
export type { Commitment } from './commit.js'
export type { Actor, Decision, Evidence } from './decision.js'
export { formatDecision, formatExplanation, type Explanation } from './explanation.js'

/** How a decision is taken. */
export interface DecideOptions {
  /** true: what is charged is held for 60 s, until `commit` or `release` */
  readonly reserve?: boolean
}

/** One interface whether the decision is made in this process or by `POST /v1/verify`. */
export interface Verifier {
  /** the audience that presentations must name: an https origin */
  readonly self: string
  decide(shown: Shown, received: ReceivedRequest, options?: DecideOptions): Promise<Decision>
  /**
   * The commit point of a decision that was taken with `reserve`, right before its effect: what may have changed is asked
   * again, and the charge is made final. Twice gets the same answer.
   */
  commit(decisionId: string): Promise<Commitment>
  /** Gives a reserved charge back, because the effect did not happen. Twice gets the same answer. */
  release(decisionId: string): Promise<Commitment>
  /**
   * Keeps a chain for presentations that name it by its leaf, after verifying signatures and narrowing (steps 1–10).
   *
   * @param tokens - root first
   * @returns the digest of its leaf
   * @throws the codes of steps 1–3 and 6–10, TIME_EXPIRED
   */
  keepChain(tokens: readonly string[]): Promise<Digest>
  /**
   * A fresh nonce for the next presentation, or `null` where the policy does not challenge.
   *
   * @param action - what the next presentation will be for; left out, the policy is taken to challenge if it does anywhere
   */
  challenge(action?: string): Promise<string | null>
}

/** What a verifier in this process can do beside. */
export interface LocalVerifier extends Verifier {
  /** Asks what `commit` asks, and changes nothing: for effects in several steps. */
  recheck(decisionId: string): Promise<Commitment>
  /**
   * What `decide` would answer now, and why: every step of profile §6, and for each link what it grants, how it narrows
   * the one above, and how it stands. Goes the way of `decide` itself; uses up, charges, holds and records nothing.
   */
  explain(shown: Shown, received: ReceivedRequest, options?: DecideOptions): Promise<Explanation>
  /**
   * The same of a chain alone: what of profile §6 asks nothing of a request. A chain that holds allows nothing by itself.
   *
   * @param tokens - root first
   */
  explainChain(tokens: readonly string[]): Promise<Explanation>
  /** Takes note of a revocation event whose signature verified. Whether it counts is judged against each chain. */
  learn(event: RevocationEvent): Promise<void>
}

/** A verifier in this process: the policy and all ports are required, no check can be left out. */
export function createVerifier(policy: Policy, ports: VerifierPorts): LocalVerifier {
  const verdicts = createVerdicts()
  const trust: Trust = { ...ports, policy, verdicts }
  return {
    self: policy.self,
    decide: (shown, received, options) => decide(shown, received, options?.reserve === true, trust),
    commit: decisionId => commit(decisionId, trust),
    release: decisionId => release(decisionId, trust),
    recheck: decisionId => recheck(decisionId, trust),
    explain: (shown, received, options) => explain(shown, received, options?.reserve === true, trust),
    explainChain: tokens => explainChain(tokens, trust),
    async learn(event) {
      await ports.revocations.learn(event)
      verdicts.forget(event.target)
    },
    keepChain: tokens => keepChain(tokens, trust),
    async challenge(action) {
      const isAsked = action === undefined ? policy.challenge !== null : demandsOf(action, policy).challenge
      return isAsked ? ports.nonces.issue(policy.self) : null
    },
  }
}

async function explain(shown: Shown, received: ReceivedRequest, reserve: boolean, trust: Trust): Promise<Explanation> {
  const { ledger, nonces } = trust
  const known = nothingKnown()
  const decision = await decide(
    shown,
    received,
    reserve,
    {
      ...trust,
      ledger: { ...ledger, settle: settlement => ledger.probe(settlement) },
      nonces: { ...nonces, consume: (self, nonce) => nonces.isOpen(self, nonce) },
      audit: { record: () => Promise.resolve() },
    },
    known,
  )
  return toExplanation(decision, known)
}

async function keepChain(tokens: readonly string[], trust: Trust): Promise<Digest> {
  const { policy, keys, clock, verdicts, chains } = trust
  const sealed = readTokens(tokens, policy.maxChain, verdicts.recall)
  const root = requireTrustedRoot(sealed[0], policy)
  const rootKey = await requireRootKey(sealed[0], policy, keys)
  const now = readClock(clock)
  const chain = await verdicts.open(sealed, rootKey, rulesOf(root, trust), now, nothingKnown())
  requireInTime(chain, readClock(clock)) // looking things up took time
  const { digest } = leafOf(chain)
  await chains.keep(digest, tokens, Math.min(...chain.map(({ validUntil }) => validUntil)))
  return digest
}
