import type { DataSource, EntityTarget, FindOptionsWhere, ObjectLiteral } from 'typeorm'
import type { QueryDeepPartialEntity } from 'typeorm/query-builder/QueryPartialEntity.js'
import { gatheringOn } from './gathering.js'

/**
 * Adds the row unless one with its primary key stands already.
 *
 * @returns true if it was added, or will be as soon as the work that adds it ends
 */
export async function insertMissing<R extends ObjectLiteral>(
  dataSource: DataSource,
  table: EntityTarget<R>,
  row: QueryDeepPartialEntity<R>,
): Promise<boolean> {
  const gathering = gatheringOn(dataSource)
  if (gathering === undefined) return (await insertAllMissing(dataSource, table, [row])) === 1
  gathering.add(table, row)
  return true
}

/**
 * Adds the rows whose primary keys do not stand already: few enough for one statement.
 *
 * @returns how many were added
 */
export async function insertAllMissing<R extends ObjectLiteral>(
  dataSource: DataSource,
  table: EntityTarget<R>,
  rows: QueryDeepPartialEntity<R>[],
): Promise<number> {
  const { driver } = dataSource
  const { tablePath, columns } = dataSource.getMetadata(table)
  const given = columns.filter(column => rows.some(row => column.getEntityValue(row) !== undefined))
  const parameters = rows.flatMap(row =>
    given.map((column): unknown => driver.preparePersistentValue(column.getEntityValue(row) ?? null, column)),
  )
  const places = rows.map(
    (_, at) => `(${given.map((_, index) => driver.createParameter('', at * given.length + index)).join(', ')})`,
  )
  const names = given.map(({ databaseName }) => driver.escape(databaseName)).join(', ')
  // what TypeORM's query builder makes of it, for a third of the time
  const sql = `INSERT INTO ${driver.escape(tablePath)}(${names}) VALUES ${places.join(', ')} ON CONFLICT DO NOTHING`
  return changed(dataSource, sql, parameters)
}

/**
 * Deletes the row that fits, if it stands.
 *
 * @returns true if it stood: of several that delete it at once, for exactly one
 */
export async function deleteOne<R extends ObjectLiteral>(
  dataSource: DataSource,
  table: EntityTarget<R>,
  where: FindOptionsWhere<R>,
): Promise<boolean> {
  const statement = dataSource.createQueryBuilder().delete().from(table).where(where)
  const [sql, parameters] = statement.getQueryAndParameters() as [string, unknown[]]
  return (await changed(dataSource, sql, parameters)) === 1
}

/** The count of changed rows is the only answer to trust: an identifier comes back for a duplicate too. */
export async function changed(dataSource: DataSource, sql: string, parameters: unknown[]): Promise<number> {
  const runner = dataSource.createQueryRunner()
  try {
    const { affected } = await runner.query(sql, parameters, true)
    return affected ?? 0
  } finally {
    await runner.release()
  }
}
