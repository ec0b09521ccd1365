import { open, rm } from 'node:fs/promises'
import sqlite3 from 'sqlite3'
import type { Keys, Question } from '../../audit/question.js'
import { ProcuraError } from '../../errors.js'

/** A record's place, in the order of time. */
export interface Place {
  readonly at: number
  readonly index: number
}

/** What records of a log are found by, in a file that can be made anew from the log. */
export interface SearchIndex {
  /** records that are in it, and the hash of the last of them */
  reached(): Promise<{ readonly size: number; readonly last: string }>
  /** Adds records in their order, all or none; adding the same ones twice is the same as once. */
  add(records: readonly { readonly index: number; readonly keys: Keys }[], last: string): Promise<void>
  /** Places in the order of time, after one of them if it is given. */
  find(question: Question, limit: number, after: Place | null): Promise<readonly Place[]>
  /** Forgets everything. */
  clear(): Promise<void>
  close(): Promise<void>
}

const VERSION = 1
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS reached (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, last TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS record (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL, principal TEXT, resource TEXT, action TEXT,
    decision TEXT, code TEXT, correlation TEXT);
  CREATE TABLE IF NOT EXISTS party (did TEXT NOT NULL, at INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (did, at, number)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS record_at ON record (at);
  CREATE INDEX IF NOT EXISTS record_principal ON record (principal, at);
  CREATE INDEX IF NOT EXISTS record_resource ON record (resource, at);
  CREATE INDEX IF NOT EXISTS record_action ON record (action, at);
  CREATE INDEX IF NOT EXISTS record_code ON record (code, at);
  CREATE INDEX IF NOT EXISTS record_decision ON record (decision, at);
  CREATE INDEX IF NOT EXISTS record_type ON record (type, at);
  CREATE INDEX IF NOT EXISTS record_correlation ON record (correlation, at);
  PRAGMA user_version = ${VERSION};
`
const DROP = 'DROP TABLE IF EXISTS reached; DROP TABLE IF EXISTS record; DROP TABLE IF EXISTS party;'
const ADD_RECORDS = `INSERT OR IGNORE INTO record SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
  value ->> 6, value ->> 7, value ->> 8 FROM json_each(?)`
const ADD_PARTIES = 'INSERT OR IGNORE INTO party SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)'

/** Opens or makes an index. One that is none, or of another version, is made anew. @throws STORAGE_UNAVAILABLE */
export async function openSearchIndex(file: string): Promise<SearchIndex> {
  try {
    return await openFile(file)
  } catch {
    // everything in it is in the log
    for (const end of ['', '-journal', '-wal', '-shm']) await rm(`${file}${end}`, { force: true })
    return openFile(file)
  }
}

async function openFile(file: string): Promise<SearchIndex> {
  await (await open(file, 'a', 0o600)).close()
  const database = new sqlite3.Database(file)
  database.configure('busyTimeout', 10_000)
  const run = (sql: string, parameters: readonly unknown[] = []): Promise<void> =>
    new Promise((resolve, reject) => {
      database.run(sql, parameters, error => {
        if (error === null) resolve()
        else reject(unavailable(file, error))
      })
    })
  const all = <T>(sql: string, parameters: readonly unknown[] = []): Promise<readonly T[]> =>
    new Promise((resolve, reject) => {
      database.all<T>(sql, parameters, (error, rows) => {
        if (error === null) resolve(rows)
        else reject(unavailable(file, error))
      })
    })
  const script = (sql: string): Promise<void> =>
    new Promise((resolve, reject) => {
      database.exec(sql, error => {
        if (error === null) resolve()
        else reject(unavailable(file, error))
      })
    })
  const close = (): Promise<void> =>
    new Promise(resolve => {
      database.close(() => resolve())
    })

  const reached: SearchIndex['reached'] = async () => {
    const [row] = await all<{ size: number; last: string }>('SELECT size, last FROM reached')
    return row ?? { size: 0, last: '' }
  }

  try {
    const [version] = await all<{ user_version: number }>('PRAGMA user_version')
    if (version !== undefined && version.user_version > 0 && version.user_version !== VERSION)
      throw new Error('another version')
    await script(`PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; ${SCHEMA}`)
  } catch (error) {
    await close()
    throw error
  }

  return {
    reached,
    async add(records, last) {
      const size = (records.at(-1)?.index ?? -1) + 1
      const rows = records.map(({ index, keys }) => [
        ...[index, keys.at, keys.type, keys.principal, keys.resource],
        ...[keys.action, keys.decision, keys.code, keys.correlation],
      ])
      const parties = records.flatMap(({ index, keys }) => keys.parties.map(did => [did, keys.at, index]))
      await run('BEGIN IMMEDIATE')
      try {
        await run(ADD_RECORDS, [JSON.stringify(rows)])
        await run(ADD_PARTIES, [JSON.stringify(parties)])
        await run('INSERT OR REPLACE INTO reached VALUES (1, max(?, ifnull((SELECT size FROM reached), 0)), ?)', [
          size,
          last,
        ])
        await run('COMMIT')
      } catch (error) {
        await run('ROLLBACK').catch(() => undefined)
        throw error
      }
    },
    async find(question, limit, after) {
      const { sql, parameters } = toSql(question, limit, after)
      return all<Place>(sql, parameters)
    },
    clear: () => script(`${DROP} ${SCHEMA}`),
    close,
  }
}

function toSql(
  question: Question,
  limit: number,
  after: Place | null,
): { readonly sql: string; readonly parameters: readonly unknown[] } {
  const { agent, resource, decision, since, until } = question
  // who is asked for leads the way: of the names, an agent's are the fewest
  const from = agent === undefined ? 'record r' : 'party p CROSS JOIN record r ON r.number = p.number'
  const key = agent === undefined ? 'r.at, r.number' : 'p.at, p.number'
  const at = agent === undefined ? 'r.at' : 'p.at'
  const wanted: [string, ...unknown[]][] = []
  if (agent !== undefined) wanted.push(['p.did = ?', agent])
  for (const name of ['principal', 'action', 'type', 'correlation'] as const) {
    if (question[name] !== undefined) wanted.push([`r.${name} = ?`, question[name]])
  }
  if (resource?.endsWith('/**') === true) {
    const base = resource.slice(0, -3)
    wanted.push(['(r.resource = ? OR (r.resource >= ? AND r.resource < ?))', base, `${base}/`, `${base}0`])
  } else if (resource !== undefined) wanted.push(['r.resource = ?', resource])
  if (decision === 'allow' || decision === 'deny') wanted.push(['r.decision = ?', decision])
  else if (decision !== undefined) wanted.push(['r.code = ?', decision])
  if (since !== undefined) wanted.push([`${at} >= ?`, since])
  if (until !== undefined) wanted.push([`${at} < ?`, until])
  if (after !== null) wanted.push([`(${key}) > (?, ?)`, after.at, after.index])
  const where = wanted.length === 0 ? '' : `WHERE ${wanted.map(([condition]) => condition).join(' AND ')}`
  const sql = `SELECT r.at AS at, r.number AS "index" FROM ${from} ${where} ORDER BY ${key} LIMIT ?`
  return { sql, parameters: [...wanted.flatMap(([, ...values]) => values), limit] }
}

function unavailable(file: string, cause: Error): ProcuraError {
  const code = 'code' in cause ? String(cause.code) : 'unknown'
  return new ProcuraError('STORAGE_UNAVAILABLE', { why: `${file}: ${code}` }, { cause })
}
