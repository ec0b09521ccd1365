import { ProcuraError } from '../../errors.js'
import { LRUCache } from 'lru-cache'
import type {
  Chains,
  Charge,
  FeedPositions,
  Held,
  Ledger,
  ListVersions,
  RevocationEvent,
  Revocations,
  Settlement,
  State,
  Throttle,
} from '../../ports/deciding.js'
import type { Clock, Ids } from '../../ports/world.js'
import type { UnixSeconds } from '../../time.js'
import { CAPACITY, SPARE, unavailable, type Sized } from './capacity.js'
import { memoryNonces } from './memory-nonces.js'

export { memoryNonces } from './memory-nonces.js'

/** Reservations held at once. */
const MAX_HOLDS = 20_000

/** The longest window of a rate, in seconds. */
const LONGEST_WINDOW = 86_400

/** What a ledger of this process is held to. */
export interface MemoryLedgerOptions {
  /** uses held at once; above it REPLAY_UNAVAILABLE */
  readonly capacity?: number
  /** reservations remembered at once; those that ended make room, and above it only new reservations are refused */
  readonly maxHolds?: number
  /** whether budgets and rates are taken, which a restart would forget */
  readonly budgets: boolean
}

/**
 * A ledger of this process: exact while it lives, forgetful when it ends. So it refuses what may have been used before it
 * started: anything issued in or before that second, and anything whose clock runs ahead.
 */
export function memoryLedger(
  clock: Clock,
  { capacity = CAPACITY, maxHolds = MAX_HOLDS, budgets }: MemoryLedgerOptions,
): Ledger & Sized {
  const startedAt = clock.now()
  const used = new Map<string, UnixSeconds>()
  const spent = new Map<string, { amount: number; until: UnixSeconds }>()
  const calls = new Map<string, readonly UnixSeconds[]>()
  const holds = new Map<string, { readonly held: Held; readonly charges: readonly Charge[] }>()

  /** Uses held after the last look for those that ended. */
  let left = 0
  let forgotAt = -Infinity
  /** At most once a second: what did not end by now ends in another one. */
  const forget = (now: UnixSeconds): void => {
    if (now <= forgotAt) return
    forgotAt = now
    for (const [key, until] of used) if (until < now) used.delete(key)
    for (const [account, { until }] of spent) if (until < now) spent.delete(account)
    for (const [account, times] of calls) if ((times.at(-1) ?? 0) + LONGEST_WINDOW < now) calls.delete(account)
    left = used.size
  }
  const spentOn = ({ account }: Charge): number => spent.get(account)?.amount ?? 0
  const callsOf = ({ account, per }: Throttle, now: UnixSeconds): readonly UnixSeconds[] =>
    (calls.get(account) ?? []).filter(at => at >= now - per)

  /** When all were seen to be open; one that closes, or another second, may make room. */
  let fullAt: UnixSeconds | null = null
  /** Makes room for one more by forgetting the oldest that has ended: asked for again, it is not found. */
  const hasRoom = (now: UnixSeconds): boolean => {
    if (holds.size < maxHolds) return true
    if (now === fullAt) return false
    for (const id of holds.keys()) {
      if (standing(id, now)?.state !== 'open') return holds.delete(id)
    }
    fullAt = now
    return false
  }

  function refusal({ uses, throttles, charges, hold, now }: Settlement): null | 'used' | Throttle | Charge {
    if (!budgets && throttles.length + charges.length > 0) {
      throw new ProcuraError('LEDGER_UNAVAILABLE', { why: 'this state does not outlive the process' })
    }
    if (uses.some(({ issuedAt }) => issuedAt <= startedAt || issuedAt > now)) {
      throw unavailable('issued before this process started, or by a clock ahead')
    }
    const isFull = (): boolean => used.size + uses.length > capacity
    // a look costs as much as there is, so it is due when there is twice as much
    if (isFull() || used.size > 2 * left + SPARE) forget(now)
    if (isFull()) throw unavailable('too many presentations at once')
    if (hold !== null && !hasRoom(now)) throw unavailable('too many reservations at once')
    if (uses.some(({ key }, index) => used.has(key) || uses.findIndex(one => one.key === key) < index)) return 'used'
    const full = throttles.find(one => callsOf(one, now).length >= one.max)
    return full ?? charges.find(one => spentOn(one) + one.amount > one.max) ?? null
  }

  function take({ uses, throttles, charges, hold, now }: Settlement): void {
    for (const { key, until } of uses) used.set(key, until)
    for (const one of throttles) calls.set(one.account, [...callsOf(one, now), now])
    for (const one of charges) spent.set(one.account, { amount: spentOn(one) + one.amount, until: one.until })
    if (hold !== null) holds.set(hold.id, { held: { ...hold, state: 'open' }, charges })
  }

  function standing(id: string, now: UnixSeconds): Held | null {
    const held = holds.get(id)?.held ?? null
    return held?.state === 'open' && held.until <= now ? { ...held, state: 'expired' } : held
  }

  return {
    get size() {
      return used.size
    },
    probe: settlement => inOneStep(() => refusal(settlement)),
    settle: settlement =>
      inOneStep(() => {
        const refused = refusal(settlement)
        if (refused === null) take(settlement)
        return refused
      }),
    held: (id, now) => inOneStep(() => standing(id, now)),
    close: (id, to, now) =>
      inOneStep(() => {
        const held = standing(id, now)
        if (held === null) return null
        // an end that was seen stays one, whatever the clock says later
        const state = held.state === 'open' ? to : held.state
        const charges = held.state === 'open' && to === 'released' ? (holds.get(id)?.charges ?? []) : []
        for (const one of charges) spent.set(one.account, { amount: spentOn(one) - one.amount, until: one.until })
        holds.set(id, { held: { ...held, state }, charges: [] })
        fullAt = null
        return state
      }),
  }
}

/** Nothing else runs in between; what it throws is the promise's. */
function inOneStep<T>(work: () => T): Promise<T> {
  return new Promise(resolve => resolve(work()))
}

/** Events learned by this process: at most `capacity`, above it STATUS_UNAVAILABLE. */
export function memoryRevocations(capacity = CAPACITY): Revocations {
  const events = new Map<string, readonly RevocationEvent[]>()
  let size = 0
  return {
    learn: ({ target, signer }) =>
      inOneStep(() => {
        const others = events.get(target) ?? []
        if (others.some(event => event.signer === signer)) return
        if (size >= capacity) {
          throw new ProcuraError('STATUS_UNAVAILABLE', { list: 'events', why: 'too many are remembered' })
        }
        events.set(target, [...others, { target, signer }])
        size += 1
      }),
    about: (targets, signers) =>
      inOneStep(() =>
        targets.flatMap(target => (events.get(target) ?? []).filter(({ signer }) => signers.includes(signer))),
      ),
  }
}

/** Places in feeds; a new process reads each from its beginning. */
export function memoryPositions(): FeedPositions {
  const places = new Map<string, number>()
  return {
    read: feed => Promise.resolve(places.get(feed) ?? 0),
    write(feed, seq) {
      places.set(feed, seq)
      return Promise.resolve()
    },
  }
}

/** Highest versions seen by this process. */
export function memoryVersions(): ListVersions {
  const highest = new Map<string, number>()
  return {
    raise(issuer, url, version) {
      const list = `${issuer} ${url}`
      const seen = Math.max(version, highest.get(list) ?? 0)
      highest.set(list, seen)
      return Promise.resolve(seen)
    },
  }
}

/** Chains kept by this process: at most `capacity`, with `characters` in all, those used last. */
export function memoryChains(clock: Clock, capacity = 10_000, characters = 16 * 1024 * 1024): Chains {
  const kept = new LRUCache<string, { readonly tokens: readonly string[]; readonly until: UnixSeconds }>({
    max: capacity,
    maxSize: characters,
    sizeCalculation: ({ tokens }) => tokens.reduce((sum, { length }) => sum + length, 1),
  })
  return {
    keep(leaf, tokens, until) {
      kept.set(leaf, { tokens: [...tokens], until })
      return Promise.resolve()
    },
    find(leaf) {
      const found = kept.get(leaf)
      return Promise.resolve(found === undefined || found.until <= clock.now() ? null : found.tokens)
    },
  }
}

/**
 * State for one process and its life: presentations issued before it started are refused, and so are credentials with
 * budgets or rates (LEDGER_UNAVAILABLE), because a restart would forget what was spent.
 */
export function singleProcessState(clock: Clock, ids: Ids): State {
  return {
    ledger: memoryLedger(clock, { budgets: false }),
    listVersions: memoryVersions(),
    chains: memoryChains(clock),
    nonces: memoryNonces(clock, ids),
    revocations: memoryRevocations(),
    feedPositions: memoryPositions(),
  }
}
