import { leafOf, requireInTime, type Chain, type ChainRules } from '../delegation/chain.js'
import { toProcuraError } from '../errors.js'
import type { Policy, Root } from '../policy/policy.js'
import { demandsOf, isAsked, type Demands } from '../policy/risk.js'
import type { Hold, Keys, State, StatusLists, Streams } from '../ports/deciding.js'
import type { Audit, Clock, Ids } from '../ports/world.js'
import { toApprovalRequest } from '../presentation/approval.js'
import { openPresentation, requireFresh } from '../presentation/presentation.js'
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
  requireReserved,
  requireRootKey,
  requireTrustedRoot,
  useOf,
  type Shown,
} from './checks.js'
import { RESERVATION, toFacts } from './commit.js'
import { readClock } from './clock.js'
import { evidence, nothingKnown, recordOf, refusal, traceOf, type Decision, type Known } from './decision.js'
import { requireCurrent, requireIdentities } from './identities.js'
import { requireLive } from './live.js'
import type { Verdicts } from './verdicts.js'

/** Everything a verifier needs of the world. None may be left out. */
export interface VerifierPorts extends Omit<State, 'feedPositions'> {
  readonly clock: Clock
  readonly ids: Ids
  readonly keys: Keys
  readonly statusLists: StatusLists
  readonly streams: Streams
  readonly audit: Audit
}

/** What `decide` goes by. No member is optional: no check is switched off by leaving something out. */
export interface Trust extends VerifierPorts {
  readonly policy: Policy
  readonly verdicts: Verdicts
}

/**
 * Answers one question: may the sender of `shown` have `received` executed here, now?
 *
 * The body is profile §6; the order of its lines is the order of the checks, and the first failure is the answer.
 * A refusal is a value. Only AUDIT_UNAVAILABLE turns a yes into a no after the fact: what cannot be recorded is denied.
 *
 * @param shown - `vp+jwt`, or a proof that names a chain uploaded before
 * @param received - what the server is about to do, derived by the server
 * @param known - told how far it came, for who wants to explain the answer
 */
export async function decide(
  shown: Shown,
  received: ReceivedRequest,
  reserve: boolean,
  trust: Trust,
  known: Known = nothingKnown(),
): Promise<Decision> {
  const { policy, keys } = trust
  const tell = (): UnixSeconds => tellTime(known, trust.clock)
  try {
    known.decisionId = trust.ids.uuid()
    tell()
    const demands = (known.demands = demandsOf({ ...received }.action, policy))
    const presented = await readShown(shown, policy, trust.chains, known, trust.verdicts.recall) // 1–5
    known.presented = presented.credentials
    known.step = 6
    const root = requireTrustedRoot(presented.credentials[0], policy)
    known.step = 7
    const rootKey = await requireRootKey(presented.credentials[0], policy, keys)
    known.step = 10
    const chain = await trust.verdicts.open(presented.credentials, rootKey, rulesOf(root, trust), known.now, known)
    known.chain = chain
    known.step = 11
    const presentation = openPresentation(presented, leafOf(chain))
    known.authenticated = true
    known.step = 12
    requireAudience(presentation.aud, chain, policy.self, known)
    known.step = 13
    const now = tell()
    requireFresh(presentation, now)
    requireInTime(chain, now, known)
    known.step = 14
    await requireNonce(presentation.nonce, demands, policy, trust.nonces)
    known.step = 15
    known.provenance = presentation.request.provenance ?? []
    const call = requireRequest(presentation.request, received, purposesOf(chain))
    known.step = 16
    const allowing = requireEveryLinkAllows(root, chain, call, known)
    const identified = await requireIdentities(presented.identities, chain, demands, policy, keys, now)
    known.identities = identified.map(({ credential }) => credential.digest)
    requireProvenance(presentation.request, policy)
    requireReserved(reserve, demands, call)
    known.step = 17
    await requireLive(chain, identified, demands.maxStatusAge, policy, tell, trust, known)
    const then = tell() // 13 again: looking things up took time
    requireFresh(presentation, then)
    requireInTime(chain, then, known)
    for (const { credential } of identified) requireCurrent(credential, then)
    known.approval = toApprovalRequest(policy.self, leafOf(chain).digest, call, presentation.request.paramsDigest)
    const approved = await requireApproved(
      allowing,
      demands,
      received.approval,
      known.approval,
      root,
      policy,
      keys,
      then,
    )
    known.approvedBy = approved?.by ?? null
    known.step = 18
    const uses = [useOf(presentation, leafOf(chain).key), ...(approved === null ? [] : [approved.use])]
    const hold = reserve ? reservation(known, demands, policy, received) : null
    await settle(uses, policy.self, root, chain, call, hold, then, trust.ledger)
    known.step = 19
    const reservedUntil = hold?.until ?? null
    const allowed: Decision = { ...evidence(known, policy), allow: true, code: null, link: null, reservedUntil }
    await trust.audit.record(recordOf(allowed, received, known), maySyncLater(known))
    return allowed
  } catch (thrown) {
    const error = toProcuraError(thrown)
    const refused = refusal(error, known, policy)
    forgetTakenBack(refused, trust.verdicts)
    if (reserve && known.step === 19) await letGo(known, trust)
    const defect = error.cause instanceof Error && error.code === 'INTERNAL' ? { defect: error.cause.stack } : {}
    await putOnRecord(trust.audit, () => ({ ...recordOf(refused, received, known), ...defect }), known)
    return refused
  }
}

/** Reads the clock; it never runs backwards within a decision. */
export function tellTime(known: Known, clock: Clock): UnixSeconds {
  known.now = Math.max(known.now, readClock(clock))
  return known.now
}

/** What could not be put on record was refused, so its reservation must not be committed. */
async function letGo({ decisionId, now }: Known, { ledger }: Trust): Promise<void> {
  try {
    await ledger.close(decisionId, 'released', now)
  } catch {
    return
  }
}

/** What is decided at high risk is on the disk before it is answered; the rest follows within 100 ms. */
function maySyncLater({ demands }: Known): boolean {
  return !isAsked(demands?.risk ?? 'low', 'high')
}

/** A refusal stays a refusal also where it cannot be recorded. */
async function putOnRecord(audit: Audit, entry: () => object, known: Known): Promise<void> {
  try {
    await audit.record(entry(), maySyncLater(known))
  } catch {
    return
  }
}

/** What a chain under this root is held to. */
export function rulesOf({ maxTtl }: Root, { policy, keys }: Trust): ChainRules {
  const { subjectKeyBinding: binding } = policy
  return { maxTtl, binding, keys }
}

function reservation(known: Known, { maxStatusAge }: Demands, policy: Policy, { traceparent }: ReceivedRequest): Hold {
  const facts = toFacts(policy, maxStatusAge, known, traceOf(traceparent))
  return { id: known.decisionId, until: known.now + RESERVATION, facts }
}

/** What was taken back takes the verdicts on everything under it along. */
function forgetTakenBack({ code, link, digests }: Decision, verdicts: Verdicts): void {
  const digest = digests[link ?? -1]
  const isTakenBack = code === 'AGENT_KILLED' || code === 'STATUS_REVOKED' || code === 'STATUS_SUSPENDED'
  if (isTakenBack && digest !== undefined) verdicts.forget(digest)
}

function purposesOf(chain: Chain): readonly string[] {
  return chain.flatMap(({ claims }) => claims.authority.purpose?.s256 ?? [])
}
