// The service as `procura serve` runs it, in a process and a folder of its own, with a probe inside.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import pg from 'pg'
import { openIssuer } from 'procura/issuer'
import { GRANTS, SELF } from './tokens.js'

/** @import { Held } from './probe.js' */
/** @typedef {{ storage?: string | undefined, state?: string | undefined }} Backends URLs of servers; SQLite and the process itself unless given */
/** @typedef {{ url: string, size: () => Promise<number>, drop: () => Promise<void> }} Database */

/**
 * Starts it; no limit on calls stands in the way. What it made anywhere is gone when it is closed, also by a signal.
 *
 * @param {Backends} backends
 */
export async function openService({ storage, state }) {
  const service = `https://id-${randomBytes(4).toString('hex')}.bench.example`
  const folder = await mkdtemp(join(tmpdir(), 'procura-soak-'))
  const secret = randomBytes(32).toString('base64url')
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const database = storage === undefined ? null : await ownDatabase(storage)
  const config = await configOf(folder, {
    ...{ origin: service, storage: database?.url ?? `sqlite://${join(folder, 'service.db')}` },
    ...(state === undefined ? {} : { state }),
    resourceServers: [{ name: 'api', secretHash: createHash('sha256').update(secret).digest('base64url') }],
  })
  const child = await start(config)
  const operator = `sqlite://${join(folder, 'operator.db')}`
  const issuer = await openIssuer({ service, storage: operator, connect: { [service]: child.address } })
  return {
    ...{ ...child, service, secret, issuer },
    /** Bytes of database and audit log. */
    async sizes() {
      let [files, audit] = [0, 0]
      for (const name of await readdir(folder, { recursive: true })) {
        const { size } = await stat(join(folder, name)).catch(() => ({ size: 0 }))
        if (name.startsWith('service.db')) files += size
        if (name.startsWith('service.audit')) audit += size
      }
      return { database: (await database?.size()) ?? files, audit }
    },
    /** The file of the database; a server has none. */
    file: join(folder, 'service.db'),
    async close() {
      await issuer.close()
      await child.end()
      await database?.drop()
      if (state !== undefined) await forget(state, service)
    },
  }
}

/** @param {string} folder @param {{ resourceServers: object[] }} block */
async function configOf(folder, { resourceServers, ...block }) {
  const { origin } = /** @type {{ origin: string }} */ (/** @type {unknown} */ (block))
  const policy = join(folder, 'policy.json')
  await writeFile(policy, JSON.stringify({ self: SELF, roots: [{ issuer: `did:web:${new URL(origin).host}`, grants: GRANTS }] })) // prettier-ignore
  const [often, always] = [10_000, 100_000_000].map(max => ({ max, per: 60 }))
  const whole = {
    ...block,
    ...{ keyFile: join(folder, 'service.key'), audit: join(folder, 'service.audit') },
    operator: `sqlite://${join(folder, 'operator.db')}`,
    listen: { host: '127.0.0.1', port: 0 },
    resourceServers: resourceServers.map(one => ({ ...one, policy })),
    limits: { identities: often, leases: often, chains: often, strangers: always, subjects: always, resourceServers: always }, // prettier-ignore
    telemetry: { metrics: true },
  }
  const template = await readFile(new URL('../../agent.yml', import.meta.url), 'utf8')
  const config = join(folder, 'agent.yml')
  // JSON is YAML
  await writeFile(config, template.replace(/^procura:\n(?:[ #].*\n|\n)*?(?=^\w)/m, `procura: ${JSON.stringify(whole)}\n\n`)) // prettier-ignore
  return config
}

/** @param {string} config */
async function start(config) {
  const program = fileURLToPath(new URL('../../dist/entry/cli.js', import.meta.url))
  const flags = ['--expose-gc', '--import', new URL('probe.js', import.meta.url).href]
  const child = spawn(process.execPath, [...flags, program, 'serve', '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  /** @type {Promise<never>} */
  const gone = once(child, 'exit').then(() => Promise.reject(new Error('the service has ended')))
  gone.catch(() => undefined)
  /** What it holds; with `snapshot`, after a heap snapshot was written to that file. @param {{ snapshot?: string }} what */
  const ask = async what => {
    const answer = /** @type {Promise<[Held]>} */ (once(child, 'message'))
    child.send(what)
    return (await Promise.race([answer, gone]))[0]
  }
  async function end() {
    process.off('exit', kill)
    if (child.exitCode !== null) return
    child.kill()
    await once(child, 'exit')
  }
  for await (const line of createInterface(/** @type {import('node:stream').Readable} */ (child.stdout))) {
    const [, address] = /^procura listens on (\S+)/.exec(line) ?? []
    if (address !== undefined) return { address, pid: child.pid ?? 0, ask, end }
  }
  throw new Error('the service did not start')
}

/** A database of its own on that server, dropped at the end. @param {string} url @returns {Promise<Database>} */
async function ownDatabase(url) {
  const name = `procura_soak_${randomBytes(6).toString('hex')}`
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  return {
    url: Object.assign(new URL(url), { pathname: `/${name}` }).href,
    async size() {
      const { rows } = await client.query(`SELECT pg_database_size('${name}') AS size`)
      return Number(/** @type {{ size: string }[]} */ (rows)[0]?.size)
    },
    async drop() {
      await client.query(`DROP DATABASE ${name} WITH (FORCE)`)
      await client.end()
    },
  }
}

/** Deletes what the service left in Redis. @param {string} url @param {string} service */
async function forget(url, service) {
  const redis = new Redis(url)
  for (let cursor = '0', first = true; first || cursor !== '0'; first = false) {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `*${service}*`, 'COUNT', 1000)
    if (keys.length > 0) await redis.del(...keys)
    cursor = next
  }
  await redis.quit()
}
