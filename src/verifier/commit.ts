import { ProcuraError, toProcuraError, type Code, type Kind } from '../errors.js'
import type { Json } from '../json.js'
import type { ListAge } from '../policy/feeds.js'
import type { Policy } from '../policy/policy.js'
import type { Held, Ledger } from '../ports/deciding.js'
import type { Audit, Clock } from '../ports/world.js'
import type { UnixSeconds } from '../time.js'
import { readClock } from './clock.js'
import { requireStillLive, type LivePorts, type Watch, type Watched } from './live.js'

/** Seconds a reservation lasts (profile §6, charging). */
export const RESERVATION = 60

/** The answer at the commit point. */
export type Commitment =
  | { readonly decisionId: string; readonly allow: true; readonly code: null; readonly link: null }
  | {
      readonly decisionId: string
      readonly allow: false
      readonly code: Code
      readonly kind: Kind
      readonly detail: string
      /** index of the link that does not hold any more, `null` if none in particular */
      readonly link: number | null
    }

/** What is asked at the commit point. */
export interface CommitPorts extends LivePorts {
  readonly policy: Policy
  readonly clock: Clock
  readonly ledger: Ledger
  readonly audit: Audit
}

/** What a reservation keeps of its decision: all that can change until the effect. */
export interface Facts {
  readonly self: string
  readonly policyVersion: string
  /** how old a status list may be, for the risk of the action */
  readonly maxAge: ListAge
  readonly watched: readonly Watched[]
  /** the trace that the decision belongs to */
  readonly correlationId: string | null
}

/** What is known of the decision while its reservation is looked at. */
interface Known extends Watch {
  correlationId: string | null
}

/** The facts as a ledger keeps them. */
export function toFacts(policy: Policy, maxAge: ListAge, { live }: Watch, correlationId: string | null): Json {
  const facts: Facts = {
    self: policy.self,
    policyVersion: policy.version,
    maxAge,
    watched: live.map(({ watched }) => watched),
    correlationId,
  }
  return facts as unknown as Json
}

/**
 * Asks again, right before an irreversible effect, what may have changed since the decision: the reservation is open, the
 * policy the same, every credential in time, no agent stopped, nothing revoked, status fresh enough for the action's risk
 * (profile §7). Verifies no signature but that of a list that was published since.
 */
export function recheck(decisionId: string, ports: CommitPorts): Promise<Commitment> {
  return answer(decisionId, null, ports, async known => {
    const { state, facts } = await find(decisionId, ports, known)
    if (state !== 'open') throw closed(state)
    await requireStanding(facts, ports, known)
  })
}

/**
 * Rechecks and makes the charge final. Committing again charges nothing more and asks again: a yes is never older than
 * its question, because the effect may be about to run for the first time. What was released or has expired cannot be
 * committed. A refusal leaves an open reservation open: release it, or let it expire, and then the charge stays.
 */
export function commit(decisionId: string, ports: CommitPorts): Promise<Commitment> {
  return answer(decisionId, 'commit', ports, async known => {
    const { state, facts } = await find(decisionId, ports, known)
    if (state === 'open' || state === 'committed') await requireStanding(facts, ports, known)
    const now = await ports.ledger.close(decisionId, 'committed', readClock(ports.clock))
    if (now !== 'committed') throw closed(now ?? 'gone')
  })
}

/** Gives back what was charged, because the effect did not happen. Releasing twice gets the same answer. */
export function release(decisionId: string, ports: CommitPorts): Promise<Commitment> {
  return answer(decisionId, 'release', ports, async known => {
    await find(decisionId, ports, known)
    const now = await ports.ledger.close(decisionId, 'released', readClock(ports.clock))
    if (now !== 'released') throw closed(now ?? 'gone')
  })
}

async function find(
  decisionId: string,
  { policy, ledger, clock }: CommitPorts,
  known: Known,
): Promise<{ readonly state: Held['state']; readonly facts: Facts }> {
  // callers without types hand over anything, and a store may take nothing for anything
  const held = typeof decisionId === 'string' ? await ledger.held(decisionId, readClock(clock)) : null
  const facts = held?.facts as unknown as Facts | undefined
  // a reservation of another audience is none of this verifier's
  if (held === null || facts?.self !== policy.self) throw new ProcuraError('NOT_FOUND', { what: 'such reservation' })
  known.correlationId = facts.correlationId
  return { state: held.state, facts }
}

async function requireStanding(
  { policyVersion, maxAge, watched }: Facts,
  ports: CommitPorts,
  watch: Watch,
): Promise<void> {
  const { policy } = ports
  if (policyVersion !== policy.version) throw closed('decided under another policy')
  const tell = (): UnixSeconds => readClock(ports.clock)
  requireInTime(watched, tell(), watch)
  await requireStillLive(watched, maxAge, policy, tell, ports, watch)
  requireInTime(watched, tell(), watch) // looking things up took time
}

function requireInTime(watched: readonly Watched[], now: UnixSeconds, watch: Watch): void {
  for (const { link, validUntil } of watched) {
    watch.link = link
    if (now >= validUntil) throw new ProcuraError('TIME_EXPIRED', { seconds: now - validUntil })
  }
  watch.link = null
}

function closed(why: string): ProcuraError {
  return new ProcuraError('RESERVATION_CLOSED', { why })
}

/** A refusal is a value. What cannot be recorded is denied; a refusal stays one also where it cannot be recorded. */
async function answer(
  decisionId: string,
  type: 'commit' | 'release' | null,
  ports: CommitPorts,
  act: (known: Known) => Promise<void>,
): Promise<Commitment> {
  const known: Known = { link: null, live: [], correlationId: null }
  const record = async (entry: Commitment): Promise<void> => {
    if (type === null) return
    await ports.audit.record({ type, at: readClock(ports.clock), ...entry, correlationId: known.correlationId })
  }
  try {
    await act(known)
    const yes: Commitment = { decisionId, allow: true, code: null, link: null }
    await record(yes)
    return yes
  } catch (thrown) {
    const { code, kind, message: detail } = toProcuraError(thrown)
    const no: Commitment = { decisionId, allow: false, code, kind, detail, link: known.link }
    await record(no).catch(() => undefined)
    return no
  }
}
