import { readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import sqlite3 from 'sqlite3'
import { ProcuraError } from '../../errors.js'
import type { Clock } from '../../ports/world.js'
import { toDate } from '../../time.js'

/** Milliseconds that whoever had the lock is given to let go of it. */
const PATIENCE = 2000

/**
 * Takes a lock that one process has at a time, and loses with its life: the system's lock on a file, as SQLite takes it.
 * The file stays empty; who has the lock is told in a file beside it, for people.
 *
 * @param path - of the lock; made if missing
 * @param what - is locked, for messages
 * @returns lets go of it
 * @throws STORAGE_HELD - another one has it: says who; AUDIT_UNAVAILABLE - the file cannot be made
 */
export async function takeLock(path: string, what: string, clock: Clock): Promise<() => Promise<void>> {
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
        else reject(error)
      })
    })
    // the lock counts, not what is told of it
    await writeFile(holderOf(path), `${me(clock)}\n`, { mode: 0o600 }).catch(() => undefined)
    return close
  } catch (error) {
    await close()
    if (!isTaken(error)) throw refused(path, error)
    const who = (await readFile(holderOf(path), 'utf8').catch(() => '')).trim()
    throw new ProcuraError('STORAGE_HELD', { what, who: who === '' ? 'another process' : who }, { cause: error })
  }
}

function holderOf(path: string): string {
  return `${path}.holder`
}

function me(clock: Clock): string {
  return `process ${process.pid} on ${hostname()} since ${toDate(clock.now())}`
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY'
}

function refused(path: string, cause: unknown): ProcuraError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  return new ProcuraError('AUDIT_UNAVAILABLE', { why: `${path}: ${code}` }, { cause })
}
