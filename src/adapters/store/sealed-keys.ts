import { type DataSource, LessThan, MoreThan, QueryFailedError, type Repository } from 'typeorm'
import { ProcuraError } from '../../errors.js'
import type { KeyVersion, SealedKey, SealedKeys } from '../../ports/keys.js'
import type { Transactions } from '../../ports/world.js'
import { aside } from './gathering.js'
import { deleteOne, insertMissing } from './insert.js'
import { KeyVersionTable, SealedKeyTable } from './key-entities.js'

/** Private keys in one table, their versions in another. Every method throws STORAGE_UNAVAILABLE. */
export class SealedKeyRows implements SealedKeys {
  readonly #dataSource: DataSource
  readonly #transactions: Transactions
  readonly #rows: Repository<SealedKey>
  readonly #versions: Repository<KeyVersion>

  constructor(dataSource: DataSource, transactions: Transactions) {
    this.#dataSource = dataSource
    this.#transactions = transactions
    this.#rows = dataSource.getRepository(SealedKeyTable)
    this.#versions = dataSource.getRepository(KeyVersionTable)
  }

  /** Keeps a key, unless one of its kid stands. The foreign key refuses a version that was dropped a moment ago. */
  async insert({ kid, version, sealed }: SealedKey): Promise<boolean> {
    try {
      return await insertMissing(this.#dataSource, SealedKeyTable, { kid, version, sealed })
    } catch (cause) {
      if (!(cause instanceof QueryFailedError && /foreign key/i.test(cause.message))) throw cause
      throw new ProcuraError('STORAGE_UNAVAILABLE', { why: `key version ${version} was dropped` }, { cause })
    }
  }

  /** By kid. */
  async find(kid: string): Promise<SealedKey | null> {
    return this.#rows.findOneBy({ kid })
  }

  /** Deletes a key. */
  async remove(kid: string): Promise<boolean> {
    return deleteOne(this.#dataSource, SealedKeyTable, { kid })
  }

  /** Keys under lower versions, by kid. */
  async olderThan(version: number, after: string, count: number): Promise<readonly SealedKey[]> {
    return this.#rows.find({
      where: { version: LessThan(version), kid: MoreThan(after) },
      order: { kid: 'ASC' },
      take: count,
    })
  }

  /** Compare and set on the whole row. */
  async replace(before: SealedKey, { version, sealed }: SealedKey): Promise<boolean> {
    const { kid } = before
    const { affected } = await this.#rows.update(
      { kid, version: before.version, sealed: before.sealed },
      { version, sealed },
    )
    return affected === 1
  }

  /** All versions, ascending. */
  async versions(): Promise<readonly KeyVersion[]> {
    return aside(() => this.#versions.find({ order: { version: 'ASC' } }))
  }

  /** Keys by version. */
  async counts(): Promise<ReadonlyMap<number, number>> {
    const rows = await this.#rows
      .createQueryBuilder('row')
      .select('row.version', 'version')
      .addSelect('COUNT(*)', 'count')
      .groupBy('row.version')
      .getRawMany<{ version: number | string; count: number | string }>()
    return new Map(rows.map(({ version, count }) => [Number(version), Number(count)]))
  }

  /** Adds a version, unless it stands. */
  async addVersion({ version, fingerprint }: KeyVersion): Promise<boolean> {
    return insertMissing(this.#dataSource, KeyVersionTable, { version, fingerprint })
  }

  /** Deletes a version that no key is sealed under; a key written at the same moment meets the foreign key. */
  async dropVersion(version: number): Promise<boolean> {
    if (await this.#rows.existsBy({ version })) return false
    return deleteOne(this.#dataSource, KeyVersionTable, { version })
  }

  /** Takes the versions' rows for itself first: where transactions run side by side, that is what orders them. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#transactions.transaction(async () => {
      await this.#versions.update({ version: MoreThan(0) }, { fingerprint: () => 'fingerprint' })
      return work()
    })
  }
}
