// What a compromised agent does: it has its key and its chain, and signs what its wallet would refuse to sign.
import { randomBytes, randomUUID } from 'node:crypto'
import { bodyDigest, paramsDigest, signJws } from 'procura'

/** @import { Agent } from 'procura/wallet' */

const CONTEXTS = ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1']

/**
 * A presentation of any chain for any request.
 *
 * @param {Agent} agent
 * @param {readonly string[]} chain
 * @param {{ audience: string, url: string, action: string, params: import('procura').JsonObject, purpose: string }} call
 */
export function presentAnyway(agent, chain, { audience, url, action, params, purpose }) {
  const iat = Math.floor(Date.now() / 1000)
  const claims = {
    '@context': CONTEXTS,
    type: ['VerifiablePresentation', 'AgentRequestPresentation'],
    holder: agent.did,
    iss: agent.did,
    aud: audience,
    iat,
    exp: iat + 60,
    jti: randomBytes(16).toString('base64url'),
    request: {
      htm: 'POST',
      htu: url,
      bodyDigest: bodyDigest(JSON.stringify(params)),
      action,
      resource: url,
      paramsDigest: paramsDigest(params),
      purpose,
    },
    verifiableCredential: chain.map(token => ({
      '@context': CONTEXTS[0],
      id: `data:application/vc+jwt,${token}`,
      type: 'EnvelopedVerifiableCredential',
    })),
  }
  return signJws(claims, 'vp+jwt', agent.holder)
}

/**
 * A delegation that claims more than its parent gives.
 *
 * @param {Agent} agent
 * @param {import('procura/wallet').Held} held
 * @param {Agent} to
 * @param {readonly object[]} grants
 */
export async function delegateAnyway(agent, held, to, grants) {
  const iat = Math.floor(Date.now() / 1000)
  const at = (/** @type {number} */ seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
  const { audience, hop } = held.authority
  const claims = {
    '@context': CONTEXTS,
    id: `urn:uuid:${randomUUID()}`,
    type: ['VerifiableCredential', 'AgentDelegationCredential'],
    issuer: agent.did,
    iss: agent.did,
    sub: to.did,
    iat,
    exp: iat + 60,
    validFrom: at(iat),
    validUntil: at(iat + 60),
    cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: to.holder.publicKey.x } },
    credentialSubject: {
      id: to.did,
      authority: { v: 1, hop: hop + 1, more: 0, audience, grants, parent: { id: held.id, digest: held.digest } },
    },
  }
  return [...held.chain, await signJws(claims, 'vc+jwt', agent.holder)]
}

/** Sends a presentation that somebody made. @param {string} address @param {string} url @param {string} token @param {object} params */
export function send(address, url, token, params) {
  return fetch(address + new URL(url).pathname, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'agent-presentation': token },
    body: JSON.stringify(params),
  })
}
