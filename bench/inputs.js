// What is measured: chains of any depth, presentations and proofs over them, and the same people's tokens as stock
// Veramo reads them. Everything is signed before the clock runs.
import { generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { digestOf, paramsDigest, parsePublicKey, signJws, toDidKey } from 'procura'

/** @import { DidUrl, PublicKey, ReceivedRequest, Signer, StatusIssuer } from 'procura' */
/** @typedef {Signer & { publicKey: PublicKey }} Person */

export const SELF = 'https://api.bench.example'
const CONTEXTS = ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1']
const VCDM_1 = 'https://www.w3.org/2018/credentials/v1'
export const GRANTS = [
  { resource: `${SELF}/bookings/**`, actions: ['book'], args: { amount: { op: 'range', min: 0, max: 9, req: true } } },
]
/** @type {ReceivedRequest} */
export const RECEIVED = {
  method: 'POST',
  url: `${SELF}/bookings/1`,
  bodyDigest: null,
  action: 'book',
  resource: `${SELF}/bookings/1`,
  params: { amount: 5 },
}
/** As `POST /v1/verify` is told of it. */
export const REQUEST = { method: 'POST', url: RECEIVED.url, action: 'book', resource: RECEIVED.resource, params: RECEIVED.params } // prettier-ignore

/** Somebody with a key in memory, known by did:key. @returns {Person} */
export function person() {
  const { publicKey: handle, privateKey } = generateKeyPairSync('ed25519')
  const publicKey = parsePublicKey(Buffer.from(handle.export({ format: 'jwk' }).x ?? '', 'base64url'), 'bench')
  const did = toDidKey(publicKey)
  /** @type {DidUrl} */
  const kid = `${did}#${did.slice('did:key:'.length)}`
  return { did, kid, publicKey, sign: data => Promise.resolve(sign(null, data, privateKey)) }
}

/** A root and eight that hand on, each to the next. */
export const PEOPLE = Array.from({ length: 9 }, person)

/** Who is at that place. @param {readonly Person[]} people @param {number} index */
export function at(people, index) {
  const one = people[index]
  if (one === undefined) throw new Error('nobody is left')
  return one
}

const root = at(PEOPLE, 0)
/** @param {PublicKey} key */
const jwk = ({ x }) => ({ kty: /** @type {const} */ ('OKP'), crv: /** @type {const} */ ('Ed25519'), x })

/** What a policy says of the root. */
export const ROOT = { issuer: root.did, jwks: { keys: [{ kid: root.kid, ...jwk(root.publicKey) }] }, grants: GRANTS }

/** @param {number} seconds */
const date = seconds => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
export const now = () => Math.floor(Date.now() / 1000)

/** Where links have their status. @typedef {{ issuer: StatusIssuer, entry: { statusListCredential: string } }} Status */

/** Where they have it when no service is asked. @type {Status} */
export const STATUS = {
  issuer: { iss: root.did, base: 'https://root.bench.example/sl/' },
  entry: {
    ...{ type: 'BitstringStatusListEntry', statusPurpose: 'revocation', statusListIndex: '7' },
    statusListCredential: 'https://root.bench.example/sl/1',
  },
}

/** The claims of that list, none of its 131 072 bits set. */
export function statusList() {
  const [from, id] = [now(), STATUS.entry.statusListCredential]
  return {
    ...{ '@context': CONTEXTS, id, type: ['VerifiableCredential', 'BitstringStatusListCredential'] },
    ...{ issuer: root.did, iss: root.did, iat: from, exp: from + 3600 },
    ...{ validFrom: date(from), validUntil: date(from + 3600) },
    credentialSubject: {
      ...{ id: `${id}#list`, type: 'BitstringStatusList', statusPurpose: 'revocation', version: 1 },
      encodedList: `u${gzipSync(Buffer.alloc(16_384)).toString('base64url')}`,
    },
  }
}

/**
 * A chain that no verifier has seen, every link with a status.
 *
 * @param {Status} status @param {number} [depth] @param {readonly Person[]} [people]
 * @param {number} [more] - hops that may follow
 */
export async function chainOf({ issuer, entry }, depth = 3, people = PEOPLE, more = 0) {
  const iat = now() - 2
  /** @type {string[]} */
  const chain = []
  let parent = {}
  for (let hop = 0; hop < depth; hop += 1) {
    const type = hop === 0 ? 'AgentCapabilityCredential' : 'AgentDelegationCredential'
    const authority = { v: 1, hop, more: more + depth - 1 - hop, audience: [SELF], grants: GRANTS, ...(hop === 0 ? { statusIssuers: [issuer] } : parent) } // prettier-ignore
    const id = `urn:uuid:${randomUUID()}`
    chain.push(await credential({ id, type, iat, authority, entry }, at(people, hop), at(people, hop + 1)))
    parent = { parent: { id, digest: leafOf(chain) } }
  }
  return chain
}

/** @param {{ id: string, type: string, iat: number, authority: object, entry: object }} said @param {Person} from @param {Person} to */
function credential({ id, type, iat, authority, entry }, from, to) {
  return signJws(
    {
      ...{ '@context': CONTEXTS, id, type: ['VerifiableCredential', type] },
      ...{ issuer: from.did, iss: from.did, sub: to.did },
      ...{ iat, exp: iat + 1800, validFrom: date(iat), validUntil: date(iat + 1800) },
      cnf: { jwk: jwk(to.publicKey) },
      credentialSubject: { id: to.did, authority },
      credentialStatus: entry,
    },
    'vc+jwt',
    from,
  )
}

/** Three credentials of that size by three issuers, all about who presents them: no chain. */
export async function presentUnchained() {
  const [iat, caller] = [now() - 2, at(PEOPLE, 3)]
  const authority = { v: 1, hop: 0, more: 0, audience: [SELF], grants: GRANTS, statusIssuers: [STATUS.issuer] }
  const said = {
    id: `urn:uuid:${randomUUID()}`,
    type: 'AgentCapabilityCredential',
    iat,
    authority,
    entry: STATUS.entry,
  }
  const three = PEOPLE.slice(0, 3).map(from => credential(said, from, caller))
  return present(await Promise.all(three), caller)
}

/** Digest of the last link. @param {readonly string[]} chain */
export function leafOf(chain) {
  const token = chain.at(-1) ?? ''
  return digestOf(token.slice(0, token.lastIndexOf('.')))
}

/** @param {Person} caller */
function presented(caller) {
  const { method, url, action, resource, params } = RECEIVED
  const request = { htm: method, htu: url, action, resource, paramsDigest: paramsDigest(params) }
  const iat = now()
  const who = { holder: caller.did, iss: caller.did, aud: SELF, iat, exp: iat + 60 }
  return { '@context': CONTEXTS, ...who, jti: randomBytes(16).toString('base64url'), request }
}

/** A presentation with the chain whole, by who holds its leaf. @param {readonly string[]} chain @param {Person} [caller] */
export function present(chain, caller = at(PEOPLE, chain.length)) {
  const envelopes = chain.map(token => ({
    ...{ '@context': CONTEXTS[0], id: `data:application/vc+jwt,${token}`, type: 'EnvelopedVerifiableCredential' },
  }))
  const type = ['VerifiablePresentation', 'AgentRequestPresentation']
  return signJws({ ...presented(caller), type, verifiableCredential: envelopes }, 'vp+jwt', caller)
}

/** A body with the chain whole. @param {readonly string[]} chain */
export async function whole(chain) {
  return JSON.stringify({ presentation: await present(chain), request: REQUEST })
}

/** A body that names a chain of three. @param {string} leaf */
export async function byReference(leaf) {
  const caller = at(PEOPLE, 3)
  return JSON.stringify({ proof: await signJws({ ...presented(caller), leaf }, 'agent-proof+jwt', caller), request: REQUEST }) // prettier-ignore
}

/** A presentation of three credentials as stock Veramo reads it: all VCDM 1.1 JWTs. */
export async function stockPresentation() {
  const iat = now() - 2
  const credentials = []
  for (let hop = 0; hop < 3; hop += 1) {
    const from = at(PEOPLE, hop)
    const credentialSubject = { authority: { audience: [SELF], grants: GRANTS } }
    const vc = { '@context': [VCDM_1], type: ['VerifiableCredential'], credentialSubject }
    credentials.push(await jwt({ iss: from.did, sub: at(PEOPLE, hop + 1).did, nbf: iat, exp: iat + 1800, vc }, from))
  }
  const caller = at(PEOPLE, 3)
  const vp = { '@context': [VCDM_1], type: ['VerifiablePresentation'], verifiableCredential: credentials }
  return jwt({ iss: caller.did, nbf: iat, exp: iat + 60, jti: randomUUID(), vp }, caller)
}

/** It in a body of the same shape. */
export async function ofStock() {
  return JSON.stringify({ presentation: await stockPresentation(), request: REQUEST })
}

/** @param {object} claims @param {Signer} signer */
async function jwt(claims, signer) {
  const input = [{ alg: 'EdDSA', typ: 'JWT' }, claims]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${input}.${Buffer.from(await signer.sign(Buffer.from(input))).toString('base64url')}`
}
