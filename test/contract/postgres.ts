import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { openStore } from '../../src/adapters/store/store.js'

const SERVER = process.env['PROCURA_TEST_POSTGRES'] ?? ''

/** False if there is no server: then `postgres-server.ts` has said so. */
export const hasPostgres = SERVER !== ''

/** One statement, as the server's owner. */
export async function administer(sql: string, parameters: unknown[] = []): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: SERVER })
  await client.connect()
  try {
    return await client.query(sql, parameters)
  } finally {
    await client.end()
  }
}

/**
 * Databases that nobody has used, and their end. Each is a schema of its own in the server's database: a hundred times
 * faster than what the server calls a database, and as separate, because nothing of ours names a schema.
 */
export function temporaryDatabases(): {
  freshDatabase: () => Promise<string>
  migratedDatabase: () => Promise<string>
  dropAll: () => Promise<void>
} {
  const made: string[] = []
  let template: Promise<string> | undefined
  const freshSchema = async (): Promise<string> => {
    const schema = `procura_test_${randomBytes(6).toString('hex')}`
    await administer(`CREATE SCHEMA ${schema}`)
    made.push(schema)
    return schema
  }
  const urlOf = (schema: string): string => withOption(`${SERVER}?application_name=${schema}`, `search_path=${schema}`)
  const migrated = async (): Promise<string> => {
    const schema = await freshSchema()
    await (await openStore(urlOf(schema))).close()
    return schema
  }
  return {
    freshDatabase: async () => urlOf(await freshSchema()),
    /** As a fresh one that was opened and closed: the tables of one that was are copied, which costs us nothing. */
    async migratedDatabase() {
      const [from, to] = [await (template ??= migrated()), await freshSchema()]
      await administer(copyOf(from, to))
      return urlOf(to)
    },
    async dropAll() {
      for (const schema of made.splice(0).reverse()) await administer(`DROP SCHEMA ${schema} CASCADE`)
    },
  }
}

/** Tables with what stands in them, and their indexes and keys under the same names. */
function copyOf(from: string, to: string): string {
  return `
    SET search_path = ${from};
    DO $$ DECLARE one record; BEGIN
      FOR one IN SELECT tablename AS name FROM pg_tables WHERE schemaname = '${from}' LOOP
        EXECUTE format('CREATE TABLE ${to}.%I (LIKE ${from}.%I INCLUDING DEFAULTS)', one.name, one.name);
        EXECUTE format('INSERT INTO ${to}.%I SELECT * FROM ${from}.%I', one.name, one.name);
      END LOOP;
      CREATE TEMPORARY TABLE parts ON COMMIT DROP AS
        SELECT contype = 'f' AS is_last, format('ALTER TABLE %I ADD CONSTRAINT %I %s', relname, conname,
          pg_get_constraintdef(pg_constraint.oid)) AS part
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid WHERE connamespace = '${from}'::regnamespace
        UNION ALL
        SELECT false, replace(indexdef, ' ON ${from}.', ' ON ${to}.') FROM pg_indexes WHERE schemaname = '${from}'
          AND indexname NOT IN (SELECT conname FROM pg_constraint WHERE connamespace = '${from}'::regnamespace);
      PERFORM set_config('search_path', '${to},pg_temp', true);
      FOR one IN SELECT part FROM parts ORDER BY is_last LOOP EXECUTE one.part; END LOOP;
    END $$`
}

/** The same database, with one more setting for each connection. */
export function withOption(url: string, setting: string): string {
  const changed = new URL(url)
  const before = changed.searchParams.get('options')
  changed.searchParams.set('options', `${before === null ? '' : `${before} `}-c ${setting}`)
  return changed.href
}

/** Ends every connection to one of the databases, as a server that restarts does. @returns how many there were */
export async function cutConnections(url: string): Promise<number> {
  const sql = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1'
  return (await administer(sql, [new URL(url).searchParams.get('application_name')])).rowCount ?? 0
}
