import type { StoredCredential } from '../ports.js'
import { readStatus } from '../status/entry.js'
import type { Chain } from './chain.js'
import { nearest } from './narrowing.js'

/**
 * The links of a verified chain as storage keeps them, root first.
 *
 * @param tokens - the tokens the chain was opened from, in the same order
 * @throws what reading `credentialStatus` throws: a link whose status could not be checked is not kept
 */
export function toStored(chain: Chain, tokens: readonly string[]): [StoredCredential, ...StoredCredential[]] {
  const stored = chain.map((link, index): StoredCredential => {
    const { digest, id, issuer, subject, validFrom, validUntil, claims } = link
    const inForce =
      nearest(
        chain.slice(0, index + 1).map(one => one.claims.authority),
        'statusIssuers',
      ) ?? []
    const entries = readStatus(link.status, validUntil - validFrom, inForce)
    const revocation = entries.find(({ purpose }) => purpose === 'revocation')
    return {
      digest,
      id,
      issuer,
      subject,
      parent: claims.authority.parent?.digest ?? null,
      validUntil,
      token: tokens[index] ?? '',
      status: revocation === undefined ? null : { url: revocation.url, index: revocation.index },
    }
  })
  return stored as [StoredCredential, ...StoredCredential[]]
}
