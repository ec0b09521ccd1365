import type { StatusIssuer } from '../authority/authority.js'
import type { Credential } from '../credential/credential.js'
import { nearest } from '../delegation/narrowing.js'
import type { Chain, Progress } from '../delegation/chain.js'
import type { Did } from '../did/did.js'
import type { Digest } from '../encoding.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { ListAge } from '../policy/feeds.js'
import type { Policy } from '../policy/policy.js'
import type { RevocationEvent } from '../ports/deciding.js'
import { readStatus, type StatusEntry } from '../status/entry.js'
import type { UnixSeconds } from '../time.js'
import { listsOf, type Identified } from './identities.js'
import { createLists, type LivePorts } from './lists.js'

export type { LivePorts } from './lists.js'

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
type Unread = Pick<Watched, 'link' | 'digest' | 'subject' | 'revokers'> & { readonly read: () => Watched }

/** All that is asked about, and whose events about what count. */
interface Round {
  readonly all: readonly Unread[]
  readonly targets: readonly (Digest | Did)[]
  /** beside the policy's own */
  readonly signers: readonly Did[]
}

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
  const round = roundOf(chain)
  const others = identities.map(({ credential, links: described }): Unread => {
    const issuers = described.flatMap(index => statusIssuersAt(chain, index))
    return unread(credential, null, [credential.issuer], listsOf(credential, issuers))
  })
  const whole = others.length === 0 ? round : toRound([...round.all, ...others])
  await requireAllLive(whole, maxAge, policy, tell, ports, watch)
}

/** What is asked about a chain follows from its links alone, so it is worked out once for a chain that is remembered. */
const rounds = new WeakMap<Chain, Round>()

function roundOf(chain: Chain): Round {
  const before = rounds.get(chain)
  if (before !== undefined) return before
  const issued: Did[] = []
  let inForce: readonly StatusIssuer[] = []
  const links = chain.map((link, index): Unread => {
    issued.push(link.issuer)
    inForce = link.claims.authority.statusIssuers ?? inForce
    return unread(link, index, [...issued, ...inForce.map(({ iss }) => iss)], inForce)
  })
  const round = toRound(links)
  rounds.set(chain, round)
  return round
}

function toRound(all: readonly Unread[]): Round {
  const targets = new Set(all.flatMap(({ digest, subject }) => [digest, subject]))
  return { all, targets: [...targets], signers: [...new Set(all.flatMap(({ revokers }) => revokers))] }
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
  const again = watched.map(one => ({ ...one, read: () => one }))
  await requireAllLive(toRound(again), maxAge, policy, tell, ports, watch)
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
  const signers = [...new Set(revokers)]
  let watched: Watched | undefined
  const read = (): Watched => {
    if (watched !== undefined) return watched
    const entries = readStatus(status, validUntil - validFrom, issuers)
    return (watched = { link, digest, subject, validUntil, revokers: signers, entries })
  }
  return { link, digest, subject, revokers: signers, read }
}

async function requireAllLive(
  { all, targets, signers }: Round,
  maxAge: ListAge,
  policy: Policy,
  tell: () => UnixSeconds,
  ports: LivePorts,
  watch: Watch,
): Promise<void> {
  const { identityIssuers } = policy
  const heard = identityIssuers.size === 0 ? signers : [...new Set([...signers, ...identityIssuers])]
  const events = await ports.revocations.about(targets, heard)
  if (events.length > 0) requireNoEvent(all, events, policy, watch)
  const asked = createLists(maxAge, policy, tell, ports)
  for (const one of all) {
    watch.link = one.link
    try {
      const watched = one.read()
      let age: number | null = null
      const lists: SeenList[] = []
      for (const entry of watched.entries) {
        const seen = asked.known(entry) ?? (await asked.look(entry))
        age = Math.max(age ?? 0, seen.age)
        lists.push({ url: entry.url, version: seen.version })
      }
      watch.live.push({ watched, age, lists })
    } catch (error) {
      throw one.link === null ? ofIdentity(error, one) : error
    }
  }
  watch.link = null
}

/** The same refusal, saying that it is no link's. */
function ofIdentity(error: unknown, { digest, subject }: Pick<Unread, 'digest' | 'subject'>): unknown {
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
