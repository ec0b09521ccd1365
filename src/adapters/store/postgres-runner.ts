import type { QueryResult, ReplicationMode } from 'typeorm'
import { PostgresQueryRunner } from 'typeorm/driver/postgres/PostgresQueryRunner.js'
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js'
import { ProcuraError, isProcuraError } from '../../errors.js'
import type { Circuit } from '../circuit.js'
import { asOpeningError, asStorageError, isConflict } from './failure.js'
import { retrying } from './retry.js'
import { Sequence } from './sequence.js'
import type { Turns } from './turns.js'

/** What all connections to one server share. */
export interface Server {
  /** names the database in errors */
  readonly place: string
  readonly turns: Turns
  readonly circuit: Circuit
}

/**
 * A connection of the pool, from the first statement of an operation to its release. One that failed is not used again:
 * what the server still does on it is unknown.
 */
export class PostgresTurnRunner extends PostgresQueryRunner {
  readonly #turns: Turns
  readonly #circuit: Circuit
  readonly #place: string
  readonly #patience: number
  readonly #statements = new Sequence()
  #turn: Promise<() => void> | undefined
  #connection: Promise<unknown> | undefined
  /** what ended the transaction before its end */
  #undone: Error | undefined
  /** why the connection is not given back */
  #broken: Error | undefined

  /** @param patience - milliseconds that a statement may take of a server that lives */
  constructor(driver: PostgresDriver, mode: ReplicationMode, { place, turns, circuit }: Server, patience: number) {
    super(driver, mode)
    this.#turns = turns
    this.#circuit = circuit
    this.#place = place
    this.#patience = patience
  }

  /** A connection, once it is this runner's turn. @throws STORAGE_UNAVAILABLE */
  override connect(): Promise<unknown> {
    return (this.#connection ??= this.#connect())
  }

  async #connect(): Promise<unknown> {
    this.#circuit.requireAlive()
    this.#turn ??= this.#turns.take()
    await this.#turn
    const connecting = super.connect() as Promise<unknown>
    try {
      return await this.#circuit.run(() => connecting)
    } catch (cause) {
      const error = asOpeningError(cause, this.#place)
      void connecting.then(
        () => this.#giveBack(error),
        () => undefined,
      )
      throw error
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

  /** A connection that came when nobody waited for it any more. */
  #giveBack(why: Error): void {
    this.releaseCallback?.(why)
    delete this.releaseCallback
    const { connectedQueryRunners: all } = this.driver
    const at = all.indexOf(this)
    if (at !== -1) all.splice(at, 1)
  }

  async #once(sql: string, parameters: unknown[] | undefined, structured: boolean): Promise<unknown> {
    if (this.#broken !== undefined) throw this.#broken
    if (this.#undone !== undefined && sql !== 'ROLLBACK') throw this.#undone
    // the driver releases a runner whose connection is lost
    if (this.isReleased) throw new ProcuraError('STORAGE_UNAVAILABLE', { why: `${this.#place}: connection lost` })
    await this.connect()
    try {
      return await this.#circuit.run(() => this.#answer(super.query(sql, parameters, structured)))
    } catch (cause) {
      const error = asStorageError(cause, this.#place) as Error
      if (this.isTransactionActive) this.#undone = error
      if (isProcuraError(error) && !isConflict(error)) this.#broken = error
      throw error
    }
  }

  /** The driver's own limit would leave the connection in use. */
  #answer(result: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const why = `${this.#place}: no answer within ${this.#patience / 1000} s`
      const timer = setTimeout(() => reject(new ProcuraError('STORAGE_UNAVAILABLE', { why })), this.#patience)
      void result.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }
}
