// How the cost of a decision grows: with depth, grants, list size, and the number of agents that are known. Processor time,
// because that is the figure that other programs on the machine disturb least. `node bench/growth.js [--quick]` after a build.
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { createVerifier, parsePolicy, parsePublicKey, paramsDigest, signJws, toDidKey, digestOf } from 'procura'

/** @import { Did, DidUrl, JsonObject, ReceivedRequest, Signer, PublicKey, VerifierPorts } from 'procura' */
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
  const bytes = createHash('shake256', { outputLength: bits / 8 }).update('bits').digest()
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
