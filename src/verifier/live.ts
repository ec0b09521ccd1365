import type { Call } from '../authority/grant.js'
import { nearest } from '../delegation/narrowing.js'
import type { Chain, Progress } from '../delegation/chain.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { Sealed, Verified } from '../jws/compact.js'
import type { Policy } from '../policy/policy.js'
import type { Keys, ListVersions, Revocations, Snapshot, StatusLists } from '../ports.js'
import { readStatus, type StatusEntry } from '../status/entry.js'
import {
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
}

/**
 * No link was taken back: step 17, root first. Revoking one link ends everything under it, because every link is asked.
 *
 * @param tell - the clock, asked after each list was fetched
 * @returns seconds since the host of the oldest list answered; `null` if no link has a list
 * @throws STATUS_* (profile §8.2, in its order)
 */
export async function requireLive(
  chain: Chain,
  policy: Policy,
  call: Call,
  tell: () => UnixSeconds,
  ports: LivePorts,
  progress: Progress,
): Promise<number | null> {
  const digests = chain.map(link => link.digest)
  const revoked = await ports.revocations.revoked(digests)
  if (revoked !== null) {
    progress.link = digests.indexOf(revoked)
    throw new ProcuraError('STATUS_REVOKED', { index: revoked, list: 'revocation events' })
  }
  const maxAge = policy.maxStatusAge[policy.risk.get(call.action) ?? 'low']
  let oldest: number | null = null
  for (const [index, { status, validFrom, validUntil }] of chain.entries()) {
    progress.link = index
    const inForce =
      nearest(
        chain.slice(0, index + 1).map(link => link.claims.authority),
        'statusIssuers',
      ) ?? []
    for (const entry of readStatus(status, validUntil - validFrom, inForce)) {
      oldest = Math.max(oldest ?? 0, await requireUnrevoked(entry, maxAge, policy, tell, ports))
    }
  }
  progress.link = null
  return oldest
}

/** One entry of one link: the second half of profile §8.2, in its order. Returns the list's age in seconds. */
async function requireUnrevoked(
  entry: StatusEntry,
  maxAge: number,
  policy: Policy,
  tell: () => UnixSeconds,
  { keys, statusLists, listVersions }: LivePorts,
): Promise<number> {
  const { snapshot, age } = await statusLists.read(entry.url, maxAge)
  const sealed = readList(snapshot.token, entry)
  const list = openOnce(snapshot, sealed, await listKey(sealed, entry.url, policy, keys), entry.url)
  const now = tell()
  requireValidList(list, now, SKEW)
  requireFreshList(list, age, maxAge, now)
  requirePurpose(list, entry)
  await requireRisen(sealed.signer, list, listVersions)
  requireUnset(list, entry)
  return age
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

interface Opened {
  readonly list: Verified<StatusList>
  readonly key: string
}

/** The same bytes under the same key say the same; the entry goes with its snapshot. */
const opened = new WeakMap<Snapshot, Opened>()

function openOnce(snapshot: Snapshot, sealed: Sealed, key: PublicKey, url: string): Verified<StatusList> {
  const before = opened.get(snapshot)
  if (before?.key === key.x && before.list.url === url) return before.list
  const list = openList(sealed, key, url)
  opened.set(snapshot, { list, key: key.x })
  return list
}
