import { followFeed, type Following, type FollowOptions } from '../../src/adapters/resolve/feed.js'
import { memoryPositions } from '../../src/adapters/state/memory.js'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import { systemClock } from '../../src/adapters/system.js'
import type { Did } from '../../src/did/did.js'
import { digestOf } from '../../src/encoding.js'
import { openNetwork } from '../../src/entry/parts.js'
import type { FeedPositions, RevocationEvent } from '../../src/ports/deciding.js'
import type { Announcement } from '../../src/ports/issuing.js'
import { ORIGIN } from '../http/home.js'

export const FEED = `${ORIGIN}/v1/events`
export const ISSUER: Did = 'did:web:id.acme.example'

/** An announcement that is told from others by `name`. */
export function announcement(name: string, change: Partial<Announcement> = {}): Announcement {
  const status = { url: `${ORIGIN}/v1/status/1`, index: 7 }
  return { type: 'revoked', target: digestOf(`head.${name}`), status, version: 3, ...change }
}

/** One that follows a feed, and what it heard. */
export interface Ear extends Following {
  readonly learned: RevocationEvent[]
  readonly expired: string[]
}

/** Follows the feed of `issuer` as a verifier does. */
export function listenTo(
  connect: Record<string, string>,
  positions: FeedPositions = memoryPositions(),
  options: Partial<FollowOptions> = {},
): Ear {
  const network = openNetwork(connect)
  const learned: RevocationEvent[] = []
  const expired: string[] = []
  const following = followFeed(
    { issuer: ISSUER, url: FEED },
    {
      fetch: network.fetch,
      find: sealed => network.keys.find(sealed.kid, 'assertionMethod'),
      clock: systemClock,
      positions,
      listener: {
        learn: event => Promise.resolve(void learned.push(event)),
        expire: url => void expired.push(url),
      },
      ...options,
    },
  )
  return {
    learned,
    expired,
    standing: () => following.standing(),
    async close() {
      await Promise.all([following.close(), network.close()])
    },
  }
}

/** Resolves when `condition` holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setTimeout(resolve, 5))
}

/** Another handle on the database of a service, as a second process would have it. */
export function openSame(folder: string): Promise<Store> {
  return openStore(`sqlite://${folder}/acme.db`)
}
