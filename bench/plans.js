// How the hot queries run on big tables: fills a database with as many rows a table as asked for, lets the store make its
// own statements, and prints the plan of each with the median time of the call: `npm run bench:plans`. Ends with 1 if one
// of them reads a whole table.
//
//   node bench/plans.js [--rows 1000000] [--postgres postgres://root@127.0.0.1/postgres]
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { ProcuraDidStore } from '../dist/adapters/store/identifiers.js'
import { storeState } from '../dist/adapters/store/state.js'
import { openStore } from '../dist/adapters/store/store.js'
import { systemIds } from '../dist/adapters/system.js'
import { digestOf } from '../dist/encoding.js'

/** @import { Store } from '../dist/adapters/store/store.js' */
/** @import { State } from '../dist/ports/deciding.js' */
/** @typedef {{ readonly sql: string, readonly parameters: readonly unknown[] }} Statement */

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '1000000' }, postgres: { type: 'string' } },
})
const ROWS = Number(values.rows)
const CALLS = 101
const SWEEP_EVERY = 1000
const NOW = 1_793_000_000
const END = NOW + 86_400
/** Bits of a list, and how many of each are handed out. */
const LIST = 131_072
const TAKEN = Math.min(98_304, Math.ceil((LIST * 3) / 4))
const LISTS = Math.ceil(ROWS / TAKEN)
const holder = (/** @type {number} */ n) => `did:key:z6Mk${n % Math.ceil(ROWS / 20)}`
const digest = (/** @type {number} */ n) => `uEi${String(n).padStart(44, '0')}`
const any = () => Math.floor(Math.random() * ROWS)

// SQL that both engines take: a number for each row, and names that do not lie in the order in which they were written
const mixed = `(CAST(i AS BIGINT) * 7919 % ${ROWS})`
const digestSql = `'uEi' || substr('${'0'.repeat(44)}' || ${mixed}, length('' || ${mixed}) + 1)`
const holderSql = `'did:key:z6Mk' || (${mixed} % ${Math.ceil(ROWS / 20)})`
const listSql = `'list-' || (i / ${TAKEN})`
/** @type {Readonly<Record<string, string>>} */
const FILL = {
  stored_credential: `SELECT ${digestSql}, 'urn:uuid:' || ${mixed}, 'did:web:acme.example', ${holderSql},
    CASE WHEN i % 4 = 0 THEN NULL ELSE ${digestSql} || 'p' END, ${NOW},
    ${END} - i % 1000, '${'x'.repeat(100)}', '${'k'.repeat(43)}', 'https://status.example/' || (i / ${TAKEN}), i % ${TAKEN}, NULL, NULL`,
  status_block: `SELECT ${listSql}, i % ${TAKEN}, 1, ${holderSql}, ${NOW}`,
  status_bit: `SELECT ${listSql}, i % ${TAKEN}, 'did:web:acme.example', ${NOW}`,
  verifier_used: `SELECT 'key ' || ${mixed}, ${NOW} + i % 90`,
  verifier_spending: `SELECT ${digestSql} || ' 0', i % 1000, ${END} - i % 1000`,
  verifier_rate: `SELECT ${digestSql} || ' rate', ${NOW} + i % 60`,
  verifier_call: `SELECT ${digestSql} || ' rate', 1, ${NOW} - i % 60`,
  verifier_hold: `SELECT 'hold ' || ${mixed}, CASE WHEN i % 9 = 0 THEN 'open' ELSE 'committed' END, ${NOW} + 60 - i % 86400,
    '{"watched":[]}', '[]'`,
  revocation_event: `SELECT ${digestSql}, 'did:web:acme.example'`,
  list_version: `SELECT 'did:web:acme.example', 'https://status.example/' || ${mixed}, 7`,
  subject: `SELECT 'urn:uuid:' || ${mixed}, 'did:key:z6Mk' || ${mixed}, 'k' || ${mixed}, 'agent', 'name', 'active',
    'urn:uuid:' || (${mixed} % 1000), NULL, ${NOW}, NULL`,
  identifier: `SELECT 'did:key:z6Mk' || ${mixed}, 'did:key', 'name ' || ${mixed}, '2026-01-01 00:00:00', '2026-01-01 00:00:00', NULL`,
  key: `SELECT 'kid ' || ${mixed}, 'local', 'Ed25519', '00', NULL, 'did:key:z6Mk' || ${mixed}`,
  sealed_key: `SELECT 'kid ' || ${mixed}, 1, '${'s'.repeat(90)}'`,
  outbox: `SELECT i + 1, 'revoked', ${digestSql}, 'https://status.example/1', i, 7, ${NOW}`,
}
/** For the filling alone. */
const FASTER = ['PRAGMA synchronous = OFF', 'PRAGMA cache_size = -400000']
const AS_BEFORE = ['PRAGMA wal_checkpoint(TRUNCATE)', 'PRAGMA synchronous = FULL', 'PRAGMA cache_size = -2000']
/** Tables in which one row stands for all. */
const SMALL = [
  `INSERT INTO status_list SELECT 'list-' || i, 'revocation', ${END}, NULL, ${LIST}, '${'A'.repeat(43)}',
  ${TAKEN}, 1, NULL, ${NOW}, 1, 1 FROM (${numbers(LISTS)}) AS n`,
  `INSERT INTO key_version VALUES (1, 'f')`,
]

/** @type {readonly (readonly [string, (store: Store, state: State) => Promise<unknown>, number?])[]} */
const HOT = [
  ['a credential by digest', store => store.credentials.find(digestOf(String(any())))],
  ['a root by id', store => store.credentials.findRoot('did:web:acme.example', `urn:uuid:${any()}`)],
  ['what a subject holds', store => store.credentials.heldBy(/** @type {never} */ (holder(any())), NOW)],
  [
    'what hangs below a credential',
    store => store.credentials.below([/** @type {never} */ (`${digest(any())}p`)], NOW),
  ],
  ['a lease of one index', store => store.statusRows.lease({ issuer: 'did:key:z6Mk0', count: 1, purpose: 'revocation', validUntil: END, now: NOW })], // prettier-ignore
  ['whose an index is', store => store.statusRows.ownersOf(`list-${any() % LISTS}`, [any() % TAKEN])],
  ['whether a bit is set', store => store.statusRows.setAmong(`list-${any() % LISTS}`, [any() % TAKEN])],
  ['all bits of a list', store => store.statusRows.setIn(`list-${any() % LISTS}`)],
  ['a use', (_, { ledger }) => ledger.settle({ ...NOTHING, uses: [use()] })],
  ['a use with a charge', (_, { ledger }) => ledger.settle({ ...NOTHING, uses: [use()], charges: [charge()] })],
  ['a use under a rate', (_, { ledger }) => ledger.settle({ ...NOTHING, uses: [use()], throttles: [throttle()] })],
  ['what ended in the ledger goes', (_, state) => sweep(state), 1],
  ['a nonce, and old ones go', (_, { nonces }) => nonces.issue('https://api.example')],
  ['a reservation', (_, { ledger }) => ledger.held(`hold ${any()}`, NOW)],
  ['open reservations', store => store.reservations.on(new Set([digest(1)]), NOW)],
  ['events about a chain', (_, { revocations }) => revocations.about([1, 2, 3].map(() => /** @type {never} */ (digest(any()))), ['did:web:acme.example'])], // prettier-ignore
  ['the version of a list', (_, { listVersions }) => listVersions.raise('did:web:acme.example', `https://status.example/${any()}`, 5)], // prettier-ignore
  ['a DID of ours by its name', ({ dataSource }) => didOf(dataSource, { alias: `name ${any()}`, provider: 'did:key' })], // prettier-ignore
  ['a DID of ours with its keys', ({ dataSource }) => didOf(dataSource, { did: `did:key:z6Mk${any()}` })],
  ['a private key, sealed', store => store.sealedKeys.find(`kid ${any()}`)],
  ['a subject by DID', store => store.subjects.find(`did:key:z6Mk${any()}`)],
  ['how many an owner has', store => store.subjects.countOwned(`urn:uuid:${any() % 1000}`, NOW)],
  ['a page of the register', store => store.subjects.list({ after: `urn:uuid:${any()}`, limit: 100 })],
  ['the feed from a place', store => store.outbox.since(any(), 100)],
]
const NOTHING = { uses: [], throttles: [], charges: [], hold: null, now: NOW }
const use = () => ({ key: randomBytes(16).toString('hex'), issuedAt: NOW, until: NOW + 90 })
const charge = () => ({ account: `${digest(any())} 0`, amount: 1, max: 10 ** 9, unit: 'USD', until: END })
const throttle = () => ({ account: `${digest(any())} rate`, max: 1000, per: 60 })
/** @param {Store['dataSource']} dataSource @param {object} by */
const didOf = (dataSource, by) => new ProcuraDidStore(dataSource).getDID(/** @type {never} */ (by))

/** @param {State} state */
async function sweep({ ledger }) {
  for (let n = 0; n < SWEEP_EVERY; n += 1) await ledger.settle(NOTHING)
}

const folder = mkdtempSync(join(tmpdir(), 'procura-plans-'))
let scans = 0
try {
  await measure(`sqlite://${join(folder, 'plans.db')}`, (store, sql) => store.dataSource.query(sql))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (values.postgres !== undefined) await onPostgres(values.postgres)
process.exitCode = scans === 0 ? 0 : 1

/** @param {string} server */
async function onPostgres(server) {
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  const schema = `procura_plans_${randomBytes(4).toString('hex')}`
  const url = new URL(server)
  url.searchParams.set('options', `-c search_path=${schema}`)
  try {
    await client.query(`CREATE SCHEMA ${schema}`)
    await client.query(`SET search_path = ${schema}`)
    await measure(url.href, (_, sql) => client.query(sql))
  } finally {
    await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
    await client.end()
  }
}

/** @param {string} url @param {(store: Store, sql: string) => Promise<unknown>} run */
async function measure(url, run) {
  const store = await openStore(url)
  const { dataSource } = store
  const engine = dataSource.options.type
  console.log(`\n${engine}: ${ROWS.toLocaleString('en')} rows a table`)
  if (engine === 'sqlite') for (const sql of FASTER) await run(store, sql)
  for (const sql of SMALL) await run(store, sql)
  for (const [table, select] of Object.entries(FILL)) {
    await run(store, `INSERT INTO "${table}" ${select} FROM (${numbers(ROWS)}) AS n`)
  }
  if (engine === 'sqlite') for (const sql of AS_BEFORE) await run(store, sql)
  // a PostgreSQL server does this by itself, SQLite only when told to, which nobody does
  if (engine === 'postgres') await run(store, 'ANALYZE')
  const state = storeState(store, { now: () => NOW }, systemIds)
  /** @type {Statement[]} */
  const seen = []
  for (const [name, call, calls = CALLS] of HOT) {
    const watched = watch(dataSource, seen)
    await call(store, state)
    watched()
    const plans = await Promise.all(distinct(seen.splice(0)).map(one => planOf(dataSource, one)))
    const times = []
    for (let n = 0; n < calls; n += 1) {
      const start = performance.now()
      await call(store, state)
      times.push(performance.now() - start)
    }
    console.log(`${name.padEnd(32)} ${median(times).toFixed(2).padStart(8)} ms`)
    for (const line of new Set(plans.flat())) console.log(`    ${line}`)
    const scanned = plans.flat().filter(line => isScan(line))
    scans += scanned.length
  }
  await store.close()
}

/** @param {Store['dataSource']} dataSource @param {Statement[]} into @returns {() => void} */
function watch(dataSource, into) {
  const { logger } = dataSource
  /** @param {string} sql @param {unknown[]} parameters */
  const logQuery = (sql, parameters = []) => into.push({ sql, parameters })
  const listening = new Proxy(logger, {
    get: (of, name) => /** @type {unknown} */ (name === 'logQuery' ? logQuery : Reflect.get(of, name)),
  })
  dataSource.logger = listening
  return () => (dataSource.logger = logger)
}

/** @param {readonly Statement[]} statements @returns {readonly Statement[]} */
function distinct(statements) {
  const read = statements.filter(({ sql }) => /^(?:SELECT|UPDATE|DELETE)/.test(sql))
  return [...new Map(read.map(one => [one.sql, one])).values()]
}

/** @param {Store['dataSource']} dataSource @param {Statement} statement @returns {Promise<readonly string[]>} */
async function planOf(dataSource, { sql, parameters }) {
  const how = dataSource.options.type === 'sqlite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN'
  /** @type {readonly Record<string, string>[]} */
  const rows = /** @type {never} */ (await dataSource.query(`${how} ${sql}`, [...parameters]))
  const lines = rows.map(row => (row['detail'] ?? row['QUERY PLAN'] ?? '').replace(/^[\s>-]+|\s+\(cost.*/g, ''))
  return lines.filter(line => /SCAN|SEARCH|Scan/.test(line))
}

/** Of PostgreSQL only the big tables count: it reads a small one whole, and is right. @param {string} line */
function isScan(line) {
  const table = /^Seq Scan on "?(\w+)/.exec(line)?.[1]
  return table === undefined ? /^SCAN (?!.*INDEX)/.test(line) : Object.hasOwn(FILL, table)
}

/** @param {number} count */
function numbers(count) {
  return `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count - 1}) SELECT i FROM n`
}

/** @param {readonly number[]} times */
function median(times) {
  return [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0
}
