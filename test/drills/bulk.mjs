// Grants to as many agents as asked for from a CSV file, interrupted three times (SIGINT, SIGKILL, SIGINT) and gone on with
// each time, and looks afterwards: a grant for each line, all different, none twice, all of them stored.
//
//   node test/drills/bulk.mjs [--agents 10000] [--direct]
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openStore } from '../../dist/adapters/store/store.js'
import { toDidKey } from '../../dist/did/key.js'
import { parsePublicKey } from '../../dist/ed25519.js'
import { openIssuer } from '../../dist/entry/issuer.js'

const { values } = parseArgs({
  options: { agents: { type: 'string', default: '10000' }, direct: { type: 'boolean', default: false } },
})
const count = Number(values.agents)
const CLI = join(import.meta.dirname, '../../dist/entry/cli.js')
const ORIGIN = 'https://procura.example'
/** Bytes of an answer, nearly. */
const ANSWER = 1900
const folder = mkdtempSync(join(tmpdir(), 'procura-drill-'))
const path = join(folder, 'agents.csv')
const answers = `${path}.done.ndjson`

try {
  await drill()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function drill() {
  const port = String(await freePort())
  await run(['init', '--origin', ORIGIN, '--port', port], 'ignore').ended
  const service = await serve()
  const dids = Array.from({ length: count }, () => {
    const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
    return toDidKey(parsePublicKey(Buffer.from(x, 'base64url'), 'x'))
  })
  await register(dids, `http://127.0.0.1:${port}`)
  writeFileSync(path, `to,resource,action,arg.amount,ttl\n${dids.map((did, n) => `${did},https://api.example/items,read,range:0..${n},12h\n`).join('')}`) // prettier-ignore
  const before = await stored()
  if (values.direct) await stop(service)

  const args = ['bulk', 'grant', path, ...(values.direct ? ['--direct'] : [])]
  const started = performance.now()
  for (const [part, signal] of [
    [0.2, 'SIGINT'],
    [0.45, 'SIGKILL'],
    [0.7, 'SIGINT'],
  ]) {
    const { child, ended } = run(args, 'ignore')
    while (child.exitCode === null && size() < ANSWER * count * Number(part)) await new Promise(r => setTimeout(r, 20))
    child.kill(/** @type {NodeJS.Signals} */ (signal))
    const [code, killed] = await ended
    console.log(
      `${signal} at ${Math.round((performance.now() - started) / 1000)} s: exit ${killed ?? code}, ${lines().length} granted`,
    )
  }
  const [code] = await run(args, 'inherit').ended
  const seconds = (performance.now() - started) / 1000
  if (!values.direct) await stop(service)

  const made = new Set([...(await stored())].filter(digest => !before.has(digest)))
  const all = lines()
  const digests = new Set(all.map(({ digest }) => digest))
  console.log(`${count} agents in ${Math.round(seconds)} s, ${Math.round(count / seconds)}/s`)
  invariant('the last run ends with 0', code === 0)
  invariant('an answer for each line', all.length === count && new Set(all.map(({ line }) => line)).size === count)
  invariant('all grants differ', digests.size === count)
  invariant('each agent has its own', new Set(all.map(({ to }) => to)).size === count)
  invariant('as many were stored, and the same', made.size === count && [...digests].every(digest => made.has(digest)))
}

/** @param {string} what @param {boolean} holds */
function invariant(what, holds) {
  console.log(`${holds ? 'ok    ' : 'BROKEN'} ${what}`)
  if (!holds) process.exitCode = 1
}

/** @param {string[]} args @param {'ignore' | 'inherit' | 'pipe'} stdout */
function run(args, stdout) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, stdio: ['ignore', stdout, 'inherit'] })
  return { child, ended: once(child, 'exit') }
}

async function serve() {
  const service = run(['serve'], 'pipe')
  await once(/** @type {import('node:stream').Readable} */ (service.child.stdout), 'data')
  return service
}

/** @param {ReturnType<typeof run>} service */
async function stop({ child, ended }) {
  child.kill()
  await ended
}

/** @param {readonly string[]} dids @param {string} address */
async function register(dids, address) {
  const storage = `sqlite://${join(folder, 'data/var/operator.db')}`
  const issuer = await openIssuer({ service: ORIGIN, storage, connect: { [ORIGIN]: address } })
  const agent = { operator: 'did:web:procura.example', autonomy: 'L1', risk: 'low' }
  const waiting = [...dids.entries()]
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const [n, did] = next
        await issuer.register({
          kind: 'agent',
          did: /** @type {`did:key:${string}`} */ (did),
          name: `agent ${n}`,
          agent,
        })
      }
    }),
  )
  await issuer.close()
}

async function stored() {
  const store = await openStore(`sqlite://${join(folder, 'data/var/procura.db')}`)
  const rows = await store.dataSource.query('SELECT digest FROM stored_credential')
  await store.close()
  return new Set(/** @type {{ digest: string }[]} */ (rows).map(({ digest }) => digest))
}

function size() {
  return existsSync(answers) ? statSync(answers).size : 0
}

function lines() {
  return readFileSync(answers, 'utf8')
    .split('\n')
    .filter(line => line.endsWith('}'))
    .map(line => /** @type {{ line: number, to: string, digest: string }} */ (JSON.parse(line)))
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  return port
}
