// An hour of everything at once against the service as `procura serve` runs it, sampled every 30 s: what it holds after a
// garbage collection, descriptors, how late its event loop is, how its files grow. Ends with 1 if something grows without
// bound (bench/soak/growth.js says by which rule), or an answer was other than due.
//   npm run soak [-- --minutes 60] [--rate 40] [--json FILE] [--svg FILE] [--snapshot FILE] [--storage postgres://…] [--state redis://…]
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import pg from 'pg'
import { openIssuer } from 'procura/issuer'
import { growthOf, median, WATCHED } from './soak/growth.js'
import { createLoad, readFeed } from './soak/load.js'
import { GRANTS, SELF } from './soak/tokens.js'

/** @import { Point } from './soak/growth.js' */
/** @import { Held } from './soak/probe.js' */
/** @typedef {Point & Held & { late: number, database: number, audit: number, load: number }} Sample */
/** @typedef {Awaited<ReturnType<typeof createLoad>>} Works */

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '40' },
    fill: { type: 'string', default: '10000' },
    json: { type: 'string' },
    svg: { type: 'string' },
    snapshot: { type: 'string' },
    storage: { type: 'string' },
    state: { type: 'string' },
  },
})
const SECONDS = Number(options.minutes) * 60
/** Works begun in a second, however long they take. */
const RATE = Number(options.rate)
/** Chains, and twice as many strangers, that fill the caches before the clock runs. */
const FILL = Number(options.fill)
const PERIOD = Math.min(30, SECONDS / 20)
/** Works under way at once; more are left out, and counted. */
const MOST = 64

/** Of a hundred works, how many are which. @type {Readonly<Record<keyof Works, number>>} */
const SHARES = {
  'verify, a new chain': 22,
  'verify, a known chain': 22,
  'verify, by reference': 17,
  'hand a chain in': 4,
  'refuse: used before': 4,
  'refuse: another action': 3,
  'refuse: taken back': 3,
  'refuse: a stranger calls': 4,
  'reserve, then commit or release': 4,
  'register and grant': 2,
  'lease and delegate': 3,
  'take a delegation back': 2,
  'a page of the feed': 3,
  'a status list': 4,
  'ask the audit log': 1,
  'metadata, document, probes, figures': 2,
}

const service = `https://id-${randomBytes(4).toString('hex')}.bench.example`
const folder = await mkdtemp(join(tmpdir(), 'procura-soak-'))
/** @type {(() => unknown)[]} */
const closing = [() => rm(folder, { recursive: true, force: true })]
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
try {
  await soak()
} finally {
  for (const close of closing.splice(0).reverse()) await close()
}

async function soak() {
  const secret = randomBytes(32).toString('base64url')
  const database = options.storage === undefined ? null : await ownDatabase(options.storage)
  const child = await start(await configOf(secret, database?.url ?? `sqlite://${join(folder, 'service.db')}`))
  const { address } = child
  const storage = `sqlite://${join(folder, 'operator.db')}`
  const issuer = await openIssuer({ service, storage, connect: { [service]: address } })
  closing.push(() => issuer.close())
  if (options.state !== undefined) closing.push(() => forget(options.state ?? ''))
  const works = await createLoad({ service, address, secret, issuer })

  /** @type {Map<string, { begun: number, took: number[] }>} */
  const counts = new Map()
  /** @type {Map<string, number>} */
  const wrong = new Map()
  let [requests, underWay, leftOut] = [0, 0, 0]
  const run = async (/** @type {keyof Works} */ name) => {
    const count = counts.get(name) ?? { begun: 0, took: [] }
    counts.set(name, count)
    count.begun += 1
    requests += 1
    underWay += 1
    const from = performance.now()
    await works[name]().catch((/** @type {unknown} */ error) => {
      const what = `${name}: ${error instanceof Error ? error.message : String(error)}`
      wrong.set(what, (wrong.get(what) ?? 0) + 1)
    })
    count.took.push(performance.now() - from)
    underWay -= 1
  }

  console.log(`${new Date().toISOString().slice(0, 16)} fills caches: ${FILL} chains, ${2 * FILL} strangers`)
  await repeated(FILL, () => run('verify, a new chain'))
  await repeated(2 * FILL, () => run('refuse: a stranger calls'))
  counts.clear()
  requests = 0

  const reading = new AbortController()
  const readers = readFeed(address, reading.signal)
  const begun = performance.now()
  const deck = Object.entries(SHARES).flatMap(([name, share]) => Array.from({ length: share }, () => /** @type {keyof Works} */ (name))) // prettier-ignore
  /** @type {Sample[]} */
  const samples = []
  const sample = async () => {
    const held = await child.ask({})
    const [descriptors, sizes] = [(await readdir(`/proc/${child.pid}/fd`)).length, await sizesOf(database)]
    const seconds = (performance.now() - begun) / 1000
    const one = { ...held, ...sizes, seconds, requests, descriptors, late: leftOut, load: loadavg()[0] ?? 0 }
    samples.push(one)
    if (samples.length % 10 === 1) print(one)
  }
  await sample()
  let sampling = Promise.resolve()
  for (let tick = 1; (tick * 1000) / RATE < SECONDS * 1000; tick += 1) {
    const due = begun + (tick * 1000) / RATE
    const wait = due - performance.now()
    if (wait > 0) await setTimeout(wait)
    if (underWay >= MOST) leftOut += 1
    else void run(deck[Math.floor(Math.random() * deck.length)] ?? 'a status list')
    if (tick % Math.round(PERIOD * RATE) === 0) sampling = sampling.then(sample)
  }
  await sampling
  await sample()
  if (options.snapshot !== undefined) await child.ask({ snapshot: options.snapshot })
  reading.abort()
  await readers
  while (underWay > 0) await setTimeout(50)
  await report(samples, counts, wrong)
}

/** @param {Sample} one */
function print({ seconds, requests, heap, rss, descriptors, lag50, lag99, load }) {
  console.log(`${String(Math.round(seconds)).padStart(5)} s ${String(requests).padStart(7)} works  heap ${mib(heap)}  rss ${mib(rss)}  descriptors ${descriptors}  lag ${lag50.toFixed(1)} / ${lag99.toFixed(1)} ms  load ${load.toFixed(1)}`) // prettier-ignore
}

/** @param {number} bytes */
function mib(bytes) {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}

/** @param {readonly Sample[]} samples @param {ReadonlyMap<string, { begun: number, took: number[] }>} counts @param {ReadonlyMap<string, number>} wrong */
async function report(samples, counts, wrong) {
  const machine = { date: new Date().toISOString().slice(0, 10), node: process.version, cores: cpus().length, model: cpus()[0]?.model, load: median(samples.map(({ load }) => load)) } // prettier-ignore
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) throw new Error('nothing was sampled')
  const quarter = samples.slice(-Math.max(1, Math.floor(samples.length / 4)))
  const growth = WATCHED.map(what => ({ what, ...growthOf(samples, what) }))
  const [works, seconds] = [last.requests - first.requests, last.seconds - first.seconds]
  const cpu = (last.cpu - first.cpu) / works
  const lag = { p50: median(samples.map(({ lag50 }) => lag50)), p99: median(samples.map(({ lag99 }) => lag99)), max: Math.max(...samples.map(({ lagMax }) => lagMax)) } // prettier-ignore
  const perWork = { database: (last.database - first.database) / works, audit: (last.audit - first.audit) / works }
  const latency = [...counts].map(([name, { begun, took }]) => {
    const sorted = took.sort((a, b) => a - b)
    const at = (/** @type {number} */ part) => sorted[Math.ceil(sorted.length * part) - 1] ?? NaN
    return { name, begun, p50: at(0.5), p99: at(0.99) }
  })

  console.log(`\n${machine.date}, Node ${machine.node}, ${machine.cores} × ${machine.model}, load ${machine.load.toFixed(1)}; ${options.storage === undefined ? 'SQLite' : 'PostgreSQL'}${options.state === undefined ? '' : ' and Redis'}`) // prettier-ignore
  console.log(`${(seconds / 60).toFixed(0)} min, ${works} works (${last.late} left out), ${cpu.toFixed(2)} ms of processor each; event loop late ${lag.p50.toFixed(1)} ms p50, ${lag.p99.toFixed(1)} ms p99 (medians), ${lag.max.toFixed(0)} ms at worst; ${perWork.database.toFixed(0)} bytes of database and ${perWork.audit.toFixed(0)} bytes of audit log a work\n`) // prettier-ignore
  console.log('| | first quarter | last quarter | an hour | a work | |\n|---|---|---|---|---|---|')
  for (const { what, first: from, last: to, perHour, perRequest, grows } of growth) {
    const isBytes = !['descriptors', 'handles'].includes(what)
    const show = (/** @type {number} */ value) => (isBytes ? mib(value) : value.toFixed(0))
    const each = isBytes ? `${perRequest.toFixed(0)} bytes` : perRequest.toFixed(4)
    console.log(`| ${what} | ${show(from)} | ${show(to)} | ${show(perHour)} | ${each} | ${grows ? 'GROWS' : 'holds'} |`)
  }
  console.log('\n| work | times | p50 ms | p99 ms |\n|---|---|---|---|')
  for (const { name, begun, p50, p99 } of latency) console.log(`| ${name} | ${begun} | ${p50.toFixed(1)} | ${p99.toFixed(1)} |`) // prettier-ignore
  for (const [what, times] of wrong) console.log(`\nother than due, ${times} times: ${what}`)
  if (options.json !== undefined) {
    const all = { machine, options, works, seconds, cpu, lag, perWork, growth, latency, wrong: Object.fromEntries(wrong), lastQuarterFrom: quarter[0]?.seconds, samples } // prettier-ignore
    await writeFile(options.json, `${JSON.stringify(all, null, 2)}\n`)
  }
  if (options.svg !== undefined) await writeFile(options.svg, chartOf(samples))
  if (wrong.size > 0 || growth.some(({ grows }) => grows)) process.exitCode = 1
}

/** Heap after collections and resident memory over time. @param {readonly Sample[]} samples */
function chartOf(samples) {
  const [width, height, left] = [640, 220, 56]
  const end = samples.at(-1)?.seconds ?? 1
  const top = Math.max(...samples.map(({ rss }) => rss)) * 1.1
  const x = (/** @type {number} */ seconds) => (left + ((width - left - 8) * seconds) / end).toFixed(1)
  const y = (/** @type {number} */ bytes) => (height - 24 - ((height - 40) * bytes) / top).toFixed(1)
  const line = (/** @type {'heap' | 'rss'} */ what, /** @type {string} */ colour) =>
    `<polyline fill="none" stroke="${colour}" points="${samples.map(one => `${x(one.seconds)},${y(one[what])}`).join(' ')}"/>`
  const text = (/** @type {string} */ at, /** @type {string} */ down, /** @type {string} */ said) => `<text x="${at}" y="${down}">${said}</text>` // prettier-ignore
  const marks = [0, 0.5, 1].map(part => text('2', y((top / 1.1) * part), mib((top / 1.1) * part)))
  const times = [0, 0.5, 1].map(part => text(x(end * part * 0.94), String(height - 6), `${Math.round((end * part) / 60)} min`)) // prettier-ignore
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="10">
${line('rss', '#888')}
${line('heap', '#06c')}
${[...marks, ...times].join('\n')}
<text x="${left + 8}" y="12"><tspan fill="#888">resident memory</tspan> <tspan fill="#06c">heap after a collection</tspan></text>
</svg>
`
}

/** @param {number} times @param {() => Promise<unknown>} work */
async function repeated(times, work) {
  let left = times
  const one = async () => {
    while (left-- > 0) await work()
  }
  await Promise.all(Array.from({ length: 16 }, one))
}

/** @param {{ size: () => Promise<number> } | null} database */
async function sizesOf(database) {
  let [files, audit] = [0, 0]
  for (const name of await readdir(folder, { recursive: true })) {
    const { size } = await stat(join(folder, name)).catch(() => ({ size: 0 }))
    if (name.startsWith('service.db')) files += size
    if (name.startsWith('service.audit')) audit += size
  }
  return { database: database === null ? files : await database.size(), audit }
}

/** An agent file; every limit on calls is out of the way. @param {string} secret @param {string} storage */
async function configOf(secret, storage) {
  const policy = join(folder, 'policy.json')
  const issuer = `did:web:${new URL(service).host}`
  await writeFile(policy, JSON.stringify({ self: SELF, roots: [{ issuer, grants: GRANTS }] }))
  const template = await readFile(new URL('../agent.yml', import.meta.url), 'utf8')
  const [often, more] = [
    { max: 10_000, per: 60 },
    { max: 100_000_000, per: 60 },
  ]
  const block = {
    ...{ origin: service, storage, keyFile: join(folder, 'service.key'), audit: join(folder, 'service.audit') },
    ...(options.state === undefined ? {} : { state: options.state }),
    operator: `sqlite://${join(folder, 'operator.db')}`,
    listen: { host: '127.0.0.1', port: 0 },
    resourceServers: [{ name: 'api', secretHash: createHash('sha256').update(secret).digest('base64url'), policy }],
    limits: { identities: often, leases: often, chains: often, strangers: more, subjects: more, resourceServers: more },
    telemetry: { metrics: true },
  }
  const config = join(folder, 'agent.yml')
  // JSON is YAML
  await writeFile(config, template.replace(/^procura:\n(?:[ #].*\n|\n)*?(?=^\w)/m, `procura: ${JSON.stringify(block)}\n\n`)) // prettier-ignore
  return config
}

/** The service as `procura serve` runs it, with a probe inside. @param {string} config */
async function start(config) {
  const [program, probe] = ['../dist/entry/cli.js', './soak/probe.js'].map(path => new URL(path, import.meta.url))
  const flags = ['--expose-gc', '--import', String(probe)]
  const child = spawn(process.execPath, [...flags, fileURLToPath(program ?? ''), 'serve', '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  closing.push(async () => {
    process.off('exit', kill)
    if (child.exitCode !== null) return
    child.kill()
    await once(child, 'exit')
  })
  /** @type {Promise<never>} */
  const gone = once(child, 'exit').then(() => Promise.reject(new Error('the service has ended')))
  gone.catch(() => undefined)
  const ask = async (/** @type {{ snapshot?: string }} */ what) => {
    const answer = /** @type {Promise<[Held]>} */ (once(child, 'message'))
    child.send(what)
    return (await Promise.race([answer, gone]))[0]
  }
  for await (const line of createInterface(/** @type {import('node:stream').Readable} */ (child.stdout))) {
    const [, address] = /^procura listens on (\S+)/.exec(line) ?? []
    if (address !== undefined) return { address, pid: child.pid ?? 0, ask }
  }
  throw new Error('the service did not start')
}

/** A database of its own on that server, dropped at the end. @param {string} url */
async function ownDatabase(url) {
  const name = `procura_soak_${randomBytes(6).toString('hex')}`
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  closing.push(async () => {
    await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
    await client.end()
  })
  return {
    url: Object.assign(new URL(url), { pathname: `/${name}` }).href,
    async size() {
      const { rows } = await client.query(`SELECT pg_database_size('${name}') AS size`)
      return Number(/** @type {{ size: string }[]} */ (rows)[0]?.size)
    },
  }
}

/** Deletes what the service counted there. @param {string} url */
async function forget(url) {
  const redis = new Redis(url)
  for (let cursor = '0', first = true; first || cursor !== '0'; first = false) {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `*${service}*`, 'COUNT', 1000)
    if (keys.length > 0) await redis.del(...keys)
    cursor = next
  }
  await redis.quit()
}
