import { AsyncLocalStorage } from 'node:async_hooks'
import { DataSource, type QueryRunner, type ReplicationMode } from 'typeorm'

interface Transaction {
  readonly runner: QueryRunner
  /** operations and nested calls that have not ended */
  running: number
  over: boolean
  /** the nested call that failed first */
  failed: Promise<unknown> | null
}

/**
 * A data source whose every operation joins the transaction it is called in: TypeORM asks {@link createQueryRunner} for
 * a runner whenever it needs the database, so repositories, managers and query builders, Veramo's as well as ours, are
 * covered in one place.
 */
export class JoiningDataSource extends DataSource {
  readonly #current = new AsyncLocalStorage<Transaction>()

  /** A runner on the current transaction, else one of its own. Whoever asks releases it. */
  override createQueryRunner(mode: ReplicationMode = 'master'): QueryRunner {
    const current = this.#current.getStore()
    return current === undefined ? this.ownRunner(mode) : this.#join(current)
  }

  /**
   * Runs `work` so that all of its writes take effect, or none. A nested call joins; when it fails, the whole is undone
   * even if `work` goes on.
   *
   * `work` awaits what it starts. What is still running when `work` ends undoes the transaction, and what runs later
   * is refused.
   *
   * @throws STORAGE_UNAVAILABLE, and whatever `work` throws, after everything was undone
   */
  async atomically<T>(work: () => Promise<T>): Promise<T> {
    const outer = this.#current.getStore()
    if (outer !== undefined) return nested(outer, work)

    const runner = this.ownRunner('master')
    const transaction: Transaction = { runner, running: 0, over: false, failed: null }
    try {
      await runner.startTransaction()
      const result = await this.#current.run(transaction, work)
      await transaction.failed
      transaction.over = true
      if (transaction.running > 0) throw new Error('a transaction ended before the work that was started in it')
      await runner.commitTransaction()
      return result
    } catch (error) {
      transaction.over = true
      // the first error says more than the one it leads to
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined)
      throw error
    } finally {
      await runner.release()
    }
  }

  /** A runner that joins nothing. */
  protected ownRunner(mode: ReplicationMode): QueryRunner {
    return super.createQueryRunner(mode)
  }

  /** True inside the work of a transaction that has not ended. */
  protected get inTransaction(): boolean {
    return this.#current.getStore()?.over === false
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
      connect: (): Promise<unknown> => runner.connect() as Promise<unknown>,
      query: async (sql: string, parameters?: unknown[], structured = false): Promise<unknown> => {
        requireRunning(transaction)
        if (joined.isReleased) throw new Error('a query runner was used after its release')
        return (await runner.query(sql, parameters, structured as true)) as unknown
      },
      startTransaction: begin,
      commitTransaction: begin,
      rollbackTransaction: (): Promise<void> => {
        transaction.failed ??= rejected('an operation of the transaction was rolled back')
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
  const attempt = Promise.resolve().then(work)
  try {
    return await attempt
  } catch (error) {
    outer.failed ??= attempt
    throw error
  } finally {
    outer.running -= 1
  }
}

function rejected(why: string): Promise<unknown> {
  const promise = Promise.reject(new Error(why))
  promise.catch(() => undefined)
  return promise
}

function requireRunning(transaction: Transaction): void {
  if (transaction.over) throw new Error('a transaction was used after its end')
}
