import { methodOf } from '../did/did.js'
import { fromDidKey } from '../did/key.js'
import type { PublicKey } from '../ed25519.js'
import { ProcuraError } from '../errors.js'
import type { Keys } from '../ports/deciding.js'
import type { Credentials, StatusPlace, StatusPurpose, StoredCredential } from '../ports/issuing.js'
import { readStatus } from '../status/entry.js'
import type { Chain } from './chain.js'
import { nearest } from './narrowing.js'

/**
 * The links of a verified chain as storage keeps them, root first.
 *
 * @param tokens - the tokens the chain was opened from, in the same order
 * @param rootKey - the key the root verified under; each further link names its own in the link above
 * @throws what reading `credentialStatus` throws: a link whose status could not be checked is not kept
 */
export function toStored(chain: Chain, tokens: readonly string[], rootKey: PublicKey): StoredChain {
  return chain.map((_, index) => storedLink(chain, index, tokens[index] ?? '', rootKey)) as unknown as StoredChain
}

/** The last link of a verified chain alone, as {@link toStored} has it. */
export function toStoredLeaf(chain: Chain, tokens: readonly string[], rootKey: PublicKey): StoredCredential {
  return storedLink(chain, chain.length - 1, tokens.at(-1) ?? '', rootKey)
}

function storedLink(chain: Chain, index: number, token: string, rootKey: PublicKey): StoredCredential {
  const { digest, id, issuer, subject, issuedAt, validFrom, validUntil, claims, status } = chain[index] ?? chain[0]
  const inForce =
    nearest(
      chain.slice(0, index + 1).map(one => one.claims.authority),
      'statusIssuers',
    ) ?? []
  const entries = readStatus(status, validUntil - validFrom, inForce)
  const placeOf = (purpose: StatusPurpose): StatusPlace | null => {
    const entry = entries.find(one => one.purpose === purpose)
    return entry === undefined ? null : { url: entry.url, index: entry.index }
  }
  return {
    ...{ digest, id, issuer, subject, issuedAt, validUntil, token },
    parent: claims.authority.parent?.digest ?? null,
    key: (chain[index - 1]?.key ?? rootKey).x,
    status: placeOf('revocation'),
    suspension: placeOf('suspension'),
  }
}

/**
 * True if the issuer that a stored link names is who signed it: a root by the key it was taken in with, a did:key by
 * itself, a did:web by its document. The chain was verified when it was stored, its names were not.
 *
 * @throws DID_RESOLUTION, DID_FORBIDDEN_HOST
 */
export async function isStoredIssuerProved({ issuer, parent, key }: StoredCredential, keys: Keys): Promise<boolean> {
  if (parent === null) return true
  if (methodOf(issuer) === 'key') return fromDidKey(issuer).x === key
  return (await keys.all(issuer, 'assertionMethod')).some(one => one.x === key)
}

/** Links as storage keeps them, root first. */
export type StoredChain = readonly [StoredCredential, ...StoredCredential[]]

/** The chain that ends in a credential, by following what each link names as its parent. @throws NOT_FOUND */
export async function storedChain(credentials: Credentials, leaf: StoredCredential): Promise<StoredChain> {
  if (leaf.parent === null) return [leaf]
  const parent = await credentials.find(leaf.parent)
  if (parent === null) throw new ProcuraError('NOT_FOUND', { what: `credential ${leaf.parent}` })
  return [...(await storedChain(credentials, parent)), leaf]
}
