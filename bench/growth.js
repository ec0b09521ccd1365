// How the cost of a decision grows: with depth, grants, list size, and the number of agents that are known. Processor time,
// because that is the figure that other programs on the machine disturb least. `npm run bench:growth [-- --quick]`.
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { createVerifier, parsePolicy, parsePublicKey, paramsDigest, signJws, toDidKey, digestOf } from 'procura'

/** @import { Did, DidUrl, Grant, JsonObject, ReceivedRequest, Signer, PublicKey, VerifierPorts } from 'procura' */
/** @typedef {Signer & { key: PublicKey }} Party */
/** @typedef {{ token: string, id: string, digest: string, to: Party }} Minted */

const QUICK = process.argv.includes('--quick')
const SELF = 'https://api.example'
const BASE = 'https://root.example/sl/'
const CONTEXTS = ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1']
const MAX_DEPTH = 8
const clock = { now: () => Math.floor(Date.now() / 1000) }
const ids = { uuid: () => randomUUID(), token: () => randomUUID() }

/** @param {Did} [name] @returns {Party} */
export function party(name) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = parsePublicKey(Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'), 'bench')
  const did = name ?? toDidKey(key)
  /** @type {DidUrl} */
  const kid = name === undefined ? `${did}#${did.slice('did:key:'.length)}` : `${did}#k1`
  return { did, kid, key, sign: data => Promise.resolve(sign(null, data, privateKey)) }
}

const root = party('did:web:root.example')
const now = clock.now()
const date = (/** @type {number} */ at) => `${new Date(at * 1000).toISOString().slice(0, 19)}Z`
const times = { iat: now, exp: now + 3600, validFrom: date(now), validUntil: date(now + 3600) }
const GRANTS = [
  { resource: `${SELF}/bookings/**`, actions: ['book'], args: { amount: { op: 'range', min: 0, max: 9, req: true } } },
]

/**
 * A link; a root where no parent is given.
 * @param {{ to: Party, parent?: Minted | undefined, hop?: number, grants?: readonly JsonObject[] }} what
 * @returns {Promise<Minted>}
 */
export async function mint({ to, parent, hop = 0, grants = GRANTS }) {
  const issuer = parent?.to ?? root
  const id = `urn:uuid:${randomUUID()}`
  const authority = {
    v: 1,
    hop,
    more: MAX_DEPTH - hop,
    audience: [SELF],
    grants,
    ...(parent === undefined
      ? { statusIssuers: [{ iss: root.did, base: BASE }] }
      : { parent: { id: parent.id, digest: parent.digest } }),
  }
  const claims = {
    '@context': CONTEXTS,
    id,
    issuer: issuer.did,
    iss: issuer.did,
    sub: to.did,
    ...times,
    type: ['VerifiableCredential', parent === undefined ? 'AgentCapabilityCredential' : 'AgentDelegationCredential'],
    cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: to.key.x } },
    credentialSubject: { id: to.did, authority },
    credentialStatus: {
      type: 'BitstringStatusListEntry',
      statusPurpose: 'revocation',
      statusListIndex: '7',
      statusListCredential: `${BASE}1`,
    },
  }
  const token = await signJws(claims, 'vc+jwt', issuer)
  return { token, id, digest: digestOf(token.slice(0, token.lastIndexOf('.'))), to }
}

/** @param {number} depth @param {readonly JsonObject[]} [grants] */
export async function chainOf(depth, grants) {
  /** @type {Minted[]} */
  const links = []
  for (let hop = 0; hop < depth; hop += 1) {
    links.push(await mint({ to: party(), parent: links.at(-1), hop, ...(grants === undefined ? {} : { grants }) }))
  }
  return links
}

/** @type {ReceivedRequest} */
export const request = {
  method: 'POST',
  url: `${SELF}/bookings/1`,
  bodyDigest: null,
  action: 'book',
  resource: `${SELF}/bookings/1`,
  params: { amount: 5 },
}

/** @param {readonly Minted[]} links @param {ReceivedRequest} [asked] */
export async function present(links, asked = request) {
  const holder = links.at(-1)?.to ?? root
  const { method: htm, url: htu, action, resource, params } = asked
  const claims = {
    '@context': CONTEXTS,
    type: ['VerifiablePresentation', 'AgentRequestPresentation'],
    holder: holder.did,
    iss: holder.did,
    aud: SELF,
    iat: clock.now(),
    exp: clock.now() + 120,
    jti: randomUUID().replaceAll('-', ''),
    request: { htm, htu, action, resource, paramsDigest: paramsDigest(params) },
    verifiableCredential: links.map(({ token }) => ({
      '@context': CONTEXTS[0],
      id: `data:application/vc+jwt,${token}`,
      type: 'EnvelopedVerifiableCredential',
    })),
  }
  return signJws(claims, 'vp+jwt', holder)
}

/** A list of so many bits, none of them random, none of them that of a link. @param {number} bits */
async function listOf(bits) {
  const bytes = createHash('shake256', { outputLength: bits / 8 })
    .update('bits')
    .digest()
  bytes[0] = 0
  const list = {
    '@context': CONTEXTS,
    issuer: root.did,
    iss: root.did,
    ...times,
    id: `${BASE}1`,
    type: ['VerifiableCredential', 'BitstringStatusListCredential'],
    credentialSubject: {
      id: `${BASE}1#list`,
      type: 'BitstringStatusList',
      statusPurpose: 'revocation',
      encodedList: `u${gzipSync(bytes).toString('base64url')}`,
      version: 1,
    },
  }
  return { token: await signJws(list, 'vc+jwt', root) }
}

/** State that forgets nothing and asks nothing of a disk. @param {{ token: string }} snapshot @returns {VerifierPorts} */
export function portsWith(snapshot) {
  return {
    clock,
    ids,
    keys: { find: () => Promise.resolve(null), all: () => Promise.resolve([]) },
    statusLists: { read: () => Promise.resolve({ snapshot, age: 0 }) },
    streams: { isHealthy: () => false },
    listVersions: { raise: (_issuer, _url, version) => Promise.resolve(version) },
    revocations: { learn: () => Promise.resolve(), about: () => Promise.resolve([]) },
    chains: { keep: () => Promise.resolve(), find: () => Promise.resolve(null) },
    nonces: {
      issue: () => Promise.resolve(''),
      consume: () => Promise.resolve(false),
      isOpen: () => Promise.resolve(false),
    },
    ledger: {
      settle: () => Promise.resolve(null),
      probe: () => Promise.resolve(null),
      held: () => Promise.resolve(null),
      close: () => Promise.resolve(null),
    },
    audit: { record: () => Promise.resolve() },
  }
}

const jwks = { keys: [{ kid: root.kid, kty: 'OKP', crv: 'Ed25519', x: root.key.x }] }
export const policy = parsePolicy({
  self: SELF,
  maxChain: MAX_DEPTH,
  roots: [{ issuer: root.did, jwks, grants: [{ resource: `${SELF}/**`, actions: ['book'] }] }],
})
const snapshot = await listOf(131_072)
export const ports = portsWith(snapshot)

const { fromDidKey } = await import('procura')
const { requireNarrower } = await import('../dist/authority/grant.js')
const { createVerdicts } = await import('../dist/verifier/verdicts.js')
const { readTokens } = await import('../dist/presentation/presentation.js')

/** Microseconds of processor time for each call: the least and the median of the rounds. @template T @param {() => T | Promise<T>} make @param {(made: T) => unknown} call */
async function timed(make, call, rounds = QUICK ? 30 : 150, calls = 8) {
  /** @type {number[]} */
  const found = []
  for (let round = -5; round < rounds; round += 1) {
    /** @type {T[]} */
    const made = []
    for (let n = 0; n < calls; n += 1) made.push(await make())
    const before = process.cpuUsage()
    for (const one of made) await call(one)
    const { user, system } = process.cpuUsage(before)
    if (round >= 0) found.push((user + system) / calls)
  }
  found.sort((a, b) => a - b)
  return `${(found[0] ?? NaN).toFixed(0).padStart(7)} ${(found[Math.floor(found.length / 2)] ?? NaN).toFixed(0).padStart(7)}`
}

/** @param {import('procura').Verifier} verifier @param {string} token @param {ReceivedRequest} [asked] */
async function allowed(verifier, token, asked = request) {
  const decision = await verifier.decide(token, asked)
  if (!decision.allow) throw new Error(decision.detail)
}

const print = (/** @type {string} */ name, /** @type {string} */ figures) => console.log(`${name.padEnd(52)}${figures}`)
console.log(`Node ${process.version}; microseconds of processor time, least and median`)

for (let depth = 1; depth <= MAX_DEPTH; depth += 1) {
  const links = await chainOf(depth)
  const token = await present(links)
  const seasoned = createVerifier(policy, ports)
  await allowed(seasoned, token)
  print(
    `depth ${depth}, cold`,
    await timed(
      () => createVerifier(policy, ports),
      verifier => allowed(verifier, token),
    ),
  )
  print(`depth ${depth}, known`, await timed(() => null, () => allowed(seasoned, token))) // prettier-ignore
  const above = links.slice(0, -1)
  const another = async () => present([...above, await mint({ to: party(), parent: above.at(-1), hop: depth - 1 })])
  print(`depth ${depth}, known but for its leaf`, await timed(another, fresh => allowed(seasoned, fresh)))
}

/**
 * What makes comparing take longest in 8 KiB: 16 grants of one resource, each wider than the 15 before it by the value that
 * is looked at last.
 */
const alike = Array.from({ length: 16 }, (_, n) => ({
  resource: `${SELF}/bookings/**`,
  actions: ['book'],
  args: {
    amount: { op: 'any', req: true },
    x: { op: 'in', req: false, values: [...Array.from({ length: 32 }, (_none, at) => `${at}`), `z${n}`] },
  },
}))
{
  const others = Array.from({ length: 63 }, (_, n) => ({ resource: `${SELF}/x/${n}`, actions: ['book'] }))
  const wide = [...others, { resource: `${SELF}/**`, actions: ['book'] }]
  const open = createVerifier(parsePolicy({ self: SELF, roots: [{ issuer: root.did, jwks, grants: wide }] }), ports)
  const fresh = async () => present(await chainOf(4, alike))
  const token = await fresh()
  print(`depth 4, 16 grants each, policy of 64, new chain`, await timed(fresh, made => allowed(open, made), 20, 2))
  const known = await timed(
    () => null,
    () => allowed(open, token),
  )
  print(`  known (${token.length} characters)`, known)
}
for (const count of [16, 64]) {
  const own = { op: 'in', req: true }
  /** @param {number} n @returns {Grant} */
  const grant = n => ({
    resource: `${SELF}/a/**`,
    actions: Array.from({ length: 32 }, (_, at) => `action${at}`),
    args: new Map([
      ['x', { ...own, op: 'in', values: [...Array.from({ length: 63 }, (_, at) => `value ${at}`), `z${n}`] }],
    ]),
  })
  const many = Array.from({ length: count }, (_, n) => grant(n))
  const compared = await timed(
    () => null,
    () => requireNarrower(many, many),
    20,
    2,
  )
  print(`${count} × ${count} grants of 32 actions and 64 values, compared`, compared)
}

for (const bits of [131_072, 1_048_576]) {
  const token = await present(await chainOf(3))
  const { token: list } = await listOf(bits)
  const first = () => createVerifier(policy, portsWith({ token: list }))
  print(`list of ${bits} random bits, first use, chain new`, await timed(first, verifier => allowed(verifier, token), 20, 2)) // prettier-ignore
  const seasoned = first()
  await allowed(seasoned, token)
  print(
    '  afterwards, chain known',
    await timed(
      () => null,
      () => allowed(seasoned, token),
    ),
  )
}

const held = () => {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}
const sizeOf = (/** @type {number} */ bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MB`
if (globalThis.gc === undefined) {
  console.log('memory: run with node --expose-gc')
} else {
  const agents = Number(process.argv.find(one => /^\d+$/.test(one)) ?? (QUICK ? 20_000 : 1_000_000))
  let before = held()
  for (let n = 0; n < agents; n += 1) {
    const bytes = createHash('sha256').update(`agent ${n}`).digest()
    fromDidKey(toDidKey(/** @type {PublicKey} */ (/** @type {unknown} */ ({ bytes }))))
    if (n === 4999) print('keys: 5000 names', `${((held() - before) / 5000).toFixed(0)} bytes each`)
  }
  print(`keys: ${agents} names`, sizeOf(held() - before))
  const verdicts = createVerdicts()
  const rules = { maxTtl: 86_400, binding: /** @type {const} */ ('cnf'), keys: ports.keys }
  const [top] = await chainOf(1)
  before = held()
  const links = Math.min(agents, 20_000)
  for (let n = 0; n < links; n += 1) {
    const leaf = await mint({ to: party(), parent: top, hop: 1 })
    const sealed = readTokens([top?.token ?? '', leaf.token], 8)
    await verdicts.open(sealed, root.key, rules, clock.now(), { link: null, opened: [] })
    if (n === 1999)
      print(`links: 2000, of ${leaf.token.length} characters`, `${((held() - before) / 2000).toFixed(0)} bytes each`)
  }
  print(`links: ${links} seen, ${verdicts.size} remembered`, sizeOf(held() - before))
}
