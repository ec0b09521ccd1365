import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { prepareCuts } from './faults.mjs'
import { openJournal } from './journal.mjs'
import { API } from './load.mjs'
import { freePorts, ownFolder, tmpfs, until } from './machine.mjs'
import { haproxy, postgres, redis } from './servers.mjs'
import { agentFile, member } from './services.mjs'

export const ORIGIN = 'https://id.drill.example'
const CHECKS = 'https://check.drill.example'
/** How much an action may harm, and so how old a status may be. */
const RISK = { read: 'low', book: 'medium', pay: 'high', erase: 'critical', buy: 'low' }
const MANY = { max: 10_000, per: 60 }

/**
 * Two services behind a proxy, four processes each, on one PostgreSQL server, and on Redis if `state` says so: one
 * issues, the other one decides for a resource server that trusts the first, and knows it over the network only.
 *
 * @param {{ state: 'postgres' | 'redis', processes?: number }} options `processes`: of each service
 */
export async function startCluster({ state, processes = 4 }) {
  const folder = await ownFolder()
  const disks = { database: await tmpfs('192m'), audit: await tmpfs('256m') }
  prepareCuts()
  const [front = 0, back = 0, between = 0, ofDatabase = 0, ofMemory = 0, ...own] = await freePorts(5 + 2 * processes)
  const ports = { front, back, between }
  const tell = openJournal(join(folder, 'faults.jsonl'))
  const secret = randomBytes(32).toString('base64url')

  const database = await postgres(disks.database, ofDatabase)
  await database.start()
  for (const name of ['issuers', 'verifiers']) await administer(database.url('postgres'), `CREATE DATABASE ${name}`)
  const memory = state === 'redis' ? redis(folder, ofMemory) : null
  await memory?.start()

  const policy = join(folder, 'policy.json')
  const issuer = `did:web:${new URL(ORIGIN).host}`
  await writeFile(
    policy,
    JSON.stringify({
      self: API,
      roots: [{ issuer, grants: [{ resource: `${API}/**`, actions: Object.keys(RISK) }] }],
      risk: RISK,
      feeds: [{ issuer, url: `${ORIGIN}/v1/events` }],
    }),
  )
  /** @param {string} name @param {string} origin */
  const blockOf = (name, origin) => ({
    origin,
    storage: database.url(name),
    ...(memory === null ? {} : { state: `redis://127.0.0.1:${memory.port}` }),
    keyFile: join(folder, `${name}.key`),
    operator: `sqlite://${join(folder, name === 'issuers' ? 'operator.db' : `${name}-operator.db`)}`,
    audit: join(disks.audit, name),
    listen: { host: '127.0.0.1', port: 0 },
    limits: {
      leases: MANY,
      identities: MANY,
      strangers: { max: 1_000_000, per: 60 },
      subjects: { max: 1_000_000, per: 60 },
    },
  })
  const secretHash = createHash('sha256').update(secret).digest('base64url')
  const files = {
    issuers: agentFile(folder, 'issuers', blockOf('issuers', ORIGIN)),
    verifiers: agentFile(folder, 'verifiers', {
      ...blockOf('verifiers', CHECKS),
      connect: { [ORIGIN]: `http://127.0.0.1:${between}` },
      resourceServers: [{ name: 'api', secretHash, policy }],
    }),
  }
  /** @param {'issuers' | 'verifiers'} kind @param {number} n */
  const memberOf = (kind, n) =>
    member({
      name: `${kind}-${n}`,
      folder,
      config: files[kind],
      port: own[kind === 'issuers' ? n : processes + n] ?? 0,
      audit: join(disks.audit, `${kind}-${n}`),
      // one of each has a clock that can be set
      hasClock: n === processes - 1,
      tell,
    })
  const numbers = Array.from({ length: processes }, (_, n) => n)
  const issuers = numbers.map(n => memberOf('issuers', n))
  const verifiers = numbers.map(n => memberOf('verifiers', n))
  const all = [...issuers, ...verifiers]
  // the first makes key file and tables
  for (const [first, ...others] of [issuers, verifiers]) {
    first?.start()
    await until(async () => first?.isReady() ?? false, `${first?.name} is ready`)
    for (const other of others) other.start()
  }
  await until(
    async () => (await Promise.all(all.map(one => one.isReady()))).every(Boolean),
    'all processes are ready',
    90,
  )
  const [a, b] = [issuers, verifiers].map(members => members.map(({ port }) => port))
  const proxy = await haproxy(folder, [
    { name: 'issuers', port: front, host: new URL(ORIGIN).host, ports: a ?? [] },
    { name: 'between', port: between, host: new URL(ORIGIN).host, ports: a ?? [] },
    { name: 'verifiers', port: back, host: new URL(CHECKS).host, ports: b ?? [] },
  ])
  await proxy.start()
  await mkdir(join(folder, 'checkpoints'))
  await writeFile(
    join(folder, 'cluster.json'),
    JSON.stringify({
      databases: { issuers: database.url('issuers'), verifiers: database.url('verifiers') },
      logs: { issuers: issuers.map(one => one.audit), verifiers: verifiers.map(one => one.audit) },
      statusBase: `${ORIGIN}/v1/status/`,
      risk: RISK,
    }),
  )
  return {
    ...{ folder, disks, ports, database, memory, proxy, issuers, verifiers, secret, tell, files },
    addresses: { issuers: `http://127.0.0.1:${front}`, verifiers: `http://127.0.0.1:${back}` },
    allReady: async () => (await Promise.all(all.map(one => one.isReady()))).every(Boolean),
    async close() {
      await Promise.all(all.map(one => one.close()))
    },
  }
}

/** @param {string} url @param {string} sql */
async function administer(url, sql) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql).finally(() => client.end())
}
