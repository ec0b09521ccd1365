import type { Did } from '../../did/did.js'
import type { Digest } from '../../encoding.js'
import type { HoldState } from '../../ports/deciding.js'
import type { UnixSeconds } from '../../time.js'
import { table, text, whole } from './entities.js'

/** A row of `verifier_used`: a presentation or proof that may not be used again. */
export interface UsedRow {
  readonly key: string
  /** when the row may go */
  readonly until: UnixSeconds
}

/** Replay memory. */
export const UsedTable = table<UsedRow>({
  name: 'VerifierUsed',
  tableName: 'verifier_used',
  columns: { key: { ...text, primary: true }, until: whole },
  indices: [{ name: 'verifier_used_until', columns: ['until'] }],
})

/** A row of `verifier_spending`: what was charged to one budget. */
export interface SpendingRow {
  readonly account: string
  /** in the budget's smallest unit */
  readonly spent: number
  /** when the credential ends, and the row may go */
  readonly until: UnixSeconds
}

/** Budgets. */
export const SpendingTable = table<SpendingRow>({
  name: 'VerifierSpending',
  tableName: 'verifier_spending',
  columns: { account: { ...text, primary: true }, spent: whole, until: whole },
  indices: [{ name: 'verifier_spending_until', columns: ['until'] }],
})

/** A row of `verifier_rate`: whoever counts the calls of an account writes its row first. */
export interface RateRow {
  readonly account: string
  /** when the last call leaves the window, and the row may go */
  readonly until: UnixSeconds
}

/** Rates. */
export const RateTable = table<RateRow>({
  name: 'VerifierRate',
  tableName: 'verifier_rate',
  columns: { account: { ...text, primary: true }, until: whole },
  indices: [{ name: 'verifier_rate_until', columns: ['until'] }],
})

/** A row of `verifier_call`: one accepted call under a rate. */
export interface CallRow {
  readonly account: string
  readonly n: number
  readonly at: UnixSeconds
}

/** Calls. */
export const CallTable = table<CallRow>({
  name: 'VerifierCall',
  tableName: 'verifier_call',
  columns: { account: { ...text, primary: true }, n: { ...whole, primary: true }, at: whole },
  indices: [
    { name: 'verifier_call_account', columns: ['account', 'at'] },
    { name: 'verifier_call_at', columns: ['at'] },
  ],
})

/** A row of `verifier_nonce`: a challenge that was handed out and not used yet. */
export interface NonceRow {
  readonly nonce: string
  readonly until: UnixSeconds
}

/** Challenges. */
export const NonceTable = table<NonceRow>({
  name: 'VerifierNonce',
  tableName: 'verifier_nonce',
  columns: { nonce: { ...text, primary: true }, until: whole },
  indices: [{ name: 'verifier_nonce_until', columns: ['until'] }],
})

/** A row of `verifier_chain`: a chain that was uploaded once. */
export interface ChainRow {
  readonly leaf: string
  /** JSON array, root first */
  readonly tokens: string
  /** when its first link ends, and the row may go */
  readonly until: UnixSeconds
}

/** Chains by reference. */
export const ChainTable = table<ChainRow>({
  name: 'VerifierChain',
  tableName: 'verifier_chain',
  columns: { leaf: { ...text, primary: true }, tokens: text, until: whole },
  indices: [{ name: 'verifier_chain_until', columns: ['until'] }],
})

/** A row of `verifier_hold`: charges that wait for their effect. */
export interface HoldRow {
  /** the decision's id */
  readonly id: string
  readonly state: HoldState
  /** end of the reservation */
  readonly until: UnixSeconds
  /** JSON */
  readonly facts: string
  /** JSON: what releasing gives back */
  readonly charges: string
}

/** Reservations. */
export const HoldTable = table<HoldRow>({
  name: 'VerifierHold',
  tableName: 'verifier_hold',
  columns: { id: { ...text, primary: true }, state: text, until: whole, facts: text, charges: text },
  indices: [{ name: 'verifier_hold_until', columns: ['until'] }],
})

/** A row of `revocation_event`: who signed that what was revoked. */
export interface EventRow {
  readonly target: Digest | Did
  readonly signer: Did
}

/** Revocation events. */
export const EventTable = table<EventRow>({
  name: 'RevocationEvent',
  tableName: 'revocation_event',
  columns: { target: { ...text, primary: true }, signer: { ...text, primary: true } },
})

/** A row of `list_version`: the highest version of a list ever seen. */
export interface VersionRow {
  readonly issuer: string
  readonly url: string
  readonly version: number
}

/** Rollback memory. */
export const VersionTable = table<VersionRow>({
  name: 'ListVersion',
  tableName: 'list_version',
  columns: { issuer: { ...text, primary: true }, url: { ...text, primary: true }, version: whole },
})

/** A row of `feed_position`: how far a feed was followed. */
export interface PositionRow {
  readonly feed: string
  readonly seq: number
}

/** Places in feeds. */
export const PositionTable = table<PositionRow>({
  name: 'FeedPosition',
  tableName: 'feed_position',
  columns: { feed: { ...text, primary: true }, seq: whole },
})

/** All tables of a verifier's state. */
export const STATE_ENTITIES = [
  UsedTable,
  SpendingTable,
  RateTable,
  CallTable,
  ChainTable,
  NonceTable,
  HoldTable,
  EventTable,
  VersionTable,
  PositionTable,
] as const
