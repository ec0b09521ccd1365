import sqlite3 from 'sqlite3'
import { ProcuraError } from '../../errors.js'

/** Milliseconds that whoever had the lock is given to let go of it. */
const PATIENCE = 2000

/**
 * Takes a lock that one process has at a time, and loses with its life: the system's lock on a file, as SQLite takes it.
 * The file stays empty.
 *
 * @returns lets go of it
 * @throws AUDIT_UNAVAILABLE - another one has it, or the file cannot be made
 */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  const database = await new Promise<sqlite3.Database>((resolve, reject) => {
    const opened = new sqlite3.Database(path, error => {
      if (error === null) resolve(opened)
      else reject(refused(path, error))
    })
  })
  const close = (): Promise<void> =>
    new Promise(resolve => {
      database.close(() => resolve())
    })
  try {
    database.configure('busyTimeout', PATIENCE)
    await new Promise<void>((resolve, reject) => {
      database.exec('BEGIN EXCLUSIVE', error => {
        if (error === null) resolve()
        else reject(refused(path, error))
      })
    })
    return close
  } catch (error) {
    await close()
    throw error
  }
}

function refused(path: string, cause: Error): ProcuraError {
  const isTaken = 'code' in cause && cause.code === 'SQLITE_BUSY'
  const why = isTaken
    ? 'another process appends to this log'
    : `${path}: ${'code' in cause ? String(cause.code) : 'unknown'}`
  return new ProcuraError('AUDIT_UNAVAILABLE', { why }, { cause })
}
