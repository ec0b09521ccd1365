import { randomBytes } from 'node:crypto'
import pg from 'pg'

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
export function temporaryDatabases(): { freshDatabase: () => Promise<string>; dropAll: () => Promise<void> } {
  const made: string[] = []
  return {
    async freshDatabase() {
      const schema = `procura_test_${randomBytes(6).toString('hex')}`
      await administer(`CREATE SCHEMA ${schema}`)
      made.push(schema)
      return withOption(`${SERVER}?application_name=${schema}`, `search_path=${schema}`)
    },
    async dropAll() {
      for (const schema of made.splice(0)) await administer(`DROP SCHEMA ${schema} CASCADE`)
    },
  }
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
