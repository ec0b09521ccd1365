// From the call that revokes a delegation to the first refusal at four verifiers, each a process of its own: with the
// feed, and with the feed cut.
//   npm run bench:revocation [-- rounds]
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect as dial, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openIssuer } from 'procura/issuer'
import { openWallet } from 'procura/wallet'

/** @import { Round, Said, Start } from './revocation/verifier.js' */

const ORIGIN = 'https://id.bench.example'
const FEED = 'https://feed.bench.example'
const APIS = [1, 2, 3, 4].map(n => `https://api-${n}.bench.example`)
const ROUNDS = Number(process.argv[2] ?? 40)
/** Rounds take seconds where lists are only pulled. */
const PULLED = 6
/** Seconds that a list may be old without the feed. */
const STATUS_AGE = 5
/** Seconds that profile §8.4 adds for caches in between and for signing. */
const ON_THE_WAY = 6
/** Milliseconds that all of it may take. */
const LIMIT = 300_000

const folder = await mkdtemp(join(tmpdir(), 'procura-bench-'))
/** @type {(() => unknown)[]} */
const closing = [() => rm(folder, { recursive: true, force: true })]
const overdue = AbortSignal.timeout(LIMIT)
try {
  await measure()
} finally {
  for (const close of closing.splice(0).reverse()) await close()
}

async function measure() {
  const address = await startService()
  const feed = await openWay(address)
  const connect = { [ORIGIN]: address, [FEED]: feed.address }
  const root = /** @type {const} */ ('did:web:id.bench.example')
  const issuer = await openIssuer({ service: ORIGIN, storage: `sqlite://${join(folder, 'operator.db')}`, connect })
  closing.push(() => issuer.close())
  const storage = `sqlite://${join(folder, 'wallet.db')}`
  const wallet = await openWallet({ storage, roots: [root], service: ORIGIN, connect })
  closing.push(() => wallet.close())

  const planner = await wallet.createAgent({ name: 'planner' })
  const helper = await wallet.createAgent({ name: 'helper' })
  await issuer.register({ kind: 'person', did: planner.did, name: 'planner' })
  const grants = APIS.map(api => ({ resource: `${api}/**`, actions: ['read'] }))
  const authority = { more: 2, audience: APIS, grants }
  await planner.receive((await issuer.grant({ to: planner.did, ttl: 3600, authority })).credential)

  const verifiers = await Promise.all(
    APIS.map(self => startVerifier({ self, folder, issuer: ORIGIN, root, feed: `${FEED}/v1/events`, statusAge: STATUS_AGE, connect })), // prettier-ignore
  )

  /** One delegation with a caller below it at each verifier, and its end. Milliseconds until each refused. */
  async function round(/** @type {number} */ wait) {
    const given = await planner.delegate({ to: helper.did, grants, more: 1, ttl: 1800 })
    await helper.receive(given.chain)
    const denied = await Promise.all(
      verifiers.map(async one => {
        const only = grants.filter(({ resource }) => resource.startsWith(one.self))
        const { chain, digest } = await helper.delegate({
          ...{ to: one.did, grants: only, audience: [one.self], ttl: 300, chain: given.digest },
        })
        one.call({ chain, digest })
        await one.heard('allowed')
        // a promise is not waited for where it stands in an object
        return { answer: one.heard('denied') }
      }),
    )
    await setTimeout(wait)
    const from = process.hrtime.bigint()
    const revoked = planner.revoke(given.digest).then(() => Number(process.hrtime.bigint() - from) / 1e6)
    const took = await Promise.all(
      denied.map(async ({ answer }) => {
        const { at, code } = await answer
        if (code !== 'STATUS_REVOKED') throw new Error(`refused with ${code}`)
        return Number(BigInt(at) - from) / 1e6
      }),
    )
    return { took, answered: await revoked }
  }

  await Promise.all(verifiers.map(one => one.heard('feed', true)))
  await round(0) // everything is loaded and every key known
  const pushed = []
  for (let n = 0; n < ROUNDS; n += 1) pushed.push(await round(50))
  print(`with the feed: ${ROUNDS} revocations at ${verifiers.length} verifiers`, pushed)

  await feed.cut()
  await Promise.all(verifiers.map(one => one.heard('feed', false)))
  // a list that was just announced as changed is asked for more often, for as long as that
  await setTimeout(ON_THE_WAY * 1000)
  const pulled = []
  // copies of the list are of any age when the revocation comes
  for (let n = 0; n < PULLED; n += 1) pulled.push(await round((n * STATUS_AGE * 1000) / PULLED))
  const worst = print(`with the feed cut, lists at most ${STATUS_AGE} s old: ${PULLED} revocations`, pulled)
  const bound = (STATUS_AGE + ON_THE_WAY) * 1000
  const holds = worst <= bound
  console.log(`  worst case promised ${bound} ms: ${holds ? 'holds' : 'does not hold'}`)
  if (!holds) process.exitCode = 1
}

/** @param {string} title @param {readonly { took: readonly number[], answered: number }[]} rounds @returns {number} */
function print(title, rounds) {
  const all = rounds.flatMap(({ took }) => took)
  console.log(`\n${title}\n${''.padEnd(34)}       p50       p99     worst`)
  row(
    'the call to revoke is answered',
    rounds.map(({ answered }) => answered),
  )
  for (const [n, api] of APIS.entries()) row(`first refusal at ${new URL(api).hostname.split('.')[0]}`, rounds.map(({ took }) => took[n] ?? NaN)) // prettier-ignore
  row('first refusal, all of them', all)
  return Math.max(...all)
}

/** @param {string} what @param {readonly number[]} values */
function row(what, values) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (/** @type {number} */ part) => sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? NaN
  console.log(`  ${what.padEnd(32)}${[0.5, 0.99, 1].map(part => `${at(part).toFixed(0).padStart(7)} ms`).join('')}`)
}

/** The service as `procura serve` runs it. @returns {Promise<string>} where it listens */
async function startService() {
  const template = await readFile(new URL('../agent.yml', import.meta.url), 'utf8')
  const block = {
    origin: ORIGIN,
    storage: `sqlite://${join(folder, 'service.db')}`,
    keyFile: join(folder, 'service.key'),
    operator: `sqlite://${join(folder, 'operator.db')}`,
    audit: join(folder, 'service.audit'),
    listen: { host: '127.0.0.1', port: 0 },
  }
  const config = join(folder, 'agent.yml')
  // JSON is YAML
  await writeFile(config, template.replace(/^procura:\n(?:[ #].*\n|\n)*?(?=^\w)/m, `procura: ${JSON.stringify(block)}\n\n`)) // prettier-ignore
  const program = fileURLToPath(new URL('../dist/entry/cli.js', import.meta.url))
  const child = spawn(process.execPath, [program, 'serve', '--config', config], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  endWithThis(child)
  for await (const line of createInterface(child.stdout)) {
    const [, address] = /^procura listens on (\S+)/.exec(line) ?? []
    if (address !== undefined) return address
  }
  throw new Error('the service did not start')
}

/** @param {Start} start */
async function startVerifier(start) {
  const program = fileURLToPath(new URL('revocation/verifier.js', import.meta.url))
  const child = fork(program, [JSON.stringify(start)])
  endWithThis(child)
  /** @type {Said[]} */
  const said = []
  let wake = () => {}
  child.on('message', message => {
    said.push(/** @type {Said} */ (message))
    wake()
  })

  /**
   * The next thing of this kind that it says.
   *
   * @template {Said['say']} S
   * @param {S} what
   * @param {boolean} [healthy]
   * @returns {Promise<Extract<Said, { say: S }>>}
   */
  async function heard(what, healthy) {
    for (;;) {
      overdue.throwIfAborted()
      const at = said.findIndex(one => one.say === what && (one.say !== 'feed' || one.healthy === healthy))
      if (at >= 0) return /** @type {Extract<Said, { say: S }>} */ (said.splice(at, 1)[0])
      if (child.exitCode !== null) throw new Error(`${start.self} has ended`)
      await Promise.race([new Promise(resolve => (wake = () => resolve(undefined))), setTimeout(500)])
    }
  }

  const { did } = await heard('caller')
  return { self: start.self, did, heard, call: (/** @type {Round} */ round) => child.send(round) }
}

/** @param {import('node:child_process').ChildProcess} child */
function endWithThis(child) {
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  closing.push(async () => {
    process.off('exit', kill)
    if (child.exitCode !== null) return
    child.kill()
    await once(child, 'exit')
  })
}

/** The only way to the feed, as bytes: it can be cut. @param {string} to */
async function openWay(to) {
  const port = Number(new URL(to).port)
  /** @type {Set<import('node:net').Socket>} */
  const sockets = new Set()
  const server = createServer(near => {
    const far = dial(port, '127.0.0.1')
    for (const [one, other] of /** @type {const} */ ([
      [near, far],
      [far, near],
    ])) {
      sockets.add(one)
      one.setNoDelay().pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  async function cut() {
    if (!server.listening) return
    server.close()
    for (const socket of sockets) socket.destroy()
    await once(server, 'close')
  }
  closing.push(cut)
  return { address: `http://127.0.0.1:${address.port}`, cut }
}
