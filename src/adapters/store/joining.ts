import { AsyncLocalStorage } from 'node:async_hooks'
import { DataSource, type DataSourceOptions, type EntityManager, type QueryRunner, type ReplicationMode } from 'typeorm'
import { asStorageError, isConflict } from './failure.js'
import { gatheringOn } from './gathering.js'
import { retrying } from './retry.js'
import { Turns } from './turns.js'

interface Transaction {
  readonly runner: QueryRunner
  /** operations and nested calls that have not ended */
  running: number
  over: boolean
  /** what failed first: a statement or a nested call */
  failure: { readonly error: unknown } | null
}

/** What operations wait for. */
export interface Connections {
  /** names the storage in errors */
  readonly place: string
  readonly connections: number
}

/** Verbs of an entity manager that make a transaction of their own; each may as well be one of ours. */
const SEVERAL_STATEMENTS = ['save', 'remove', 'softRemove', 'recover'] as const

/**
 * A data source whose every operation joins the transaction it is called in: TypeORM asks {@link createQueryRunner} for
 * a runner whenever it needs the database, so repositories, managers and query builders, Veramo's as well as ours, are
 * covered in one place.
 */
export abstract class JoiningDataSource extends DataSource {
  /** Names the storage in errors. */
  readonly place: string
  protected readonly turns: Turns
  readonly #current = new AsyncLocalStorage<Transaction>()
  #closing: Promise<void> | undefined

  protected constructor(options: DataSourceOptions, { place, connections }: Connections) {
    super(options)
    this.place = place
    this.turns = new Turns(place, connections)
  }

  /** Opens the storage. Veramo's stores call this on a data source that is not open: one that was closed stays so. */
  override async initialize(): Promise<this> {
    if (this.#closing !== undefined) await this.turns.take()
    return super.initialize()
  }

  /** Closes after everything that was begun has ended. Closing twice is the same as once. @throws STORAGE_UNAVAILABLE */
  override destroy(): Promise<void> {
    if (this.isInTransaction) {
      return Promise.reject(new Error('a store cannot be closed inside one of its transactions'))
    }
    return (this.#closing ??= this.#shut())
  }

  /** A runner on the current transaction, else one of its own. Whoever asks releases it. */
  override createQueryRunner(mode: ReplicationMode = 'master'): QueryRunner {
    gatheringOn(this)?.refuse()
    const current = this.#current.getStore()
    return current === undefined ? this.ownRunner(mode) : this.#join(current)
  }

  /** A manager; one without a runner of its own saves in transactions of ours, which are tried again after a conflict. */
  override createEntityManager(runner?: QueryRunner): EntityManager {
    const manager = super.createEntityManager(runner)
    if (runner !== undefined) return manager
    for (const verb of SEVERAL_STATEMENTS) {
      const plain = Reflect.get(manager, verb) as (...given: unknown[]) => Promise<unknown>
      Reflect.set(manager, verb, (...given: unknown[]) => this.atomically(() => plain.apply(manager, given)))
    }
    return manager
  }

  /**
   * Runs `work` so that all of its writes take effect, or none. A nested call joins; when it or a statement fails, the
   * whole is undone even if `work` goes on. If the database undid it because of others at the same time, `work` runs
   * again, from its beginning.
   *
   * `work` awaits what it starts. What is still running when `work` ends undoes the transaction, and what runs later
   * is refused.
   *
   * @throws STORAGE_UNAVAILABLE, and whatever `work` throws, after everything was undone
   */
  atomically<T>(work: () => Promise<T>): Promise<T> {
    gatheringOn(this)?.refuse()
    const outer = this.#current.getStore()
    return outer === undefined ? this.#outermost(work) : nested(outer, work)
  }

  /** True inside the work of a transaction. */
  get isInTransaction(): boolean {
    return this.#current.getStore()?.over === false
  }

  /** True where no transaction is, nor what outlived one. */
  get isOutside(): boolean {
    return this.#current.getStore() === undefined
  }

  /**
   * The rows of one statement that changes nothing, with `?` for its parameters. It sees every commit that was answered
   * before, and belongs to no transaction. @throws STORAGE_UNAVAILABLE
   */
  abstract readApart<R>(sql: string, parameters: readonly unknown[]): Promise<R[]>

  /** A runner that joins nothing. */
  protected abstract ownRunner(mode: ReplicationMode): QueryRunner

  /** Closes what is open. */
  protected closeConnections(): Promise<void> {
    return super.destroy()
  }

  async #outermost<T>(work: () => Promise<T>): Promise<T> {
    const runner = this.ownRunner('master')
    try {
      // it keeps its connection while it pauses, so there are fewer to meet
      return await retrying(() => this.#attempt(runner, work))
    } finally {
      await runner.release()
    }
  }

  async #attempt<T>(runner: QueryRunner, work: () => Promise<T>): Promise<T> {
    const transaction: Transaction = { runner, running: 0, over: false, failure: null }
    try {
      await runner.startTransaction()
      const result = await this.#current.run(transaction, work)
      transaction.over = true
      if (transaction.failure !== null) throw transaction.failure.error
      if (transaction.running > 0) throw new Error('a transaction ended before the work that was started in it')
      await runner.commitTransaction()
      return result
    } catch (error) {
      transaction.over = true
      // the first error says more than the one it leads to
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined)
      throw isConflict(transaction.failure?.error) ? transaction.failure?.error : error
    }
  }

  async #shut(): Promise<void> {
    this.turns.refuse('closed')
    await this.turns.drained()
    if (!this.isInitialized) return
    try {
      await this.closeConnections()
    } catch (error) {
      throw asStorageError(error, this.place)
    } finally {
      // Node asks every storage that was used about every promise, for ever
      this.#current.disable()
    }
  }

  /** The transaction's runner, whose own transactions and release count for this one operation only. */
  #join(transaction: Transaction): QueryRunner {
    requireRunning(transaction)
    const { runner } = transaction
    const joined = Object.create(runner) as QueryRunner & { isReleased: boolean }
    transaction.running += 1
    const begin = (): Promise<void> => {
      requireRunning(transaction)
      return Promise.resolve()
    }
    Object.assign(joined, {
      isReleased: false,
      connect: (): Promise<unknown> => runner.connect() as Promise<unknown>,
      query: async (sql: string, parameters?: unknown[], structured = false): Promise<unknown> => {
        requireRunning(transaction)
        if (joined.isReleased) throw new Error('a query runner was used after its release')
        // PostgreSQL would refuse what follows, and undo the whole at its COMMIT without a word
        if (transaction.failure !== null) throw transaction.failure.error
        try {
          return (await runner.query(sql, parameters, structured as true)) as unknown
        } catch (error) {
          transaction.failure ??= { error }
          throw error
        }
      },
      startTransaction: begin,
      commitTransaction: begin,
      rollbackTransaction: (): Promise<void> => {
        transaction.failure ??= { error: new Error('an operation of the transaction was rolled back') }
        return Promise.resolve()
      },
      release: (): Promise<void> => {
        if (!joined.isReleased) transaction.running -= 1
        joined.isReleased = true
        return Promise.resolve()
      },
    })
    Object.assign(joined, { manager: this.createEntityManager(joined) })
    return joined
  }
}

async function nested<T>(outer: Transaction, work: () => Promise<T>): Promise<T> {
  requireRunning(outer)
  outer.running += 1
  try {
    return await work()
  } catch (error) {
    outer.failure ??= { error }
    throw error
  } finally {
    outer.running -= 1
  }
}

function requireRunning(transaction: Transaction): void {
  if (transaction.over) throw new Error('a transaction was used after its end')
}
