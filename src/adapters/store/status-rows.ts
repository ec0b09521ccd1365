import { LRUCache } from 'lru-cache'
import { type DataSource, In, LessThan, LessThanOrEqual, type Repository } from 'typeorm'
import type { Did } from '../../did/did.js'
import { ProcuraError } from '../../errors.js'
import type { Lease, Leased, StatusPurpose, StatusRows, StoredList } from '../../ports/issuing.js'
import type { Transactions } from '../../ports/world.js'
import { permutation, type Permutation } from '../../status/allocation.js'
import type { UnixSeconds } from '../../time.js'
import { insertAllMissing } from './insert.js'
import {
  type BitRow,
  BitTable,
  type BlockRow,
  BlockTable,
  type ListRow,
  ListTable,
  SequenceTable,
} from './status-entities.js'
import { advance, BARE, DAY } from './status-shards.js'
import { findStored } from './stored-list.js'

/** Bits of a list, unless told otherwise: the least that a verifier accepts. */
export const LIST_LENGTH = 131_072
/** Largest block of one lease. */
export const MAX_BLOCK = 1024
/** Rows per INSERT: four parameters each, far below any driver's bound. */
export const ROWS_AT_ONCE = 500
/** Status rows in four tables. Every method throws STORAGE_UNAVAILABLE if the database cannot be used. */
export class StatusTables implements StatusRows {
  readonly #dataSource: DataSource
  readonly #transactions: Transactions
  readonly #lists: Repository<ListRow>
  readonly #blocks: Repository<BlockRow>
  readonly #bits: Repository<BitRow>
  readonly #length: number
  readonly #permutations = new LRUCache<string, Permutation>({ max: 1000 })

  /**
   * @param length - bits of the lists opened from now on: a power of two, 2048 to 2^20
   * @throws CONFIG_INVALID
   */
  constructor(dataSource: DataSource, transactions: Transactions, length = LIST_LENGTH) {
    if (!Number.isInteger(Math.log2(length)) || length < 2048 || length > 2 ** 20) {
      throw new ProcuraError('CONFIG_INVALID', {
        at: 'status list length',
        why: 'not a power of two from 2048 to 1048576',
      })
    }
    this.#dataSource = dataSource
    this.#transactions = transactions
    this.#lists = dataSource.getRepository(ListTable)
    this.#blocks = dataSource.getRepository(BlockTable)
    this.#bits = dataSource.getRepository(BitTable)
    this.#length = length
  }

  /**
   * Takes a block of positions of one list and binds it to its issuer. A block whose fate is unknown after a failure is
   * burned, never handed out again.
   */
  async lease({ issuer, count, purpose, validUntil, now }: Lease): Promise<Leased> {
    if (!Number.isInteger(count) || count < 1 || count > MAX_BLOCK) throw new RangeError(`a lease of ${count} indexes`)
    const day = Math.floor(validUntil / DAY)
    return this.#transactions.transaction(async () => {
      // before any list: whoever moves it on waits for the others here, and never with a list in hand
      const sequence = await this.#moveOn()
      const row = await advance(this.#dataSource, { purpose, day, length: this.#length }, count)
      const first = row.taken - count
      await this.#blocks.insert({ list: row.name, first, count, issuer, at: now })
      const { indexAt } = this.#permutationOf(row)
      const indexes = Array.from({ length: count }, (_, n) => indexAt(first + n))
      return { list: row.name, indexes, until: row.until, sequence }
    })
  }

  /** Whose each index is: the issuer of the block that its position lies in. */
  async ownersOf(list: string, indexes: readonly number[]): Promise<readonly (Did | null)[]> {
    const row = await this.#bare(list)
    if (row === null || indexes.length === 0) return indexes.map(() => null)
    const { positionOf } = this.#permutationOf(row)
    const positions = indexes.map(index => (isIndexOf(row, index) ? positionOf(index) : -1))
    const blocks = await this.#blocks
      .createQueryBuilder('block')
      .where('block.list = :list AND block.first > :from AND block.first <= :to', {
        list,
        from: Math.min(...positions) - MAX_BLOCK,
        to: Math.max(...positions),
      })
      .orderBy('block.first')
      .getMany()
    return positions.map(position => {
      const block = lastAtOrBefore(blocks, position)
      return block !== undefined && position < block.first + block.count ? block.issuer : null
    })
  }

  /** Every index that an issuer leased before an instant, by list. */
  async leasedTo(
    issuer: Did,
    purpose: StatusPurpose,
    before: UnixSeconds,
  ): Promise<readonly { readonly list: string; readonly indexes: readonly number[] }[]> {
    const leased = []
    for (const { list, first, count } of await this.#blocks.findBy({ issuer, at: LessThan(before) })) {
      const row = await this.#bare(list)
      if (row?.purpose !== purpose) continue
      const { indexAt } = this.#permutationOf(row)
      leased.push({ list, indexes: Array.from({ length: count }, (_, n) => indexAt(first + n)) })
    }
    return leased
  }

  /** Sets bits that were handed out. */
  async set(list: string, indexes: readonly number[], by: Did, at: UnixSeconds): Promise<number> {
    return this.#transactions.transaction(async () => {
      await this.lock(list)
      const row = await this.#lists.findOneOrFail({ select: [...BARE], where: { name: list } })
      const { positionOf } = this.#permutationOf(row)
      if (!indexes.every(index => isIndexOf(row, index) && positionOf(index) < row.taken)) {
        throw new RangeError(`an index of list ${list} that was not handed out`)
      }
      let added = 0
      for (let from = 0; from < indexes.length; from += ROWS_AT_ONCE) {
        const rows = indexes.slice(from, from + ROWS_AT_ONCE).map(index => ({ list, index, by, at }))
        added += await insertAllMissing(this.#dataSource, BitTable, rows)
      }
      return this.#changed(list, added > 0)
    })
  }

  /** Clears bits of a list of suspensions. */
  async clear(list: string, indexes: readonly number[]): Promise<number> {
    return this.#transactions.transaction(async () => {
      await this.lock(list)
      const { purpose } = await this.#lists.findOneOrFail({ select: ['name', 'purpose'], where: { name: list } })
      if (purpose !== 'suspension') throw new RangeError(`list ${list} is not of suspensions`)
      for (const index of indexes) await this.#bits.delete({ list, index })
      return this.#changed(list, indexes.length > 0)
    })
  }

  /** Holds the list: a write that changes nothing waits for others and keeps them waiting. */
  async lock(list: string): Promise<void> {
    await this.#lists.increment({ name: list }, 'changes', 0)
  }

  /** Those of the indexes that are set. */
  async setAmong(list: string, indexes: readonly number[]): Promise<ReadonlySet<number>> {
    const set = new Set<number>()
    for (let from = 0; from < indexes.length; from += ROWS_AT_ONCE) {
      const some = In(indexes.slice(from, from + ROWS_AT_ONCE))
      for (const { index } of await this.#bits.find({ select: ['list', 'index'], where: { list, index: some } }))
        set.add(index)
    }
    return set
  }

  /** The indexes that are set in a list, lowest first. */
  async setIn(list: string): Promise<readonly number[]> {
    const rows = await this.#bits
      .createQueryBuilder('bit')
      .select('bit.index', 'index')
      .where('bit.list = :list', { list })
      .orderBy('bit.index')
      .getRawMany<{ index: string | number }>()
    return rows.map(row => Number(row.index))
  }

  /** The list by name, or `null`. */
  async find(list: string): Promise<StoredList | null> {
    return findStored(this.#dataSource, list)
  }

  /** Puts a signed list in place if `version` is one above the stored one. */
  async publish(
    list: string,
    token: string,
    version: number,
    signedAt: UnixSeconds,
    changes: number,
  ): Promise<number | null> {
    return this.#transactions.transaction(async () => {
      const sequence = await this.#moveOn()
      const { affected } = await this.#lists.update(
        { name: list, version: version - 1 },
        { token, version, signedAt, signedChanges: changes },
      )
      return affected === 1 ? sequence : null
    })
  }

  /** Names of the lists that changed since they were signed, or were signed at that time or earlier. */
  async due(signedBy: UnixSeconds): Promise<readonly string[]> {
    const rows = await this.#lists
      .createQueryBuilder('list')
      .select('list.name')
      .where('list.changes <> list.signed_changes OR list.signed_at <= :signedBy', { signedBy })
      .getMany()
    return rows.map(({ name }) => name)
  }

  /** Forgets the lists whose last credential ended before an instant. */
  async retire(before: UnixSeconds): Promise<void> {
    const over = await this.#lists.find({ select: ['name'], where: { until: LessThanOrEqual(before) } })
    for (const { name } of over) {
      await this.#transactions.transaction(async () => {
        await this.#bits.delete({ list: name })
        await this.#blocks.delete({ list: name })
        await this.#lists.delete({ name })
      })
    }
  }

  async #changed(name: string, changed: boolean): Promise<number> {
    if (changed) await this.#lists.increment({ name }, 'changes', 1)
    const { changes } = await this.#lists.findOneOrFail({ select: ['name', 'changes'], where: { name } })
    return changes
  }

  async #moveOn(): Promise<number> {
    const sequence = this.#dataSource.getRepository(SequenceTable)
    await sequence.increment({ id: 1 }, 'value', 1)
    return (await sequence.findOneByOrFail({ id: 1 })).value
  }

  #bare(name: string): Promise<ListRow | null> {
    return this.#lists.findOne({ select: [...BARE], where: { name } })
  }

  #permutationOf({ name, key, length }: Pick<ListRow, 'name' | 'key' | 'length'>): Permutation {
    const known = this.#permutations.get(name)
    if (known !== undefined) return known
    const made = permutation(Buffer.from(key, 'base64url'), length)
    this.#permutations.set(name, made)
    return made
  }
}

function isIndexOf({ length }: ListRow, index: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < length
}

/** Blocks are in order of their first position. */
function lastAtOrBefore(blocks: readonly BlockRow[], position: number): BlockRow | undefined {
  let [low, high] = [0, blocks.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((blocks[middle]?.first ?? Infinity) <= position) low = middle + 1
    else high = middle
  }
  return blocks[low - 1]
}
