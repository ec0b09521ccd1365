// How many status indexes are handed out in a second, by one process and by four on one database.
//   npm run bench:allocation [-- --postgres postgres://…]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { openStore } from '../dist/adapters/store/store.js'

const SECONDS = 3
const AT_ONCE = 4
const BLOCKS = [1, 16, 256]

const { values, positionals } = parseArgs({ options: { postgres: { type: 'string' } }, allowPositionals: true })
if (positionals.length > 0) await child(positionals)
else await parent()

/** Leases until told to stop, and says how many indexes it got. @param {string[]} asked */
async function child([url = '', block = '1', name = '']) {
  const store = await openStore(url, 1_048_576)
  process.send?.('ready')
  await once(process, 'message')
  const until = performance.now() + SECONDS * 1000
  const now = Math.floor(Date.now() / 1000)
  let got = 0
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (performance.now() < until) {
        const wanted = { issuer: /** @type {const} */ (`did:web:${name}.example`), count: Number(block) }
        const { indexes } = await store.statusRows.lease({ ...wanted, purpose: 'revocation', validUntil: now, now })
        got += indexes.length
      }
    }),
  )
  await store.close()
  process.send?.(got)
  process.disconnect()
}

async function parent() {
  const folder = mkdtempSync(join(tmpdir(), 'procura-bench-'))
  try {
    let n = 0
    await table('SQLite', () => Promise.resolve(`sqlite://${join(folder, `${(n += 1)}.db`)}`))
  } finally {
    rmSync(folder, { recursive: true })
  }
  const server = values.postgres
  if (server === undefined) return
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  /** @type {string[]} */
  const made = []
  try {
    await table('PostgreSQL', async () => {
      const schema = `procura_bench_${process.pid}_${made.push('')}`
      made[made.length - 1] = schema
      await client.query(`CREATE SCHEMA ${schema}`)
      const url = new URL(server)
      url.searchParams.set('options', `-c search_path=${schema}`)
      return url.href
    })
  } finally {
    for (const schema of made) await client.query(`DROP SCHEMA ${schema} CASCADE`)
    await client.end()
  }
}

/** @param {string} engine @param {() => Promise<string>} place */
async function table(engine, place) {
  for (const processes of [1, 4]) {
    for (const block of BLOCKS) {
      const rate = await measure(await place(), processes, block)
      const who = `${processes} process${processes === 1 ? '' : 'es'}`
      console.log(`${engine.padEnd(11)} ${who.padEnd(12)} blocks of ${String(block).padStart(3)} ${String(Math.round(rate)).padStart(8)} indexes/s`) // prettier-ignore
    }
  }
}

/** @param {string} url @param {number} processes @param {number} block */
async function measure(url, processes, block) {
  await (await openStore(url, 1_048_576)).close()
  const children = Array.from({ length: processes }, (_, n) =>
    fork(fileURLToPath(import.meta.url), [url, String(block), `issuer-${n}`]),
  )
  const said = () => Promise.all(children.map(async one => Number((await once(one, 'message'))[0]) || 0))
  await said()
  const counts = said()
  for (const one of children) one.send('go')
  return (await counts).reduce((sum, got) => sum + got, 0) / SECONDS
}
