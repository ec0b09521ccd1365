import { statSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import sqlite3, { type Database } from 'sqlite3'
import type { DataSource, QueryRunner } from 'typeorm'
import type { SqliteDriver } from 'typeorm/driver/sqlite/SqliteDriver.js'
import { ProcuraError } from '../../errors.js'
import { asOpeningError, asStorageError } from './failure.js'
import { JoiningDataSource } from './joining.js'
import { PreparedConnection } from './prepared.js'
import { SCHEMA } from './schema.js'
import { SqliteTurnRunner } from './sqlite-runner.js'

const MEMORY = ':memory:'
/** How long SQLite waits for another process, in milliseconds. */
const BUSY_TIMEOUT = 5_000
/** Milliseconds for which readers take the file to be where it was; whoever writes looks each time. */
const LOOK = 100

/** One SQLite file, or one in memory, with one writer per process and any number of processes. */
export class SqliteDataSource extends JoiningDataSource {
  declare readonly driver: SqliteDriver
  readonly #inode: number | undefined
  #prepared: PreparedConnection | undefined
  #reader: Promise<Reader> | undefined
  #lookedAt = 0

  /** @param file - an absolute path of a file that is there, or `:memory:` */
  constructor(file: string) {
    super(
      {
        type: 'sqlite',
        database: file,
        // TypeORM switches on a mode that records a stack trace for each statement
        driver: { ...sqlite3, verbose: () => sqlite3 },
        busyTimeout: BUSY_TIMEOUT,
        ...SCHEMA,
        logging: false,
      },
      { place: file, connections: 1 },
    )
    this.#inode = inodeOf(file)
  }

  /** On a connection of its own: a reader of a file in WAL mode waits for no writer, and no writer for it. */
  override async readApart<R>(sql: string, parameters: readonly unknown[]): Promise<R[]> {
    if (this.place === MEMORY) return this.query<R[]>(sql, [...parameters])
    if (!this.isInitialized) throw new ProcuraError('STORAGE_UNAVAILABLE', { why: `${this.place}: closed` })
    const now = performance.now()
    if (now - this.#lookedAt > LOOK) {
      this.#requireFile()
      this.#lookedAt = now
    }
    try {
      const { statements } = await (this.#reader ??= openReader(this.place))
      return await new Promise((resolve, reject) => {
        statements.all(sql, [...parameters], (error, rows) => {
          if (error === null) resolve(rows as R[])
          else reject(error)
        })
      })
    } catch (error) {
      throw asStorageError(error, this.place)
    }
  }

  protected override ownRunner(): QueryRunner {
    const connection = (): PreparedConnection =>
      (this.#prepared ??= new PreparedConnection(this.driver.databaseConnection as Database))
    const runner = new SqliteTurnRunner(this.driver, this.turns, this.place, () => this.#requireFile(), connection)
    return Object.assign(runner, { manager: this.createEntityManager(runner) })
  }

  protected override async closeConnections(): Promise<void> {
    this.#prepared?.forget()
    await this.#reader?.then(closeReader)
    await super.closeConnections()
  }

  /** SQLite would go on writing to a file that was deleted or moved away, and nobody would find it there again. */
  #requireFile(): void {
    if (this.place === MEMORY || inodeOf(this.place) === this.#inode) return
    throw new ProcuraError('STORAGE_UNAVAILABLE', { why: `${this.place}: not the file that was opened` })
  }
}

interface Reader {
  readonly database: Database
  readonly statements: PreparedConnection
}

function openReader(file: string): Promise<Reader> {
  return new Promise((resolve, reject) => {
    const database = new sqlite3.Database(file, sqlite3.OPEN_READWRITE, error => {
      if (error === null) resolve({ database, statements: new PreparedConnection(database) })
      else reject(error)
    })
    database.configure('busyTimeout', BUSY_TIMEOUT)
    database.run('PRAGMA query_only = ON')
  })
}

function closeReader({ database, statements }: Reader): Promise<void> {
  statements.forget()
  return new Promise((resolve, reject) => {
    database.close(error => {
      if (error === null) resolve()
      else reject(error)
    })
  })
}

function inodeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.ino
}

/**
 * Opens a file, makes it (mode 0600) and its folder (0700) if they are missing, and brings its tables up to date.
 *
 * @param path - relative to the working directory, or `:memory:`
 * @throws STORAGE_UNAVAILABLE
 */
export async function openSqlite(path: string): Promise<SqliteDataSource> {
  const file = path === MEMORY ? path : resolve(path)
  try {
    if (file !== MEMORY) await provide(file)
    const dataSource = new SqliteDataSource(file)
    await dataSource.initialize()
    try {
      await configure(dataSource)
      await migrate(dataSource)
    } catch (error) {
      await dataSource.destroy().catch(() => undefined)
      throw error
    }
    return dataSource
  } catch (error) {
    throw asOpeningError(error, file)
  }
}

async function provide(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const handle = await open(file, 'a', 0o600)
  await handle.close()
}

async function configure(dataSource: DataSource): Promise<void> {
  await dataSource.query('PRAGMA journal_mode = WAL')
  await dataSource.query('PRAGMA synchronous = FULL')
}

/** One transaction for all, so that of two processes that open a new file one makes the tables and the other finds them. */
async function migrate(dataSource: SqliteDataSource): Promise<void> {
  // Veramo's migrations rebuild tables; SQLite ignores this inside a transaction
  await dataSource.query('PRAGMA foreign_keys = OFF')
  await dataSource.atomically(() => dataSource.runMigrations({ transaction: 'all' }))
  await dataSource.query('PRAGMA foreign_keys = ON')
}
