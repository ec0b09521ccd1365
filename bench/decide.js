// What a decision costs, in units of one Ed25519 verification on the same machine, in the same run: `npm run bench`.
// Chains are made by the wallet and the presentations by its agents; only `decide` is timed, in turns with the raw call.
import { generateKeyPairSync, randomBytes, randomUUID, sign, verify } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { createVerifier, createWallet, fromDidKey, parsePolicy, parsePublicKey, signJws, toDidKey } from 'procura'
import { singleProcessState } from 'procura/verifier'

/** @import { Did, DidUrl, JsonObject, KeyHolder, ReceivedRequest, StoredCredential, Verifier, VerifierPorts } from 'procura' */

const DEPTHS = [1, 3, 5]
const ROUNDS = 21
const CALLS = 20
const WARM_UP = 3

const SELF = 'https://api.example'
const BASE = 'https://root.example/sl/'
const CONTEXTS = ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1']
const clock = { now: () => Math.floor(Date.now() / 1000) }
const ids = { uuid: () => randomUUID(), token: () => randomBytes(16).toString('base64url') }

/** A key in memory; the wallet and the root sign with such. @param {string} alias @param {Did} [did] @returns {KeyHolder} */
function holder(alias, did) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = parsePublicKey(Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'), alias)
  const own = did ?? toDidKey(key)
  /** @type {DidUrl} */
  const kid = `${own}#${did === undefined ? own.slice('did:key:'.length) : 'k1'}`
  return { alias, did: own, kid, publicKey: key, sign: data => Promise.resolve(sign(null, data, privateKey)) }
}

const root = holder('root', 'did:web:root.example')
const now = clock.now()
const date = (/** @type {number} */ at) => `${new Date(at * 1000).toISOString().slice(0, 19)}Z`
const times = { iat: now, exp: now + 3600, validFrom: date(now), validUntil: date(now + 3600) }
const named = { '@context': CONTEXTS, issuer: root.did, iss: root.did }

/** @param {number} index @returns {JsonObject} */
const statusAt = index => ({
  type: 'BitstringStatusListEntry',
  statusPurpose: 'revocation',
  statusListIndex: String(index),
  statusListCredential: `${BASE}1`,
})

const list = {
  ...named,
  ...times,
  id: `${BASE}1`,
  type: ['VerifiableCredential', 'BitstringStatusListCredential'],
  credentialSubject: {
    id: `${BASE}1#list`,
    type: 'BitstringStatusList',
    statusPurpose: 'revocation',
    encodedList: `u${gzipSync(Buffer.alloc(16_384)).toString('base64url')}`,
    version: 1,
  },
}
const snapshot = { token: await signJws(list, 'vc+jwt', root) }

/** @type {Map<string, KeyHolder>} */
const vault = new Map()
/** @type {Map<string, StoredCredential>} */
const kept = new Map()
/** @type {import('procura').Holding[]} */
const held = []
/** @type {VerifierPorts['keys']} */
const keys = {
  find: kid => Promise.resolve(kid === root.kid ? root.publicKey : null),
  all: did => Promise.resolve([fromDidKey(did)]),
}
let index = 0
const wallet = createWallet(new Map([[root.did, { keys: new Map([[root.kid, root.publicKey]]) }]]), {
  clock,
  ids,
  keys,
  vault: {
    create(alias) {
      const made = holder(alias)
      vault.set(alias, made)
      return Promise.resolve(made)
    },
    createWebDid: () => Promise.reject(new Error('nobody has a did:web here')),
    find: name => Promise.resolve(vault.get(name) ?? [...vault.values()].find(one => one.did === name) ?? null),
    list: () => Promise.resolve([...vault.values()]),
    destroy: () => Promise.resolve(false),
  },
  credentials: {
    save(one) {
      kept.set(one.digest, one)
      return Promise.resolve()
    },
    find: digest => Promise.resolve(kept.get(digest) ?? null),
    findRoot: () => Promise.resolve(null),
    heldBy: () => Promise.resolve([]),
    issuedBy: () => Promise.resolve([]),
    below: () => Promise.resolve([]),
  },
  holdings: {
    add(one) {
      held.push(one)
      return Promise.resolve()
    },
    find: ({ holder }) => Promise.resolve(held.filter(one => one.holder === holder).map(({ digest }) => digest)),
    use: () => Promise.resolve(),
    list: () => Promise.resolve([]),
    drop: () => Promise.resolve(),
  },
  lifetimes: {
    set: () => Promise.resolve(),
    endOf: () => Promise.resolve(null),
    due: () => Promise.resolve([]),
    drop: () => Promise.resolve(),
  },
  transaction: work => work(),
  adding: work => work(),
  leases: { take: () => Promise.resolve({ url: `${BASE}1`, index: (index += 1) }) },
})

const state = singleProcessState()
/** @type {Set<string>} */
const used = new Set()
/** @type {VerifierPorts} */
const ports = {
  clock,
  ids,
  keys,
  statusLists: { read: () => Promise.resolve({ snapshot, age: 0 }) },
  streams: { isHealthy: () => false },
  ...state,
  // of a process that started long ago, so that what is made now is taken
  ledger: {
    ...state.ledger,
    settle: ({ uses }) => Promise.resolve(uses.every(({ key }) => used.size < used.add(key).size) ? null : 'used'),
  },
  audit: { record: () => Promise.resolve() },
}
const grants = [
  { resource: `${SELF}/bookings/**`, actions: ['book'], args: { amount: { op: 'range', min: 0, max: 9, req: true } } },
]
const jwks = { keys: [{ kid: root.kid, kty: 'OKP', crv: 'Ed25519', x: root.publicKey.x }] }
const policy = parsePolicy({ self: SELF, roots: [{ issuer: root.did, jwks, grants }] })
/** @type {ReceivedRequest} */
const request = {
  method: 'POST',
  url: `${SELF}/bookings/1`,
  bodyDigest: null,
  action: 'book',
  resource: `${SELF}/bookings/1`,
  params: { amount: 5 },
}

/** Presentations of a fresh chain with `depth` links, each good for one call. @param {number} depth */
async function presentations(depth) {
  let agent = await wallet.createAgent({ name: `${depth}-1` })
  const authority = {
    v: 1,
    hop: 0,
    more: depth - 1,
    audience: [SELF],
    grants,
    statusIssuers: [{ iss: root.did, base: BASE }],
  }
  const claims = {
    ...named,
    ...times,
    id: `urn:uuid:${ids.uuid()}`,
    type: ['VerifiableCredential', 'AgentCapabilityCredential'],
    sub: agent.did,
    cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: fromDidKey(agent.did).x } },
    credentialSubject: { id: agent.did, authority },
    credentialStatus: statusAt(0),
  }
  await agent.receive(await signJws(claims, 'vc+jwt', root))
  for (let link = 2; link <= depth; link += 1) {
    const next = await wallet.createAgent({ name: `${depth}-${link}` })
    const less = /** @type {Parameters<typeof agent.delegate>[0]['grants']} */ (/** @type {unknown} */ (grants))
    await next.receive(
      (await agent.delegate({ to: next.did, grants: less, ttl: 3000 - 100 * link, more: depth - link })).chain,
    )
    agent = next
  }
  const count = 2 * (ROUNDS + WARM_UP) * CALLS
  return Promise.all(Array.from({ length: count }, () => agent.present({ ...request, audience: SELF })))
}

const stock = new Map(
  await Promise.all(DEPTHS.map(async depth => /** @type {const} */ ([depth, await presentations(depth)]))),
)
const [sample = ''] = stock.get(1) ?? []
const [head, body, signature = ''] = sample.split('.')
const input = Buffer.from(`${head}.${body}`)
const bytes = Buffer.from(signature, 'base64url')
const presenter = vault.get('1-1')?.publicKey
if (presenter === undefined) throw new Error('no presenter')

/** Microseconds per call; what the calls are made on is made beforehand. @template T @param {() => T} make @param {(made: T) => Promise<void> | void} call */
async function timed(make, call) {
  const made = Array.from({ length: CALLS }, make)
  const started = performance.now()
  for (const one of made) await call(one)
  return ((performance.now() - started) * 1000) / CALLS
}

function raw() {
  if (presenter === undefined || !verify(null, input, presenter.handle, bytes))
    throw new Error('a good signature was refused')
}

const seasoned = createVerifier(policy, ports)
/** What is timed, in turns: the raw call; a verifier that never saw the chain; one that verified it a moment ago. */
const rows = [
  { name: 'crypto.verify', signatures: 1, run: () => timed(() => null, raw) },
  ...DEPTHS.flatMap(depth => [
    {
      name: `depth ${depth}`,
      signatures: depth + 1,
      run: () =>
        timed(
          () => createVerifier(policy, ports),
          verifier => allowed(depth, verifier),
        ),
    },
    {
      name: `depth ${depth}, seen`,
      signatures: 1,
      run: () =>
        timed(
          () => seasoned,
          verifier => allowed(depth, verifier),
        ),
    },
  ]),
]
const samples = rows.map(row => ({ ...row, found: /** @type {number[]} */ ([]) }))
for (let round = -WARM_UP; round < ROUNDS; round += 1) {
  for (const { run, found } of samples) {
    const micros = await run()
    if (round >= 0) found.push(micros)
  }
}

/** @param {number} depth @param {Verifier} verifier */
async function allowed(depth, verifier) {
  const decision = await verifier.decide(stock.get(depth)?.pop() ?? '', request)
  if (!decision.allow) throw new Error(decision.detail)
}

/** @param {readonly number[]} values */
const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
const unit = median(samples[0]?.found ?? [])
const print = (/** @type {readonly (string | number)[]} */ cells) =>
  console.log(cells.map(cell => String(cell).padStart(15)).join(''))
console.log(`Node ${process.version}, medians of ${ROUNDS} rounds of ${CALLS} calls, one at a time`)
print(['', 'µs per call', 'per second', '× raw', 'signatures', '× their cost'])
for (const { name, signatures, found } of samples) {
  const micros = median(found)
  const ratio = micros / unit
  const numbers = [
    micros.toFixed(0),
    Math.round(1e6 / micros),
    ratio.toFixed(2),
    signatures,
    (ratio / signatures).toFixed(2),
  ]
  print([name, ...numbers])
}
