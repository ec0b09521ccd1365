import type { DataSource, Repository } from 'typeorm'
import { type InstallationRow, InstallationTable } from './entities.js'
import { insertMissing } from './insert.js'

/** Names and values of one installation. Every method throws STORAGE_UNAVAILABLE if the database cannot be used. */
export class Installation {
  readonly #dataSource: DataSource
  readonly #rows: Repository<InstallationRow>

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
    this.#rows = dataSource.getRepository(InstallationTable)
  }

  /** The value, or `null` if there is none. */
  async get(name: string): Promise<string | null> {
    const row = await this.#rows.findOneBy({ name })
    return row?.value ?? null
  }

  /** Puts a value in place, over the one that stood there. */
  async set(name: string, value: string): Promise<void> {
    await this.#rows.upsert({ name, value }, ['name'])
  }

  /** Puts a value in place if there is none; true for exactly one of several callers. */
  async insertIfAbsent(name: string, value: string): Promise<boolean> {
    return insertMissing(this.#dataSource, InstallationTable, { name, value })
  }

  /** Inside a transaction: whoever else locks the same name waits until it ends. */
  async lock(name: string): Promise<void> {
    // a row that is written is locked, on every engine
    await this.#rows.upsert({ name: `lock ${name}`, value: '' }, ['name'])
  }
}
