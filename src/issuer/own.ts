import { MAX_CREDENTIAL } from '../credential/credential.js'
import { openOwnChain, type Chain } from '../delegation/chain.js'
import type { DidUrl } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { Digest } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import { openJws, readJws } from '../jws/compact.js'
import type { IssuingKeys } from '../ports/keys.js'
import type { IssuerIdentity, IssuerPorts } from './issuer.js'

/**
 * Opens a chain with the verifier's eyes: what would not open as a chain rooted here is neither issued nor revoked.
 *
 * @throws CHAIN_EMPTY, ROOT_UNTRUSTED and the codes of steps 1–3 and 7–10
 */
export type OpenOwn = (tokens: readonly string[]) => Promise<OwnChain>

/** A chain that one of our keys roots. */
export interface OwnChain {
  readonly chain: Chain
  readonly rootKey: PublicKey
  /** false: the key was dropped, so verifiers refuse the chain, and whoever stole it may have signed it */
  readonly isListed: boolean
}

/** The key of ours that signed under a name, a former one too. @throws ROOT_UNTRUSTED */
export async function ownKey(keys: IssuingKeys, kid: DidUrl): Promise<{ key: PublicKey; isListed: boolean }> {
  const found = await keys.find(kid)
  if (found === null) throw new ProcuraError('ROOT_UNTRUSTED', { root: kid })
  return found
}

/**
 * Requires that a credential which was just signed verifies: a key may live in hardware, or in another's program.
 *
 * @returns its digest
 * @throws SIGNATURE_INVALID
 */
export function requireSigned(token: string, { publicKey }: { readonly publicKey: PublicKey }): Digest {
  const sealed = readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'credential')
  openJws(sealed, publicKey)
  return sealed.digest
}

/** Opens what was granted under this identity. */
export function openerOf({ keys: own }: IssuerIdentity, { keys }: IssuerPorts): OpenOwn {
  return async tokens => {
    const sealed = tokens.map((token, index) => readJws(token, 'vc+jwt', MAX_CREDENTIAL, `link ${index}`))
    const [root] = sealed
    if (root === undefined) throw new ProcuraError('CHAIN_EMPTY', {})
    const { key: rootKey, isListed } = await ownKey(own, root.kid)
    return { chain: await openOwnChain(sealed, rootKey, keys), rootKey, isListed }
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
