// An hour of everything at once against the service as `procura serve` runs it, sampled every 30 s: what it holds after a
// garbage collection, descriptors, how late its event loop is, how its files grow. Ends with 1 if something grows without
// bound (bench/soak/growth.js says by which rule), an answer was other than due, or one in twenty never came.
//   npm run soak [-- --minutes 60] [--rate 40] [--json FILE] [--svg FILE] [--snapshot FILE] [--storage postgres://…] [--state redis://…]
import { readdir, writeFile } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { isProcuraError } from 'procura'
import { createLoad, readFeed } from './soak/load.js'
import { chartOf, figuresOf, lineOf, tableOf } from './soak/report.js'
import { openService } from './soak/service.js'

/** @import { Sample } from './soak/report.js' */
/** @typedef {keyof Awaited<ReturnType<typeof createLoad>>} Work */

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
/** Seconds between two samples. */
const PERIOD = Math.min(30, SECONDS / 20)
/** Works under way at once; more are left out, and counted. */
const MOST = 64

/** What a defect of the service is told as. */
const DEFECT = /INTERNAL|as documented|status 500/

/** Of a hundred works, how many are which. @type {Readonly<Record<Work, number>>} */
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
const DECK = Object.entries(SHARES).flatMap(([name, share]) =>
  Array.from({ length: share }, () => /** @type {Work} */ (name)),
)

const service = await openService(options)
try {
  await soak()
} finally {
  await service.close()
}

async function soak() {
  const works = await createLoad(service)
  /** @type {Map<string, { begun: number, took: number[] }>} */
  const counts = new Map()
  /** @type {Map<string, number>} */
  const wrong = new Map()
  let [requests, underWay, leftOut, unanswered] = [0, 0, 0, 0]
  const run = async (/** @type {Work} */ name) => {
    const count = counts.get(name) ?? { begun: 0, took: [] }
    counts.set(name, count)
    count.begun += 1
    requests += 1
    underWay += 1
    const from = performance.now()
    await works[name]().catch((/** @type {unknown} */ error) => {
      // no answer in time: the machine is busy, or the service has a fault; either way it is told
      if (isProcuraError(error) && error.code === 'SERVICE_UNAVAILABLE' && !DEFECT.test(error.message)) {
        unanswered += 1
        return
      }
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
  const readers = readFeed(service.address, reading.signal)
  const begun = performance.now()
  /** @type {Sample[]} */
  const samples = []
  const sample = async () => {
    const held = await service.ask({})
    const [descriptors, sizes] = [(await readdir(`/proc/${service.pid}/fd`)).length, await service.sizes()]
    const seconds = (performance.now() - begun) / 1000
    const one = { ...held, ...sizes, seconds, requests, descriptors, leftOut, unanswered, load: loadavg()[0] ?? 0 }
    samples.push(one)
    if (samples.length % 10 === 1) console.log(lineOf(one))
  }
  await sample()
  let sampling = Promise.resolve()
  for (let tick = 1; tick < SECONDS * RATE; tick += 1) {
    const wait = begun + (tick * 1000) / RATE - performance.now()
    if (wait > 0) await setTimeout(wait)
    if (underWay >= MOST) leftOut += 1
    else void run(DECK[Math.floor(Math.random() * DECK.length)] ?? 'a status list')
    if (tick % Math.round(PERIOD * RATE) === 0) sampling = sampling.then(sample)
  }
  await sampling
  await sample()
  if (options.snapshot !== undefined) await service.ask({ snapshot: options.snapshot })
  reading.abort()
  await readers
  while (underWay > 0) await setTimeout(50)

  const figures = figuresOf(samples, counts, wrong)
  const backends = `${options.storage === undefined ? 'SQLite' : 'PostgreSQL'}${options.state === undefined ? '' : ' and Redis'}`
  console.log(`\n${tableOf(figures, backends)}`)
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify({ backends, ...figures }, null, 2)}\n`)
  if (options.svg !== undefined) await writeFile(options.svg, chartOf(samples))
  if (wrong.size > 0 || unanswered > requests / 20 || figures.growth.some(({ grows }) => grows)) process.exitCode = 1
}

/** Sixteen at once. @param {number} times @param {() => Promise<unknown>} work */
async function repeated(times, work) {
  let left = times
  const one = async () => {
    while (left-- > 0) await work()
  }
  await Promise.all(Array.from({ length: 16 }, one))
}
