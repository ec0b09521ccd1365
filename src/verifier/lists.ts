import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { Sealed, Verified } from '../jws/compact.js'
import type { ListAge } from '../policy/feeds.js'
import type { Policy } from '../policy/policy.js'
import type { Keys, ListVersions, Snapshot } from '../ports/deciding.js'
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
import type { LivePorts } from './live-ports.js'

/**
 * The bit of one entry is unset: the second half of profile §8.2, in its order.
 *
 * @param tell - the clock, asked after the list was fetched
 * @returns the list's age in seconds, and its version
 * @throws STATUS_* but what reading the entry throws
 */
export async function requireUnrevoked(
  entry: StatusEntry,
  { pushed, pulled }: ListAge,
  policy: Policy,
  tell: () => UnixSeconds,
  ports: LivePorts,
): Promise<{ readonly age: number; readonly version: number | null }> {
  const maxAge = entry.issuers.every(issuer => ports.streams.isHealthy(issuer)) ? pushed : pulled
  const copy = await openAt(entry, maxAge, policy, ports)
  // what is old by its own date, or behind what others who share the memory have seen, was signed anew meanwhile
  const isOld = copy.age > 0 && tell() - copy.list.validFrom > MAX_LIST_AGE
  const isPast = isOld || (maxAge > 0 && (await isOvertaken(copy, ports.listVersions)))
  const { list, signer, age } = isPast ? await openAt(entry, 0, policy, ports) : copy
  const now = tell()
  requireValidList(list, now, SKEW)
  requireFreshList(list, age, maxAge, now)
  requirePurpose(list, entry)
  await requireRisen(signer, list, ports.listVersions)
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

async function openAt(entry: StatusEntry, maxAge: number, policy: Policy, { keys, statusLists }: LivePorts) {
  const { snapshot, age } = await statusLists.read(entry.url, maxAge)
  const before = opened.get(snapshot)
  const sealed = readList(snapshot.token, entry, before?.sealed)
  const key = await listKey(sealed, entry.url, policy, keys)
  const isSame = before?.key === key.x && before.list.url === entry.url
  const list = isSame ? before.list : openList(sealed, key, entry.url)
  if (!isSame) opened.set(snapshot, { sealed, list, key: key.x })
  return { list, signer: sealed.signer, age }
}

/** A higher version was seen. */
async function isOvertaken({ list, signer }: { list: StatusList; signer: Did }, versions: ListVersions) {
  return list.version !== null && list.version < (await versions.raise(signer, list.url, list.version))
}

/** The list states a version, and none higher was ever seen. */
async function requireRisen(issuer: Did, { url, version }: StatusList, versions: ListVersions): Promise<void> {
  if (version === null) throw new ProcuraError('STATUS_ROLLBACK', { list: url, version: 'none', seen: 'unknown' })
  const seen = await versions.raise(issuer, url, version)
  if (version < seen) throw new ProcuraError('STATUS_ROLLBACK', { list: url, version, seen })
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
