import type { Did } from '../did/did.js'
import type { Digest } from '../encoding.js'
import type { UnixSeconds } from '../time.js'

/** What a status list says about an index. Revocation is for ever, suspension is not. */
export type StatusPurpose = 'revocation' | 'suspension'

/** Where a bit of a credential stands. */
export interface StatusPlace {
  readonly url: string
  readonly index: number
}

/** A credential with what it is found by. */
export interface StoredCredential {
  readonly digest: Digest
  readonly id: string
  readonly issuer: Did
  readonly subject: Did
  /** digest of the link above; `null` for a root */
  readonly parent: Digest | null
  readonly issuedAt: UnixSeconds
  readonly validUntil: UnixSeconds
  readonly token: string
  /** base64url of the Ed25519 key that its signature verified under */
  readonly key: string
  /** where its revocation bit stands; `null` for one that lives too short to need it */
  readonly status: StatusPlace | null
  /** where its suspension bit stands; `null` for one that cannot be suspended */
  readonly suspension: StatusPlace | null
}

/** Credentials issued or held. A chain is found by following `parent`. */
export interface Credentials {
  /** Keeps the credential; keeping the same one twice is the same as once. */
  save(credential: StoredCredential): Promise<void>
  /** By digest; `null` if there is none. */
  find(digest: string): Promise<StoredCredential | null>
  /** A root by `id`, which is a label that its issuer chose: only of this issuer, and of several the one that ends last. */
  findRoot(issuer: Did, id: string): Promise<StoredCredential | null>
  /** Those of a subject that end after `now`, the latest end first. */
  heldBy(subject: Did, now: UnixSeconds): Promise<readonly StoredCredential[]>
  /** Those of an issuer that it issued before an instant and that end after `now`. */
  issuedBy(issuer: Did, before: UnixSeconds, now: UnixSeconds): Promise<readonly StoredCredential[]>
  /** Those that end after `now` and name one of these as their parent. */
  below(parents: readonly Digest[], now: UnixSeconds): Promise<readonly StoredCredential[]>
  /** Forgets some of those of an issuer that ended before an instant. @returns whether there are more */
  forget(issuer: Did, before: UnixSeconds): Promise<boolean>
}

/** A status list as it stands in storage. */
export interface StoredList {
  readonly name: string
  readonly purpose: StatusPurpose
  /** bits */
  readonly length: number
  /** 0 until it was published once; only rises */
  readonly version: number
  readonly token: string | null
  readonly signedAt: UnixSeconds
  /** rises with every change, and where it stood when the token was signed: the token is out of date when they differ */
  readonly changes: number
  readonly signedChanges: number
}

/** Asks for indexes of one list. */
export interface Lease {
  /** who may use them */
  readonly issuer: Did
  /** 1 to 1024 */
  readonly count: number
  readonly purpose: StatusPurpose
  /** the latest end of the credentials they are for; lists are sharded by its day */
  readonly validUntil: UnixSeconds
  readonly now: UnixSeconds
}

/** Indexes that nobody else was or will be given. */
export interface Leased {
  readonly list: string
  readonly indexes: readonly number[]
  /** credentials that use them end by then: the list is retired soon after */
  readonly until: UnixSeconds
  /** see {@link Marker} */
  readonly sequence: number
}

/** Rows behind the status lists of a service (profile §8.5): the lists are built from them. */
export interface StatusRows {
  /**
   * Takes indexes that were never handed out before and binds them to their issuer. Opens the next list of the shard when
   * 75 % of the current one are out.
   *
   * @throws STORAGE_UNAVAILABLE
   */
  lease(lease: Lease): Promise<Leased>
  /** Whose each index is; `null` if it was never handed out. */
  ownersOf(list: string, indexes: readonly number[]): Promise<readonly (Did | null)[]>
  /** Every index that an issuer leased before an instant, by list, of one purpose. */
  leasedTo(
    issuer: Did,
    purpose: StatusPurpose,
    before: UnixSeconds,
  ): Promise<readonly { readonly list: string; readonly indexes: readonly number[] }[]>
  /**
   * Sets bits, which were handed out. In a list of revocations they stay set for ever.
   *
   * @returns `changes` of the list from which on they are set
   */
  set(list: string, indexes: readonly number[], by: Did, at: UnixSeconds): Promise<number>
  /** Clears bits of a list of suspensions. @returns `changes` of the list from which on they are clear */
  clear(list: string, indexes: readonly number[]): Promise<number>
  /** Until the transaction around it ends, nobody else sets or clears bits of the list. */
  lock(list: string): Promise<void>
  /** Those of the indexes that are set. */
  setAmong(list: string, indexes: readonly number[]): Promise<ReadonlySet<number>>
  /** The indexes that are set in a list, lowest first. */
  setIn(list: string): Promise<readonly number[]>
  /** The list by name, or `null`. */
  find(list: string): Promise<StoredList | null>
  /**
   * Puts a signed list in place if `version` is one above the stored one.
   *
   * @returns see {@link Marker}; `null` if another was faster
   */
  publish(list: string, token: string, version: number, signedAt: UnixSeconds, changes: number): Promise<number | null>
  /** Names of the lists that changed since they were signed, or were signed at that time or earlier. */
  due(signedBy: UnixSeconds): Promise<readonly string[]>
  /** Forgets the lists whose last credential ended before an instant. Their names are never used again. */
  retire(before: UnixSeconds): Promise<void>
}

/**
 * How far a database came, remembered outside of it, so that a database restored from a backup is noticed: it handed out
 * indexes, published versions and took revocations that it does not know any more. Its sequence moves on with each lease
 * and each publication.
 */
export interface Marker {
  /** the highest sequence this process knows to be remembered */
  readonly reached: number
  /** Remembers that the sequence came this far, before anybody is told what moved it. @throws STORAGE_UNAVAILABLE */
  raise(sequence: number): Promise<void>
}

/** Reservations of the verifiers on this store. */
export interface Reservations {
  /** Ids of those open at `now` that depend on one of the credentials. @throws STORAGE_UNAVAILABLE */
  on(digests: ReadonlySet<string>, now: UnixSeconds): Promise<readonly string[]>
}

/** What was done to a credential or an agent, as those who follow the feed are told: names and places, never content. */
export interface Announcement {
  readonly type: 'revoked' | 'suspended' | 'resumed' | 'killed'
  /** digest of the credential; of a killed agent its DID */
  readonly target: Digest | Did
  /** the bit that shows it; `null` if none does */
  readonly status: StatusPlace | null
  /** the first version of that list that shows it; `null` if it is not published yet */
  readonly version: number | null
}

/** An announcement in its place. */
export interface Announced extends Announcement {
  /** from 1, without gaps, in the order in which the transactions committed */
  readonly seq: number
  readonly at: UnixSeconds
}

/** Announcements on their way out. */
export interface Outbox {
  /**
   * Adds them in this order, at the end. Called inside the transaction of what it announces: both take effect, or neither.
   * From here to its end that transaction has the sequence to itself, so call it last.
   *
   * @throws STORAGE_UNAVAILABLE
   */
  append(all: readonly Announcement[], at: UnixSeconds): Promise<void>
  /** Those after `seq` that are kept, lowest first. @throws STORAGE_UNAVAILABLE */
  since(seq: number, limit: number): Promise<readonly Announced[]>
  /**
   * The lowest number that is kept and the highest that was given out; `last` is `first` − 1 if none is kept.
   *
   * @throws STORAGE_UNAVAILABLE
   */
  span(): Promise<{ readonly first: number; readonly last: number }>
}
