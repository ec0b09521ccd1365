import { LessThan, MoreThan, type DataSource, type Repository } from 'typeorm'
import type { Announced, Announcement, Outbox } from '../../ports/issuing.js'
import type { Transactions } from '../../ports/world.js'
import type { UnixSeconds } from '../../time.js'
import { type OutboxRow, OutboxTable, type SpanRow, SpanTable } from './outbox-entities.js'

/**
 * Seconds an announcement is kept: twice the longest life of a root. What is older speaks of credentials that ended, so
 * a reader that comes back later has missed nothing that still matters.
 */
export const RETENTION = 172_800
/** Numbers given out between two clean-ups. */
const SWEEP_EVERY = 1000
/** Rows per INSERT: seven parameters each, below any driver's bound. */
const ROWS_AT_ONCE = 500

/** The outbox in two tables. Every method throws STORAGE_UNAVAILABLE if the database cannot be used. */
export class OutboxRows implements Outbox {
  readonly #transactions: Transactions
  readonly #rows: Repository<OutboxRow>
  readonly #span: Repository<SpanRow>
  readonly #dataSource: DataSource

  constructor(dataSource: DataSource, transactions: Transactions) {
    this.#dataSource = dataSource
    this.#transactions = transactions
    this.#rows = dataSource.getRepository(OutboxTable)
    this.#span = dataSource.getRepository(SpanTable)
  }

  /** Adds announcements at the end, in one step of the sequence. */
  async append(all: readonly Announcement[], at: UnixSeconds): Promise<void> {
    if (all.length === 0) return
    await this.#transactions.transaction(async () => {
      // locks the row until the commit: who comes later waits, so numbers follow the order of commits
      await this.#span
        .createQueryBuilder()
        .update()
        .set({ last: () => 'last + :count' })
        .where('id = 1', { count: all.length })
        .execute()
      const { last } = await this.#span.findOneByOrFail({ id: 1 })
      const before = last - all.length
      const rows = all.map(({ type, target, status, version }, n) => {
        return {
          seq: before + n + 1,
          type,
          target,
          url: status?.url ?? null,
          index: status?.index ?? null,
          version,
          at,
        }
      })
      for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
        await this.#insert(rows.slice(from, from + ROWS_AT_ONCE))
      }
      if (Math.floor(before / SWEEP_EVERY) < Math.floor(last / SWEEP_EVERY)) await this.#sweep(at)
    })
  }

  /** Those after `seq`, lowest first. */
  async since(seq: number, limit: number): Promise<readonly Announced[]> {
    const rows = await this.#rows.find({ where: { seq: MoreThan(seq) }, order: { seq: 'ASC' }, take: limit })
    return rows.map(({ url, index, ...row }) => ({
      ...row,
      status: url === null || index === null ? null : { url, index },
    }))
  }

  /** Which numbers are kept. */
  async span(): Promise<{ readonly first: number; readonly last: number }> {
    const { first, last } = await this.#span.findOneByOrFail({ id: 1 })
    return { first, last }
  }

  async #sweep(now: UnixSeconds): Promise<void> {
    await this.#rows.delete({ at: LessThan(now - RETENTION) })
    const [oldest] = await this.#rows.find({ order: { seq: 'ASC' }, take: 1 })
    if (oldest !== undefined) await this.#span.update({ id: 1 }, { first: oldest.seq })
  }

  async #insert(rows: OutboxRow[]): Promise<void> {
    await this.#dataSource.createQueryBuilder().insert().into(OutboxTable).values(rows).updateEntity(false).execute()
  }
}
