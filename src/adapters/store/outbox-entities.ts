import type { Did } from '../../did/did.js'
import type { Digest } from '../../encoding.js'
import type { Announcement } from '../../ports/issuing.js'
import type { UnixSeconds } from '../../time.js'
import { table, text, whole } from './entities.js'

/** A row of `outbox`: one announcement. */
export interface OutboxRow {
  readonly seq: number
  readonly type: Announcement['type']
  readonly target: Digest | Did
  readonly url: string | null
  readonly index: number | null
  readonly version: number | null
  readonly at: UnixSeconds
}

/** Announcements; rows are only added, and go when they are old. */
export const OutboxTable = table<OutboxRow>({
  name: 'Outbox',
  tableName: 'outbox',
  columns: {
    seq: { ...whole, primary: true },
    type: text,
    target: text,
    url: { ...text, nullable: true },
    index: { ...whole, nullable: true },
    version: { ...whole, nullable: true },
    at: whole,
  },
  indices: [{ name: 'outbox_at', columns: ['at'] }],
})

/** The one row of `outbox_span`: which numbers are kept. Whoever moves it has it alone until the commit. */
export interface SpanRow {
  readonly id: number
  readonly first: number
  readonly last: number
}

/** The sequence of the outbox. */
export const SpanTable = table<SpanRow>({
  name: 'OutboxSpan',
  tableName: 'outbox_span',
  columns: { id: { ...whole, primary: true }, first: whole, last: whole },
})

/** The tables of the outbox. */
export const OUTBOX_ENTITIES = [OutboxTable, SpanTable] as const
