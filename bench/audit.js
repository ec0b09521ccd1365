// What the audit log costs: on the path of a decision, to append, on the disk, to verify, to search.
//   npm run bench:audit    (PROCURA_RECORDS=1000000)
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createVerifier, parsePolicy } from 'procura'
import { fileAudit, singleProcessState } from 'procura/verifier'
import { openSearch } from '../dist/adapters/audit/search.js'
import { verifyLog } from '../dist/adapters/audit/verify.js'
import { storeState } from '../dist/adapters/store/state.js'
import { openStore } from '../dist/adapters/store/store.js'
import { systemClock, systemIds } from '../dist/adapters/system.js'
import { createParties } from '../dist/adapters/testing/parties.js'
import { rootAgent } from '../dist/adapters/testing/test-agent.js'
import { parseKey } from '../dist/audit/note.js'

const RECORDS = Number(process.env['PROCURA_RECORDS'] ?? 1_000_000)
const ROUNDS = Number(process.env['PROCURA_ROUNDS'] ?? 31)
const CALLS = 1000
const IN_FLIGHT = 64
const SELF = 'https://api.example'
const TURNS = /** @type {const} */ (['without', 'with'])

const folder = await mkdtemp(join(tmpdir(), 'procura-bench-audit-'))
try {
  const record = await decisions()
  await growing(record)
} finally {
  await rm(folder, { recursive: true, force: true })
}

/**
 * Decisions about a chain of three links, 64 in flight: without a log and with one in turns, for a verifier that keeps
 * what was used in memory and for one that keeps it in SQLite. Returns a record.
 */
async function decisions() {
  const grants = [{ resource: `${SELF}/**`, actions: ['book', 'pay'] }]
  const policy = parsePolicy({
    self: SELF,
    risk: { pay: 'high' },
    roots: [{ issuer: 'did:web:root.example', grants }],
  })
  const parties = createParties()
  const mint = { policy, parties, clock: systemClock, ids: systemIds }
  const root = await rootAgent('did:web:root.example', { audience: [SELF], grants }, 300, mint)
  const leaf = await (await root.delegate({ more: 1 })).delegate()
  const store = await openStore(`sqlite://${join(folder, 'state.db')}`)
  const log = await fileAudit(join(folder, 'decided'))
  /** @type {object[]} */
  const records = []
  const audits = { none: { record: (/** @type {object} */ one) => Promise.resolve(void records.push(one)) }, log }
  const states = {
    memory: { ...singleProcessState(), streams: { isHealthy: () => false } },
    sqlite: { ...storeState(store, systemClock, systemIds), streams: { isHealthy: () => false } },
  }
  // memory refuses what was signed in its first second
  await setTimeout(2000)
  const statusLists = { read: () => Promise.reject(new Error('the credentials are short-lived')) }
  const world = { clock: systemClock, ids: systemIds, keys: parties.keys, statusLists }
  const rows = Object.entries(states).flatMap(([kept, state]) =>
    Object.entries({ 'low or medium': 'book', 'high or critical': 'pay' }).map(([risk, action]) => ({
      name: `${risk} risk, uses kept in ${kept}`,
      request: { method: 'POST', url: `${SELF}/bookings/1`, action, params: { amount: 5 } },
      verifiers: {
        without: createVerifier(policy, { ...world, ...state, audit: audits.none }),
        with: createVerifier(policy, { ...world, ...state, audit: audits.log }),
      },
      rates: /** @type {{ without: number[], with: number[] }} */ ({ without: [], with: [] }),
    })),
  )
  for (let round = -2; round < ROUNDS; round += 1) {
    for (const row of rows) {
      const { request, rates } = row
      const received = { ...request, bodyDigest: null, resource: request.url }
      // who is first changes: what a turn leaves behind falls on each
      const turns = round % 2 === 0 ? TURNS : TURNS.toReversed()
      for (const which of turns) {
        const shown = await Promise.all(
          Array.from({ length: CALLS }, async () => (await leaf.headers(request))['agent-presentation'] ?? ''),
        )
        const seconds = await burnt(async () => {
          await Promise.all(
            Array.from({ length: IN_FLIGHT }, async () => {
              for (let one = shown.pop(); one !== undefined; one = shown.pop()) {
                const decision = await row.verifiers[which].decide(one, received)
                if (!decision.allow) throw new Error(decision.code)
              }
            }),
          )
        })
        if (round >= 0) rates[which].push(CALLS / seconds)
      }
      records.splice(1)
    }
  }
  await log.close()
  await store.close()
  console.log(
    `\ndecisions about a chain of 3, ${IN_FLIGHT} in flight, ${ROUNDS} rounds of ${CALLS}, per second of processor time; how much less with a log in the same round: median, and the middle half`,
  )
  for (const { name, rates } of rows) {
    const less = rates.with.map((rate, round) => 100 * (1 - rate / (rates.without[round] ?? NaN)))
    less.sort((one, other) => one - other)
    const [low, middle, high] = [0.25, 0.5, 0.75].map(part => (less[Math.floor(part * less.length)] ?? NaN).toFixed(1))
    const [bare, logged] = [median(rates.without), median(rates.with)].map(rate => rate.toFixed(0).padStart(6))
    console.log(`  ${name.padEnd(42)} ${bare}/s ${logged}/s   ${middle} % less (${low} to ${high})`)
  }
  return /** @type {Record<string, unknown>} */ (records[0])
}

/** @param {Record<string, unknown>} record of a decision */
async function growing(record) {
  const path = join(folder, 'log')
  const log = await fileAudit(path)
  const made = (/** @type {number} */ n) => ({
    ...record,
    decisionId: `${String(n).padStart(8, '0')}-0000-4000-8000-000000000000`,
    at: 1_795_255_500 + Math.floor(n / 100),
    onBehalfOf: `did:web:acme-${n % 1000}.example`,
    resource: `${SELF}/bookings/${n % 5000}`,
  })
  const durable = await timed(() => append(10_000, 64, n => log.record(made(n))))
  const rest = await timed(() => append(RECORDS - 10_000, 512, n => log.record(made(n + 10_000), true)))
  await log.close()
  console.log(`\nappending records of ${Buffer.byteLength(JSON.stringify(made(1)))} bytes`)
  console.log(`  on the disk, 64 in flight    ${(10_000 / durable).toFixed(0)}/s`)
  console.log(`  soon, 512 in flight          ${((RECORDS - 10_000) / rest).toFixed(0)}/s`)
  console.log(`  ${(await sizeOf(path)) / RECORDS} bytes a record on the disk, tiles and all`)

  const key = parseKey(log.key)
  const seconds = await timed(async () => {
    const { findings, records } = await verifyLog(path, key, [])
    if (findings.length > 0 || records !== RECORDS) throw new Error('it does not verify')
  })
  console.log(`\nverifying ${RECORDS} records: ${seconds.toFixed(1)} s, ${(RECORDS / seconds).toFixed(0)}/s`)

  const search = await openSearch(path, key)
  const first = await timed(() => search.ask({ action: 'nothing' }, 1))
  console.log(
    `\nindexing them: ${first.toFixed(1)} s, ${((await stat(join(path, 'index.db'))).size / RECORDS).toFixed(0)} bytes a record`,
  )
  const window = { since: 1_795_255_500 + 1000, until: 1_795_255_500 + 2000 }
  const party = String(/** @type {string[]} */ (record['path'])[0])
  for (const [name, question] of Object.entries({
    principal: { principal: 'did:web:acme-7.example' },
    'agent in all of them, in a window': { agent: party, ...window },
    'resource and action': { resource: `${SELF}/bookings/77`, action: 'book' },
    'all below a resource, denied': { resource: `${SELF}/**`, decision: 'deny' },
    'a window': window,
  })) {
    const times = []
    let found = 0
    for (let n = 0; n < 5; n += 1)
      times.push(await timed(async () => void (found = (await search.ask(question, 1000)).records.length)))
    console.log(`  ${name.padEnd(36)} ${String(found).padStart(5)} records in ${(1000 * median(times)).toFixed(0)} ms`)
  }
  await search.close()
}

/** @param {number} count @param {number} inFlight @param {(n: number) => Promise<void>} record */
async function append(count, inFlight, record) {
  let next = 0
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (next < count) await record(next++)
    }),
  )
}

/** Seconds of processor time, the threads that write and sync included: other work on the machine does not show.
 *  @param {() => Promise<unknown>} work */
async function burnt(work) {
  const from = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(from)
  return (user + system) / 1e6
}

/** @param {() => Promise<unknown>} work @returns {Promise<number>} seconds */
async function timed(work) {
  const from = performance.now()
  await work()
  return (performance.now() - from) / 1000
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}

/** @param {string} path */
async function sizeOf(path) {
  const all = await readdir(path, { recursive: true, withFileTypes: true })
  const files = all.filter(one => one.isFile()).map(one => join(one.parentPath, one.name))
  return (await Promise.all(files.map(file => stat(file)))).reduce((sum, { size }) => sum + size, 0)
}
