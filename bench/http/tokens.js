// What bench/http.js sends: chains of three, each request with a token of its own, signed before the clock runs.
import { generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto'
import { digestOf, paramsDigest, parsePublicKey, signJws, toDidKey } from 'procura'

/** @import { DidUrl, Signer, StatusIssuer } from 'procura' */

export const SELF = 'https://api.bench.example'
const CONTEXTS = ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1']
const VCDM_1 = 'https://www.w3.org/2018/credentials/v1'
const GRANTS = [
  { resource: `${SELF}/bookings/**`, actions: ['book'], args: { amount: { op: 'range', min: 0, max: 9, req: true } } },
]
const REQUEST = { method: 'POST', url: `${SELF}/bookings/1`, action: 'book', resource: `${SELF}/bookings/1`, params: { amount: 5 } } // prettier-ignore

/** Root, two that hand on, and who calls. @type {readonly (Signer & { x: string })[]} */
const people = Array.from({ length: 4 }, () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const x = publicKey.export({ format: 'jwk' }).x ?? ''
  const did = toDidKey(parsePublicKey(Buffer.from(x, 'base64url'), 'bench'))
  /** @type {DidUrl} */
  const kid = `${did}#${did.slice('did:key:'.length)}`
  return { did, kid, x, sign: data => Promise.resolve(sign(null, data, privateKey)) }
})
const [root, , , caller] = /** @type {[Signer & { x: string }, unknown, unknown, Signer]} */ (
  /** @type {unknown} */ (people)
)

/** What a policy says of the root. */
export const ROOT = {
  issuer: root.did,
  jwks: { keys: [{ kid: root.kid, kty: 'OKP', crv: 'Ed25519', x: root.x }] },
  grants: GRANTS,
}

/** @param {number} at */
const date = at => `${new Date(at * 1000).toISOString().slice(0, 19)}Z`
const now = () => Math.floor(Date.now() / 1000)

/** A chain that no verifier has seen, every link with a status. @param {{ issuer: StatusIssuer, entry: object }} status */
export async function chainOf({ issuer, entry }) {
  const iat = now() - 2
  /** @type {string[]} */
  const chain = []
  let parent = {}
  for (const [hop, from] of people.slice(0, 3).entries()) {
    const to = people[hop + 1]
    if (to === undefined) throw new Error('nobody is left')
    const id = `urn:uuid:${randomUUID()}`
    const type = hop === 0 ? 'AgentCapabilityCredential' : 'AgentDelegationCredential'
    const authority = { v: 1, hop, more: 2 - hop, audience: [SELF], grants: GRANTS, ...(hop === 0 ? { statusIssuers: [issuer] } : parent) } // prettier-ignore
    const token = await signJws(
      {
        ...{ '@context': CONTEXTS, id, type: ['VerifiableCredential', type] },
        ...{ issuer: from.did, iss: from.did, sub: to.did },
        ...{ iat, exp: iat + 1800, validFrom: date(iat), validUntil: date(iat + 1800) },
        cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: to.x } },
        credentialSubject: { id: to.did, authority },
        credentialStatus: entry,
      },
      'vc+jwt',
      from,
    )
    chain.push(token)
    parent = { parent: { id, digest: leafOf(chain) } }
  }
  return chain
}

/** Digest of the last link. @param {readonly string[]} chain */
export function leafOf(chain) {
  const token = chain.at(-1) ?? ''
  return digestOf(token.slice(0, token.lastIndexOf('.')))
}

function presented() {
  const { method, url, action, resource, params } = REQUEST
  const request = { htm: method, htu: url, action, resource, paramsDigest: paramsDigest(params) }
  const iat = now()
  const who = { holder: caller.did, iss: caller.did, aud: SELF, iat, exp: iat + 60 }
  return { '@context': CONTEXTS, ...who, jti: randomBytes(16).toString('base64url'), request }
}

/** A body with the chain whole. @param {readonly string[]} chain */
export async function whole(chain) {
  const envelopes = chain.map(token => ({
    ...{ '@context': CONTEXTS[0], id: `data:application/vc+jwt,${token}`, type: 'EnvelopedVerifiableCredential' },
  }))
  const type = ['VerifiablePresentation', 'AgentRequestPresentation']
  const presentation = await signJws({ ...presented(), type, verifiableCredential: envelopes }, 'vp+jwt', caller)
  return JSON.stringify({ presentation, request: REQUEST })
}

/** A body that names the chain. @param {string} leaf */
export async function byReference(leaf) {
  return JSON.stringify({
    proof: await signJws({ ...presented(), leaf }, 'agent-proof+jwt', caller),
    request: REQUEST,
  })
}

/** A body of the same shape as stock Veramo reads it: a presentation of three credentials, all VCDM 1.1 JWTs. */
export async function ofStock() {
  const iat = now() - 2
  const credentials = []
  for (const [hop, from] of people.slice(0, 3).entries()) {
    const credentialSubject = { authority: { audience: [SELF], grants: GRANTS } }
    const vc = { '@context': [VCDM_1], type: ['VerifiableCredential'], credentialSubject }
    credentials.push(await jwt({ iss: from.did, sub: people[hop + 1]?.did, nbf: iat, exp: iat + 1800, vc }, from))
  }
  const vp = { '@context': [VCDM_1], type: ['VerifiablePresentation'], verifiableCredential: credentials }
  const presentation = await jwt({ iss: caller.did, nbf: iat, exp: iat + 60, jti: randomUUID(), vp }, caller)
  return JSON.stringify({ presentation, request: REQUEST })
}

/** @param {object} claims @param {Signer} signer */
async function jwt(claims, signer) {
  const input = [{ alg: 'EdDSA', typ: 'JWT' }, claims]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${input}.${Buffer.from(await signer.sign(Buffer.from(input))).toString('base64url')}`
}
