import type { StatusIssuer } from '../authority/authority.js'
import type { Credential } from '../credential/credential.js'
import { nearest } from '../delegation/narrowing.js'
import type { Chain, Progress } from '../delegation/chain.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { Digest } from '../encoding.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { Sealed, Verified } from '../jws/compact.js'
import type { ListAge } from '../policy/feeds.js'
import type { Policy } from '../policy/policy.js'
import type { Keys, ListVersions, RevocationEvent, Snapshot } from '../ports/deciding.js'
import { readStatus, type StatusEntry } from '../status/entry.js'
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
import { listsOf, type Identified } from './identities.js'
import { askedOnce, type LivePorts } from './live-ports.js'

export type { LivePorts } from './live-ports.js'

/** A credential that may be taken back, as it is asked about whenever it matters. Plain data: it can be kept as JSON. */
export interface Watched {
  /** index of the link it is; `null` for an identity credential */
  readonly link: number | null
  readonly digest: Digest
  readonly subject: Did
  readonly validUntil: UnixSeconds
  /** whose events count for it (profile §8.3) */
  readonly revokers: readonly Did[]
  readonly entries: readonly StatusEntry[]
}

/** A version of a status list that was relied on. */
export interface SeenList {
  readonly url: string
  readonly version: number | null
}

/** How far a walk along what is watched has come. */
export interface Watch extends Progress {
  /**
   * those found live, and for each the seconds since the host of its oldest list answered (`null` without a list), and the
   * lists that said so
   */
  readonly live: { readonly watched: Watched; readonly age: number | null; readonly lists: readonly SeenList[] }[]
}

/** Before its `credentialStatus` was read: that is judged in its turn, because an earlier link may be revoked. */
type Unread = Omit<Watched, 'entries'> & { readonly read: () => readonly StatusEntry[] }

/**
 * Nothing was taken back: step 17. No subject was stopped, no credential revoked by an event that counts; then the
 * status lists of every link, root first, and of the identity credentials. Revoking one link ends everything under it,
 * because every link is asked.
 *
 * @param maxAge - how old a list may be
 * @param tell - the clock, asked after each list was fetched
 * @throws AGENT_KILLED, STATUS_* (profile §8.2, in its order)
 */
export async function requireLive(
  chain: Chain,
  identities: readonly Identified[],
  maxAge: ListAge,
  policy: Policy,
  tell: () => UnixSeconds,
  ports: LivePorts,
  watch: Watch,
): Promise<void> {
  const inForce = chain.map((_, index) => statusIssuersAt(chain, index))
  const links = chain.map((link, index): Unread => {
    const issuers = inForce[index] ?? []
    const revokers = [...chain.slice(0, index + 1).map(({ issuer }) => issuer), ...issuers.map(({ iss }) => iss)]
    return unread(link, index, revokers, issuers)
  })
  const others = identities.map(({ credential, links: described }): Unread => {
    const issuers = described.flatMap(index => inForce[index] ?? [])
    return unread(credential, null, [credential.issuer], listsOf(credential, issuers))
  })
  await requireAllLive([...links, ...others], maxAge, policy, tell, ports, watch)
}

/** The same again for what was found live before: the commit point. @throws AGENT_KILLED, STATUS_* */
export async function requireStillLive(
  watched: readonly Watched[],
  maxAge: ListAge,
  policy: Policy,
  tell: () => UnixSeconds,
  ports: LivePorts,
  watch: Watch,
): Promise<void> {
  const again = watched.map(one => ({ ...one, read: () => one.entries }))
  await requireAllLive(again, maxAge, policy, tell, ports, watch)
}

function statusIssuersAt(chain: Chain, index: number): readonly StatusIssuer[] {
  const authorities = chain.slice(0, index + 1).map(({ claims }) => claims.authority)
  return nearest(authorities, 'statusIssuers') ?? []
}

function unread(
  { digest, subject, validFrom, validUntil, status }: Credential<unknown>,
  link: number | null,
  revokers: readonly Did[],
  issuers: readonly StatusIssuer[],
): Unread {
  const read = (): readonly StatusEntry[] => readStatus(status, validUntil - validFrom, issuers)
  return { link, digest, subject, validUntil, revokers: [...new Set(revokers)], read }
}

async function requireAllLive(
  all: readonly Unread[],
  maxAge: ListAge,
  policy: Policy,
  tell: () => UnixSeconds,
  world: LivePorts,
  watch: Watch,
): Promise<void> {
  const ports = askedOnce(world)
  const targets = new Set(all.flatMap(({ digest, subject }) => [digest, subject]))
  const signers = new Set([...all.flatMap(({ revokers }) => revokers), ...policy.identityIssuers])
  const events = await ports.revocations.about([...targets], [...signers])
  requireNoEvent(all, events, policy, watch)
  for (const { read, ...one } of all) {
    watch.link = one.link
    try {
      const entries = read()
      let age: number | null = null
      const lists: SeenList[] = []
      for (const entry of entries) {
        const seen = await requireUnrevoked(entry, maxAge, policy, tell, ports)
        age = Math.max(age ?? 0, seen.age)
        lists.push({ url: entry.url, version: seen.version })
      }
      watch.live.push({ watched: { ...one, entries }, age, lists })
    } catch (error) {
      throw one.link === null ? ofIdentity(error, one) : error
    }
  }
  watch.link = null
}

/** The same refusal, saying that it is no link's. */
function ofIdentity(error: unknown, { digest, subject }: Pick<Watched, 'digest' | 'subject'>): unknown {
  if (!isProcuraError(error)) return error
  const message = `${error.message} (identity credential ${digest} of ${subject})`
  return new ProcuraError(error.code, error.facts as never, { cause: error, message })
}

/**
 * An event counts if its signer could have taken the credential back: its issuer, an ancestor's issuer, a status issuer
 * in force; and for stopping an agent, an identity issuer of the policy too. Otherwise revoking would be a weapon.
 */
function requireNoEvent(
  all: readonly Unread[],
  events: readonly RevocationEvent[],
  { identityIssuers }: Policy,
  watch: Watch,
): void {
  for (const { link, subject, revokers } of all) {
    watch.link = link
    const counts = ({ target, signer }: RevocationEvent): boolean =>
      target === subject && (revokers.includes(signer) || identityIssuers.has(signer))
    if (events.some(counts)) throw new ProcuraError('AGENT_KILLED', { did: subject })
  }
  for (const { link, digest, revokers } of all) {
    watch.link = link
    const event = events.find(({ target, signer }) => target === digest && revokers.includes(signer))
    if (event !== undefined)
      throw new ProcuraError('STATUS_REVOKED', { index: digest, list: `events of ${event.signer}` })
  }
  watch.link = null
}

/** One entry of one link: the second half of profile §8.2, in its order. Returns the list's age in seconds, and its version. */
async function requireUnrevoked(
  entry: StatusEntry,
  { pushed, pulled }: ListAge,
  policy: Policy,
  tell: () => UnixSeconds,
  ports: LivePorts,
): Promise<{ readonly age: number; readonly version: number | null }> {
  const maxAge = entry.issuers.every(issuer => ports.streams.isHealthy(issuer)) ? pushed : pulled
  const copy = await openAt(entry, maxAge, policy, ports)
  // what is old by its own date may have been signed anew since it was fetched
  const isOld = copy.age > 0 && tell() - copy.list.validFrom > MAX_LIST_AGE
  const { list, signer, age } = isOld ? await openAt(entry, 0, policy, ports) : copy
  const now = tell()
  requireValidList(list, now, SKEW)
  requireFreshList(list, age, maxAge, now)
  requirePurpose(list, entry)
  await requireRisen(signer, list, ports.listVersions)
  requireUnset(list, entry)
  return { age, version: list.version }
}

async function openAt(entry: StatusEntry, maxAge: number, policy: Policy, { keys, statusLists }: LivePorts) {
  const { snapshot, age } = await statusLists.read(entry.url, maxAge)
  const sealed = readList(snapshot.token, entry)
  const list = openOnce(snapshot, sealed, await listKey(sealed, entry.url, policy, keys), entry.url)
  return { list, signer: sealed.signer, age }
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
