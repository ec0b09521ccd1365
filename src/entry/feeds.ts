import { followFeed, type FeedListener, type FeedStanding } from '../adapters/resolve/feed.js'
import { systemClock } from '../adapters/system.js'
import type { Did } from '../did/did.js'
import { ProcuraError } from '../errors.js'
import type { Policy } from '../policy/policy.js'
import type { FeedPositions, Streams } from '../ports/deciding.js'
import type { UnixSeconds } from '../time.js'
import { findKey } from '../verifier/checks.js'
import type { LocalVerifier } from '../verifier/verifier.js'
import type { Network } from './parts.js'

/** Feeds that are followed. */
export interface Feeds extends Streams {
  /** Tells the verifiers whose policies name the feeds; from now on they are followed. */
  start(verifiers: readonly LocalVerifier[]): void
  standing(): readonly FeedStanding[]
  close(): Promise<void>
}

/** What feeds need. */
export interface FeedsOptions {
  readonly policies: readonly Policy[]
  readonly network: Network
  readonly positions: FeedPositions
  /** bearer secrets of feeds that are not public, by URL */
  readonly secrets?: Readonly<Record<string, string>>
  /** an issuer whose state is at hand: nobody asks himself over the network */
  readonly own?: Did
  /** told when the verifiers know of a revocation, with its time */
  readonly onLearned?: (at: UnixSeconds) => void
}

/**
 * The feeds that policies name, each followed once. An issuer is healthy while all of its feeds are.
 *
 * @throws CONFIG_INVALID - a secret for a feed that no policy names
 */
export function openFeeds({
  policies,
  network,
  positions,
  secrets = {},
  own,
  onLearned = () => undefined,
}: FeedsOptions): Feeds {
  const { keys, statusLists, fetch } = network
  const named = policies.flatMap(policy => policy.feeds.map(feed => ({ ...feed, policy })))
  const wanted = new Map(named.filter(({ issuer }) => issuer !== own).map(one => [`${one.issuer} ${one.url}`, one]))
  const unused = Object.keys(secrets).find(url => !named.some(feed => feed.url === url))
  if (unused !== undefined) throw new ProcuraError('CONFIG_INVALID', { at: unused, why: 'no policy names this feed' })
  let following: readonly ReturnType<typeof followFeed>[] = []
  return {
    start(verifiers) {
      const listener: FeedListener = {
        async learn(event, at) {
          await Promise.all(verifiers.map(verifier => verifier.learn(event)))
          onLearned(at)
        },
        expire: list => statusLists.expire(list),
      }
      following = [...wanted.values()].map(({ issuer, url, policy }) =>
        followFeed(
          { issuer, url },
          {
            fetch,
            find: sealed => findKey(sealed, policy, keys),
            clock: systemClock,
            positions,
            listener,
            secret: secrets[url],
          },
        ),
      )
    },
    standing: () => following.map(one => one.standing()),
    isHealthy(issuer) {
      if (issuer === own) return true
      const all = following.map(one => one.standing()).filter(one => one.issuer === issuer)
      return all.length > 0 && all.every(one => one.healthy)
    },
    async close() {
      await Promise.all(following.map(one => one.close()))
    },
  }
}
