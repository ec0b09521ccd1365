import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { QueryFailedError, type QueryRunner, type ReplicationMode } from 'typeorm'
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js'
import { ProcuraError } from '../../errors.js'
import { Circuit } from '../circuit.js'
import { asOpeningError } from './failure.js'
import { Installation } from './installation.js'
import { JoiningDataSource } from './joining.js'
import { parsePostgresUrl, type PostgresPlace } from './postgres-url.js'
import { PostgresTurnRunner } from './postgres-runner.js'
import { SCHEMA } from './schema.js'

/** Connections of one process; everything else waits for its turn. */
const CONNECTIONS = 10
/** Milliseconds for a new connection, and for a sign of life. */
const CONNECT_TIMEOUT = 2_000
/** Milliseconds of one statement, waits for locks included: as the server counts, and as we do if it hangs. */
const STATEMENT_TIMEOUT = 8_000
const ANSWER_TIMEOUT = 10_000
/** The same while tables are made: a large one takes its time. */
const MIGRATION_TIMEOUT = 3_600_000
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
  readonly #circuit: Circuit
  #patience = ANSWER_TIMEOUT

  constructor({ url, name }: PostgresPlace) {
    super(
      {
        type: 'postgres',
        url,
        applicationName: 'procura',
        poolSize: CONNECTIONS,
        connectTimeoutMS: CONNECT_TIMEOUT,
        extra: {
          keepAlive: true,
          Client: QuietClient,
          statement_timeout: STATEMENT_TIMEOUT,
          idle_in_transaction_session_timeout: IDLE_TIMEOUT,
        },
        // no entity of ours or of Veramo's needs one, and it takes rights that a service should not have
        installExtensions: false,
        poolErrorHandler: () => undefined,
        ...SCHEMA,
        logging: false,
      },
      { place: name, connections: CONNECTIONS },
    )
    const refusal = (why: string): Error => new ProcuraError('STORAGE_UNAVAILABLE', { why: `${name}: ${why}` })
    this.#circuit = new Circuit({
      probe: () => this.#probe(),
      refusal,
      most: Infinity, // turns bound them
      onOpen: () => this.turns.dismiss(refusal('no sign of life')),
    })
  }

  /**
   * Brings the tables up to date, all in one transaction, one process after the other: a row is their lock. At the very
   * first start there is no row yet; then whoever comes second learns it from the table that both make, and looks again.
   */
  async migrate(): Promise<void> {
    this.#patience = MIGRATION_TIMEOUT
    for (let tries = 1; ; tries += 1) {
      try {
        await this.atomically(() => this.#migrateOnce())
        break
      } catch (error) {
        if (!wasMadeAtOnce(error) || tries === MIGRATION_TRIES) throw error
        await pause(Math.random() * 100)
      }
    }
    this.#patience = ANSWER_TIMEOUT
  }

  override readApart<R>(sql: string, parameters: readonly unknown[]): Promise<R[]> {
    return this.query<R[]>(sql, [...parameters])
  }

  protected override ownRunner(mode: ReplicationMode): QueryRunner {
    const { place, turns } = this
    const runner = new PostgresTurnRunner(this.driver, mode, { place, turns, circuit: this.#circuit }, this.#patience)
    return Object.assign(runner, { manager: this.createEntityManager(runner) })
  }

  protected override async closeConnections(): Promise<void> {
    this.#circuit.close()
    await super.closeConnections()
  }

  /** A sign of life, over a connection of its own: those of the pool may wait for a lock. A server that refuses lives. */
  async #probe(): Promise<void> {
    const { options } = this.driver.master as pg.Pool
    const client = new QuietClient({ ...(options as pg.ClientConfig), query_timeout: CONNECT_TIMEOUT })
    try {
      await client.connect()
      await client.query('SELECT 1')
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error
    } finally {
      void client.end().catch(() => undefined)
    }
  }

  async #migrateOnce(): Promise<void> {
    await this.query(`SET LOCAL statement_timeout = ${MIGRATION_TIMEOUT}`)
    const runner = this.createQueryRunner()
    const isLater = await runner.hasTable('installation').finally(() => runner.release())
    if (isLater) await new Installation(this).lock('migrations')
    await this.runMigrations({ transaction: 'all' })
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
    const dataSource = await new PostgresDataSource(place).initialize()
    try {
      await dataSource.migrate()
    } catch (error) {
      await dataSource.destroy()
      throw error
    }
    return dataSource
  } catch (error) {
    throw asOpeningError(error, place.name)
  }
}

function wasMadeAtOnce(error: unknown): boolean {
  return error instanceof QueryFailedError && MADE_AT_ONCE.has((error.driverError as { code?: string }).code ?? '')
}
