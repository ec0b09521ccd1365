// What the audit log costs: on the path of a decision, to append, on the disk, to verify, to search.
//   npm run bench:audit    (PROCURA_RECORDS=1000000)
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileAudit } from 'procura/verifier'
import { testAuthority } from 'procura/testing'
import { openSearch } from '../dist/adapters/audit/search.js'
import { verifyLog } from '../dist/adapters/audit/verify.js'
import { parseKey } from '../dist/audit/note.js'

const RECORDS = Number(process.env['PROCURA_RECORDS'] ?? 1_000_000)
const ROUNDS = 31
const CALLS = 1000
const IN_FLIGHT = 64
const SELF = 'https://api.example'

const folder = await mkdtemp(join(tmpdir(), 'procura-bench-audit-'))
try {
  const record = await decisions()
  await growing(record)
} finally {
  await rm(folder, { recursive: true, force: true })
}

/** Decisions about a chain of three links, 64 in flight, without a log and with one, in turns. Returns a record. */
async function decisions() {
  const grants = [{ resource: `${SELF}/**`, actions: ['book'] }]
  const policy = { self: SELF, roots: [{ issuer: 'did:web:root.example', grants }] }
  const { verifier, agent, records } = await testAuthority({ policy })
  const middle = await (await agent({ more: 2 })).delegate({ grants, more: 1 })
  const leaf = await middle.delegate({ grants })
  const request = { method: 'POST', url: `${SELF}/bookings/1`, action: 'book', params: { amount: 5 } }
  const received = { ...request, bodyDigest: null, resource: request.url }
  const logs = await Promise.all(['soon', 'durable'].map(name => fileAudit(join(folder, name))))
  const [soon, durable] = logs
  /** @type {Record<string, (record: object) => Promise<void>>} */
  const sinks = {
    'no log': () => Promise.resolve(),
    'low or medium risk': record => soon?.record(record, true) ?? Promise.reject(new Error('no log')),
    'high or critical risk': record => durable?.record(record) ?? Promise.reject(new Error('no log')),
  }
  /** @type {Record<string, number[]>} */
  const rates = {}
  for (let round = 0; round < ROUNDS; round += 1) {
    // who is first changes: what a round leaves behind falls on each in turn
    const all = Object.entries(sinks)
    for (const [name, sink] of [...all.slice(round % all.length), ...all.slice(0, round % all.length)]) {
      const shown = await Promise.all(
        Array.from({ length: CALLS }, async () => (await leaf.headers(request))['agent-presentation'] ?? ''),
      )
      const seconds = await burnt(async () => {
        await Promise.all(
          Array.from({ length: IN_FLIGHT }, async () => {
            for (let one = shown.pop(); one !== undefined; one = shown.pop()) {
              const decision = await verifier.decide(one, received)
              if (!decision.allow) throw new Error(decision.code)
              await sink(records.at(-1) ?? {})
            }
          }),
        )
      })
      ;(rates[name] ??= []).push(CALLS / seconds)
    }
  }
  for (const log of logs) await log.close()
  const base = rates['no log'] ?? []
  console.log(
    `\ndecisions about a chain of 3, ${IN_FLIGHT} in flight, ${ROUNDS} rounds of ${CALLS}, per second of processor time; less than without a log in the same round: median, and the middle half`,
  )
  for (const [name, all] of Object.entries(rates)) {
    const less = all.map((rate, round) => 100 * (1 - rate / (base[round] ?? NaN))).sort((one, other) => one - other)
    const [low, middle, high] = [0.25, 0.5, 0.75].map(part => (less[Math.floor(part * less.length)] ?? NaN).toFixed(1))
    console.log(`  ${name.padEnd(24)} ${median(all).toFixed(0).padStart(7)}/s   ${middle} % less (${low} to ${high})`)
  }
  return /** @type {Record<string, unknown>} */ (records.at(-1))
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
