import { MAX_CREDENTIAL } from '../credential/credential.js'
import { openOwnChain, type Chain } from '../delegation/chain.js'
import { ProcuraError } from '../errors.js'
import { readJws } from '../jws/compact.js'
import type { IssuerIdentity, IssuerPorts } from './issuer.js'

/**
 * Opens a chain with the verifier's eyes: what would not open as a chain rooted here is neither issued nor revoked.
 *
 * @throws CHAIN_EMPTY, ROOT_UNTRUSTED and the codes of steps 1–3 and 7–10
 */
export type OpenOwn = (tokens: readonly string[]) => Promise<Chain>

/** Opens what was granted under this identity. */
export function openerOf({ signer, publicKey }: IssuerIdentity, { keys }: IssuerPorts): OpenOwn {
  return async tokens => {
    const sealed = tokens.map((token, index) => readJws(token, 'vc+jwt', MAX_CREDENTIAL, `link ${index}`))
    const [root] = sealed
    if (root === undefined) throw new ProcuraError('CHAIN_EMPTY', {})
    if (root.kid !== signer.kid) throw new ProcuraError('ROOT_UNTRUSTED', { root: root.kid })
    return openOwnChain(sealed, publicKey, keys)
  }
}

/**
 * Requires that a write moved the sequence past what this process knew before: else the database was replaced by an
 * older one under it.
 *
 * @throws STORAGE_ROLLED_BACK
 */
export function requireOnward(known: number, sequence: number): void {
  if (sequence > known) return
  throw new ProcuraError('STORAGE_ROLLED_BACK', { why: `it stands at ${sequence}, ${known} was reached` })
}
