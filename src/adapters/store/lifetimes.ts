import { type DataSource, LessThanOrEqual, type Repository } from 'typeorm'
import type { Did } from '../../did/did.js'
import type { Lifetimes } from '../../ports/holding.js'
import type { UnixSeconds } from '../../time.js'
import { insertMissing } from './insert.js'
import { type LifetimeRow, LifetimeTable } from './holding-entities.js'

/** When agents end, in one table. */
export class LifetimeRows implements Lifetimes {
  readonly #dataSource: DataSource
  readonly #rows: Repository<LifetimeRow>

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
    this.#rows = dataSource.getRepository(LifetimeTable)
  }

  /** Puts the end in place, over the one that stood there. */
  async set(did: Did, endsAt: UnixSeconds): Promise<void> {
    if (!(await insertMissing(this.#dataSource, LifetimeTable, { did, endsAt })))
      await this.#rows.update({ did }, { endsAt })
  }

  /** Its end, or `null`. */
  async endOf(did: Did): Promise<UnixSeconds | null> {
    const row = await this.#rows.findOneBy({ did })
    return row?.endsAt ?? null
  }

  /** Those that ended by `now`, the earliest first. */
  async due(now: UnixSeconds, limit: number): Promise<readonly Did[]> {
    const rows = await this.#rows.find({
      where: { endsAt: LessThanOrEqual(now) },
      order: { endsAt: 'ASC', did: 'ASC' },
      take: limit,
    })
    return rows.map(({ did }) => did)
  }

  /** Forgets it. */
  async drop(did: Did): Promise<void> {
    await this.#rows.delete({ did })
  }
}
