import type { DataSource } from 'typeorm'
import type { StoredList } from '../../ports/issuing.js'
import { readShared } from './reading.js'

const STORED =
  'SELECT name, purpose, length, version, token, signed_at AS "signedAt", changes, signed_changes AS "signedChanges" FROM status_list WHERE name = ?'

/** A row as engines hand it over: one gives large numbers as text. */
type Row = { readonly [K in keyof StoredList]: StoredList[K] extends number ? number | string : StoredList[K] }

/** A status list by name, or `null`; without what nobody but the tables may know of it. @throws STORAGE_UNAVAILABLE */
export async function findStored(dataSource: DataSource, list: string): Promise<StoredList | null> {
  const [row] = await readShared<Row>(dataSource, STORED, [list])
  if (row === undefined) return null
  return {
    ...row,
    length: Number(row.length),
    version: Number(row.version),
    signedAt: Number(row.signedAt),
    changes: Number(row.changes),
    signedChanges: Number(row.signedChanges),
  }
}
