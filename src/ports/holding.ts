import type { Did } from '../did/did.js'
import type { Digest } from '../encoding.js'
import type { Signer } from '../signer.js'
import type { UnixSeconds } from '../time.js'
import type { StatusPlace } from './issuing.js'

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
