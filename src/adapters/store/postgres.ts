import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { QueryFailedError, type QueryRunner, type ReplicationMode } from 'typeorm'
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js'
import { asOpeningError } from './failure.js'
import { Installation } from './installation.js'
import { JoiningDataSource } from './joining.js'
import { parsePostgresUrl, type PostgresPlace } from './postgres-url.js'
import { PostgresTurnRunner } from './postgres-runner.js'
import { SCHEMA } from './schema.js'

/** Connections of one process; everything else waits for its turn. */
const CONNECTIONS = 10
/** Milliseconds until a server that does not answer counts as gone. */
const CONNECT_TIMEOUT = 3_000
/** Milliseconds of one statement, waits for locks included: as the server counts, and as we do if it hangs. */
const STATEMENT_TIMEOUT = 8_000
const ANSWER_TIMEOUT = 10_000
/** Milliseconds for which a transaction may hold its locks without a statement: its process may be frozen. */
const IDLE_TIMEOUT = 30_000

/** SQLSTATE of two that make the same table at once: one of them finds it made. */
const MADE_AT_ONCE = new Set(['23505', '42P06', '42P07', '42710'])
const MIGRATION_TRIES = 20

/** A client whose end by the server is never an uncaught event, whoever listens: statements and the pool tell of it. */
class QuietClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config)
    this.on('error', () => undefined)
  }
}

/** One PostgreSQL database, with a bounded pool of connections. */
export class PostgresDataSource extends JoiningDataSource {
  declare readonly driver: PostgresDriver

  /** @param limits - of the statements, for the driver; none while tables are made */
  constructor({ url, name }: PostgresPlace, connections: number, limits: object) {
    super(
      {
        type: 'postgres',
        url,
        applicationName: 'procura',
        poolSize: connections,
        connectTimeoutMS: CONNECT_TIMEOUT,
        extra: { keepAlive: true, Client: QuietClient, ...limits },
        // no entity of ours or of Veramo's needs one, and it takes rights that a service should not have
        installExtensions: false,
        poolErrorHandler: () => undefined,
        ...SCHEMA,
        logging: false,
      },
      { place: name, connections },
    )
  }

  protected override ownRunner(mode: ReplicationMode): QueryRunner {
    const runner = new PostgresTurnRunner(this.driver, mode, this.turns, this.place)
    return Object.assign(runner, { manager: this.createEntityManager(runner) })
  }
}

/**
 * Opens a database and brings its tables up to date.
 *
 * @param url - see {@link parsePostgresUrl}
 * @throws CONFIG_INVALID, STORAGE_UNAVAILABLE
 */
export async function openPostgres(url: string): Promise<PostgresDataSource> {
  const place = parsePostgresUrl(url)
  try {
    await migrate(place)
    return await new PostgresDataSource(place, CONNECTIONS, {
      statement_timeout: STATEMENT_TIMEOUT,
      query_timeout: ANSWER_TIMEOUT,
      idle_in_transaction_session_timeout: IDLE_TIMEOUT,
    }).initialize()
  } catch (error) {
    throw asOpeningError(error, place.name)
  }
}

/**
 * All in one transaction, by one process after the other: a row is their lock. At the very first start there is no row
 * yet; then whoever comes second learns it from the table that both make, and looks again.
 */
async function migrate(place: PostgresPlace): Promise<void> {
  const dataSource = await new PostgresDataSource(place, 1, {}).initialize()
  const installation = new Installation(dataSource)
  const once = (): Promise<unknown> =>
    dataSource.atomically(async () => {
      const runner = dataSource.createQueryRunner()
      const isLater = await runner.hasTable('installation').finally(() => runner.release())
      if (isLater) await installation.lock('migrations')
      await dataSource.runMigrations({ transaction: 'all' })
    })
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        await once()
        return
      } catch (error) {
        if (!wasMadeAtOnce(error) || tries === MIGRATION_TRIES) throw error
        await pause(Math.random() * 100)
      }
    }
  } finally {
    await dataSource.destroy()
  }
}

function wasMadeAtOnce(error: unknown): boolean {
  return error instanceof QueryFailedError && MADE_AT_ONCE.has((error.driverError as { code?: string }).code ?? '')
}
