// How many presentations are used up in a second, and how long one waits, where the state is kept.
//   npm run bench:state [-- --postgres postgres://…] [--redis redis://…] [--seconds 3] [--at-once 16]
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { Redis } from 'ioredis'
import { Keepers } from '../dist/adapters/store/keepers.js'
import { openStore } from '../dist/adapters/store/store.js'
import { systemClock, systemIds } from '../dist/adapters/system.js'
import { openState } from '../dist/entry/state.js'

const { values } = parseArgs({
  options: {
    postgres: { type: 'string' },
    redis: { type: 'string' },
    seconds: { type: 'string', default: '3' },
    'at-once': { type: 'string', default: '16' },
  },
})
const SECONDS = Number(values.seconds)
const AT_ONCE = Number(values['at-once'])
const ROUNDS = 3

/** @typedef {import('../dist/ports/deciding.js').Settlement} Settlement */

const now = () => systemClock.now()
/** @returns {Settlement} */
const use = () => ({
  uses: [{ key: `bench:${randomUUID()}`, issuedAt: now(), until: now() + 120 }],
  throttles: [],
  charges: [],
  hold: null,
  now: now(),
})
const account = `bench ${randomUUID()}`

/** What one call may take. @type {Readonly<Record<string, () => Settlement>>} */
const KINDS = {
  'a use': use,
  'a use under a rate': () => ({ ...use(), throttles: [{ account: `${account} rate`, max: 10 ** 9, per: 60 }] }),
  'a use and a charge': () => ({
    ...use(),
    charges: [{ account: `${account} ${randomUUID()}`, amount: 1, max: 10, unit: 'USD', until: now() + 600 }],
  }),
  'a use, one budget for all': () => ({
    ...use(),
    charges: [{ account, amount: 1, max: 10 ** 12, unit: 'USD', until: now() + 600 }],
  }),
}

const folder = mkdtempSync(join(tmpdir(), 'procura-bench-'))
/** @type {{ name: string, url: string, redis?: string }[]} */
const places = [{ name: 'SQLite', url: `sqlite://${join(folder, 'plain.db')}` }]
if (values.redis !== undefined) {
  places.push({ name: 'SQLite + Redis', url: `sqlite://${join(folder, 'redis.db')}`, redis: values.redis })
}
/** @type {string[]} */
const schemas = []
if (values.postgres !== undefined) {
  places.push({ name: 'PostgreSQL', url: await schemaAt(values.postgres) })
  if (values.redis !== undefined) {
    places.push({ name: 'PostgreSQL + Redis', url: await schemaAt(values.postgres), redis: values.redis })
  }
}

try {
  const opened = []
  for (const place of places) {
    const store = await openStore(place.url)
    opened.push({ ...place, store, shared: await openState(store, place.redis, systemClock, systemIds) })
  }
  console.log(`${AT_ONCE} at once, ${ROUNDS} rounds of ${SECONDS} s by turns; median of the rounds\n`)
  console.log('| State | One settles | a second | p50 ms | p99 ms |\n|---|---|---:|---:|---:|')
  for (const [kind, make] of Object.entries(KINDS)) {
    /** @type {Map<string, number[][]>} */
    const measured = new Map()
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const { name, shared } of opened) {
        measured.set(name, [...(measured.get(name) ?? []), await measure(shared.state.ledger, make)])
      }
    }
    for (const [name, rounds] of measured) {
      const [rate, p50, p99] = [0, 1, 2].map(at => median(rounds.map(round => round[at] ?? 0)))
      console.log(`| ${name} | ${kind} | ${rate?.toFixed(0)} | ${p50?.toFixed(2)} | ${p99?.toFixed(2)} |`)
    }
  }
  for (const { store, shared, redis } of opened) {
    const id = await new Keepers(store.dataSource, systemClock).installation()
    await shared.close()
    await store.close()
    if (redis !== undefined) await forget(redis, id)
  }
} finally {
  rmSync(folder, { recursive: true })
  for (const schema of schemas) await administer(`DROP SCHEMA ${schema} CASCADE`)
}

/**
 * Settles for a while. @returns calls a second, the middle of their times and the 99th of a hundred, in milliseconds
 *
 * @param {import('../dist/ports/deciding.js').Ledger} ledger @param {() => Settlement} make
 */
async function measure(ledger, make) {
  /** @type {number[]} */
  const times = []
  const begun = performance.now()
  const until = begun + SECONDS * 1000
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (performance.now() < until) {
        const settlement = make()
        const at = performance.now()
        if ((await ledger.settle(settlement)) !== null) throw new Error('it was refused')
        times.push(performance.now() - at)
      }
    }),
  )
  const rate = (times.length * 1000) / (performance.now() - begun)
  times.sort((a, b) => a - b)
  return [rate, times[Math.floor(times.length / 2)] ?? 0, times[Math.floor(times.length * 0.99)] ?? 0]
}

/** @param {readonly number[]} all */
function median(all) {
  return all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]
}

/** A schema of its own in that database. @param {string} url */
async function schemaAt(url) {
  const schema = `procura_bench_${randomUUID().replaceAll('-', '')}`
  await administer(`CREATE SCHEMA ${schema}`)
  schemas.push(schema)
  const changed = new URL(url)
  changed.searchParams.set('options', `-c search_path=${schema}`)
  return changed.href
}

/** @param {string} sql */
async function administer(sql) {
  const client = new pg.Client({ connectionString: values.postgres })
  await client.connect()
  await client.query(sql).finally(() => client.end())
}

/** Takes away what was left of an installation. @param {string} url @param {string} id */
async function forget(url, id) {
  const redis = new Redis(url)
  for (let cursor = '0', keys = ['']; ;) {
    ;[cursor, keys] = await redis.scan(cursor, 'MATCH', `procura:{${id}}:*`, 'COUNT', 1000)
    if (keys.length > 0) await redis.unlink(keys)
    if (cursor === '0') break
  }
  redis.disconnect()
}
