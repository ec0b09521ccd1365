// PostgreSQL and Redis for a bench: those it is told, or its own, started from installed programs. Nothing stays in either.
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { freePorts } from '../test/drills/cluster/machine.mjs'
import * as installed from '../test/drills/cluster/servers.mjs'
import { ORIGIN } from './http/servers.js'

/**
 * @typedef {object} Databases
 * @property {boolean} isOwn
 * @property {string} redis
 * @property {() => Promise<string>} fresh a database that nobody has used
 * @property {() => number[]} pids of servers of one's own
 * @property {() => Promise<void>} close
 */

/** @param {{ postgres?: string | undefined, redis?: string | undefined }} told both or none @returns {Promise<Databases>} */
export async function openDatabases({ postgres, redis }) {
  if (postgres !== undefined && redis !== undefined) return { isOwn: false, pids: () => [], ...lodge(postgres, redis) } // prettier-ignore
  if (postgres !== redis) throw new Error('--postgres and --redis come together')
  const folder = await mkdtemp(join(tmpdir(), 'procura-bench-'))
  /** @type {(() => Promise<unknown>)[]} */
  const closing = [() => rm(folder, { recursive: true, force: true })]
  const close = async () => {
    for (const one of closing.splice(0).reverse()) await one()
  }
  try {
    // PostgreSQL runs as a user of its own
    await chmod(folder, 0o711)
    const [ofDatabase = 0, ofMemory = 0] = await freePorts(2)
    const places = { postgres: join(folder, 'postgres'), redis: join(folder, 'redis') }
    for (const place of Object.values(places)) await mkdir(place)
    const database = await installed.postgres(places.postgres, ofDatabase, ['shared_buffers=128MB'])
    const memory = installed.redis(places.redis, ofMemory)
    closing.push(
      () => database.crash(),
      () => memory.crash(),
    )
    await Promise.all([database.start(), memory.start()])
    const { redis: url, fresh } = lodge(database.url('postgres'), `redis://127.0.0.1:${ofMemory}`)
    return { isOwn: true, redis: url, fresh, pids: () => [database.pid(), memory.pid()], close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Databases on a server that is there. @param {string} postgres @param {string} redis */
function lodge(postgres, redis) {
  /** @type {string[]} */
  const made = []
  return {
    redis,
    fresh: async () => {
      const name = `procura_bench_${randomBytes(6).toString('hex')}`
      await administer(postgres, `CREATE DATABASE ${name}`)
      const url = Object.assign(new URL(postgres), { pathname: `/${name}` }).href
      made.push(name)
      return url
    },
    async close() {
      for (const name of made) {
        const url = Object.assign(new URL(postgres), { pathname: `/${name}` }).href
        const [row] = await administer(url, `SELECT value FROM installation WHERE name = 'id'`).catch(() => [])
        if (row !== undefined) await forget(redis, `procura:{${row.value}}:*`)
        await administer(postgres, `DROP DATABASE ${name} WITH (FORCE)`)
      }
      await forget(redis, `procura:calls:${ORIGIN}:*`)
    },
  }
}

/** @param {string} url @param {string} sql @returns {Promise<{ value: string }[]>} */
async function administer(url, sql) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = /** @type {{ rows: { value: string }[] }} */ (await client.query(sql))
    return rows
  } finally {
    await client.end()
  }
}

/** Takes keys away. @param {string} url @param {string} pattern */
export async function forget(url, pattern) {
  const redis = new Redis(url)
  for (let cursor = '0', keys = ['']; ;) {
    ;[cursor, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', 1000)
    if (keys.length > 0) await redis.unlink(keys)
    if (cursor === '0') break
  }
  redis.disconnect()
}
