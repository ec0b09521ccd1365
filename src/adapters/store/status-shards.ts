import { randomBytes } from 'node:crypto'
import type { DataSource } from 'typeorm'
import type { StatusPurpose } from '../../ports/issuing.js'
import { insertMissing } from './insert.js'
import { type ListRow, ListTable } from './status-entities.js'

/** Seconds of a shard. */
export const DAY = 86_400
/** What is read of a list where its token, which is long, is of no use. */
export const BARE = ['name', 'purpose', 'until', 'shard', 'length', 'key', 'taken'] as const

/** Lists of one purpose, for credentials that end on one day. One of them is open. */
export interface Shard {
  readonly purpose: StatusPurpose
  /** since 1970, UTC */
  readonly day: number
  /** bits of a list that is opened */
  readonly length: number
}

/**
 * Moves the counter of a shard's open list by `count`, and opens the next list when that would pass 75 %. The statement
 * that moves it locks the row, so what is read afterwards is what it made. Runs inside a transaction.
 *
 * @returns the list, its counter moved
 */
export async function advance(
  dataSource: DataSource,
  { purpose, day, length }: Shard,
  count: number,
): Promise<Pick<ListRow, (typeof BARE)[number]>> {
  const lists = dataSource.getRepository(ListTable)
  const shard = `${purpose}.${day}`
  for (;;) {
    const { affected } = await lists
      .createQueryBuilder()
      .update()
      .set({ taken: () => 'taken + :count' })
      .where('shard = :shard AND taken + :count <= length * 3 / 4', { shard, count })
      .execute()
    if (affected === 1) return lists.findOneOrFail({ select: [...BARE], where: { shard } })
    await lists
      .createQueryBuilder()
      .update()
      .set({ shard: null })
      .where('shard = :shard AND taken + :count > length * 3 / 4', { shard, count })
      .execute()
    // another process may open it at the same time: of a shard one is open
    await insertMissing(dataSource, ListTable, {
      name: randomBytes(8).toString('hex'),
      purpose,
      until: (day + 1) * DAY,
      shard,
      length,
      key: randomBytes(32).toString('base64url'),
      taken: 0,
      version: 0,
      token: null,
      signedAt: 0,
      changes: 0,
      signedChanges: 0,
    })
  }
}
