import { CannotExecuteNotConnectedError, ConnectionIsNotSetError, QueryFailedError } from 'typeorm'
import { ProcuraError, isProcuraError } from '../../errors.js'

/** SQLite's primary result codes that speak of the disk, the file or its other users, not of the statement. */
const SQLITE: ReadonlySet<string> = new Set([
  'SQLITE_BUSY',
  'SQLITE_CANTOPEN',
  'SQLITE_CORRUPT',
  'SQLITE_FULL',
  'SQLITE_INTERRUPT',
  'SQLITE_IOERR',
  'SQLITE_LOCKED',
  'SQLITE_MISUSE',
  'SQLITE_NOLFS',
  'SQLITE_NOMEM',
  'SQLITE_NOTADB',
  'SQLITE_PERM',
  'SQLITE_PROTOCOL',
  'SQLITE_READONLY',
])

/**
 * SQLSTATE of the same kind: connections, roles, databases, transactions that others undo, lack of resources, locks,
 * shutdowns and timeouts, the server's own disk; read-only and idle transactions.
 *
 * @see https://www.postgresql.org/docs/15/errcodes-appendix.html
 */
const POSTGRES = /^(?:(?:08|28|3D|40|53|55|57|58|F0|XX)[0-9A-Z]{3}|2500[36]|25P03)$/
/** Errors of the network carry names of this form. */
const NETWORK = /^E[A-Z]+(?:_[A-Z]+)*$/
const CONFLICTS: ReadonlySet<string> = new Set(['40001', '40P01'])

/**
 * The error as callers see it: STORAGE_UNAVAILABLE, with the cause, if the storage failed; else the very same error.
 * A constraint that does not hold or a statement that does not parse is a defect and stays what it is.
 *
 * @param where - names the storage, never with a password
 */
export function asStorageError(error: unknown, where: string): unknown {
  if (error instanceof ConnectionIsNotSetError || error instanceof CannotExecuteNotConnectedError) {
    return new ProcuraError('STORAGE_UNAVAILABLE', { why: `${where}: closed` }, { cause: error })
  }
  return isOfStorage(error) ? asOpeningError(error, where) : error
}

/** Whatever kept a storage from opening, as STORAGE_UNAVAILABLE; refusals of our own stay what they are. */
export function asOpeningError(error: unknown, where: string): ProcuraError {
  if (isProcuraError(error)) return error
  const failure = failureOf(error)
  const reason = failure instanceof Error && failure.message !== '' ? failure.message : codeOf(failure)
  // system errors repeat the path after the reason
  const why = `${where}: ${reason.split(", open '")[0] ?? reason}`
  return new ProcuraError('STORAGE_UNAVAILABLE', { why }, { cause: error })
}

/** True if the database undid a statement or a transaction because of others at the same time: it may be run again. */
export function isConflict(error: unknown): boolean {
  return CONFLICTS.has(codeOf(failureOf(isProcuraError(error) ? error.cause : error)))
}

/** True if a statement was refused because of what stands: a key or a name that is taken, a row that is missing. */
export function isConstraint(error: unknown): boolean {
  const code = codeOf(failureOf(error))
  return code === 'SQLITE_CONSTRAINT' || code.startsWith('23')
}

function isOfStorage(error: unknown): boolean {
  const failure = failureOf(error)
  const code = codeOf(failure)
  if (SQLITE.has(code) || POSTGRES.test(code) || NETWORK.test(code)) return true
  // a driver that lost its connection says so without a code; a statement's own fault comes with one
  return error instanceof QueryFailedError && code === '' && Object.getPrototypeOf(failure) === Error.prototype
}

function failureOf(error: unknown): unknown {
  return error instanceof QueryFailedError ? error.driverError : error
}

function codeOf(failure: unknown): string {
  return failure instanceof Error && 'code' in failure ? String(failure.code) : ''
}
