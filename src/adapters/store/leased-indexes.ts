import { type DataSource, LessThan, MoreThanOrEqual, type Repository } from 'typeorm'
import type { Did } from '../../did/did.js'
import type { LeasedIndexes } from '../../ports/holding.js'
import type { StatusPlace } from '../../ports/issuing.js'
import type { UnixSeconds } from '../../time.js'
import { deleteOne, insertAllMissing } from './insert.js'
import { type LeasedRow, LeasedTable } from './status-entities.js'

/** Indexes leased ahead, one row each until it is used. Every method throws STORAGE_UNAVAILABLE. */
export class LeasedRows implements LeasedIndexes {
  readonly #dataSource: DataSource
  readonly #rows: Repository<LeasedRow>

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
    this.#rows = dataSource.getRepository(LeasedTable)
  }

  /** Keeps indexes, at most 500. */
  async keep(holder: Did, places: readonly StatusPlace[], until: UnixSeconds): Promise<void> {
    if (places.length === 0) return
    await insertAllMissing(
      this.#dataSource,
      LeasedTable,
      places.map(({ url, index }) => ({ url, index, holder, until })),
    )
  }

  /** Takes one out for good: of several that want it at once, one deletes its row. Those that ended go. */
  async take(
    holder: Did,
    bases: readonly string[],
    validUntil: UnixSeconds,
    now: UnixSeconds,
  ): Promise<StatusPlace | null> {
    for (;;) {
      const rows = await this.#rows.find({
        where: { holder, until: MoreThanOrEqual(validUntil) },
        order: { until: 'ASC' },
        take: 64,
      })
      const fitting = rows.filter(({ url }) => bases.some(base => isBelow(base, url)))
      // who takes at the same time most likely takes another
      const row = fitting[Math.floor(Math.random() * fitting.length)]
      if (row === undefined) {
        await this.#rows.delete({ holder, until: LessThan(now) })
        return null
      }
      const { url, index } = row
      if (await deleteOne(this.#dataSource, LeasedTable, { url, index })) return { url, index }
    }
  }
}

/** Lists stand right below their base. */
function isBelow(base: string, url: string): boolean {
  return url.startsWith(base) && !url.slice(base.length).includes('/')
}
