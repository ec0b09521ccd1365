import { isSubjectProved, leafOf, requireInTime } from '../delegation/chain.js'
import { toStored } from '../delegation/stored.js'
import type { Did } from '../did/did.js'
import { ProcuraError } from '../errors.js'
import type { Json } from '../json.js'
import type { StatusPlace, StatusPurpose } from '../ports/issuing.js'
import { MAX_UNLISTED, toStatusJson } from '../status/entry.js'
import type { UnixSeconds } from '../time.js'
import type { GrantRequest, Issuer, IssuerIdentity, IssuerPorts } from './issuer.js'
import { requireOnward, type OpenOwn } from './own.js'
import type { Places } from './places.js'

/** Indexes taken at once for credentials of one's own; those not used when the process ends are burned. */
const AHEAD = 256
/** Shards that indexes are kept ahead for: two purposes, and days of expiry. */
const MAX_SHARDS = 32

/** Where the bits of a credential stand. */
export interface StatusPlaces {
  readonly status: StatusPlace | null
  readonly suspension: StatusPlace | null
  /** `credentialStatus` */
  readonly json: Json | null
}

/** Hands out status indexes. */
export interface Leases extends Pick<Issuer, 'lease' | 'leaseUnder' | 'requireHolder'> {
  /**
   * Places for a credential of this issuer's own, from indexes taken ahead.
   *
   * @param wanted - `listed`: false for none, if it lives at most 300 s; `suspendable`: by default if it lives longer
   */
  placesFor(
    now: UnixSeconds,
    validUntil: UnixSeconds,
    wanted?: Pick<GrantRequest, 'listed' | 'suspendable'>,
  ): Promise<StatusPlaces>
}

/** Hands out status indexes of an issuer's lists. */
export function createLeases(
  { keys: own, statusBase }: IssuerIdentity,
  { clock, commits, keys, marker, statusRows }: IssuerPorts,
  open: OpenOwn,
  places: Places,
): Leases {
  const ahead = new Map<string, StatusPlace[]>()
  const refills = new Map<string, Promise<unknown>>()

  async function take(issuer: Did, count: number, purpose: StatusPurpose, validUntil: UnixSeconds) {
    const known = marker.reached
    const leased = await statusRows.lease({ issuer, count, purpose, validUntil, now: clock.now() })
    requireOnward(known, leased.sequence)
    await commits.after(() => marker.raise(leased.sequence))
    const indexes = leased.indexes.map(index => ({ url: `${statusBase}${leased.list}`, index }))
    return { indexes, until: leased.until }
  }

  async function refill(shard: string, purpose: StatusPurpose, validUntil: UnixSeconds): Promise<StatusPlace> {
    const { indexes } = await take(own.did, AHEAD, purpose, validUntil)
    const [one, ...rest] = indexes
    if (one === undefined) throw new ProcuraError('LIST_FULL', { why: 'no index was leased' })
    // a transaction that is undone gives its block back: then nothing of it is kept for later
    await commits.after(() => {
      ahead.set(shard, [...(ahead.get(shard) ?? []), ...rest])
      const [oldest] = ahead.keys()
      if (ahead.size > MAX_SHARDS && oldest !== undefined) ahead.delete(oldest)
      return Promise.resolve()
    })
    return one
  }

  async function next(purpose: StatusPurpose, validUntil: UnixSeconds): Promise<StatusPlace> {
    const shard = `${purpose}.${Math.floor(validUntil / 86_400)}`
    for (;;) {
      const place = ahead.get(shard)?.pop()
      if (place !== undefined) return place
      // inside a transaction nobody waits for others, who may wait for its end
      if (commits.inside) return refill(shard, purpose, validUntil)
      const running = refills.get(shard)
      if (running === undefined) {
        const refilling = refill(shard, purpose, validUntil).finally(() => refills.delete(shard))
        refills.set(shard, refilling)
        return refilling
      }
      await running
    }
  }

  async function requireHolder(chain: readonly string[], by: Did): Promise<UnixSeconds> {
    const { chain: opened, rootKey, isListed } = await open(chain)
    if (!isListed) throw new ProcuraError('ROOT_UNTRUSTED', { root: own.did })
    requireInTime(opened, clock.now())
    const leaf = leafOf(opened)
    if (leaf.subject !== by)
      throw new ProcuraError('CALLER_FORBIDDEN', { caller: by, what: 'lease for another holder' })
    if (!(await isSubjectProved(leaf, keys))) {
      throw new ProcuraError('KEY_BINDING', { did: by, purpose: 'assertionMethod' })
    }
    await places.requireUnset(toStored(opened, chain, rootKey))
    return Math.min(...opened.map(({ validUntil }) => validUntil))
  }

  return {
    requireHolder,
    lease: (holder, count, validUntil) => take(holder, count, 'revocation', validUntil),

    async placesFor(now, validUntil, { listed = true, suspendable = validUntil - now > MAX_UNLISTED } = {}) {
      if (!listed && validUntil - now <= MAX_UNLISTED) return { status: null, suspension: null, json: null }
      const status = await next('revocation', validUntil)
      const suspension = suspendable ? await next('suspension', validUntil) : null
      const revocable = toStatusJson(status.url, status.index)
      const json =
        suspension === null ? revocable : [revocable, toStatusJson(suspension.url, suspension.index, 'suspension')]
      return { status, suspension, json }
    },

    leaseUnder: async (chain, by, count) => take(by, count, 'revocation', await requireHolder(chain, by)),
  }
}
