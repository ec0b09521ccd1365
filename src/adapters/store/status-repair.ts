import { IsNull, Not, type DataSource } from 'typeorm'
import type { Did } from '../../did/did.js'
import type { Transactions } from '../../ports/world.js'
import type { UnixSeconds } from '../../time.js'
import type { Flaw } from './flaw.js'
import { insertAllMissing, insertMissing } from './insert.js'
import { BitTable, BlockTable, ListTable, SequenceTable, type BlockRow, type ListRow } from './status-entities.js'
import { MAX_BLOCK, ROWS_AT_ONCE } from './status-rows.js'

const RESTORE = 'stop issuing, restore the newest backup, then procura fsck --reconcile'

/** A change of status as the audit log tells it. */
export interface ToldChange {
  readonly list: string
  readonly indexes: readonly number[]
  readonly to: 'set' | 'cleared'
  readonly by: Did
  readonly at: UnixSeconds
}

/** Looks after the status tables while no service runs on them. Every method throws STORAGE_UNAVAILABLE. */
export class StatusRepair {
  readonly #dataSource: DataSource
  readonly #transactions: Transactions

  constructor(dataSource: DataSource, transactions: Transactions) {
    this.#dataSource = dataSource
    this.#transactions = transactions
  }

  /** How far the database came; see `Marker`. */
  async sequence(): Promise<number> {
    return (await this.#dataSource.getRepository(SequenceTable).findOneByOrFail({ id: 1 })).value
  }

  /**
   * Makes a database that fell behind fit to go on: every version is lifted above what was ever published, every open
   * list is closed, because indexes of it may have been handed out since, and every change told is made again where its
   * list is known. Whose those indexes are is lost, so they count as leased to the service.
   *
   * @param reached - what the marker remembers
   * @param service - its DID
   * @returns how many of the changes are of lists that this database never knew: credentials there stay refused, because
   *   their list cannot be had
   */
  async reconcile(
    reached: number,
    told: readonly ToldChange[],
    service: Did,
    now: UnixSeconds,
  ): Promise<{ readonly unknown: number }> {
    return this.#transactions.transaction(async () => {
      const lists = this.#dataSource.getRepository(ListTable)
      const gap = Math.max(0, reached - (await this.sequence())) + 1
      for (const open of await lists.findBy({ shard: Not(IsNull()) })) await this.#takeRest(open, service, now)
      await lists
        .createQueryBuilder()
        .update()
        .set({ version: () => 'version + :gap', changes: () => 'changes + 1', token: null, signedAt: 0, shard: null })
        .setParameter('gap', gap)
        .execute()
      await this.#dataSource.getRepository(SequenceTable).increment({ id: 1 }, 'value', gap)
      const known = new Map(
        (await lists.find({ select: ['name', 'purpose', 'length'] })).map(list => [list.name, list]),
      )
      let unknown = 0
      for (const { list: name, indexes, to, by, at } of told) {
        const list = known.get(name)
        if (list === undefined) unknown += 1
        for (const index of list === undefined ? [] : indexes) {
          if (to === 'set') await insertMissing(this.#dataSource, BitTable, { list: name, index, by, at })
          else if (list?.purpose === 'suspension') {
            await this.#dataSource.getRepository(BitTable).delete({ list: name, index })
          }
        }
      }
      return { unknown }
    })
  }

  async #takeRest({ name, length, taken }: ListRow, issuer: Did, at: UnixSeconds): Promise<void> {
    const end = Math.floor((length * 3) / 4)
    const blocks: BlockRow[] = []
    for (let first = taken; first < end; first += MAX_BLOCK) {
      blocks.push({ list: name, first, count: Math.min(MAX_BLOCK, end - first), issuer, at })
    }
    for (let from = 0; from < blocks.length; from += ROWS_AT_ONCE) {
      await insertAllMissing(this.#dataSource, BlockTable, blocks.slice(from, from + ROWS_AT_ONCE))
    }
    await this.#dataSource.getRepository(ListTable).update({ name }, { taken: end })
  }

  /** What does not hold of the status tables; empty if all is well. */
  async check(): Promise<readonly Flaw[]> {
    const wrong: string[] = []
    const lists = await this.#dataSource.getRepository(ListTable).find({ order: { name: 'ASC' } })
    for (const { name, taken, length, version, token, changes, signedChanges } of lists) {
      if (taken > (length * 3) / 4) wrong.push(`list ${name} handed out ${taken} of ${length} indexes`)
      if (token !== null && version === 0) wrong.push(`list ${name} was published as version 0`)
      if (signedChanges > changes) wrong.push(`list ${name} was signed with more changes than it had`)
      let end = 0
      const blocks = await this.#dataSource
        .getRepository(BlockTable)
        .find({ where: { list: name }, order: { first: 'ASC' } })
      for (const { first, count } of blocks) {
        if (first < end) wrong.push(`list ${name} handed out position ${first} twice`)
        end = first + count
      }
      if (end > taken) wrong.push(`list ${name} handed out ${end} indexes and counts ${taken}`)
    }
    return wrong.map(what => ({ what, advice: RESTORE }))
  }
}
