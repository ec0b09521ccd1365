// What a million DIDs leave behind: every cache that names of strangers reach, filled far beyond its bound, and the memory
// that is held after a collection. Ends with 1 if those of one process hold more than 64 MiB together: of a verifier that has
// its state in memory, or of a service with one resource server. What may not be forgotten before its time is no cache, and
// is told beside: it follows the rate of calls.
//   npm run bench:caches [-- 1000000]
import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import { parsePolicy, toDidKey } from 'procura'
import { singleProcessState } from 'procura/verifier'
import { createBounds } from '../dist/adapters/http/limits.js'
import { createKeys } from '../dist/adapters/resolve/keys.js'
import { memoryChains, memoryLedger, memoryNonces } from '../dist/adapters/state/memory.js'
import { systemClock, systemIds } from '../dist/adapters/system.js'
import { toDidDocument } from '../dist/did/document.js'
import { didKeyUrl } from '../dist/did/key.js'
import { parsePublicKey } from '../dist/ed25519.js'
import { createVerifier } from '../dist/verifier/verifier.js'
import { delegated, GRANTS, newParty, now, presented, REQUEST, rootFor, SELF } from './soak/tokens.js'

const MANY = Number(process.argv[2] ?? 1_000_000)
/** Chains with real signatures, which take a millisecond each: three times what is kept. */
const CHAINS = Math.min(MANY, 30_000)
/** MiB for all caches together. */
const BOUND = 64

const collect = globalThis.gc
if (collect === undefined) throw new Error('run it with node --expose-gc')

/** Bytes that are held: objects, buffers. */
function held() {
  for (let n = 0; n < 3; n += 1) collect?.()
  const { heapUsed, external } = process.memoryUsage()
  return { heap: heapUsed + external, rss: process.memoryUsage.rss() }
}

/** MiB of the caches of one process. */
const sums = { verifier: 0, service: 0 }
/** What was filled stays to the end. @type {unknown[]} */
const kept = []

/** @param {string} what @param {number} names @param {readonly (keyof typeof sums)[]} whose who has it @param {() => Promise<unknown>} fill the cache, filled */
async function measure(what, names, whose, fill) {
  const before = held()
  const began = performance.now()
  kept.push(await fill())
  const after = held()
  const [mib, rss] = [after.heap - before.heap, after.rss - before.rss].map(bytes => bytes / 1024 / 1024)
  for (const one of whose) sums[one] += mib ?? 0
  const each = ((performance.now() - began) * 1000) / names
  console.log(`${what.padEnd(44)} ${String(names).padStart(8)} names  ${(mib ?? 0).toFixed(1).padStart(7)} MiB  (resident ${(rss ?? 0).toFixed(1)}; ${each.toFixed(1)} µs each)`) // prettier-ignore
}

/** A DID that nobody has the key of: 32 bytes are a key unless they are weak. Its text is flat, as one that arrived is. */
function aDid() {
  const bytes = randomBytes(32)
  bytes[31] = (bytes[31] ?? 0) & 0x3f
  const did = Buffer.from(toDidKey(parsePublicKey(bytes, 'bench'))).toString('latin1')
  return /** @type {`did:key:${string}`} */ (did)
}

const host = {
  /** @param {string} url */
  get(url) {
    const did = /** @type {const} */ (`did:web:${new URL(url).hostname}`)
    const document = toDidDocument(did, [{ kid: `${did}#k1`, key }])
    return Promise.resolve({
      kind: /** @type {const} */ ('content'),
      body: Buffer.from(JSON.stringify(document)),
      etag: null,
    })
  },
  close: () => Promise.resolve(),
}
const key = parsePublicKey(Buffer.from(newParty().x, 'base64url'), 'bench')

await measure('keys of did:key names', MANY, ['verifier', 'service'], async () => {
  const keys = createKeys({ fetch: host, clock: systemClock })
  for (let n = 0; n < MANY; n += 1) await keys.find(didKeyUrl(aDid()), 'authentication')
  return keys
})

// the same cache as the next
await measure('documents of did:web names', MANY / 10, [], async () => {
  const keys = createKeys({ fetch: host, clock: systemClock })
  for (let n = 0; n < MANY / 10; n += 1) await keys.find(`did:web:a${n}.example#k1`, 'authentication')
  return keys
})

await measure('documents of 64 KiB made to be large', 2000, ['verifier', 'service'], async () => {
  const filler = Array.from({ length: 21_000 }, () => [])
  const large = {
    ...host,
    /** @param {string} url */
    get(url) {
      const did = `did:web:${new URL(url).hostname}`
      const body = Buffer.from(JSON.stringify({ id: did, x: filler }))
      return Promise.resolve({ kind: /** @type {const} */ ('content'), body, etag: null })
    },
  }
  const keys = createKeys({ fetch: large, clock: systemClock })
  for (let n = 0; n < 2000; n += 1) await keys.find(`did:web:a${n}.example#k1`, 'authentication')
  return keys
})

await measure('chains that one verifier knows', CHAINS, ['verifier', 'service'], async () => {
  const root = newParty()
  const jwks = { keys: [{ kid: root.kid, kty: 'OKP', crv: 'Ed25519', x: root.x }] }
  const policy = parsePolicy({ self: SELF, roots: [{ issuer: root.did, jwks, grants: GRANTS }] })
  const verifier = createVerifier(policy, {
    clock: systemClock,
    ids: systemIds,
    keys: createKeys({ fetch: host, clock: systemClock }),
    statusLists: { read: () => Promise.reject(new Error('no list is due')) },
    streams: { isHealthy: () => false },
    ...singleProcessState(),
    ledger: { ...memoryLedger(systemClock, { budgets: false }), settle: () => Promise.resolve(null) },
    audit: { record: () => Promise.resolve() },
  })
  for (let n = 0; n < CHAINS; n += 1) {
    const [agent, caller] = [newParty(), newParty()]
    const chain = await delegated([await rootFor(root, agent)], agent, caller, 290)
    const decision = await verifier.decide(await presented(caller, chain), REQUEST)
    if (!decision.allow) throw new Error(`${decision.code}: ${decision.detail}`)
  }
  return verifier
})

await measure('chains handed in, in memory', MANY, ['verifier'], async () => {
  const chains = memoryChains(systemClock)
  for (let n = 0; n < MANY; n += 1) {
    const tokens = [randomBytes(1200), randomBytes(1200)].map(bytes => bytes.toString('base64url'))
    await chains.keep(/** @type {import('procura').Digest} */ (`uEi${n}`), tokens, now() + 300)
  }
  return chains
})

await measure('presentations used, 1000 a second', MANY, [], async () => {
  let time = now()
  const ledger = memoryLedger({ now: () => time }, { budgets: false })
  time += 1
  for (let n = 0; n < MANY; n += 1) {
    if (n % 1000 === 999) time += 1
    const use = { key: `${randomBytes(32).toString('base64url')}:${n}`, issuedAt: time, until: time + 120 }
    await ledger.settle({ uses: [use], throttles: [], charges: [], hold: null, now: time })
  }
  return ledger
})

await measure('challenges, 1000 a second', MANY, [], async () => {
  let time = now()
  const nonces = memoryNonces({ now: () => time }, systemIds)
  for (let n = 0; n < MANY; n += 1) {
    if (n % 1000 === 999) time += 1
    await nonces.issue(SELF)
  }
  return nonces
})

await measure('callers that are counted', MANY, ['service'], async () => {
  const app = Fastify()
  const limit = { max: 100, per: 3600 }
  const bounds = await createBounds(app, { strangers: limit, subjects: limit, resourceServers: limit }, null, null)
  const reply = /** @type {import('fastify').FastifyReply} */ (/** @type {unknown} */ ({ header: () => reply }))
  for (let n = 0; n < MANY; n += 1) {
    const request = /** @type {import('fastify').FastifyRequest} */ (/** @type {unknown} */ ({ routeOptions: {}, ip: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}` })) // prettier-ignore
    await bounds.subject(request, reply, aDid())
    await bounds.stranger(request, reply)
  }
  return { app, bounds }
})

for (const [whose, mib] of Object.entries(sums)) console.log(`caches of a ${whose} ${mib.toFixed(1)} MiB, ${BOUND} are allowed`) // prettier-ignore
if (Math.max(...Object.values(sums)) > BOUND || kept.length === 0) process.exitCode = 1
