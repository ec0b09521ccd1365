import type { QueryResult, ReplicationMode } from 'typeorm'
import { PostgresQueryRunner } from 'typeorm/driver/postgres/PostgresQueryRunner.js'
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js'
import { ProcuraError, isProcuraError } from '../../errors.js'
import { asOpeningError, asStorageError, isConflict } from './failure.js'
import { retrying } from './retry.js'
import { Sequence } from './sequence.js'
import type { Turns } from './turns.js'

/**
 * A connection of the pool, from the first statement of an operation to its release. One that failed is not used again:
 * what the server still does on it is unknown.
 */
export class PostgresTurnRunner extends PostgresQueryRunner {
  readonly #turns: Turns
  readonly #server: string
  readonly #patience: number
  readonly #statements = new Sequence()
  #turn: Promise<() => void> | undefined
  /** what ended the transaction before its end */
  #undone: Error | undefined
  /** why the connection is not given back */
  #broken: Error | undefined

  /**
   * @param server - names the database in errors
   * @param patience - milliseconds until a server that does not answer counts as gone
   */
  constructor(driver: PostgresDriver, mode: ReplicationMode, turns: Turns, server: string, patience: number) {
    super(driver, mode)
    this.#turns = turns
    this.#server = server
    this.#patience = patience
  }

  /** A connection, once it is this runner's turn. @throws STORAGE_UNAVAILABLE */
  override async connect(): Promise<unknown> {
    this.#turn ??= this.#turns.take()
    await this.#turn
    try {
      return (await super.connect()) as unknown
    } catch (cause) {
      throw asOpeningError(cause, this.#server)
    }
  }

  /**
   * Runs one statement after the ones before it. One that stands alone is run again after a conflict.
   *
   * @throws STORAGE_UNAVAILABLE
   */
  override query(sql: string, parameters: unknown[] | undefined, structured: true): Promise<QueryResult>
  override query(sql: string, parameters?: unknown[], structured?: boolean): Promise<unknown>
  override query(sql: string, parameters?: unknown[], structured = false): Promise<unknown> {
    return this.#statements.run(() => {
      const once = (): Promise<unknown> => this.#once(sql, parameters, structured)
      return this.isTransactionActive ? once() : retrying(once)
    })
  }

  /** A transaction that did not begin is not active. */
  override async startTransaction(): Promise<void> {
    try {
      await super.startTransaction()
    } catch (error) {
      if (this.transactionDepth === 0) {
        this.isTransactionActive = false
        this.#undone = undefined
      }
      throw error
    }
  }

  /** Undoes the transaction. If it cannot be said to the server, the connection is cut, which does the same. */
  override async rollbackTransaction(): Promise<void> {
    if (!this.isTransactionActive) return
    await super.rollbackTransaction().catch((error: unknown) => {
      this.#broken ??= error as Error
      this.isTransactionActive = false
      this.transactionDepth = 0
    })
    this.#undone = undefined
  }

  /** Gives the connection back, once no statement is under way and no transaction is open. */
  override async release(): Promise<void> {
    await this.#statements.settled()
    if (this.isTransactionActive) await this.rollbackTransaction()
    const [broken, give] = [this.#broken, this.releaseCallback]
    if (broken !== undefined && give !== undefined) this.releaseCallback = () => give.call(this, broken)
    await super.release()
    const end = await this.#turn?.catch(() => undefined)
    end?.()
  }

  async #once(sql: string, parameters: unknown[] | undefined, structured: boolean): Promise<unknown> {
    if (this.#broken !== undefined) throw this.#broken
    if (this.#undone !== undefined && sql !== 'ROLLBACK') throw this.#undone
    // the driver releases a runner whose connection is lost
    if (this.isReleased) throw new ProcuraError('STORAGE_UNAVAILABLE', { why: `${this.#server}: connection lost` })
    await this.connect()
    try {
      return await this.#answer(super.query(sql, parameters, structured))
    } catch (cause) {
      const error = asStorageError(cause, this.#server) as Error
      if (this.isTransactionActive) this.#undone = error
      if (isProcuraError(error) && !isConflict(error)) this.#broken = error
      throw error
    }
  }

  /** The driver's own limit would leave the connection in use. */
  #answer(result: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const why = `${this.#server}: no answer within ${this.#patience / 1000} s`
      const timer = setTimeout(() => reject(new ProcuraError('STORAGE_UNAVAILABLE', { why })), this.#patience)
      void result.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }
}
