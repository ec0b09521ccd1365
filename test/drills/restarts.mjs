// Restarts two processes of a service behind a proxy, one after the other, while they are asked; exits with 1 if one
// request fails.
//   node test/drills/restarts.mjs [--times 20] [--postgres postgres://…]
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openIssuer } from '../../dist/entry/issuer.js'
import { openWallet } from '../../dist/entry/wallet.js'
import { freePorts } from './cluster/machine.mjs'

const { values } = parseArgs({ options: { times: { type: 'string', default: '20' }, postgres: { type: 'string' } } })
const times = Number(values.times)
const ORIGIN = 'https://id.acme.example'
const API = 'https://api.acme.example'
const ROOM = { method: 'GET', url: `${API}/rooms/1`, action: 'read', resource: `${API}/rooms/1`, params: {} }
const root = new URL('../..', import.meta.url).pathname
const folder = await mkdtemp(join(tmpdir(), 'procura-restarts-'))
const secret = randomBytes(32).toString('base64url')

requireHaproxy()
const [front = 0, ...ports] = await freePorts(3)
await configure()
const proxy = await startProxy()
/** @type {import('node:child_process').ChildProcess[]} */
const running = []
// one after the other: the first makes key file and database
for (const port of ports) running.push(await start(port))
await until(() => isReady(front))

const connect = { [ORIGIN]: `http://127.0.0.1:${front}` }
const issuer = await openIssuer({ service: ORIGIN, storage: `sqlite://${join(folder, 'operator.db')}`, connect })
const wallet = await openWallet({ storage: 'sqlite::memory:', roots: ['did:web:id.acme.example'], connect })
const agent = await wallet.createAgent({ name: 'agent' })
await issuer.register({ kind: 'person', did: agent.did, name: 'agent' })
const grants = [{ resource: `${API}/**`, actions: ['read'] }]
const { credential } = await issuer.grant({ to: agent.did, ttl: 3600, authority: { audience: [API], grants } })
await agent.receive(credential)
const list = JSON.parse(Buffer.from(credential.split('.')[1] ?? '', 'base64url').toString()).credentialStatus
const listPath = new URL([list].flat()[0].statusListCredential).pathname

const counts = { verified: 0, challenged: 0, read: 0, failed: 0 }
/** @type {string[]} */
const failures = []
let isOver = false
const load = [verify, verify, challenge, read].map(work)

const started = performance.now()
for (let time = 0; time < times; time += 1) {
  const at = time % ports.length
  const child = running[at]
  if (child === undefined) throw new Error('no process')
  child.kill('SIGTERM')
  await once(child, 'exit')
  running[at] = await start(ports[at] ?? 0)
  await until(() => isReady(ports[at] ?? 0))
  // the proxy has to see it before the other goes
  await setTimeout(1000)
}
const seconds = Math.round((performance.now() - started) / 1000)
isOver = true
await Promise.all(load)
await issuer.close()
await wallet.close()
for (const child of running) child.kill('SIGTERM')
await Promise.all(running.map(child => child.exitCode ?? once(child, 'exit')))
proxy.kill('SIGTERM')
await once(proxy, 'exit')
await rm(folder, { recursive: true, force: true })

const asked = counts.verified + counts.challenged + counts.read
console.log(`${times} restarts in ${seconds} s: ${asked} requests answered, ${counts.failed} failed`, counts)
for (const failure of failures.slice(0, 10)) console.log(`  ${failure}`)
if (counts.failed > 0 || asked === 0) process.exitCode = 1

/** Asks until the end. @param {() => Promise<void>} ask */
async function work(ask) {
  while (!isOver) {
    try {
      await ask()
    } catch (error) {
      counts.failed += 1
      failures.push(String(error instanceof Error ? (error.cause ?? error.message) : error))
    }
  }
}

async function verify() {
  const presentation = await agent.present({ ...ROOM, audience: API, bodyDigest: null })
  const answer = await post('/v1/verify', { presentation, request: ROOM })
  if (answer['allow'] !== true) throw new Error(`not allowed: ${String(answer['code'])}`)
  counts.verified += 1
}

async function challenge() {
  await post('/v1/challenges', {})
  counts.challenged += 1
}

async function read() {
  const response = await fetch(`http://127.0.0.1:${front}${listPath}`)
  await response.text()
  if (response.status !== 200) throw new Error(`list: ${response.status}`)
  counts.read += 1
}

/** @param {string} path @param {object} body */
async function post(path, body) {
  const response = await fetch(`http://127.0.0.1:${front}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 200)}`)
  return JSON.parse(text)
}

/** @param {number} port */
async function start(port) {
  const child = spawn(process.execPath, [join(root, 'dist/entry/cli.js'), 'serve', '-c', join(folder, 'agent.yml')], {
    cwd: folder,
    env: {
      ...process.env,
      PROCURA_PORT: String(port),
      PROCURA_AUDIT: join(folder, `audit-${port}`),
      ...(values.postgres === undefined ? {} : { PROCURA_STORAGE: values.postgres }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`a process ended with ${code}`)))
  await Promise.race([once(child.stdout, 'data'), ended])
  ended.catch(() => undefined)
  child.stdout.resume()
  return child
}

async function startProxy() {
  const config = `
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout queue 10s
  timeout check 2s
  retries 3
  option redispatch
  retry-on conn-failure
frontend all
  bind 127.0.0.1:${front}
  default_backend services
backend services
  option httpchk
  http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host id.acme.example
  http-check expect status 200
  default-server check inter 100ms fall 1 rise 1
${ports.map((port, n) => `  server s${n} 127.0.0.1:${port}`).join('\n')}
`
  await writeFile(join(folder, 'haproxy.cfg'), config)
  return spawn('haproxy', ['-db', '-q', '-f', join(folder, 'haproxy.cfg')], { stdio: ['ignore', 'inherit', 'inherit'] })
}

async function configure() {
  const template = await readFile(join(root, 'agent.yml'), 'utf8')
  const policy = {
    self: API,
    roots: [{ issuer: 'did:web:id.acme.example', grants: [{ resource: `${API}/**`, actions: ['read'] }] }],
  }
  await writeFile(join(folder, 'policy.json'), JSON.stringify(policy))
  const procura = {
    origin: ORIGIN,
    storage: `sqlite://${join(folder, 'acme.db')}`,
    keyFile: join(folder, 'acme.key'),
    operator: `sqlite://${join(folder, 'operator.db')}`,
    audit: join(folder, 'audit'),
    // longer than the proxy needs to notice
    listen: { host: '127.0.0.1', port: 0, drain: 1 },
    limits: { strangers: { max: 1_000_000, per: 60 } },
    resourceServers: [
      {
        name: 'api',
        secretHash: createHash('sha256').update(secret).digest('base64url'),
        policy: join(folder, 'policy.json'),
      },
    ],
  }
  const block = `procura: ${JSON.stringify(procura)}\n\n`
  await writeFile(join(folder, 'agent.yml'), template.replace(/^procura:\n(?:[ #].*\n|\n)*?(?=^\w)/m, block))
}

/** @param {number} port */
async function isReady(port) {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null)
  await response?.text()
  return response?.ok === true
}

/** @param {() => Promise<boolean>} holds */
async function until(holds) {
  for (let n = 0; n < 600; n += 1) {
    if (await holds()) return
    await setTimeout(50)
  }
  throw new Error('it does not become ready')
}

function requireHaproxy() {
  if (spawnSync('haproxy', ['-v']).error === undefined) return
  if (process.getuid?.() === 0) spawnSync('apt-get', ['install', '-y', '-qq', 'haproxy'], { stdio: 'ignore' })
  if (spawnSync('haproxy', ['-v']).error === undefined) return
  console.error('haproxy is needed: apt-get install haproxy')
  process.exit(69)
}
