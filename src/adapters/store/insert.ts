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
  return changesOne(
    dataSource,
    dataSource.createQueryBuilder().insert().into(table).values(row).orIgnore().updateEntity(false),
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
  return changesOne(dataSource, dataSource.createQueryBuilder().delete().from(table).where(where))
}

/** The count of changed rows is the only answer to trust: an identifier comes back for a duplicate too. */
async function changesOne(
  dataSource: DataSource,
  statement: { getQueryAndParameters(): [string, object] },
): Promise<boolean> {
  const [sql, parameters] = statement.getQueryAndParameters() as [string, unknown[]]
  const runner = dataSource.createQueryRunner()
  try {
    const { affected } = await runner.query(sql, parameters, true)
    return affected === 1
  } finally {
    await runner.release()
  }
}
