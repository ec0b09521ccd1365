import { CannotExecuteNotConnectedError, ConnectionIsNotSetError, QueryFailedError } from 'typeorm'
import { ProcuraError, isProcuraError } from '../../errors.js'

/** SQLite's primary result codes that speak of the disk, the file or its other users, not of the statement. */
const STORAGE_CODES: ReadonlySet<string> = new Set([
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
 * The error as callers see it: STORAGE_UNAVAILABLE, with the cause, if the storage failed; else the very same error.
 * A constraint that does not hold or a statement that does not parse is a defect and stays what it is.
 *
 * @param where - names the storage, never with a password
 */
export function asStorageError(error: unknown, where: string): unknown {
  const failure: unknown = error instanceof QueryFailedError ? error.driverError : error
  if (error instanceof ConnectionIsNotSetError || error instanceof CannotExecuteNotConnectedError) {
    return new ProcuraError('STORAGE_UNAVAILABLE', { why: `${where}: closed` }, { cause: error })
  }
  return STORAGE_CODES.has(codeOf(failure)) ? storageError(failure, where, error) : error
}

/** Whatever kept a storage from opening, as STORAGE_UNAVAILABLE; refusals of our own stay what they are. */
export function asOpeningError(error: unknown, where: string): ProcuraError {
  if (isProcuraError(error)) return error
  return storageError(error instanceof QueryFailedError ? error.driverError : error, where, error)
}

function storageError(failure: unknown, where: string, cause: unknown): ProcuraError {
  const reason = failure instanceof Error ? failure.message : String(failure)
  // system errors repeat the path after the reason
  return new ProcuraError(
    'STORAGE_UNAVAILABLE',
    { why: `${where}: ${reason.split(", open '")[0] ?? reason}` },
    { cause },
  )
}

function codeOf(failure: unknown): string {
  return failure instanceof Error && 'code' in failure ? String(failure.code) : ''
}
