import type { DataSource, EntitySchema, FindOptionsWhere, ObjectLiteral } from 'typeorm'
import type { QueryDeepPartialEntity } from 'typeorm/query-builder/QueryPartialEntity.js'

/**
 * Adds the row unless one with its primary key stands already.
 *
 * @returns true if it was added
 */
export async function insertMissing<R extends ObjectLiteral>(
  dataSource: DataSource,
  table: EntitySchema<R>,
  row: QueryDeepPartialEntity<R>,
): Promise<boolean> {
  return (await insertAllMissing(dataSource, table, [row])) === 1
}

/**
 * Adds the rows whose primary keys do not stand already: few enough for one statement.
 *
 * @returns how many were added
 */
export async function insertAllMissing<R extends ObjectLiteral>(
  dataSource: DataSource,
  table: EntitySchema<R>,
  rows: QueryDeepPartialEntity<R>[],
): Promise<number> {
  return changed(
    dataSource,
    dataSource.createQueryBuilder().insert().into(table).values(rows).orIgnore().updateEntity(false),
  )
}

/**
 * Deletes the row that fits, if it stands.
 *
 * @returns true if it stood: of several that delete it at once, for exactly one
 */
export async function deleteOne<R extends ObjectLiteral>(
  dataSource: DataSource,
  table: EntitySchema<R>,
  where: FindOptionsWhere<R>,
): Promise<boolean> {
  return (await changed(dataSource, dataSource.createQueryBuilder().delete().from(table).where(where))) === 1
}

/** The count of changed rows is the only answer to trust: an identifier comes back for a duplicate too. */
async function changed(
  dataSource: DataSource,
  statement: { getQueryAndParameters(): [string, object] },
): Promise<number> {
  const [sql, parameters] = statement.getQueryAndParameters() as [string, unknown[]]
  const runner = dataSource.createQueryRunner()
  try {
    const { affected } = await runner.query(sql, parameters, true)
    return affected ?? 0
  } finally {
    await runner.release()
  }
}
