// Decisions and grants a second of one service in 1, 2 and 4 processes: on PostgreSQL and Redis, and on SQLite, of which
// one process is what there is without any setting. Everything takes turns in every round; ratios count, not figures.
//   npm run bench:processes [-- --quick] [--json FILE] [--postgres postgres://… --redis redis://…]
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openWallet } from 'procura/wallet'
import { signProof } from '../dist/presentation/proof.js'
import { bodyDigest } from '../dist/presentation/request.js'
import { treeOf } from '../test/drills/cluster/machine.mjs'
import { openDatabases } from './databases.js'
import { configOf, CONNECTIONS, leasedStatus, load, ORIGIN, send, start } from './http/servers.js'
import { chainOf, GRANTS, now, ROOT, SELF, whole } from './inputs.js'
import { several } from './rows/row.js'
import { summaryOf } from './suite/report.js'

/** @import { Server, Window } from './http/servers.js' */
/** @typedef {{ rate: number, cpu: number, below: number }} Found a second; milliseconds of the service's processes and of the database servers */
/** @typedef {{ name: string, processes: string, servers: Server[], work: Record<string, (count: number) => Promise<Window>>, found: Record<string, Found[]> }} Variant */

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    postgres: { type: 'string' },
    redis: { type: 'string' },
  },
})
const ROUNDS = options.quick ? 3 : 7
/** Calls of one window. */
const CALLS = options.quick ? 96 : 240
/** Milliseconds after which no round is begun, but the first that counts. */
const LIMIT = options.quick ? 25_000 : 120_000
/** Milliseconds of a tick of `/proc`. */
const TICK = 10

const folder = await mkdtemp(join(tmpdir(), 'procura-bench-'))
/** @type {(() => unknown)[]} */
const closing = [() => rm(folder, { recursive: true, force: true })]
// each server has a listener for the end
process.setMaxListeners(0)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void end().then(() => process.exit(130)))
try {
  await measure()
} finally {
  await end()
}

async function end() {
  for (const close of closing.splice(0).reverse()) await close()
}

async function measure() {
  const databases = await openDatabases(options)
  closing.push(() => databases.close())
  const here = () => `sqlite://${join(folder, `${randomBytes(6).toString('hex')}.db`)}`
  const shared = { state: databases.redis }
  const variants = await Promise.all([
    open('SQLite', '1', here(), 1, 1),
    open('SQLite', '2', here(), 1, 2),
    open('SQLite', '4', here(), 1, 4),
    open('PostgreSQL + Redis', '1', await databases.fresh(), 1, 1, shared),
    open('PostgreSQL + Redis', '2', await databases.fresh(), 1, 2, shared),
    open('PostgreSQL + Redis', '4', await databases.fresh(), 1, 4, shared),
    open('PostgreSQL + Redis', '2 services', await databases.fresh(), 2, 1, shared),
  ])
  const kinds = ['verify', 'grant']
  const started = Date.now()
  let rounds = 0
  for (let round = -1; round < ROUNDS && (round < 1 || Date.now() - started < LIMIT); round += 1) {
    // who is first changes; the first round warms up
    for (let n = 0; n < variants.length; n += 1) {
      const variant = variants[(n + round + 1) % variants.length]
      for (const kind of kinds) if (variant !== undefined) await turn(variant, kind, databases.pids(), round >= 0)
    }
    rounds = round + 1
  }
  await report(variants, kinds, rounds, databases.isOwn)
}

/** @param {Variant} variant @param {string} kind @param {readonly number[]} below @param {boolean} counts */
async function turn({ servers, work, found }, kind, below, counts) {
  const own = servers.map(({ pid }) => pid)
  const before = [cpuOf(own), cpuOf(below)]
  const seen = await work[kind]?.(CALLS)
  const [cpu = 0, under = 0] = [cpuOf(own), cpuOf(below)].map((after, n) => (after - (before[n] ?? 0)) / CALLS)
  if (seen !== undefined && counts) found[kind]?.push({ rate: seen.rate, cpu, below: under })
}

/**
 * A service in a folder of its own.
 *
 * @param {string} name @param {string} processes @param {string} storage @param {number} services each of `workers` processes
 * @param {number} workers @param {object} [more] @returns {Promise<Variant>}
 */
async function open(name, processes, storage, services, workers, more) {
  const place = await mkdtemp(join(folder, 'service-'))
  /** @type {Server[]} */
  const servers = []
  // the first makes key file and tables
  for (let n = 1; n <= services; n += 1) {
    const server = await start(await configOf(place, String(n), storage, workers, more))
    closing.push(() => server.close())
    servers.push(server)
  }
  const status = await leasedStatus(place, servers[0]?.address ?? '')
  const wallet = await openWallet({ storage: `sqlite://${join(place, 'operator.db')}`, roots: [] })
  closing.push(() => wallet.close())
  const { holder } = await wallet.agent('operator')
  const work = {
    verify: async (/** @type {number} */ count) => load(servers, await several(count, async () => whole(await chainOf(status)))), // prettier-ignore
    grant: async (/** @type {number} */ count) => send(servers, await several(count, () => grantBy(holder)), answer => typeof answer['credential'] === 'string'), // prettier-ignore
  }
  return { name, processes, servers, work, found: { verify: [], grant: [] } }
}

/** A root for an hour, asked for by the operator. @param {import('procura').Signer} operator */
async function grantBy(operator) {
  const path = '/v1/grants'
  const body = JSON.stringify({ to: ROOT.issuer, ttl: 3600, authority: { audience: [SELF], grants: GRANTS } })
  const bound = { method: 'POST', url: `${ORIGIN}${path}`, bodyDigest: bodyDigest(Buffer.from(body)) }
  const [proof, key] = [await signProof(operator, ORIGIN, bound, token(), now()), token()]
  return { path, headers: { 'content-type': 'application/json', 'agent-proof': proof, 'idempotency-key': key }, body }
}

function token() {
  return randomBytes(16).toString('base64url')
}

/** Milliseconds that processes and all below them took, those that ended too. @param {readonly number[]} pids */
function cpuOf(pids) {
  const ticks = pids.flatMap(treeOf).map(pid => {
    // after the name, which may hold anything
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  })
  return ticks.reduce((sum, one) => sum + one, 0) * TICK
}

/** @param {readonly Variant[]} variants @param {readonly string[]} kinds @param {number} rounds @param {boolean} isOwn */
async function report(variants, kinds, rounds, isOwn) {
  const model = cpus()[0]?.model ?? 'unknown'
  const machine = { date: new Date().toISOString().slice(0, 10), node: process.version, cores: cpus().length, model, load: loadavg()[0] } // prettier-ignore
  console.log(`${machine.date}, Node ${machine.node}, ${machine.cores} × ${model}, load ${machine.load?.toFixed(1)}`)
  console.log(`medians (lowest to highest) of ${rounds} rounds of ${CALLS} calls, ${CONNECTIONS} at once`)
  /** @type {object[]} */
  const rows = []
  for (const kind of kinds) {
    console.log(`\n| ${kind} | processes | a second | × embedded | CPU ms of the service | of PostgreSQL and Redis |`)
    console.log('|---|---|---|---|---|---|')
    for (const { name, processes, found } of variants) {
      const [all, first] = [found[kind] ?? [], variants[0]?.found[kind] ?? []]
      const rate = summaryOf(all.map(one => one.rate))
      const toEmbedded = summaryOf(all.map((one, round) => one.rate / (first[round]?.rate ?? NaN)))
      const cpu = summaryOf(all.map(one => one.cpu))
      const below = isOwn && name !== 'SQLite' ? summaryOf(all.map(one => one.below)) : null
      rows.push({ kind, name, processes, rate, toEmbedded, cpu, below })
      console.log(
        `| ${[name, processes, show(rate, 0), show(toEmbedded, 2), show(cpu, 2), show(below, 2)].join(' | ')} |`,
      )
    }
  }
  if (options.json === undefined) return
  const all = { machine, rounds, calls: CALLS, connections: CONNECTIONS, rows }
  await writeFile(options.json, `${JSON.stringify(all, null, 2)}\n`)
}

/** @param {ReturnType<typeof summaryOf>} summary @param {number} digits */
function show(summary, digits) {
  if (summary === null) return '–'
  const [median, low, high] = [summary.median, summary.low, summary.high].map(one => one.toFixed(digits))
  return `${median} (${low}–${high})`
}
