// Requests per second, latency and CPU time of POST /v1/verify for a chain of three, beside stock Veramo, from one
// process and from two on one database. Everything takes turns in every round; ratios count, not figures.
//   npm run bench:http [-- --quick] [--json FILE] [--postgres postgres://…]
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { configOf, CONNECTIONS, leasedStatus, load, start, upload } from './http/servers.js'
import { byReference, chainOf, leafOf, ofStock, whole } from './inputs.js'

/** @import { Window } from './http/servers.js' */

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' }, postgres: { type: 'string' } },
})
const ROUNDS = options.quick ? 3 : 5
/** Requests of one window. */
const REQUESTS = options.quick ? 60 : 240
/** Milliseconds after which no round is begun. */
const LIMIT = 240_000

const folder = await mkdtemp(join(tmpdir(), 'procura-bench-'))
/** @type {(() => unknown)[]} */
const closing = [() => rm(folder, { recursive: true, force: true })]
try {
  await measure()
} finally {
  for (const close of closing.splice(0).reverse()) await close()
}

async function measure() {
  const storage = options.postgres === undefined ? `sqlite://${join(folder, 'service.db')}` : await ownDatabase(options.postgres) // prettier-ignore
  // the first makes the database
  const own = [await serve(await configOf(folder, '1', storage)), await serve(await configOf(folder, '2', storage))]
  const stock = [await serve('stock'), await serve('stock')]
  const address = own[0]?.address ?? ''
  const status = await leasedStatus(folder, address)
  const known = await chainOf(status)
  await upload(address, known, leafOf(known))

  const rows = [
    { name: 'whole, a new chain each', servers: own, body: async () => whole(await chainOf(status)) },
    { name: 'by reference, a known chain', servers: own, body: () => byReference(leafOf(known)) },
    { name: 'stock Veramo', servers: stock, body: ofStock },
  ].flatMap(row => [1, 2].map(processes => ({ ...row, processes, found: /** @type {Window[]} */ ([]) })))
  const started = Date.now()
  let rounds = 0
  for (let round = -1; round < ROUNDS && Date.now() - started < LIMIT; round += 1) {
    // who is first changes
    for (let n = 0; n < rows.length; n += 1) {
      const row = rows[(n + round + 1) % rows.length]
      if (row === undefined) continue
      const bodies = await Promise.all(Array.from({ length: REQUESTS }, row.body))
      const seen = await load(row.servers.slice(0, row.processes), bodies)
      if (round >= 0) row.found.push(seen)
    }
    rounds = round + 1
  }
  await report(rows, rounds)
}

/** @param {string} what */
async function serve(what) {
  const server = await start(what)
  closing.push(() => server.close())
  return server
}

/** @param {readonly { name: string, processes: number, found: readonly Window[] }[]} rows @param {number} rounds */
async function report(rows, rounds) {
  const model = cpus()[0]?.model ?? 'unknown'
  const machine = { date: new Date().toISOString().slice(0, 10), node: process.version, cores: cpus().length, model, load: loadavg()[0] } // prettier-ignore
  const storage = options.postgres === undefined ? 'SQLite' : 'PostgreSQL'
  const table = rows.map(({ name, processes, found }) => {
    const stock = rows.find(one => one.name === 'stock Veramo' && one.processes === processes)?.found ?? []
    const ratio = (/** @type {keyof Window} */ what) => found.map((one, round) => one[what] / (stock[round]?.[what] ?? NaN)) // prettier-ignore
    const of = (/** @type {keyof Window} */ what) => found.map(one => one[what])
    const measured = { rate: of('rate'), p50: of('p50'), p99: of('p99'), cpu: of('cpu'), rateToStock: ratio('rate'), cpuToStock: ratio('cpu') } // prettier-ignore
    const summary = Object.entries(measured).map(([what, values]) => [what, summaryOf(values)])
    return { name, processes, .../** @type {Record<keyof typeof measured, Summary>} */ (Object.fromEntries(summary)) }
  })
  console.log(`${machine.date}, Node ${machine.node}, ${machine.cores} × ${model}, load ${machine.load?.toFixed(1)}`)
  console.log(`${storage}; medians (lowest to highest) of ${rounds} rounds of ${REQUESTS} requests, ${CONNECTIONS} at once\n`) // prettier-ignore
  console.log('| | processes | requests/s | × stock | p50 ms | p99 ms | CPU ms a request | × stock |')
  console.log('|---|---|---|---|---|---|---|---|')
  for (const { name, processes, rate, rateToStock, p50, p99, cpu, cpuToStock } of table) {
    const cells = [show(rate, 0), show(rateToStock, 2), show(p50, 1), show(p99, 1), show(cpu, 2), show(cpuToStock, 2)]
    console.log(`| ${[name, processes, ...cells].join(' | ')} |`)
  }
  if (options.json !== undefined) {
    const all = { machine, storage, rounds, requests: REQUESTS, connections: CONNECTIONS, rows: table }
    await writeFile(options.json, `${JSON.stringify(all, null, 2)}\n`)
  }
}

/** @typedef {{ median: number, low: number, high: number }} Summary */

/** @param {readonly number[]} values @returns {Summary} */
function summaryOf(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const [low = NaN, median = NaN, high = NaN] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
  return { low, median, high }
}

/** @param {Summary} summary @param {number} digits */
function show({ median, low, high }, digits) {
  return `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`
}

/** A database of its own on that server, dropped at the end. @param {string} url */
async function ownDatabase(url) {
  const name = `procura_bench_${randomBytes(6).toString('hex')}`
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  closing.push(async () => {
    await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
    await client.end()
  })
  return Object.assign(new URL(url), { pathname: `/${name}` }).href
}
