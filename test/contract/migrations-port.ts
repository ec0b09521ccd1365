import { describe, expect, onTestFinished, test } from 'vitest'
import { MigrationExecutor, type DataSource, type EntityMetadata } from 'typeorm'
import { MIGRATIONS } from '../../src/adapters/store/migrations.js'
import type { Backend } from './store-fixtures.js'

/** A row that fits any table: equal texts and numbers point to each other where a foreign key asks for it. */
function rowOf(metadata: EntityMetadata): Record<string, unknown> {
  const valueOf = (type: unknown): unknown => {
    if (type === 'boolean' || type === Boolean) return true
    if (type === 'bigint' || type === 'integer' || type === Number) return 1
    if (type === Date || String(type).startsWith('datetime') || String(type).startsWith('timestamp')) {
      return new Date(1_700_000_000_000).toISOString()
    }
    return '["same"]'
  }
  return Object.fromEntries(metadata.columns.map(({ databaseName, type }) => [databaseName, valueOf(type)]))
}

/** Veramo has a second description of one table, as it was before a migration. */
function tablesOf({ entityMetadatas }: DataSource): readonly EntityMetadata[] {
  return entityMetadatas.filter(({ name }) => name !== 'PreMigrationKey')
}

/** Puts a row into every table that has none, those that others point to first. */
async function fill(dataSource: DataSource): Promise<void> {
  const { driver } = dataSource
  const left = new Set(tablesOf(dataSource))
  for (let before = 0; left.size > 0 && left.size !== before;) {
    before = left.size
    for (const metadata of left) {
      if (metadata.foreignKeys.some(({ referencedEntityMetadata: to }) => to !== metadata && left.has(to))) continue
      const row = rowOf(metadata)
      const table = driver.escape(metadata.tableName)
      const columns = Object.keys(row).map(name => driver.escape(name))
      const places = columns.map((_, n) => `$${n + 1}`)
      const rows = await dataSource.query<unknown[]>(`SELECT 1 FROM ${table} LIMIT 1`)
      if (rows.length === 0) {
        await dataSource.query(`INSERT INTO ${table} (${columns.join()}) VALUES (${places.join()})`, Object.values(row))
      }
      left.delete(metadata)
    }
  }
  expect([...left].map(({ tableName }) => tableName)).toEqual([])
}

/** What every store promises of its tables. */
export function migrationsContract(backend: Backend): void {
  describe(`${backend.name}: migrations`, () => {
    const open = async () => {
      const store = await backend.open(await backend.place())
      onTestFinished(() => store.close())
      return store.dataSource
    }
    const isOurs = ({ target, isJunction }: EntityMetadata): boolean => typeof target === 'string' && !isJunction
    const contentOf = async (dataSource: DataSource, tables: readonly EntityMetadata[]): Promise<unknown> =>
      Object.fromEntries(
        await Promise.all(
          tables.map(async ({ tableName }) => [
            tableName,
            await dataSource.query<unknown>(`SELECT * FROM ${dataSource.driver.escape(tableName)}`),
          ]),
        ),
      ) as unknown

    test('make what the entities say', async () => {
      const dataSource = await open()
      const { upQueries } = await dataSource.driver.createSchemaBuilder().log()
      const ours = dataSource.entityMetadatas.filter(isOurs).map(({ tableName }) => tableName)
      const drift = upQueries.map(({ query }) => query).filter(query => ours.some(name => query.includes(`"${name}"`)))
      expect(drift).toEqual([])
      expect(ours.length).toBeGreaterThan(15)
    })

    test('go down and up again with rows in every table; those of Veramo stay as they were', async () => {
      const dataSource = await open()
      const veramo = tablesOf(dataSource).filter(metadata => !isOurs(metadata))
      await fill(dataSource)
      const before = await contentOf(dataSource, veramo)
      expect(JSON.stringify(before)).not.toContain('[]')

      for (let n = 0; n < MIGRATIONS.length; n += 1) await dataSource.undoLastMigration()
      const runner = dataSource.createQueryRunner()
      const ours = dataSource.entityMetadatas.filter(isOurs)
      const stand = await Promise.all(ours.map(({ tableName }) => runner.hasTable(tableName)))
      await runner.release()
      expect(ours.filter((_, n) => stand[n]).map(({ tableName }) => tableName)).toEqual([])
      expect(await contentOf(dataSource, veramo)).toEqual(before)

      expect(await dataSource.runMigrations({ transaction: 'all' })).toHaveLength(MIGRATIONS.length)
      expect(await new MigrationExecutor(dataSource).getPendingMigrations()).toEqual([])
      expect(await contentOf(dataSource, veramo)).toEqual(before)
      await fill(dataSource)
    })
  })
}
