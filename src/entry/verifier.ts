import { createClient } from '../adapters/client/api.js'
import { remoteVerifier as remote } from '../adapters/client/service.js'
import type { FeedStanding } from '../adapters/resolve/feed.js'
import { singleProcessState as inMemory } from '../adapters/state/memory.js'
import { parsePostgresUrl } from '../adapters/store/postgres-url.js'
import { inTime } from '../adapters/store/server-clock.js'
import { openStore } from '../adapters/store/store.js'
import { systemClock, systemIds } from '../adapters/system.js'
import { traced } from '../adapters/telemetry/spans.js'
import type { JsonObject } from '../json.js'
import { parsePolicy, type Policy } from '../policy/policy.js'
import { createVerifier as create, type LocalVerifier, type Verifier } from '../verifier/verifier.js'
import type { State } from '../ports/deciding.js'
import type { Audit, Transactions } from '../ports/world.js'
import { openFeeds } from './feeds.js'
import { openNetwork, readJsonFile } from './parts.js'
import { chooseSignatures } from './signatures.js'
import { openState } from './state.js'

export { fileAudit } from './audit.js'
export type { FeedStanding } from '../adapters/resolve/feed.js'
export type { State } from '../ports/deciding.js'
export type { Commitment, Decision, LocalVerifier, Verifier } from '../verifier/verifier.js'

/** What a verifier in this process needs. Nothing has a default that weakens it. */
export interface VerifierOptions {
  /** the policy, or the path of its JSON file */
  readonly policy: JsonObject | string
  readonly state: State
  readonly audit: Audit
  /** bearer secrets of feeds that are not public: URL → secret */
  readonly feedSecrets?: Readonly<Record<string, string>>
  /** development only: https origin → address */
  readonly connect?: Readonly<Record<string, string>>
}

/** A verifier that follows the feeds of its policy. */
export interface OpenVerifier extends LocalVerifier {
  /** How it stands with each feed. */
  feeds(): readonly FeedStanding[]
  /** Stops following; requests under way fail. State and audit are the caller's to close, afterwards. */
  close(): Promise<void>
}

/**
 * A verifier that runs in the resource server, no service needed. Follows the feeds that its policy names until it is
 * closed; without any there is nothing to close.
 *
 * @throws CONFIG_INVALID
 */
export async function createVerifier(options: VerifierOptions): Promise<OpenVerifier> {
  const { policy, state, audit, feedSecrets: secrets = {}, connect = {} } = options
  chooseSignatures(process.env['PROCURA_SIGNATURES'])
  const parsed = typeof policy === 'string' ? await readPolicy(policy) : parsePolicy(policy)
  const network = openNetwork(connect)
  const { keys, statusLists } = network
  const feeds = openFeeds({ policies: [parsed], network, positions: state.feedPositions, secrets })
  const ports = { clock: systemClock, ids: systemIds, keys, statusLists, streams: feeds, ...state, audit }
  const verifier = traced(create(parsed, ports))
  feeds.start([verifier])
  return {
    ...verifier,
    feeds: () => feeds.standing(),
    async close() {
      await Promise.all([feeds.close(), network.close()])
    },
  }
}

/** Reads a verifier's policy file. @throws CONFIG_INVALID - names the file and each member that is wrong */
export async function readPolicy(path: string): Promise<Policy> {
  return parsePolicy(await readJsonFile(path), path)
}

/**
 * State that ends with the process. Refuses presentations issued before it started and credentials with budgets or
 * rates, because a restart would forget them.
 */
export function singleProcessState(): State {
  return inMemory(systemClock, systemIds)
}

/** State in a database, and that database for effects that belong with it. */
export interface DatabaseState extends State, Transactions {
  /**
   * One SQL statement with `$1`, `$2`, … for its parameters, first used in their order; inside `transaction` it takes
   * part in it. Tables whose names do not start with `app_` are ours.
   */
  query(sql: string, parameters?: readonly unknown[]): Promise<unknown>
  close(): Promise<void>
}

/**
 * State in a SQLite file; processes on one machine may share it.
 *
 * An effect in the same file takes effect together with its commit point, or not at all (profile §7):
 *
 * ```ts
 * await state.transaction(async () => {
 *   const { allow, code } = await verifier.commit(decisionId)
 *   if (!allow) throw new Error(code)
 *   await state.query('INSERT INTO app_booking (trip) VALUES ($1)', [trip])
 * })
 * ```
 *
 * @param file - path; made if missing
 * @throws STORAGE_UNAVAILABLE
 */
export function sqliteState(file: string): Promise<DatabaseState> {
  return openDatabaseState(`sqlite://${file}`)
}

/**
 * State in a PostgreSQL database; processes on any machine may share it. As {@link sqliteState}, but two transactions
 * that meet may both be under way: the work of one may run again from its beginning, so it does nothing elsewhere.
 *
 * @param url - `postgres://user:password@host:port/database`
 * @throws CONFIG_INVALID, STORAGE_UNAVAILABLE
 */
export async function postgresState(url: string): Promise<DatabaseState> {
  parsePostgresUrl(url)
  return openDatabaseState(url)
}

/**
 * State in a database and a Redis, or a Redis Cluster: what changes with each call is in Redis (what was used, rates in
 * windows up to five minutes, challenges, chains), the rest in the database, money above all. Processes that share the
 * database share the Redis too; others are refused. A Redis that was restarted, replaced or emptied is noticed: for a
 * minute presentations are REPLAY_UNAVAILABLE, because what it forgot may have been used.
 *
 * @param redis - `redis://user:password@host:port/0`, or `rediss://…` with `?ca=/path/of/ca.pem`
 * @param database - `postgres://user:password@host:port/database`, or `sqlite://path`
 * @throws CONFIG_INVALID, STORAGE_UNAVAILABLE, SERVICE_UNAVAILABLE
 */
export async function redisState(redis: string, database: string): Promise<DatabaseState> {
  return openDatabaseState(database, redis)
}

async function openDatabaseState(url: string, redis?: string): Promise<DatabaseState> {
  const store = await openStore(url)
  try {
    const shared = await openState(store, redis, systemClock, systemIds)
    return {
      ...shared.state,
      ledger: inTime(shared.state.ledger, store.dataSource),
      transaction: work => store.transaction(work),
      query: (sql, parameters = []) => store.dataSource.query<unknown>(sql, [...parameters]),
      async close() {
        await shared.close()
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** A verifier that asks a service. */
export interface RemoteOptions {
  /** the audience that the secret is bound to: this resource server's https origin */
  readonly self: string
  /** https origin of the service */
  readonly service: string
  /** bearer secret of this resource server */
  readonly secret: string
  /** development only: https origin → address */
  readonly connect?: Readonly<Record<string, string>>
}

/** The same interface over `POST /v1/verify`. @throws CONFIG_INVALID */
export function remoteVerifier({ self, service, secret, connect = {} }: RemoteOptions): Verifier {
  const { reach } = openNetwork(connect)
  const options = { service, reach, clock: systemClock, ids: systemIds }
  return remote(self, createClient({ secret }, options), service)
}
