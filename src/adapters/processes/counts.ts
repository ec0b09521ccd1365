import { LRUCache } from 'lru-cache'
import type { Link } from './link.js'

/** What is asked of the process that counts: up to `wanted` calls of one who may make `max` in a window. */
export interface Take {
  readonly name: string
  readonly max: number
  /** milliseconds */
  readonly window: number
  readonly wanted: number
}

/** How many calls were given, and in how many milliseconds the window ends. */
export interface Taken {
  readonly given: number
  readonly left: number
}

/** Callers remembered at once; the count of who called least lately is forgotten first. */
const REMEMBERED = 60_000
/** What one process takes at once, of what one caller may make in a window: so much may be left over in another one. */
const SHARE = 200

/** Counts calls for several processes: together they are never given more than a window allows. */
export function createCounter(uptime: () => number): (take: Take) => Taken {
  const counts = new LRUCache<string, { readonly ends: number; taken: number }>({ max: REMEMBERED })
  return ({ name, max, window, wanted }) => {
    const now = uptime()
    let count = counts.get(name)
    if (count === undefined || count.ends <= now) count = { ends: now + window, taken: 0 }
    const given = Math.max(0, Math.min(wanted, max - count.taken))
    count.taken += given
    counts.set(name, count)
    return { given, left: count.ends - now }
  }
}

/**
 * Counts calls where they are counted for all processes. Of a wide bound a small share is taken at once, so that few calls
 * have to wait for the answer; nobody gets more than the bound.
 *
 * @returns what this call counts as (above `max`: refused), and the milliseconds until the window ends
 */
export function countsOver(
  link: Link,
  uptime: () => number,
): (name: string, max: number, window: number) => Promise<{ readonly current: number; readonly ttl: number }> {
  const shares = new LRUCache<string, { readonly ends: number; left: number }>({ max: REMEMBERED })
  const asking = new Map<string, Promise<Taken>>()
  const ask = (name: string, max: number, window: number): Promise<Taken> => {
    const take: Take = { name, max, window, wanted: Math.max(1, Math.floor(max / SHARE)) }
    const answer = link.ask<Taken>('take', take).finally(() => asking.delete(name))
    asking.set(name, answer)
    return answer
  }
  return async (name, max, window) => {
    for (;;) {
      const share = shares.get(name)
      const left = share === undefined ? 0 : share.ends - uptime()
      if (share !== undefined && share.left > 0 && left > 0) {
        share.left -= 1
        return { current: 1, ttl: left }
      }
      // who comes meanwhile has of the same share, or is refused with it
      const running = asking.get(name)
      const taken = await (running ?? ask(name, max, window))
      if (taken.given === 0) return { current: max + 1, ttl: taken.left }
      if (running === undefined) shares.set(name, { ends: uptime() + taken.left, left: taken.given })
    }
  }
}
