import { QueryFailedError, type QueryResult } from 'typeorm'
import { SqliteQueryRunner } from 'typeorm/driver/sqlite/SqliteQueryRunner.js'
import type { SqliteDriver } from 'typeorm/driver/sqlite/SqliteDriver.js'
import { isProcuraError } from '../../errors.js'
import { asStorageError } from './failure.js'
import type { PreparedConnection } from './prepared.js'
import { Sequence } from './sequence.js'
import type { Turns } from './turns.js'

/**
 * Makes the one connection of a SQLite data source behave like a pool of size one. TypeORM takes a runner for each
 * operation and releases it afterwards; from its first statement to its release, this one has the connection alone.
 * Without that, whatever runs during someone's transaction joins it, and is lost when it rolls back.
 */
export class SqliteTurnRunner extends SqliteQueryRunner {
  readonly #turns: Turns
  readonly #file: string
  readonly #requireFile: () => void
  readonly #connection: () => PreparedConnection
  readonly #statements = new Sequence()
  #turn: Promise<() => void> | undefined
  #failure: Error | undefined

  /**
   * @param file - names the database in errors
   * @param requireFile - throws if the file is not the one that was opened
   * @param connection - the one of the data source, which is open by the time it is asked for
   */
  constructor(
    driver: SqliteDriver,
    turns: Turns,
    file: string,
    requireFile: () => void,
    connection: () => PreparedConnection,
  ) {
    super(driver)
    this.#turns = turns
    this.#file = file
    this.#requireFile = requireFile
    this.#connection = connection
  }

  /** The connection, once it is this runner's turn. @throws STORAGE_UNAVAILABLE */
  override async connect(): Promise<unknown> {
    this.#turn ??= this.#turns.take()
    await this.#turn
    return this.#connection()
  }

  /**
   * Runs one statement after the ones before it: the driver would run them in any order, so that a write could arrive
   * behind the ROLLBACK that should undo it.
   *
   * @throws STORAGE_UNAVAILABLE
   */
  override query(sql: string, parameters: unknown[] | undefined, structured: true): Promise<QueryResult>
  override query(sql: string, parameters?: unknown[], structured?: boolean): Promise<unknown>
  override query(sql: string, parameters?: unknown[], structured = false): Promise<unknown> {
    return this.#statements.run(async () => {
      // SQLite ends the transaction by itself after some failures; what followed would be kept, each on its own
      if (this.#failure !== undefined && sql !== 'ROLLBACK') throw this.#failure
      try {
        if (sql !== 'ROLLBACK') this.#requireFile()
        if (!this.isReleased) await this.connect()
        // a deferred transaction fails with SQLITE_BUSY, without waiting, when another process was faster to write
        return (await super.query(
          sql === 'BEGIN TRANSACTION' ? 'BEGIN IMMEDIATE' : sql,
          parameters,
          structured,
        )) as unknown
      } catch (cause) {
        const error = asStorageError(cause, this.#file)
        if (isProcuraError(error) && this.isTransactionActive) this.#failure = error
        throw error
      }
    })
  }

  /** A transaction that did not begin is not active. */
  override async startTransaction(): Promise<void> {
    try {
      await super.startTransaction()
    } catch (error) {
      if (this.transactionDepth === 0) {
        this.isTransactionActive = false
        this.#failure = undefined
      }
      throw error
    }
  }

  /** Undoes the transaction. If that is impossible, nobody gets the connection any more: writes would join the ruin. */
  override async rollbackTransaction(): Promise<void> {
    if (!this.isTransactionActive) return
    try {
      await super.rollbackTransaction()
    } catch (error) {
      if (this.transactionDepth > 1) throw error
      const undone = error instanceof QueryFailedError && error.message.includes('no transaction is active')
      if (!undone) this.#turns.refuse('a transaction could not be rolled back')
      this.isTransactionActive = false
      this.transactionDepth = 0
    }
    this.#failure = undefined
  }

  /** Gives the connection to the next in turn, once no statement is under way and no transaction is open. */
  override async release(): Promise<void> {
    if (this.isReleased) return
    await this.#statements.settled()
    if (this.isTransactionActive) await this.rollbackTransaction()
    await this.#statements.settled()
    this.isReleased = true
    await super.release()
    const end = await this.#turn?.catch(() => undefined)
    end?.()
  }
}
