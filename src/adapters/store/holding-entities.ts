import type { Did } from '../../did/did.js'
import type { Digest } from '../../encoding.js'
import type { UnixSeconds } from '../../time.js'
import { table, text, whole } from './entities.js'

/** A row of `holding`. */
export interface HoldingRow {
  readonly digest: Digest
  readonly holder: Did
  readonly root: Did
  readonly rootKey: string
  readonly principal: string | null
  readonly more: number
  readonly receivedAt: UnixSeconds
  readonly validUntil: UnixSeconds
  readonly given: boolean
}

/** Ends of chains that agents of a wallet hold. */
export const HoldingTable = table<HoldingRow>({
  name: 'Holding',
  tableName: 'holding',
  columns: {
    digest: { ...text, primary: true },
    holder: text,
    root: text,
    rootKey: { ...text, name: 'root_key' },
    principal: { ...text, nullable: true },
    more: whole,
    receivedAt: { ...whole, name: 'received_at' },
    validUntil: { ...whole, name: 'valid_until' },
    given: { type: 'boolean' },
  },
  indices: [{ name: 'holding_holder', columns: ['holder', 'validUntil'] }],
})

/** A row of `holding_grant`. */
export interface HoldingGrantRow {
  readonly digest: Digest
  /** place of the grant in its credential */
  readonly grant: number
  readonly action: string
  readonly selector: string
  /** these three are the holding's own: one look-up is one index */
  readonly holder: Did
  readonly principal: string | null
  readonly validUntil: UnixSeconds
  readonly uses: number
  readonly lastUsed: UnixSeconds | null
}

/** What each holding grants, one row for each action of each grant, and how often it was used. */
export const HoldingGrantTable = table<HoldingGrantRow>({
  name: 'HoldingGrant',
  tableName: 'holding_grant',
  columns: {
    digest: { ...text, primary: true },
    grant: { ...whole, primary: true, name: 'grant_place' },
    action: { ...text, primary: true },
    selector: text,
    holder: text,
    principal: { ...text, nullable: true },
    validUntil: { ...whole, name: 'valid_until' },
    uses: whole,
    lastUsed: { ...whole, name: 'last_used', nullable: true },
  },
  // the only one: beside one on (holder, action), SQLite picks that one for its order and reads all that a holder has
  indices: [{ name: 'holding_grant_selector', columns: ['holder', 'selector', 'action', 'validUntil'] }],
  foreignKeys: [{ target: 'Holding', columnNames: ['digest'], referencedColumnNames: ['digest'] }],
})

/** A row of `agent_lifetime`. */
export interface LifetimeRow {
  readonly did: Did
  readonly endsAt: UnixSeconds
}

/** When agents end that live for one task. */
export const LifetimeTable = table<LifetimeRow>({
  name: 'AgentLifetime',
  tableName: 'agent_lifetime',
  columns: { did: { ...text, primary: true }, endsAt: { ...whole, name: 'ends_at' } },
  indices: [{ name: 'agent_lifetime_ends', columns: ['endsAt'] }],
})

/** The tables of a wallet. */
export const WALLET_ENTITIES = [HoldingTable, HoldingGrantTable, LifetimeTable]
