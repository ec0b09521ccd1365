// What callers of bench/soak.js sign by themselves: delegations, presentations, proofs.
import { generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto'
import { digestOf, paramsDigest, parsePublicKey, signJws, toDidKey } from 'procura'

/** @import { Did, DidUrl, Signer } from 'procura' */
/** @typedef {Signer & { did: Did, x: string }} Party */
/** @typedef {{ url: string, index: number }} Place */

export const SELF = 'https://api.bench.example'
export const GRANTS = [{ resource: `${SELF}/**`, actions: ['book'] }]
export const REQUEST = {
  ...{ method: 'POST', url: `${SELF}/bookings/1`, bodyDigest: null },
  ...{ action: 'book', resource: `${SELF}/bookings/1`, params: { amount: 5 } },
}
const CONTEXTS = ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1']

export const now = () => Math.floor(Date.now() / 1000)
/** @param {number} at */
const date = at => `${new Date(at * 1000).toISOString().slice(0, 19)}Z`

/** Somebody with a key of its own. @returns {Party} */
export function newParty() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const x = publicKey.export({ format: 'jwk' }).x ?? ''
  const did = toDidKey(parsePublicKey(Buffer.from(x, 'base64url'), 'soak'))
  /** @type {DidUrl} */
  const kid = `${did}#${did.slice('did:key:'.length)}`
  return { did, kid, x, sign: data => Promise.resolve(sign(null, data, privateKey)) }
}

/** Digest of the last link. @param {readonly string[]} chain */
export function leafOf(chain) {
  const token = chain.at(-1) ?? ''
  return digestOf(token.slice(0, token.lastIndexOf('.')))
}

/**
 * A root by a key of one's own, for five minutes.
 *
 * @param {Party} from @param {Party} to
 */
export function rootFor(from, to) {
  const authority = { v: 1, hop: 0, more: 1, audience: [SELF], grants: GRANTS }
  return credential('AgentCapabilityCredential', from, to, 295, authority)
}

/**
 * A chain with one more link.
 *
 * @param {readonly string[]} chain of `from` @param {Party} from @param {Party} to @param {number} ttl seconds
 * @param {Place} [place] its status; needed above 300 s
 */
export async function delegated(chain, from, to, ttl, place) {
  const [, body = ''] = (chain.at(-1) ?? '').split('.')
  /** @type {unknown} */
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString())
  const parent = /** @type {{ id: string, credentialSubject: { authority: { hop: number } } }} */ (claims)
  const authority = {
    ...{ v: 1, hop: parent.credentialSubject.authority.hop + 1, more: 0, audience: [SELF], grants: GRANTS },
    parent: { id: parent.id, digest: leafOf(chain) },
  }
  return [...chain, await credential('AgentDelegationCredential', from, to, ttl, authority, place)]
}

/** @param {string} type @param {Party} from @param {Party} to @param {number} ttl @param {object} authority @param {Place} [place] */
function credential(type, from, to, ttl, authority, place) {
  const iat = now()
  return signJws(
    {
      ...{ '@context': CONTEXTS, id: `urn:uuid:${randomUUID()}`, type: ['VerifiableCredential', type] },
      ...{ issuer: from.did, iss: from.did, sub: to.did },
      ...{ iat, exp: iat + ttl, validFrom: date(iat), validUntil: date(iat + ttl) },
      cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: to.x } },
      credentialSubject: { id: to.did, authority },
      ...(place === undefined ? {} : { credentialStatus: statusOf(place) }),
    },
    'vc+jwt',
    from,
  )
}

/** @param {Place} place */
function statusOf({ url, index }) {
  const entry = { type: 'BitstringStatusListEntry', statusPurpose: 'revocation', statusListCredential: url }
  return { id: `${url}#${index}`, ...entry, statusListIndex: String(index) }
}

/** @param {Party} caller @param {string} action */
function bound(caller, action) {
  const { method, url, resource, params } = REQUEST
  const iat = now()
  const who = { holder: caller.did, iss: caller.did, aud: SELF, iat, exp: iat + 60 }
  const request = { htm: method, htu: url, action, resource, paramsDigest: paramsDigest(params) }
  return { '@context': CONTEXTS, ...who, jti: randomBytes(16).toString('base64url'), request }
}

/** A presentation of a whole chain. @param {Party} caller @param {readonly string[]} chain @param {string} [action] */
export function presented(caller, chain, action = REQUEST.action) {
  const envelopes = chain.map(token => ({
    ...{ '@context': CONTEXTS[0], id: `data:application/vc+jwt,${token}`, type: 'EnvelopedVerifiableCredential' },
  }))
  const type = ['VerifiablePresentation', 'AgentRequestPresentation']
  return signJws({ ...bound(caller, action), type, verifiableCredential: envelopes }, 'vp+jwt', caller)
}

/** A proof that names a chain. @param {Party} caller @param {readonly string[]} chain */
export async function proved(caller, chain) {
  return signJws({ ...bound(caller, REQUEST.action), leaf: leafOf(chain) }, 'agent-proof+jwt', caller)
}
