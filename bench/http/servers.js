// What bench/http.js and the rows of `npm run bench` share: processes that listen, what they are configured with, and
// the load on them.
import { fork } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openIssuer } from 'procura/issuer'
import { Pool } from 'undici'
import { ROOT, SELF } from '../inputs.js'

/** @typedef {{ address: string, pid: number, cpu: () => Promise<number>, close: () => Promise<void> }} Server */
/** @typedef {{ path: string, headers: Record<string, string>, body: string }} Call */
/** @typedef {{ seconds: number, rate: number, p50: number, p99: number, cpu: number }} Window */

export const ORIGIN = 'https://id.bench.example'
/** Requests under way at once, however many processes answer. */
export const CONNECTIONS = 16
export const secret = randomBytes(32).toString('base64url')
const headers = { 'content-type': 'application/json', authorization: `Bearer ${secret}` }

/** A process: the service by its agent file, or a peer by its name. @param {string} what @returns {Promise<Server>} */
export async function start(what) {
  const child = fork(fileURLToPath(new URL('server.js', import.meta.url)), [what])
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
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
    pid: child.pid ?? 0,
    async cpu() {
      const answer = next()
      child.send('cpu')
      const { user, system } = /** @type {NodeJS.CpuUsage} */ (await answer)
      return (user + system) / 1000
    },
    async close() {
      process.off('exit', kill)
      if (child.exitCode !== null || !child.kill()) return
      await once(child, 'exit')
    },
  }
}

/** An agent file. Services of one folder may share a database. @param {string} folder @param {string} name @param {string} storage @param {number} [processes] @param {object} [more] */
export async function configOf(folder, name, storage, processes = 1, more = {}) {
  const policy = join(folder, 'policy.json')
  await writeFile(policy, JSON.stringify({ self: SELF, roots: [ROOT] }))
  const template = await readFile(new URL('../../agent.yml', import.meta.url), 'utf8')
  const secretHash = createHash('sha256').update(secret).digest('base64url')
  const block = {
    ...{ origin: ORIGIN, storage, keyFile: join(folder, 'service.key') },
    operator: `sqlite://${join(folder, 'operator.db')}`,
    audit: join(folder, `${name}.audit`),
    listen: { host: '127.0.0.1', port: 0, processes },
    resourceServers: [{ name: 'api', secretHash, policy }],
    ...more,
  }
  const config = join(folder, `${name}.yml`)
  // JSON is YAML
  await writeFile(config, template.replace(/^procura:\n(?:[ #].*\n|\n)*?(?=^\w)/m, `procura: ${JSON.stringify(block)}\n\n`)) // prettier-ignore
  return config
}

/** Where a status stands in a list of the service: that of a credential it issued. @param {string} folder @param {string} address @returns {Promise<import('../inputs.js').Status>} */
export async function leasedStatus(folder, address) {
  const storage = `sqlite://${join(folder, 'operator.db')}`
  const issuer = await openIssuer({ service: ORIGIN, storage, connect: { [ORIGIN]: address } })
  try {
    await issuer.register({ kind: 'person', did: ROOT.issuer, name: 'root' })
    const authority = { audience: [SELF], grants: [{ resource: `${SELF}/**`, actions: ['book'] }] }
    const { credential } = await issuer.grant({ to: ROOT.issuer, ttl: 3600, authority })
    /** @type {unknown} */
    const claims = JSON.parse(Buffer.from(credential.split('.')[1] ?? '', 'base64url').toString())
    /** @typedef {{ statusPurpose: string, statusListCredential: string }} Entry */
    const { credentialStatus: status } = /** @type {{ credentialStatus: Entry | Entry[] }} */ (claims)
    const entry = [status].flat().find(one => one.statusPurpose === 'revocation')
    if (entry === undefined) throw new Error('the service gave no status')
    return { issuer: { iss: 'did:web:id.bench.example', base: `${ORIGIN}/v1/status/` }, entry }
  } finally {
    await issuer.close()
  }
}

/** Hands a chain to the service, for those who name it. @param {string} address @param {readonly string[]} chain @param {string} leaf */
export async function upload(address, chain, leaf) {
  const { status } = await fetch(`${address}/v1/chains/${leaf}`, {
    method: 'PUT',
    headers,
    body: JSON.stringify(chain),
  })
  if (status !== 204) throw new Error(`the chain was not taken: ${status}`)
}

/** Sends each body once to `POST /v1/verify`, over connections that are kept. @param {readonly Server[]} servers @param {string[]} bodies */
export function load(servers, bodies) {
  const calls = bodies.map(body => ({ path: '/v1/verify', headers, body }))
  return send(servers, calls, ({ allow }) => allow === true)
}

/** Posts each call once, over connections that are kept. @param {readonly Server[]} servers @param {Call[]} calls @param {(answer: Record<string, unknown>) => boolean} isDone @returns {Promise<Window>} */
export async function send(servers, calls, isDone) {
  const pools = servers.map(({ address }) => new Pool(address, { connections: CONNECTIONS / servers.length }))
  const count = calls.length
  /** @type {number[]} */
  const took = []
  const before = await cpuOf(servers)
  const from = performance.now()
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, connection) => {
      const pool = pools[connection % pools.length]
      for (let call = calls.pop(); call !== undefined && pool !== undefined; call = calls.pop()) {
        const sent = performance.now()
        const reply = await pool.request({ method: 'POST', ...call })
        const answer = /** @type {Record<string, unknown>} */ (await reply.body.json())
        took.push(performance.now() - sent)
        if (!isDone(answer)) throw new Error(`${reply.statusCode} ${JSON.stringify(answer)}`)
      }
    }),
  )
  const seconds = (performance.now() - from) / 1000
  const cpu = ((await cpuOf(servers)) - before) / count
  await Promise.all(pools.map(pool => pool.close()))
  const sorted = took.sort((a, b) => a - b)
  const at = (/** @type {number} */ part) => sorted[Math.ceil(sorted.length * part) - 1] ?? NaN
  return { seconds, rate: count / seconds, p50: at(0.5), p99: at(0.99), cpu }
}

/** Milliseconds. @param {readonly Server[]} servers */
async function cpuOf(servers) {
  const each = await Promise.all(servers.map(one => one.cpu()))
  return each.reduce((sum, one) => sum + one, 0)
}
