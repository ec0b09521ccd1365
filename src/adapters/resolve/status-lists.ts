import { LRUCache } from 'lru-cache'
import { ProcuraError } from '../../errors.js'
import type { Snapshot, StatusLists } from '../../ports/deciding.js'
import type { Clock } from '../../ports/world.js'
import { MAX_BYTES } from '../../status/bitstring.js'
import type { GuardedFetch } from './fetch.js'
import { createFlights } from './flights.js'
import { createWatch, type Moment } from './watch.js'

/** Largest status list token, in bytes: twice what 128 KiB of bits that do not compress come to. */
export const MAX_LIST_BYTES = 524_288

/** What {@link createStatusLists} needs. */
export interface StatusListsOptions {
  readonly fetch: GuardedFetch
  readonly clock: Clock
  /** milliseconds that never fall, for ages; the process's own unless given */
  readonly uptime?: (() => number) | undefined
  /** lists kept; 1000 */
  readonly maxLists?: number | undefined
  /** bytes of all lists kept, each as its token and unpacked as long as a list may be; 128 Mi */
  readonly maxTotal?: number | undefined
}

/** The port, and what an event calls for. */
export interface CachedStatusLists extends StatusLists {
  /**
   * The list changed: no copy from before now answers any more. Its host, or a cache in between, may serve the one from
   * before for {@link UNSETTLED} seconds, so what is fetched until then answers for one second only.
   */
  expire(url: string): void
}

interface Copy {
  readonly snapshot: Snapshot
  readonly etag: string | undefined
  readonly answered: Moment
}

/** Seconds after a change in which the list from before may be served: `max-age` (profile §8.1), and one for the way. */
const UNSETTLED = 6
/** Lists that are known to have changed, remembered at once. */
const MAX_EXPIRED = 10_000

const JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const ETAG = /^(?:W\/)?"[\x21\x23-\x7e]{0,256}"$/

/**
 * Status lists from their hosts, kept with their ETag. A copy answers as long as it is young enough for the caller; then the
 * host is asked, and if it does not answer there is no list. With `maxAge` 0 the host is asked by a request that begins
 * after the call. Concurrent reads of a URL share a request. Nothing in the token is verified.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
 */
export function createStatusLists(options: StatusListsOptions): CachedStatusLists {
  const { fetch, clock, uptime, maxLists = 1000, maxTotal = 128 * 1024 * 1024 } = options
  const watch = createWatch(clock, uptime)
  const kept = new LRUCache<string, Copy>({
    max: maxLists,
    maxSize: maxTotal,
    sizeCalculation: ({ snapshot }) => snapshot.token.length + MAX_BYTES,
  })
  const ask = async (url: string, known: Copy | undefined): Promise<Copy> => {
    const reply = await fetch.get(url, { maxBytes: MAX_LIST_BYTES, accept: 'application/vc+jwt', etag: known?.etag })
    switch (reply.kind) {
      case 'forbidden':
        throw unavailable(url, `${reply.host} is not a host this verifier may ask`)
      case 'failed':
        throw unavailable(url, reply.why)
      case 'unchanged':
        if (known === undefined) throw unavailable(url, 'status 304')
        return { ...known, answered: watch.mark() }
      case 'content': {
        const token = Buffer.from(reply.body).toString('latin1')
        if (!JWS.test(token)) throw unavailable(url, 'not a compact JWS')
        return {
          snapshot: known?.snapshot.token === token ? known.snapshot : { token },
          etag: reply.etag !== null && ETAG.test(reply.etag) ? reply.etag : undefined,
          answered: watch.mark(),
        }
      }
    }
  }

  const flights = createFlights(async (url, isForgotten) => {
    const copy = await ask(url, kept.get(url))
    if (!isForgotten()) kept.set(url, copy)
    return copy.snapshot
  })
  const expired = new LRUCache<string, Moment>({ max: MAX_EXPIRED })

  /** Asked for before its list changed, or a second ago and so soon after that it may be the one from before. */
  function isOutdated(url: string, { answered }: Copy): boolean {
    const changed = expired.get(url)
    if (changed === undefined) return false
    const after = (answered.uptime - changed.uptime) / 1000
    return after < 0 || (after < UNSETTLED && watch.age(answered) >= 1)
  }

  return {
    expire(url) {
      flights.forget(url)
      expired.set(url, watch.mark())
    },
    async read(url, maxAge) {
      const copy = kept.get(url)
      const age = copy === undefined || isOutdated(url, copy) ? Infinity : watch.age(copy.answered)
      if (copy !== undefined && maxAge > 0 && age <= maxAge) return { snapshot: copy.snapshot, age }
      return { snapshot: await flights.join(url, maxAge === 0), age: 0 }
    },
  }
}

function unavailable(list: string, why: string): ProcuraError {
  return new ProcuraError('STATUS_UNAVAILABLE', { list, why })
}
