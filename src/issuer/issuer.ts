import type { AuthorityDraft } from '../authority/authority.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { Keys } from '../ports/deciding.js'
import type {
  Credentials,
  Marker,
  Outbox,
  Reservations,
  StatusPlace,
  StatusRows,
  StoredCredential,
} from '../ports/issuing.js'
import type { IssuingKeys } from '../ports/keys.js'
import type { Audit, Clock, Commits, Ids, Transactions } from '../ports/world.js'
import type { UnixSeconds } from '../time.js'
import type { Ended } from './blast.js'
import { createChanges, type Changed, type StatusChange } from './change.js'
import { createGrants } from './grant.js'
import { createForSubjects, type IdentityRequest } from './issued.js'
import { createLeases } from './lease.js'
import { openerOf } from './own.js'
import { createPlaces } from './places.js'
import { createPublisher, type Publisher } from './publish.js'
import { createRevocations, type Target } from './revoke.js'
import { createStops } from './stop.js'

/** Who grants, and below which URL its status lists stand. */
export interface IssuerIdentity {
  readonly keys: IssuingKeys
  /** https URL that ends in `/` */
  readonly statusBase: string
}

/** What an issuer needs of the world. */
export interface IssuerPorts extends Transactions {
  readonly clock: Clock
  readonly ids: Ids
  readonly keys: Keys
  readonly credentials: Credentials
  readonly statusRows: StatusRows
  readonly commits: Commits
  readonly marker: Marker
  readonly outbox: Pick<Outbox, 'append'>
  readonly reservations: Reservations
  /** told of everything that is issued, and of every change of status, before it is done */
  readonly audit: Audit
  /** resolves when the next whole second of the clock has begun */
  readonly nextSecond: () => Promise<void>
  /** told when a list that is published shows what was taken back, with the time of that */
  readonly onShown?: (since: UnixSeconds) => void
}

/** What an issuer is asked to grant. The rest of the authority (`v`, `hop`, status issuers) it fills in itself. */
export interface GrantRequest {
  readonly to: Did
  /** the recipient's key; needed for DIDs that do not contain it */
  readonly key: PublicKey
  readonly authority: AuthorityDraft
  /** seconds; at most 86 400 */
  readonly ttl: number
  /** false: without a status entry, if it lives at most 300 s; it ends by itself then, or by what is announced */
  readonly listed?: boolean | undefined
  /** whether it can be suspended; if left out, yes where it lives longer than 300 s */
  readonly suspendable?: boolean | undefined
  /** who asked for it, for the record; the issuer itself unless said */
  readonly by?: Did | undefined
}

/** A change of status that took effect. */
export interface Revoked {
  readonly digest: string
  readonly list: string
  readonly index: number
  /** a list version that shows it, and is published */
  readonly version: number
}

/** Indexes that only one holder may use, for what ends by `until`. */
export interface LeasedPlaces {
  readonly indexes: readonly StatusPlace[]
  readonly until: UnixSeconds
}

/** What a revocation would end, as far as this service knows. */
export interface Blast {
  /** digests: those named, and all live ones below them */
  readonly credentials: readonly string[]
  /** how many of them stand below */
  readonly descendants: number
  /** who holds them */
  readonly agents: readonly Did[]
  /** open reservations of this service's verifiers that depend on them */
  readonly reservations: readonly string[]
  /** the credentials, each with what stands above it */
  readonly tree: readonly Ended[]
}

/** Grants roots, publishes status lists, takes authority back. */
export interface Issuer extends Pick<Publisher, 'list' | 'tend'> {
  readonly did: Did
  /**
   * Issues a root capability and keeps it; all of it or nothing.
   *
   * @throws AUDIT_UNAVAILABLE, and the codes of steps 8 and 9 for what would not verify
   */
  grant(request: GrantRequest): Promise<StoredCredential>
  /**
   * Hands out status indexes that only `holder` may use.
   *
   * @param count - 1 to 1024
   * @param validUntil - when the last credential that uses them ends
   */
  lease(holder: Did, count: number, validUntil: UnixSeconds): Promise<LeasedPlaces>
  /**
   * Hands out status indexes to the holder of a live chain rooted here, for the delegations it will sign itself.
   *
   * @throws CALLER_FORBIDDEN, TIME_NOT_YET_VALID, TIME_EXPIRED, STATUS_REVOKED, STATUS_SUSPENDED and what opening the
   *   chain throws
   */
  leaseUnder(chain: readonly string[], by: Did, count: number): Promise<LeasedPlaces>
  /** Whether it would: afterwards nothing has to be looked up for a while. @returns when the chain ends. @throws as `leaseUnder` */
  requireHolder(chain: readonly string[], by: Did): Promise<UnixSeconds>
  /**
   * Revokes, suspends or resumes the last credential of a chain for its issuer, for an issuer above it or for this
   * service's own. Doing it again is the same as once. What is revoked stays so, whatever is resumed.
   *
   * @param by - who asks, already authenticated
   * @throws NOT_FOUND, CALLER_FORBIDDEN, KEY_BINDING, AUDIT_UNAVAILABLE, STORAGE_ROLLED_BACK and what opening the chain throws
   */
  change(target: Target, how: StatusChange, by: Did, isAdmin: boolean): Promise<Revoked>
  /** {@link Issuer.change} to revoke. */
  revoke(target: Target, by: Did, isAdmin: boolean): Promise<Revoked>
  /**
   * The same for many, each on its own: the outcomes stand in the order of the targets. It resumes: called again after an
   * interruption, what was done is passed over.
   *
   * @param onDone - told how many are done
   */
  changeAll(
    targets: readonly Target[],
    how: StatusChange,
    by: Did,
    isAdmin: boolean,
    onDone?: (done: number) => void,
  ): Promise<readonly Changed[]>
  /** What revoking would end; changes nothing. @throws as `change` */
  blastOf(targets: readonly Target[], by: Did, isAdmin: boolean): Promise<Blast>
  /** Digests of the live credentials seen here that an agent holds or issued. */
  concerning(agent: Did): Promise<readonly string[]>
  /** Revokes all live credentials seen here that an agent holds or issued, and announces that it was stopped. For admins. */
  kill(agent: Did, by: Did): Promise<readonly Revoked[]>
  /** Suspends what this service granted to a subject. For admins. */
  suspendSubject(subject: Did, by: Did): Promise<readonly Revoked[]>
  /** Resumes what this service granted to a subject. For admins. */
  resumeSubject(subject: Did, by: Did): Promise<readonly Revoked[]>
  /**
   * Revokes everything an issuer made before an instant: what was seen here, and every index it leased before then, for
   * what was never seen. Indexes left over of those leases are of no more use to it.
   *
   * @param by - an admin, or the issuer
   * @returns what was revoked, and how many further indexes
   * @throws CALLER_FORBIDDEN
   */
  revokeIssuedBefore(
    issuer: Did,
    before: UnixSeconds,
    by: Did,
    isAdmin: boolean,
  ): Promise<{ readonly revoked: readonly Revoked[]; readonly unseen: number }>
  /** Issues the credential that says who an agent is, and keeps it. Grants nothing. @throws SCHEMA, CAVEAT_UNKNOWN */
  identify(request: IdentityRequest): Promise<StoredCredential>
  /** Roots and identity credentials of this issuer that a subject holds, the latest end first. */
  liveOf(subject: Did): Promise<readonly StoredCredential[]>
  /**
   * Issues the roots of this issuer that a subject holds anew, to another DID or key, for the rest of their lives, and
   * revokes the old ones. What is revoked is not issued again, nor what a dropped key signed; what is suspended stays so.
   * Identity credentials are revoked only.
   *
   * @param by - who asked for it
   */
  reissue(from: Did, to: Did, key: PublicKey, by: Did): Promise<readonly StoredCredential[]>
}

/** An issuer over storage and a signing key. */
export function createIssuer(identity: IssuerIdentity, ports: IssuerPorts): Issuer {
  const open = openerOf(identity, ports)
  const places = createPlaces(identity, ports)
  const publisher = createPublisher(identity, ports)
  const changes = createChanges(identity, ports, places, publisher)
  const leases = createLeases(identity, ports, open, places)
  const grant = createGrants(identity, ports, leases)
  return {
    did: identity.keys.did,
    grant,
    ...createForSubjects(identity, ports, open, { grant, leases, changes, places }),
    lease: (...asked) => leases.lease(...asked),
    leaseUnder: (...asked) => leases.leaseUnder(...asked),
    requireHolder: (...asked) => leases.requireHolder(...asked),
    ...createRevocations(identity, ports, open, changes),
    ...createStops(identity, ports, changes),
    list: name => publisher.list(name),
    tend: () => publisher.tend(),
  }
}
