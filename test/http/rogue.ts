import type { JsonObject } from '../../src/json.js'
import { signJws } from '../../src/jws/compact.js'
import type { Agent, Held } from '../../src/wallet/wallet.js'

/** A delegation under `held` that copies the status entry of somebody else's credential. */
export async function delegateWith(agent: Agent, held: Held, to: Agent, model: JsonObject): Promise<readonly string[]> {
  const subject = model['credentialSubject'] as JsonObject
  const { more, hop, ...authority } = subject['authority'] as JsonObject
  const claims = {
    ...model,
    issuer: agent.did,
    iss: agent.did,
    sub: to.did,
    iat: Math.floor(Date.now() / 1000),
    validFrom: `${new Date().toISOString().slice(0, 19)}Z`,
    validUntil: `${new Date(held.validUntil * 1000).toISOString().slice(0, 19)}Z`,
    exp: held.validUntil,
    cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: to.holder.publicKey.x } },
    credentialSubject: {
      id: to.did,
      authority: {
        ...authority,
        hop: Number(hop) + 1,
        more: Math.max(0, Number(more) - 2),
        parent: { id: held.id, digest: held.digest },
      },
    },
  }
  return [...held.chain, await signJws(claims, 'vc+jwt', agent.holder)]
}
