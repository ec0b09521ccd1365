import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { Sealed, Verified } from '../jws/compact.js'
import type { ListAge } from '../policy/feeds.js'
import type { Policy } from '../policy/policy.js'
import type { Keys, ListVersions, Revocations, Snapshot, StatusLists, Streams } from '../ports/deciding.js'
import type { StatusEntry } from '../status/entry.js'
import {
  MAX_LIST_AGE,
  openList,
  readList,
  requireFreshList,
  requirePurpose,
  requireUnset,
  requireValidList,
  type StatusList,
} from '../status/list.js'
import { SKEW, type UnixSeconds } from '../time.js'
import { findKey } from './checks.js'

/** What liveness is asked of. */
export interface LivePorts {
  readonly keys: Keys
  readonly statusLists: StatusLists
  readonly listVersions: ListVersions
  readonly revocations: Revocations
  readonly streams: Streams
}

/** What was relied on to say that a bit is unset. */
export interface Seen {
  /** seconds since the list's host answered */
  readonly age: number
  readonly version: number | null
}

/** Lists as one decision looks at them: the bit of an entry is unset, the second half of profile §8.2 in its order. */
export interface Lists {
  /** Judges an entry by a list that was looked at before. @throws STATUS_* */
  known(entry: StatusEntry): Seen | undefined
  /** Looks at the entry's list. @throws STATUS_* but what reading the entry throws */
  look(entry: StatusEntry): Promise<Seen>
}

/** A list whose signature verified under the key of one of those trusted for it. */
interface Found {
  readonly list: Verified<StatusList>
  readonly sealed: Sealed
  readonly key: PublicKey
  readonly age: number
}

/** It, as it was found fit for entries of this kind. */
type Fit = Found & { readonly of: StatusEntry; readonly maxAge: number }

/**
 * What a decision asks again has the answer that it had a moment before: any moment of a decision is as good as another,
 * as long as it is after it was asked for.
 *
 * @param tell - the clock, asked after a list was fetched
 */
export function createLists(
  { pushed, pulled }: ListAge,
  policy: Policy,
  tell: () => UnixSeconds,
  ports: LivePorts,
): Lists {
  const { listVersions, streams } = ports
  const seen: Fit[] = []
  const open = (entry: StatusEntry, maxAge: number): Promise<Found> => openAt(entry, maxAge, seen, policy, ports)
  return {
    known(entry) {
      const fit = seen.find(({ of }) => of.url === entry.url && isSame(of.issuers, entry.issuers))
      if (fit === undefined) return undefined
      requireFit(fit, entry, fit.maxAge, tell())
      return requireBit(fit, entry)
    },
    async look(entry) {
      const maxAge = entry.issuers.every(issuer => streams.isHealthy(issuer)) ? pushed : pulled
      const copy = await open(entry, maxAge)
      // what is old by its own date, or behind what others who share the memory have seen, was signed anew meanwhile
      const isOld = copy.age > 0 && tell() - copy.list.validFrom > MAX_LIST_AGE
      const seenBefore = isOld || maxAge === 0 ? null : await highestOf(copy, listVersions)
      const isPast = isOld || isBelow(copy, seenBefore)
      const found = isPast ? await open(entry, 0) : copy
      requireFit(found, entry, maxAge, tell())
      requireRisen(found, found === copy && seenBefore !== null ? seenBefore : await highestOf(found, listVersions))
      seen.push({ ...found, of: entry, maxAge })
      return requireBit(found, entry)
    },
  }
}

function isSame(some: readonly Did[], others: readonly Did[]): boolean {
  return some.length === others.length && some.every((one, index) => one === others[index])
}

function requireFit({ list, age }: Found, entry: StatusEntry, maxAge: number, now: UnixSeconds): void {
  requireValidList(list, now, SKEW)
  requireFreshList(list, age, maxAge, now)
  requirePurpose(list, entry)
}

function requireBit({ list, age }: Found, entry: StatusEntry): Seen {
  requireUnset(list, entry)
  return { age, version: list.version }
}

interface Opened {
  readonly sealed: Sealed
  readonly list: Verified<StatusList>
  readonly key: string
}

/** The same bytes under the same key say the same; the entry goes with its snapshot. */
const opened = new WeakMap<Snapshot, Opened>()

async function openAt(
  entry: StatusEntry,
  maxAge: number,
  seen: readonly Fit[],
  policy: Policy,
  { keys, statusLists }: LivePorts,
): Promise<Found> {
  const { snapshot, age } = await statusLists.read(entry.url, maxAge)
  const before = opened.get(snapshot)
  const sealed = readList(snapshot.token, entry, before?.sealed)
  const sameKey = seen.find(one => one.sealed.kid === sealed.kid)?.key
  const key = sameKey ?? (await listKey(sealed, entry.url, policy, keys))
  const isSameList = before?.key === key.x && before.list.url === entry.url
  const list = isSameList ? before.list : openList(sealed, key, entry.url)
  if (!isSameList) opened.set(snapshot, { sealed, list, key: key.x })
  return { list, sealed, key, age }
}

/** The highest version that was ever seen of the list, this one among them; 0 if it states none. */
async function highestOf({ list: { url, version }, sealed }: Found, versions: ListVersions): Promise<number> {
  return version === null ? 0 : versions.raise(sealed.signer, url, version)
}

function isBelow({ list: { version } }: Found, highest: number | null): boolean {
  return version !== null && highest !== null && version < highest
}

/** The list states a version, and none higher was ever seen. */
function requireRisen({ list: { url, version } }: Found, highest: number): void {
  if (version === null) throw new ProcuraError('STATUS_ROLLBACK', { list: url, version: 'none', seen: 'unknown' })
  if (version < highest) throw new ProcuraError('STATUS_ROLLBACK', { list: url, version, seen: highest })
}

async function listKey(sealed: Sealed, list: string, policy: Policy, keys: Keys): Promise<PublicKey> {
  try {
    const key = await findKey(sealed, policy, keys)
    if (key !== null) return key
  } catch (error) {
    if (!isProcuraError(error)) throw error
    throw new ProcuraError('STATUS_SIGNATURE', { list, why: error.message }, { cause: error })
  }
  throw new ProcuraError('STATUS_SIGNATURE', { list, why: `${sealed.kid} is not listed under assertionMethod` })
}
