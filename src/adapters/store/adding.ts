import type { DataSource } from 'typeorm'
import type { Additions, Transactions } from '../../ports/world.js'
import type { Database } from './database.js'
import { Gathering, gatheringOn, type Rows } from './gathering.js'
import { insertMissing } from './insert.js'
import { NewAgents } from './new-agents.js'

/** Writes what work added when it ends: an agent in one statement, which it shares with the others of the moment. */
export class Adding implements Additions {
  readonly #database: Database
  readonly #dataSource: DataSource
  readonly #transactions: Transactions
  readonly #agents: NewAgents

  /** @param transactions - of that database */
  constructor(database: Database, transactions: Transactions) {
    const { dataSource } = database
    this.#database = database
    this.#dataSource = dataSource
    this.#transactions = transactions
    this.#agents = new NewAgents(dataSource)
  }

  /** As a transaction that adds; work that turns out to do more is run again in one. */
  async adding<T>(work: () => Promise<T>): Promise<T> {
    if (gatheringOn(this.#dataSource) !== undefined) return work()
    if (!this.#database.isOutside()) return this.#transactions.transaction(work)
    const gathering = new Gathering(this.#dataSource)
    let result: T
    try {
      result = await gathering.of(work)
    } catch (error) {
      if (gathering.rows !== null) throw error
      return this.#transactions.transaction(work)
    }
    const { rows } = gathering
    if (rows !== null && (await this.#write(rows))) return result
    // of those that cannot be added this tells why
    return this.#transactions.transaction(work)
  }

  /** False if nothing was written, because something like it stands. */
  async #write(rows: Rows): Promise<boolean> {
    const agent = this.#agents.rowOf(rows)
    if (agent !== null) return this.#agents.insert(agent)
    await this.#transactions.transaction(async () => {
      for (const [table, row] of rows) {
        if (!(await insertMissing(this.#dataSource, table, row))) throw new Error('a row that was new stands already')
      }
    })
    return true
  }
}
