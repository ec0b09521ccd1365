import type { Did, DidUrl } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { Digest } from '../encoding.js'
import type { Json } from '../json.js'
import type { UnixSeconds } from '../time.js'

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
   * @throws REPLAY_UNAVAILABLE - never where nothing is used; LEDGER_UNAVAILABLE
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
