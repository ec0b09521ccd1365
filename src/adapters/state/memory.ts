import { ProcuraError } from '../../errors.js'
import { LRUCache } from 'lru-cache'
import type { Chains, Charge, Clock, Ids, Ledger, ListVersions, Nonces, Replay, State, Throttle } from '../../ports.js'
import type { UnixSeconds } from '../../time.js'

/** Entries held at once: at 120 s a presentation, about 8 000 accepted a second. */
const CAPACITY = 1_000_000

/**
 * Replay memory of this process. It forgets when the process ends, so it refuses what may have been used before it
 * started: anything issued in or before that second, and anything whose clock runs ahead.
 */
export function memoryReplay(clock: Clock, capacity = CAPACITY): Replay {
  const startedAt = clock.now()
  const used = new Map<string, UnixSeconds>()
  const forget = (now: UnixSeconds): void => {
    for (const [key, until] of used) if (until < now) used.delete(key)
  }
  return {
    consume(uses) {
      const now = clock.now()
      if (uses.some(({ issuedAt }) => issuedAt <= startedAt || issuedAt > now))
        return refuse('issued before this process started, or by a clock ahead')
      if (used.size + uses.length > capacity) forget(now)
      if (used.size + uses.length > capacity) return refuse('too many presentations at once')
      const areNew = uses.every(({ key }) => !used.has(key))
      if (areNew) for (const { key, until } of uses) used.set(key, until)
      return Promise.resolve(areNew)
    },
  }
}

function refuse(why: string): Promise<never> {
  return Promise.reject(new ProcuraError('REPLAY_UNAVAILABLE', { why }))
}

/** A ledger of this process: exact while it lives, forgetful when it ends. */
export function memoryLedger(): Ledger {
  const spent = new Map<string, { amount: number; until: UnixSeconds }>()
  const calls = new Map<string, number[]>()
  const exceeds = ({ account, amount, max }: Charge): boolean => (spent.get(account)?.amount ?? 0) + amount > max
  const isFull = ({ account, max, per }: Throttle, now: UnixSeconds): boolean => {
    const recent = (calls.get(account) ?? []).filter(at => at >= now - per)
    calls.set(account, recent)
    return recent.length >= max
  }
  return {
    charge(throttles, charges, now) {
      for (const [account, { until }] of spent) if (until < now) spent.delete(account)
      const refused = throttles.find(one => isFull(one, now)) ?? charges.find(exceeds) ?? null
      if (refused !== null) return Promise.resolve(refused)
      for (const { account } of throttles) calls.set(account, [...(calls.get(account) ?? []), now])
      for (const { account, amount, until } of charges) {
        spent.set(account, { amount: (spent.get(account)?.amount ?? 0) + amount, until })
      }
      return Promise.resolve(null)
    },
  }
}

/** Refuses every budget and rate: for a process that could not remember them. */
export function noLedger(): Ledger {
  return {
    charge: () =>
      Promise.reject(new ProcuraError('LEDGER_UNAVAILABLE', { why: 'this state does not outlive the process' })),
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

/** Chains kept by this process: at most `capacity`, those used last. */
export function memoryChains(clock: Clock, capacity = 10_000): Chains {
  const kept = new LRUCache<string, { readonly tokens: readonly string[]; readonly until: UnixSeconds }>({
    max: capacity,
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

/** Seconds a nonce is good for. */
export const NONCE_TTL = 60

/** Nonces handed out by this process. */
export function memoryNonces(clock: Clock, ids: Ids, capacity = CAPACITY): Nonces {
  const open = new Map<string, UnixSeconds>()
  return {
    issue() {
      const now = clock.now()
      if (open.size >= capacity) for (const [old, until] of open) if (until < now) open.delete(old)
      if (open.size >= capacity) return refuse('too many challenges at once')
      const nonce = ids.token()
      open.set(nonce, now + NONCE_TTL)
      return Promise.resolve(nonce)
    },
    consume(nonce) {
      const until = open.get(nonce)
      open.delete(nonce)
      return Promise.resolve(until !== undefined && clock.now() <= until)
    },
  }
}

/**
 * State for one process and its life: presentations issued before it started are refused, and so are credentials with
 * budgets or rates (LEDGER_UNAVAILABLE), because a restart would forget what was spent.
 */
export function singleProcessState(clock: Clock, ids: Ids): State {
  return {
    replay: memoryReplay(clock),
    ledger: noLedger(),
    listVersions: memoryVersions(),
    chains: memoryChains(clock),
    nonces: memoryNonces(clock, ids),
    revocations: { revoked: () => Promise.resolve(null) },
  }
}
