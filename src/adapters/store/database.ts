import type { DataSource } from 'typeorm'
import { ProcuraError } from '../../errors.js'
import type { Transactions } from '../../ports/world.js'
import { openPostgres } from './postgres.js'
import { openSqlite } from './sqlite.js'

/** An open database with Veramo's tables and ours. */
export interface Database extends Transactions {
  /** for people and errors: without user and password */
  readonly place: string
  /** For Veramo's stores and our repositories: each operation joins the transaction it is called in. */
  readonly dataSource: DataSource
  /** True inside the work of `transaction`. */
  isInTransaction(): boolean
  /** True where no transaction is, nor what outlived one. */
  isOutside(): boolean
  /** Waits for what was begun, then closes. Closing twice is the same as once. @throws STORAGE_UNAVAILABLE */
  close(): Promise<void>
}

/**
 * Opens a database and brings its tables up to date.
 *
 * @param url - `sqlite://` and a path (three slashes for an absolute one), `sqlite::memory:`, or
 *   `postgres://user:password@host:port/database`
 * @throws CONFIG_INVALID, STORAGE_UNAVAILABLE
 */
export async function openDatabase(url: string): Promise<Database> {
  const path = sqlitePath(url)
  const dataSource = await (path === null ? openPostgres(url) : openSqlite(path))
  return {
    place: dataSource.place,
    dataSource,
    transaction: work => dataSource.atomically(work),
    isInTransaction: () => dataSource.isInTransaction,
    isOutside: () => dataSource.isOutside,
    close: () => dataSource.destroy(),
  }
}

/** The path in the URL of a SQLite file; `null` for a PostgreSQL URL. */
function sqlitePath(url: string): string | null {
  if (/^postgres(?:ql)?:\/\//.test(url)) return null
  const path = /^sqlite:(?:\/\/(?=[^/:]|\/[^/])|(?=:memory:$))(.+)$/s.exec(url)?.[1]
  if (path !== undefined) return path
  // a URL may hold a password, so only its scheme is repeated
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? 'no scheme'
  throw new ProcuraError('CONFIG_INVALID', {
    at: 'database',
    why: `${scheme} is not supported in this form; write sqlite://path/to/file, sqlite:///absolute/path, sqlite::memory: or postgres://user:password@host/database`,
  })
}
