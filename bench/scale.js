// The constants of docs/scale.md: processor time, rows and bytes of each work of a service; what a status list and an event
// weigh; what an agent weighs in a wallet.
//   npm run bench:scale [-- 500]
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { signJws } from 'procura'
import { createClient } from 'procura/client'
import { remoteVerifier } from 'procura/verifier'
import { openWallet } from 'procura/wallet'
import { DataSource } from 'typeorm'
import { toListJson } from '../dist/status/list.js'
import { readAsMany } from './soak/load.js'
import { openService } from './soak/service.js'
import { delegated, GRANTS, leafOf, newParty, now, presented, proved, REQUEST, SELF } from './soak/tokens.js'

/** @import { Party } from './soak/tokens.js' */

const EACH = Number(process.argv[2] ?? 500)
/** Revocations in one call. */
const TOGETHER = 100
const READERS = 200
/** Works under way at once. */
const AT_ONCE = 16

const service = await openService({})
const folder = await mkdtemp(join(tmpdir(), 'procura-scale-'))
try {
  await works()
  await lists()
  await wallets()
} finally {
  await service.close()
  await rm(folder, { recursive: true })
}

async function works() {
  const { service: origin, address, secret, issuer, file } = service
  const connect = { [origin]: address }
  const database = await new DataSource({ type: 'sqlite', database: file }).initialize()
  const verifier = remoteVerifier({ self: SELF, service: origin, secret, connect })
  const anyone = createClient({ service: origin, connect })

  /** @param {string} name */
  async function pragma(name) {
    const [row] = /** @type {Record<string, number>[]} */ (await database.query(`PRAGMA ${name}`))
    return row?.[name]
  }

  /** Rows of each table, and bytes of all pages in use. */
  async function stored() {
    await database.query('PRAGMA wal_checkpoint(TRUNCATE)')
    const tables = /** @type {{ name: string }[]} */ (await database.query(`SELECT name FROM sqlite_master WHERE type = 'table'`)) // prettier-ignore
    /** @type {Map<string, number>} */
    const rows = new Map()
    for (const { name } of tables) {
      const [{ n }] = /** @type {[{ n: number }]} */ (await database.query(`SELECT count(*) AS n FROM "${name}"`))
      rows.set(name, n)
    }
    const [size, free] = await Promise.all(['page_count', 'freelist_count'].map(pragma))
    return { rows, bytes: ((size ?? 0) - (free ?? 0)) * 4096, records: await records() }
  }

  /** Records of the audit log. */
  async function records() {
    return Number(/^procura_audit_records (\d+)$/m.exec(await anyone.metrics())?.[1])
  }

  /** @template T @param {string} what @param {() => Promise<T>} work @param {number} [times] @returns {Promise<T[]>} */
  async function measure(what, work, times = EACH) {
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    const [before, held] = [await stored(), await service.ask({})]
    const done = /** @type {T[]} */ ([])
    let left = times
    const one = async () => {
      while (left-- > 0) done.push(await work())
    }
    await Promise.all(Array.from({ length: AT_ONCE }, one))
    const [{ cpu }, after] = [await service.ask({}), await stored()]
    const made = [...after.rows].flatMap(([name, n]) => {
      const more = (n - (before.rows.get(name) ?? 0)) / times
      return Math.abs(more) < 0.01 ? [] : [`${name} ${Number(more.toFixed(2))}`]
    })
    const [bytes, recorded] = [after.bytes - before.bytes, after.records - before.records].map(sum => sum / times)
    console.log(`| ${what} | ${((cpu - held.cpu) / times).toFixed(2)} | ${bytes?.toFixed(0)} | ${recorded?.toFixed(2)} | ${made.join(', ')} |`) // prettier-ignore
    return done
  }

  console.log(
    `| ${EACH} times | processor ms | bytes in the database | records of the audit log | rows |\n|---|---|---|---|---|`,
  )
  const parties = await measure('register an agent of an owner', async () => {
    const key = newParty()
    await issuer.register({ kind: 'person', did: key.did, name: randomUUID() })
    return key
  })
  const grant = (/** @type {number} */ ttl) => async () => {
    const to = parties[Math.floor(Math.random() * parties.length)] ?? newParty()
    const { credential } = await issuer.grant({ to: to.did, ttl, authority: { more: 2, audience: [SELF], grants: GRANTS } }) // prettier-ignore
    return { to, chain: [credential] }
  }
  const roots = await measure('grant a root for two hours', grant(7200))
  await measure('grant a root for five minutes', grant(300))
  const aRoot = () => /** @type {{ to: Party, chain: string[] }} */ (roots[Math.floor(Math.random() * roots.length)])
  const leases = await measure(
    'lease 32 status indexes',
    async () => {
      const { to, chain } = aRoot()
      const client = createClient({ service: origin, connect, signer: to })
      const { indexes } = await client.allocate({ body: { chain, count: 32 } })
      return indexes.map(place => ({ to, chain, place }))
    },
    EACH / 2,
  )
  const places = leases.flat()
  const fresh = async () => {
    const { to, chain } = aRoot()
    const key = newParty()
    return { key, chain: await delegated(chain, to, key, 290) }
  }
  const decided = async (/** @type {string | { proof: string }} */ shown) => {
    const decision = await verifier.decide(shown, REQUEST)
    if (!decision.allow) throw new Error(`${decision.code}: ${decision.detail}`)
  }
  await measure('an agent signs a hop for five minutes, unknown here', fresh)
  await measure('verify, a new chain of two', async () => {
    const { key, chain } = await fresh()
    await decided(await presented(key, chain))
  })
  const uploaded = await measure('hand a chain of two in', async () => {
    const one = await fresh()
    await verifier.keepChain(one.chain)
    return one
  })
  await measure('verify, by reference', async () => {
    const one = uploaded[Math.floor(Math.random() * uploaded.length)] ?? (await fresh())
    await decided({ proof: await proved(one.key, one.chain) })
  })
  await measure(
    'revoke a delegation the service never saw',
    async () => {
      const { to, chain, place } = /** @type {typeof places[number]} */ (places.pop())
      const client = createClient({ service: origin, connect, signer: to })
      const given = await delegated(chain, to, newParty(), 1800, place)
      await client.revoke({ body: { chain: given } })
    },
    Math.floor(EACH / 4),
  )
  const costOf = async () => {
    const before = await service.ask({})
    const revocations = roots.splice(0, TOGETHER).map(({ chain }) => leafOf(chain))
    await issuer.api.revoke({ body: { revocations } })
    // until the last reader has the last of it
    await setTimeout(2000)
    return (await service.ask({})).cpu - before.cpu
  }
  await costOf()
  const alone = await costOf()
  const leave = await readAsMany(address, READERS)
  const watched = await costOf()
  leave()
  console.log(`\n${TOGETHER} roots revoked in one call: ${(alone / TOGETHER).toFixed(2)} ms of processor each; with ${READERS} readers of the feed ${(((watched - alone) * 1000) / TOGETHER / READERS).toFixed(1)} µs more for each event and reader`) // prettier-ignore
  const { sets, heartbeat } = await anyone.events({ query: { after: '0', limit: '200' } })
  const event = sets.reduce((sum, token) => sum + token.length, 0) / sets.length
  console.log(`an event of the feed: ${event.toFixed(0)} bytes of token, ${(event + 'id: 1000000\ndata: \n\n'.length).toFixed(0)} on a stream; a heartbeat ${heartbeat.length + 'data: \n\n'.length}`) // prettier-ignore
  const [{ audit }, count] = [await service.sizes(), await records()]
  console.log(`a record of the audit log: ${(audit / count).toFixed(0)} bytes on the disk, of ${count}`)
  await database.destroy()
}

/** What a list weighs by its size and how much of it is set, at random. */
async function lists() {
  const did = /** @type {const} */ ('did:web:id.bench.example')
  const signer = { ...newParty(), did, kid: /** @type {const} */ (`${did}#${'0'.repeat(64)}`) }
  console.log('\n| bits | set | bytes of the token | milliseconds to pack and sign |\n|---|---|---|---|')
  for (const bits of [131_072, 1_048_576]) {
    for (const part of [0, 0.0001, 0.001, 0.01, 0.1]) {
      const bytes = new Uint8Array(bits / 8)
      for (let n = 0; n < bits * part; n += 1) {
        const index = randomBytes(4).readUInt32BE() % bits
        bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (0x80 >> (index & 7))
      }
      const make = () => signJws(toListJson(`https://id.bench.example/v1/status/${'0'.repeat(16)}`, did, bytes, 1000, now(), 'revocation'), 'vc+jwt', signer) // prettier-ignore
      await make()
      const from = performance.now()
      for (let n = 0; n < 20; n += 1) await make()
      const took = (performance.now() - from) / 20
      console.log(`| ${bits} | ${part * 100} % | ${(await make()).length} | ${took.toFixed(2)} |`)
    }
  }
}

/** Bytes of an ephemeral agent in a wallet, and of a delegation that it gives. */
async function wallets() {
  const file = join(folder, 'wallet.db')
  const wallet = await openWallet({ storage: `sqlite://${file}`, roots: [] })
  const size = async () => (await stat(file)).size
  const database = await new DataSource({ type: 'sqlite', database: file }).initialize()
  const settle = () => database.query('PRAGMA wal_checkpoint(TRUNCATE)')
  await settle()
  const before = await size()
  const [many, used] = [EACH * 10, process.cpuUsage()]
  const make = () => wallet.createAgent({ name: randomUUID(), ephemeral: true, ttl: '1h' })
  for (let n = 0; n < many; n += 32) await Promise.all(Array.from({ length: 32 }, make))
  const { user, system } = process.cpuUsage(used)
  await settle()
  console.log(`\nan ephemeral agent in a wallet: ${(((await size()) - before) / many).toFixed(0)} bytes, ${((user + system) / 1000 / many).toFixed(2)} ms of processor`) // prettier-ignore
  await database.destroy()
  await wallet.close()
}
