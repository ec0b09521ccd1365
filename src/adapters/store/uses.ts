import type { DataSource } from 'typeorm'
import type { Use } from '../../ports/deciding.js'
import { filled, gathered } from './gathered.js'

/**
 * Uses tokens up, each on its own, by one statement for all that are shown in one turn of the event loop or while the one
 * before is at work: a commit is dearer than a row.
 *
 * @returns true for exactly one of all who take it, once it is on the disk; throws STORAGE_UNAVAILABLE
 */
export function usesOf(dataSource: DataSource): (use: Use) => Promise<boolean> {
  const { driver } = dataSource
  const place = (at: number): string => driver.createParameter('', at)
  const add = gathered(async (uses: readonly Use[]) => {
    const each = filled(uses)
    const rows = each.map((_, at) => `(${place(2 * at)}, ${place(2 * at + 1)})`).join(', ')
    // in small letters TypeORM takes it for a question, and hands the rows over: those that did not stand
    const sql = `insert into verifier_used("key", "until") values ${rows} on conflict do nothing returning "key"`
    const given = each.flatMap(({ key, until }) => [key, until])
    const added = await dataSource.query<readonly { readonly key: string }[]>(sql, given)
    return new Set(added.map(({ key }) => key))
  })
  // of two in one group the first has it
  return async use => (await add(use)).delete(use.key)
}
