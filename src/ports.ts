import type { Did, DidUrl } from './did/did.js'
import type { PublicKey } from './ed25519.js'
import type { Digest } from './encoding.js'
import type { Json, JsonObject } from './json.js'
import type { Signer } from './signer.js'
import type { UnixSeconds } from './time.js'

/** What the outside world must supply. Every answer says which is "no" and which is "do not know": the latter throws. */
export interface Clock {
  now(): UnixSeconds
}

/** Randomness for names; 122 bits or more. */
export interface Ids {
  /** a fresh v4 UUID, lower case */
  uuid(): string
  /** 22 fresh base64url characters, 128 bits */
  token(): string
}

/** `authentication` proves who speaks; `assertionMethod` proves who granted. */
export type Relationship = 'authentication' | 'assertionMethod'

/** Keys of DIDs. Throws DID_METHOD, DID_FORBIDDEN_HOST, DID_RESOLUTION when the document cannot be read. */
export interface Keys {
  /** The key that `kid` names, or `null` if the document does not list it under the relationship. */
  find(kid: DidUrl, relationship: Relationship): Promise<PublicKey | null>
  /** All Ed25519 keys that the document lists under the relationship. */
  all(did: Did, relationship: Relationship): Promise<readonly PublicKey[]>
}

/** A status list token as its host served it. The same object stands for the same bytes. */
export interface Snapshot {
  readonly token: string
}

/** Status lists as their hosts serve them; nothing about them is verified yet. */
export interface StatusLists {
  /**
   * The list at `url`, asked for anew if the host last answered more than `maxAge` seconds ago.
   *
   * @returns the token, and the seconds since the host last answered 200 or 304
   * @throws STATUS_UNAVAILABLE - never an empty list
   */
  read(url: string, maxAge: number): Promise<{ readonly snapshot: Snapshot; readonly age: number }>
}

/** The highest version of each list ever seen; survives a restart. */
export interface ListVersions {
  /**
   * Records a version of the list that `issuer` signed. Returns the highest ever recorded for the two, this one included:
   * what one issuer signs says nothing about another's list at the same place.
   *
   * @throws STATUS_UNAVAILABLE
   */
  raise(issuer: Did, url: string, version: number): Promise<number>
}

/** A revocation event whose signature verified (profile §8.3). Whether it counts is judged against each chain. */
export interface RevocationEvent {
  /** digest of the credential that was revoked, or DID of the agent that was stopped */
  readonly target: Digest | Did
  readonly signer: Did
}

/** Revocation events, anybody's: a stranger's is kept but inert. */
export interface Revocations {
  /** Remembers the event; learning it twice is the same as once. @throws STATUS_UNAVAILABLE */
  learn(event: RevocationEvent): Promise<void>
  /**
   * The events of these signers that name one of the targets. What others sign is not even read.
   *
   * @throws STATUS_UNAVAILABLE
   */
  about(targets: readonly (Digest | Did)[], signers: readonly Did[]): Promise<readonly RevocationEvent[]>
}

/** How far each feed was followed; survives a restart, so that a verifier goes on where it was. */
export interface FeedPositions {
  /** The number up to which all was learned; 0 if nothing was. @throws STATUS_UNAVAILABLE */
  read(feed: string): Promise<number>
  /** Remembers it, also where it fell: a feed can be restored from an older copy. @throws STATUS_UNAVAILABLE */
  write(feed: string, seq: number): Promise<void>
}

/** The feeds that a verifier follows, as its policy names them. */
export interface Streams {
  /** True if all that this issuer announced has arrived: followed without a gap, and heard from within 30 s. */
  isHealthy(issuer: Did): boolean
}

/** Something that may be used once. */
export interface Use {
  /** names it: the signer's key and the token's `jti` */
  readonly key: string
  /** a store that forgets when it restarts refuses what it may have seen before */
  readonly issuedAt: UnixSeconds
  /** when the entry may be forgotten; never before */
  readonly until: UnixSeconds
}

/** Chains that were uploaded once and are named by the digest of their leaf from then on (profile §5.2). */
export interface Chains {
  /**
   * Keeps a chain whose signatures and narrowing were verified, at most until it ends. Keeping twice is the same as once.
   *
   * @throws CHAINS_FULL, REPLAY_UNAVAILABLE
   */
  keep(leaf: Digest, tokens: readonly string[], until: UnixSeconds): Promise<void>
  /** The tokens root → leaf, or `null` if they are not known, or not any more. */
  find(leaf: Digest): Promise<readonly string[] | null>
}

/** Challenges handed out by this verifier. */
export interface Nonces {
  /** Hands out a fresh nonce, good once and for 60 s, at the verifier of this audience. @throws REPLAY_UNAVAILABLE */
  issue(self: string): Promise<string>
  /** True exactly once per nonce handed out; false for unknown, stale and used ones. */
  consume(self: string, nonce: string): Promise<boolean>
  /** Whether `consume` would say true now; uses nothing up. */
  isOpen(self: string, nonce: string): Promise<boolean>
}

/** A bound on the sum of charges to one account. */
export interface Charge {
  /** names the budget: credential digest and position */
  readonly account: string
  readonly amount: number
  readonly max: number
  readonly unit: string
  /** when the credential ends, and with it the account */
  readonly until: UnixSeconds
}

/** A bound on accepted calls in a sliding window. */
export interface Throttle {
  readonly account: string
  readonly max: number
  /** seconds */
  readonly per: number
}

/** What holds a charge until its effect is certain (profile §6, charging). */
export interface Hold {
  /** the decision's id */
  readonly id: string
  /** the end of the reservation; from then on the charge stays, because its effect may have happened */
  readonly until: UnixSeconds
  /** what has to be looked at again before the effect */
  readonly facts: Json
}

/** `expired` was never closed and is as good as committed. */
export type HoldState = 'open' | 'committed' | 'released' | 'expired'

/** A hold as it stands. */
export interface Held extends Hold {
  readonly state: HoldState
}

/** What one accepted call takes, all or none. */
export interface Settlement {
  /** of different keys; each succeeds exactly once */
  readonly uses: readonly Use[]
  readonly throttles: readonly Throttle[]
  readonly charges: readonly Charge[]
  /** `null`: charged for good */
  readonly hold: Hold | null
  /** the caller's clock */
  readonly now: UnixSeconds
}

/** What was used, how often was called, what was spent, and what is held. */
export interface Ledger {
  /**
   * In one step, across all processes that share the store: uses all, counts all and charges all, or does nothing.
   *
   * @returns `null` if all was done; `used` if one was used before; else the first bound that refused
   * @throws REPLAY_UNAVAILABLE, LEDGER_UNAVAILABLE
   */
  settle(settlement: Settlement): Promise<null | 'used' | Throttle | Charge>
  /** What `settle` would answer now; does nothing. @throws REPLAY_UNAVAILABLE, LEDGER_UNAVAILABLE */
  probe(settlement: Settlement): Promise<null | 'used' | Throttle | Charge>
  /** The hold, or `null` if there is none, or none any more a day after its end. @throws LEDGER_UNAVAILABLE */
  held(id: string, now: UnixSeconds): Promise<Held | null>
  /**
   * Closes a hold that is open; one that is not stays as it is. Releasing gives back what was charged, and neither the
   * use nor the counted call. In one step: of two that close at once, one decides.
   *
   * @returns how the hold stands afterwards; `null` if there is none
   * @throws LEDGER_UNAVAILABLE
   */
  close(id: string, to: 'committed' | 'released', now: UnixSeconds): Promise<HoldState | null>
}

/** What a verifier must remember between calls. */
export interface State {
  readonly ledger: Ledger
  readonly listVersions: ListVersions
  readonly chains: Chains
  readonly nonces: Nonces
  readonly revocations: Revocations
  readonly feedPositions: FeedPositions
}

/** Where decisions are put on record before they are returned. */
export interface Audit {
  /**
   * Puts an entry on record, as it is now. It outlives the machine when this answers; with `soon` only this process, and
   * the machine within 100 ms.
   *
   * @throws AUDIT_UNAVAILABLE
   */
  record(entry: object, soon?: boolean): Promise<void>
}

/** Groups writes. */
export interface Transactions {
  /**
   * Runs `work` so that all of its writes take effect, or none: its own and those of every port on the same store that
   * it calls. A nested call joins.
   *
   * `work` may run more than once, each time from its beginning, after what it wrote before was undone: databases end
   * one of two transactions that meet (SQLSTATE 40001). What it does elsewhere must bear that.
   *
   * @throws STORAGE_UNAVAILABLE, and whatever `work` throws, after everything was undone
   */
  transaction<T>(work: () => Promise<T>): Promise<T>
}

/** What was asked under a name before. */
export interface Asked {
  /** digest of the request */
  readonly request: string
  /** `null`: it is under way, or was broken off */
  readonly answer: string | null
}

/** Answers kept for callers that ask again. Every method throws STORAGE_UNAVAILABLE. */
export interface Answers {
  /** Takes the name until `until`: `null` for who is first, else what stands there. */
  claim(name: string, request: string, now: UnixSeconds, until: UnixSeconds): Promise<Asked | null>
  /** Keeps the answer to what was claimed. */
  keep(name: string, answer: string): Promise<void>
  /** Gives up a claim that has no answer. */
  forget(name: string): Promise<void>
}

/** What is new is added whole. */
export interface Additions {
  /**
   * As {@link Transactions.transaction}, for work that only adds what nobody has asked for yet: it may be written when
   * the work ends, together with what others add at the same moment. One that cannot be added fails alone.
   *
   * @throws as `transaction`
   */
  adding<T>(work: () => Promise<T>): Promise<T>
}

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
}

/** What an agent of a wallet holds: the end of a chain, with what it is found by. */
export interface Holding {
  readonly digest: Digest
  readonly holder: Did
  /** issuer of the root, and the key that the root verified under, as base64url */
  readonly root: Did
  readonly rootKey: string
  /** `onBehalfOf` of the chain */
  readonly principal: string | null
  /** hops that may follow */
  readonly more: number
  readonly receivedAt: UnixSeconds
  readonly validUntil: UnixSeconds
  /** handed on by another agent of this wallet, which may want to revoke it after its holder ended */
  readonly given: boolean
  /** the leaf's, in its order */
  readonly grants: readonly { readonly resource: string; readonly actions: readonly string[] }[]
}

/** Which holdings are meant. What is left out does not matter. */
export interface HoldingQuery {
  readonly holder: Did
  /** covered by one grant, together with `action` */
  readonly resource?: string | undefined
  readonly action?: string | undefined
  /** ends before */
  readonly before?: UnixSeconds | undefined
  readonly principal?: string | undefined
  readonly digest?: Digest | undefined
}

/** A use of one action of a grant. */
export interface GrantUse {
  readonly digest: Digest
  /** place of the grant in its credential */
  readonly grant: number
  readonly action: string
  readonly times: number
  readonly last: UnixSeconds
}

/** A holding and how it was used so far. */
export interface HoldingRecord extends Omit<Holding, 'grants'> {
  readonly id: string
  readonly issuer: Did
  readonly status: StatusPlace | null
  /** one for each action of each grant; `last` is `null` if it was never used */
  readonly uses: readonly (Omit<GrantUse, 'digest' | 'last'> & {
    readonly resource: string
    readonly last: UnixSeconds | null
  })[]
}

/** The index of what agents hold. Every method throws STORAGE_UNAVAILABLE. */
export interface Holdings {
  /** Files a holding whose credential is saved; filing it twice is the same as once. */
  add(holding: Holding): Promise<void>
  /** Digests of those that end after `now`, the latest end first; at most `limit`. */
  find(query: HoldingQuery, now: UnixSeconds, limit?: number): Promise<readonly Digest[]>
  /** Adds to the counts. Of a holding that is gone nothing is counted. */
  use(uses: readonly GrantUse[]): Promise<void>
  /** All that end after `now`, of one holder or of all, by holder, the latest end first. */
  list(now: UnixSeconds, holder?: Did): Promise<readonly HoldingRecord[]>
  /** Forgets what an agent holds; of its credentials those that were received and that nothing hangs on. */
  drop(holder: Did): Promise<void>
}

/** When agents end that live for one task. Every method throws STORAGE_UNAVAILABLE. */
export interface Lifetimes {
  set(did: Did, endsAt: UnixSeconds): Promise<void>
  /** `null`: it has no end. */
  endOf(did: Did): Promise<UnixSeconds | null>
  /** Those that ended by `now`, the earliest first. */
  due(now: UnixSeconds, limit: number): Promise<readonly Did[]>
  drop(did: Did): Promise<void>
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

/** Tells when what was written takes effect. */
export interface Commits {
  /** true inside the work of a transaction */
  readonly inside: boolean
  /**
   * Runs `work` after the commit of the transaction it is called in, before that answers; at once where there is none;
   * not at all if the transaction is undone.
   */
  after(work: () => Promise<void>): Promise<void>
}

/** Reservations of the verifiers on this store. */
export interface Reservations {
  /** Ids of those open at `now` that depend on one of the credentials. @throws STORAGE_UNAVAILABLE */
  on(digests: ReadonlySet<string>, now: UnixSeconds): Promise<readonly string[]>
}

/** A key as a DID document lists it. */
export interface HostedKey {
  readonly kid: DidUrl
  readonly key: PublicKey
  /** at least one */
  readonly relationships: readonly Relationship[]
}

/** The keys of did:web names whose documents are served here. Every method throws STORAGE_UNAVAILABLE. */
export interface HostedDids {
  /** From now on the document lists exactly these keys. */
  publish(did: Did, keys: readonly HostedKey[]): Promise<void>
  /** From now on there is no document. True if there was one. */
  withdraw(did: Did): Promise<boolean>
  /** The keys, by `kid`; `null` if the DID is not hosted here. */
  find(did: Did): Promise<readonly HostedKey[] | null>
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

/** What is registered: people and organisations hold wallets too, but have no autonomy. */
export type SubjectKind = 'agent' | 'person' | 'organisation'

/** `retired` is for ever. */
export type SubjectState = 'active' | 'suspended' | 'retired'

/** Who may receive authority from a service. The registration stays while DID and key change. */
export interface Subject {
  /** UUID */
  readonly id: string
  readonly did: Did
  /** base64url of its current Ed25519 key */
  readonly key: string
  readonly kind: SubjectKind
  /** 1 to 128 printable characters */
  readonly name: string
  readonly state: SubjectState
  /** `id` of the subject that registered it as its sub-agent */
  readonly owner: string | null
  /** what its identity credential says; `null` for people and organisations */
  readonly agent: JsonObject | null
  readonly registeredAt: UnixSeconds
  /** when the registration ends by itself, with its task; `null` if never */
  readonly expiresAt: UnixSeconds | null
}

/** Which subjects are asked for. */
export interface SubjectQuery {
  /** those behind this `id`, in the order of ids */
  readonly after: string | null
  /** 1 to 200 */
  readonly limit: number
  readonly kind?: SubjectKind
  readonly state?: SubjectState
  readonly owner?: string
}

/** The register of a service. Every method throws STORAGE_UNAVAILABLE. */
export interface Subjects {
  /** False, and nothing is kept, if the DID or the key was ever registered. */
  add(subject: Subject): Promise<boolean>
  /** By `id` or current DID; `null` if there is none. */
  find(name: string): Promise<Subject | null>
  /** As `find`; until the transaction around it ends, nobody else changes that subject. */
  hold(name: string): Promise<Subject | null>
  /** Changes the state if it is one of `from`; true if it did. */
  move(id: string, from: readonly SubjectState[], to: SubjectState): Promise<boolean>
  /** Puts DID and key in place of the current ones. False if one of them was ever registered, its own DID excepted. */
  rekey(id: string, did: Did, key: string): Promise<boolean>
  list(query: SubjectQuery): Promise<readonly Subject[]>
  /** How many an owner has that are not retired and have not ended. */
  countOwned(owner: string, now: UnixSeconds): Promise<number>
}

/** A private key as it stands in storage: sealed under a key that is not in the database. */
export interface SealedKey {
  /** its public key, 64 lower-case hexadecimal digits */
  readonly kid: string
  /** of the key-encryption key */
  readonly version: number
  /** base64url; what it holds is the sealer's business */
  readonly sealed: string
}

/** A key-encryption key that sealed keys may name. The highest version is the one to seal under. */
export interface KeyVersion {
  /** 1 or more */
  readonly version: number
  /** tells keys apart and gives nothing away */
  readonly fingerprint: string
}

/** Private keys, sealed, and the versions they are sealed under. Every method throws STORAGE_UNAVAILABLE. */
export interface SealedKeys {
  /** Keeps a key under a version that stands. False if a key of this kid stands already; it stays as it is. */
  insert(key: SealedKey): Promise<boolean>
  /** The key, or `null`. */
  find(kid: string): Promise<SealedKey | null>
  /** Deletes a key. True if it stood. */
  remove(kid: string): Promise<boolean>
  /** Up to `count` keys whose version is lower and whose kid comes after the one given, by kid. */
  olderThan(version: number, after: string, count: number): Promise<readonly SealedKey[]>
  /** Puts `next` in place of `before` if that still stands as it was. */
  replace(before: SealedKey, next: SealedKey): Promise<boolean>
  /** All versions, ascending. */
  versions(): Promise<readonly KeyVersion[]>
  /** How many keys are sealed under each version that has any. */
  counts(): Promise<ReadonlyMap<number, number>>
  /** Adds a version. False if it stands already. */
  addVersion(version: KeyVersion): Promise<boolean>
  /** Deletes a version. False, and nothing is done, while a key is sealed under it. */
  dropVersion(version: number): Promise<boolean>
  /** Runs `work` in a transaction that no other `alone` on this database overlaps, in any process. */
  alone<T>(work: () => Promise<T>): Promise<T>
}

/** A key that signs as a did:web, or did: listed, then current, then retiring, then dropped. Times only fill up. */
export interface SigningKey {
  readonly did: Did
  /** the public key, 64 lower-case hexadecimal digits */
  readonly kid: string
  /** since when the document lists it; 0: since before anybody wrote it down */
  readonly listedAt: UnixSeconds
  /** since when it signs; `null`: not yet, or never */
  readonly currentAt: UnixSeconds | null
  /** since when another signs */
  readonly retiredAt: UnixSeconds | null
  /** since when the document does not list it; its private key is gone */
  readonly droppedAt: UnixSeconds | null
}

/** How the keys of did:web names come and go. Every method throws STORAGE_UNAVAILABLE. */
export interface SigningKeys {
  /** All keys of the DID that were ever replaced or are a replacement, dropped ones too, in the order of listing. */
  of(did: Did): Promise<readonly SigningKey[]>
  /** Puts the row in place, over the one of its `kid`. */
  save(key: SigningKey): Promise<void>
  /** Has the DID sign with a key that it holds. */
  control(did: Did, kid: string): Promise<void>
}

/** The keys of a DID that issues. Every method throws STORAGE_UNAVAILABLE. */
export interface IssuingKeys {
  readonly did: Did
  /** Who signs now. Asked for each signature: another process may have changed it. */
  signer(): Promise<Omit<KeyHolder, 'alias'>>
  /** The keys of its document, the one that signs first. */
  listed(): Promise<readonly { readonly kid: DidUrl; readonly key: PublicKey }[]>
  /** The key that `kid` names, of all that ever signed; `null` for others. `isListed`: the document still lists it. */
  find(kid: DidUrl): Promise<{ readonly key: PublicKey; readonly isListed: boolean } | null>
}

/** Makes and keeps DIDs and keys. No key ever leaves it: it signs. */
export interface Vault {
  /**
   * Makes a did:key with a fresh Ed25519 key under a name of its own.
   *
   * @param alias - 1 to 128 characters, unique in the vault
   * @throws KEY_EXISTS, SCHEMA, STORAGE_UNAVAILABLE
   */
  create(alias: string): Promise<KeyHolder>
  /** Takes a did:web into use with a fresh Ed25519 key; publishing its document is the caller's part. @throws as `create` */
  createWebDid(did: Did, alias: string): Promise<KeyHolder>
  /** The holder by DID or alias, or `null`. */
  find(name: string): Promise<KeyHolder | null>
  /** All holders, by alias. */
  list(): Promise<readonly Pick<KeyHolder, 'did' | 'alias'>[]>
  /**
   * Deletes a DID with its keys, all or nothing: what it signed stays, it signs no more, and its alias is free again.
   *
   * @returns true if it was held
   * @throws STORAGE_UNAVAILABLE
   */
  destroy(did: Did): Promise<boolean>
}

/** A DID with its current key, able to sign. */
export interface KeyHolder extends Signer {
  readonly alias: string
  readonly publicKey: PublicKey
}

/** Asks for a status index for one delegation. */
export interface TakeIndex {
  /** tokens, root → the one that `signer` holds */
  readonly chain: readonly string[]
  /** where the chain's status lists may stand: `base` of its status issuers */
  readonly bases: readonly string[]
  /** when the delegation ends */
  readonly validUntil: UnixSeconds
  readonly signer: Signer
}

/** Gives status indexes for delegations that live longer than 300 s. */
export interface StatusLeases {
  /** An index that `signer` may use, and nobody uses again. @throws STATUS_UNAVAILABLE - none can be had */
  take(request: TakeIndex): Promise<StatusPlace>
}

/** Indexes leased ahead, kept until they are used. */
export interface LeasedIndexes {
  /** Keeps indexes that `holder` may use for what ends by `until`. */
  keep(holder: Did, places: readonly StatusPlace[], until: UnixSeconds): Promise<void>
  /** Takes one out for good, below one of the bases and good until `validUntil`; `null` if there is none. */
  take(holder: Did, bases: readonly string[], validUntil: UnixSeconds, now: UnixSeconds): Promise<StatusPlace | null>
}
