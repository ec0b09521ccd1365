// Requests per second, latency and CPU time of POST /v1/verify for a chain of three, beside stock Veramo, from one
// process and from two on one database. Everything takes turns in every round; ratios count, not figures.
//   npm run bench:http [-- --quick] [--json FILE] [--postgres postgres://…]
import { fork } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { openIssuer } from 'procura/issuer'
import { Pool } from 'undici'
import { byReference, chainOf, leafOf, ofStock, ROOT, SELF, whole } from './http/tokens.js'

/** @typedef {{ address: string, cpu: () => Promise<number> }} Server */
/** @typedef {{ rate: number, p50: number, p99: number, cpu: number }} Window */

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' }, postgres: { type: 'string' } },
})
const ORIGIN = 'https://id.bench.example'
const ROUNDS = options.quick ? 3 : 5
/** Requests of one window. */
const REQUESTS = options.quick ? 60 : 240
/** Requests under way at once, however many processes answer. */
const CONNECTIONS = 16
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
  const secret = randomBytes(32).toString('base64url')
  const storage = options.postgres === undefined ? `sqlite://${join(folder, 'service.db')}` : await ownDatabase(options.postgres) // prettier-ignore
  // the first makes the database
  const own = [await start(await configOf('1', storage, secret)), await start(await configOf('2', storage, secret))]
  const stock = [await start(), await start()]
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${secret}` }
  const status = await leasedStatus(own[0]?.address ?? '')
  const known = await chainOf(status)
  const upload = `${own[0]?.address ?? ''}/v1/chains/${leafOf(known)}`
  const { status: kept } = await fetch(upload, { method: 'PUT', headers, body: JSON.stringify(known) })
  if (kept !== 204) throw new Error(`the chain was not taken: ${kept}`)

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
      const seen = await load(row.servers.slice(0, row.processes), bodies, headers)
      if (round >= 0) row.found.push(seen)
    }
    rounds = round + 1
  }
  await report(rows, rounds)
}

/** Sends each body once, over connections that are kept. @param {readonly Server[]} servers @param {string[]} bodies @param {Record<string, string>} headers @returns {Promise<Window>} */
async function load(servers, bodies, headers) {
  const pools = servers.map(({ address }) => new Pool(address, { connections: CONNECTIONS / servers.length }))
  const count = bodies.length
  /** @type {number[]} */
  const took = []
  const before = await cpuOf(servers)
  const from = performance.now()
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, connection) => {
      const pool = pools[connection % pools.length]
      for (let body = bodies.pop(); body !== undefined && pool !== undefined; body = bodies.pop()) {
        const sent = performance.now()
        const answer = await pool.request({ method: 'POST', path: '/v1/verify', headers, body })
        const decision = /** @type {{ allow?: boolean, detail?: string }} */ (await answer.body.json())
        took.push(performance.now() - sent)
        if (decision.allow !== true) throw new Error(`${answer.statusCode} ${decision.detail ?? ''}`)
      }
    }),
  )
  const seconds = (performance.now() - from) / 1000
  const cpu = ((await cpuOf(servers)) - before) / count
  await Promise.all(pools.map(pool => pool.close()))
  const sorted = took.sort((a, b) => a - b)
  const at = (/** @type {number} */ part) => sorted[Math.ceil(sorted.length * part) - 1] ?? NaN
  return { rate: count / seconds, p50: at(0.5), p99: at(0.99), cpu }
}

/** Milliseconds. @param {readonly Server[]} servers */
async function cpuOf(servers) {
  const each = await Promise.all(servers.map(one => one.cpu()))
  return each.reduce((sum, one) => sum + one, 0)
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

/** A process: the service by its configuration, stock Veramo without. @param {readonly string[]} config @returns {Promise<Server>} */
async function start(...config) {
  const child = fork(fileURLToPath(new URL('http/server.js', import.meta.url)), config)
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  closing.push(async () => {
    process.off('exit', kill)
    if (child.exitCode !== null || !child.kill()) return
    await once(child, 'exit')
  })
  const gone = once(child, 'exit').then(() => Promise.reject(new Error('a server has ended')))
  gone.catch(() => undefined)
  /** What it says next. */
  const next = async () => {
    const said = /** @type {Promise<unknown[]>} */ (once(child, 'message'))
    return (await Promise.race([said, gone]))[0]
  }
  const address = await next()
  return {
    address: String(address),
    async cpu() {
      const answer = next()
      child.send('cpu')
      const { user, system } = /** @type {NodeJS.CpuUsage} */ (await answer)
      return (user + system) / 1000
    },
  }
}

/** An agent file for one of the processes that share a database. @param {string} name @param {string} storage @param {string} secret */
async function configOf(name, storage, secret) {
  const policy = join(folder, 'policy.json')
  await writeFile(policy, JSON.stringify({ self: SELF, roots: [ROOT] }))
  const template = await readFile(new URL('../agent.yml', import.meta.url), 'utf8')
  const secretHash = createHash('sha256').update(secret).digest('base64url')
  const block = {
    ...{ origin: ORIGIN, storage, keyFile: join(folder, 'service.key') },
    operator: `sqlite://${join(folder, 'operator.db')}`,
    audit: join(folder, `${name}.audit`),
    listen: { host: '127.0.0.1', port: 0 },
    resourceServers: [{ name: 'api', secretHash, policy }],
  }
  const config = join(folder, `${name}.yml`)
  // JSON is YAML
  await writeFile(config, template.replace(/^procura:\n(?:[ #].*\n|\n)*?(?=^\w)/m, `procura: ${JSON.stringify(block)}\n\n`)) // prettier-ignore
  return config
}

/** Where a status stands in a list of the service: that of a credential it issued. @param {string} address */
async function leasedStatus(address) {
  const storage = `sqlite://${join(folder, 'operator.db')}`
  const issuer = await openIssuer({ service: ORIGIN, storage, connect: { [ORIGIN]: address } })
  try {
    await issuer.register({ kind: 'person', did: ROOT.issuer, name: 'root' })
    const authority = { audience: [SELF], grants: [{ resource: `${SELF}/**`, actions: ['book'] }] }
    const { credential } = await issuer.grant({ to: ROOT.issuer, ttl: 3600, authority })
    /** @type {unknown} */
    const claims = JSON.parse(Buffer.from(credential.split('.')[1] ?? '', 'base64url').toString())
    const { credentialStatus: status } = /** @type {{ credentialStatus: object | object[] }} */ (claims)
    const entry = [status].flat().find(one => 'statusPurpose' in one && one.statusPurpose === 'revocation')
    if (entry === undefined) throw new Error('the service gave no status')
    return { issuer: { iss: /** @type {const} */ ('did:web:id.bench.example'), base: `${ORIGIN}/v1/status/` }, entry }
  } finally {
    await issuer.close()
  }
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
