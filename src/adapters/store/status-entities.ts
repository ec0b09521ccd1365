import type { Did } from '../../did/did.js'
import type { StatusPurpose } from '../../ports/issuing.js'
import type { UnixSeconds } from '../../time.js'
import { table, text, whole } from './entities.js'

/** A row of `status_list`. */
export interface ListRow {
  /** random: it tells neither how many lists there are nor when one was opened */
  readonly name: string
  readonly purpose: StatusPurpose
  /** credentials of the list end by then */
  readonly until: UnixSeconds
  /** the shard that it is the open list of; `null` once no index is handed out any more */
  readonly shard: string | null
  /** bits */
  readonly length: number
  /** base64url, 32 bytes, secret: who has it can tell from an index when it was handed out */
  readonly key: string
  /** how many indexes are out */
  readonly taken: number
  readonly version: number
  readonly token: string | null
  readonly signedAt: UnixSeconds
  readonly changes: number
  readonly signedChanges: number
}

/** Status lists. Of a shard, one is open. */
export const ListTable = table<ListRow>({
  name: 'StatusList',
  tableName: 'status_list',
  columns: {
    name: { ...text, primary: true },
    purpose: text,
    until: whole,
    shard: { ...text, nullable: true },
    length: whole,
    key: text,
    taken: whole,
    version: whole,
    token: { ...text, nullable: true },
    signedAt: { ...whole, name: 'signed_at' },
    changes: whole,
    signedChanges: { ...whole, name: 'signed_changes' },
  },
  indices: [{ name: 'status_list_shard', columns: ['shard'], unique: true }],
})

/** A row of `status_block`: positions of a list, before they are permuted, that one issuer leased. */
export interface BlockRow {
  readonly list: string
  readonly first: number
  readonly count: number
  readonly issuer: Did
  readonly at: UnixSeconds
}

/** Blocks that were handed out, and to whom: a row for each lease, none for each index. */
export const BlockTable = table<BlockRow>({
  name: 'StatusBlock',
  tableName: 'status_block',
  columns: {
    list: { ...text, primary: true },
    first: { ...whole, primary: true },
    count: whole,
    issuer: text,
    at: whole,
  },
  indices: [{ name: 'status_block_issuer', columns: ['issuer'] }],
  foreignKeys: [{ target: 'StatusList', columnNames: ['list'], referencedColumnNames: ['name'] }],
})

/** A row of `status_bit`. */
export interface BitRow {
  readonly list: string
  readonly index: number
  readonly by: Did
  readonly at: UnixSeconds
}

/** Bits that are set. In lists of revocations rows are only ever added. */
export const BitTable = table<BitRow>({
  name: 'StatusBit',
  tableName: 'status_bit',
  columns: { list: { ...text, primary: true }, index: { ...whole, primary: true }, by: text, at: whole },
  foreignKeys: [{ target: 'StatusList', columnNames: ['list'], referencedColumnNames: ['name'] }],
})

/** The one row of `status_sequence`: moves on with each lease and each publication. */
export interface SequenceRow {
  readonly id: number
  readonly value: number
}

/** How far the database came. */
export const SequenceTable = table<SequenceRow>({
  name: 'StatusSequence',
  tableName: 'status_sequence',
  columns: { id: { ...whole, primary: true }, value: whole },
})

/** A row of `leased_index`: an index that a wallet leased and has not used. */
export interface LeasedRow {
  readonly url: string
  readonly index: number
  readonly holder: Did
  readonly until: UnixSeconds
}

/** A wallet's indexes. */
export const LeasedTable = table<LeasedRow>({
  name: 'LeasedIndex',
  tableName: 'leased_index',
  columns: { url: { ...text, primary: true }, index: { ...whole, primary: true }, holder: text, until: whole },
  indices: [{ name: 'leased_index_holder', columns: ['holder', 'until'] }],
})

/** The tables of status lists. */
export const STATUS_ENTITIES = [ListTable, BlockTable, BitTable, SequenceTable, LeasedTable] as const
