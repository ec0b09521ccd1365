import { randomBytes } from 'node:crypto'
import type { DataSource, Repository } from 'typeorm'
import type { Did } from '../../did/did.js'
import { toBase64url } from '../../encoding.js'
import { ProcuraError } from '../../errors.js'
import type { StatusRows, StoredList, Transactions } from '../../ports.js'
import { permutation } from '../../status/allocation.js'
import type { UnixSeconds } from '../../time.js'
import { type IndexRow, IndexTable, type ListRow, ListTable, RevocationTable } from './entities.js'
import { insertMissing } from './insert.js'
import { Installation } from './installation.js'

/** Bits of a list, unless told otherwise: the least that a verifier accepts. */
export const LIST_LENGTH = 131_072
/** Largest block of one lease. */
const MAX_BLOCK = 1024
/** Rows per INSERT: three parameters each, far below any driver's bound. */
const ROWS_AT_ONCE = 500

/** Status rows in three tables. Every method throws STORAGE_UNAVAILABLE if the database cannot be used. */
export class StatusTables implements StatusRows {
  readonly #dataSource: DataSource
  readonly #transactions: Transactions
  readonly #lists: Repository<ListRow>
  readonly #indexes: Repository<IndexRow>
  readonly #length: number

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
    this.#indexes = dataSource.getRepository(IndexTable)
    this.#length = length
  }

  /**
   * Takes a block of indexes of one list and binds them to `issuer`. A block whose fate is unknown after a failure is
   * burned, never handed out again.
   *
   * @param count - 1 to 1024
   */
  async lease(issuer: Did, count: number): Promise<{ readonly list: string; readonly indexes: readonly number[] }> {
    if (!Number.isInteger(count) || count < 1 || count > MAX_BLOCK) throw new RangeError(`a lease of ${count} indexes`)
    return this.#transactions.transaction(async () => {
      const { name, key, length, taken } = await this.#advance(count)
      const indexAt = permutation(Buffer.from(key, 'base64url'), length)
      const rows = Array.from({ length: count }, (_, n) => ({ list: name, index: indexAt(taken - count + n), issuer }))
      for (let from = 0; from < count; from += ROWS_AT_ONCE) await this.#insert(rows.slice(from, from + ROWS_AT_ONCE))
      return { list: name, indexes: rows.map(row => row.index) }
    })
  }

  /** Whose index it is; `null` if it was never handed out. */
  async ownerOf(list: string, index: number): Promise<Did | null> {
    const row = await this.#indexes.findOneBy({ list, index })
    return row?.issuer ?? null
  }

  /** Marks an index, which was handed out, revoked for ever. True if it was not before. */
  async revoke(list: string, index: number, by: Did, at: UnixSeconds): Promise<boolean> {
    return insertMissing(this.#dataSource, RevocationTable, { list, index, by, at })
  }

  /** The list by name, or `null`; the row and the count are of one instant. */
  async find(list: string): Promise<StoredList | null> {
    const { entities, raw } = await this.#lists
      .createQueryBuilder('list')
      .addSelect(sub => sub.select('COUNT(*)').from(RevocationTable, 'r').where('r.list = list.name'), 'revoked')
      .where('list.name = :list', { list })
      .getRawAndEntities<{ revoked: string | number }>()
    const [row, counted] = [entities[0], raw[0]]
    if (row === undefined || counted === undefined) return null
    const { name, length, version, token, signedAt, signedRevoked } = row
    return { name, length, version, token, signedAt, signedRevoked, revoked: Number(counted.revoked) }
  }

  /** The revoked indexes of a list, lowest first. */
  async revokedIn(list: string): Promise<readonly number[]> {
    const rows = await this.#dataSource
      .createQueryBuilder(RevocationTable, 'r')
      .select('r.index', 'index')
      .where('r.list = :list', { list })
      .orderBy('r.index')
      .getRawMany<{ index: string | number }>()
    return rows.map(row => Number(row.index))
  }

  /** Puts a signed list in place if `version` is one above the stored one. False if another was faster. */
  async publish(
    list: string,
    token: string,
    version: number,
    signedAt: UnixSeconds,
    revoked: number,
  ): Promise<boolean> {
    const where = { name: list, version: version - 1 }
    const { affected } = await this.#lists.update(where, { token, version, signedAt, signedRevoked: revoked })
    return affected === 1
  }

  /**
   * Moves the counter of the open list by `count`, and opens the next list when that would pass 75 %. The statement
   * that moves it locks the row, so what is read afterwards is what it made.
   */
  async #advance(count: number): Promise<ListRow> {
    if (!(await this.#move(count))) {
      // one after the other: whoever waited here finds the list that was opened meanwhile
      await new Installation(this.#dataSource).lock('status lists')
      while (!(await this.#move(count))) {
        await this.#lists.update({ closed: false }, { closed: true })
        await this.#openNext()
      }
    }
    return this.#lists.findOneByOrFail({ closed: false })
  }

  async #move(count: number): Promise<boolean> {
    const { affected } = await this.#lists
      .createQueryBuilder()
      .update()
      .set({ taken: () => 'taken + :count' })
      .where('closed = :closed AND taken + :count <= length * 3 / 4', { closed: false, count })
      .execute()
    return affected === 1
  }

  async #openNext(): Promise<void> {
    await this.#lists.insert({
      name: String((await this.#lists.count()) + 1),
      length: this.#length,
      key: toBase64url(randomBytes(32)),
      taken: 0,
      closed: false,
      version: 0,
      token: null,
      signedAt: 0,
      signedRevoked: 0,
    })
  }

  async #insert(rows: IndexRow[]): Promise<void> {
    await this.#dataSource.createQueryBuilder().insert().into(IndexTable).values(rows).updateEntity(false).execute()
  }
}
