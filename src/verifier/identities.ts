import type { StatusIssuer } from '../authority/authority.js'
import { isResource } from '../authority/resource.js'
import { readCredential, type Credential } from '../credential/credential.js'
import { IDENTITY, identityShape, type Identity } from '../credential/identity.js'
import type { Chain } from '../delegation/chain.js'
import { didWebUrl } from '../did/web.js'
import { methodOf, type Did } from '../did/did.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import { isObject, member } from '../json.js'
import { openJws, type Sealed } from '../jws/compact.js'
import type { Policy } from '../policy/policy.js'
import type { Keys } from '../ports.js'
import { SKEW, type UnixSeconds } from '../time.js'
import { findKey } from './checks.js'

/** An identity credential that holds, and the links whose subject it describes. */
export interface Identified {
  readonly credential: Credential<Identity>
  /** indexes; at least one */
  readonly links: readonly number[]
}

/**
 * Whoever the policy names brought an identity credential of an issuer it trusts: step 16, after the grants. Whether it
 * was revoked is asked with the links' own status. Where the policy asks for none, none is read.
 *
 * @param sealed - what rides in the presentation, in any order
 * @returns what the policy asked for and what came beside it; at most one per link
 * @throws IDENTITY_REQUIRED, IDENTITY_INVALID; DID_RESOLUTION where an issuer's key cannot be looked up
 */
export async function requireIdentities(
  sealed: readonly Sealed[],
  chain: Chain,
  policy: Policy,
  keys: Keys,
  now: UnixSeconds,
): Promise<readonly Identified[]> {
  if (policy.identity === 'none') return []
  const due = [...chain.keys()].slice(policy.identity === 'leaf' ? -1 : 0)
  if (sealed.length === 0) throw required(chain, due[0])
  const identified: Identified[] = []
  for (const one of sealed) identified.push(await open(one, chain, policy, keys, now))
  const named = identified.flatMap(({ links }) => links)
  if (new Set(named).size < named.length) throw invalid('two describe the same link')
  const missing = due.find(index => !named.includes(index))
  if (missing !== undefined) throw required(chain, missing)
  return identified
}

async function open(sealed: Sealed, chain: Chain, policy: Policy, keys: Keys, now: UnixSeconds): Promise<Identified> {
  try {
    if (!policy.identityIssuers.has(sealed.signer)) throw invalid(`${sealed.signer} issues no identities here`)
    const key = await findKey(sealed, policy, keys)
    if (key === null) throw invalid(`${sealed.kid} is not listed under assertionMethod`)
    const credential = readCredential(openJws(sealed, key), sealed, IDENTITY, identityShape)
    if (credential.issuer !== sealed.signer) throw invalid(`${sealed.signer} signed for ${credential.issuer}`)
    requireCurrent(credential, now)
    const { subject, key: confirmed } = credential
    const links = [...chain.entries()].flatMap(([index, link]) =>
      link.subject === subject && link.key.x === confirmed.x ? [index] : [],
    )
    if (links.length === 0) throw invalid(`${subject} with that key is nobody in the chain`)
    return { credential, links }
  } catch (error) {
    if (!isProcuraError(error) || error.kind === 'unavailable' || error.code === 'IDENTITY_INVALID') throw error
    throw new ProcuraError('IDENTITY_INVALID', { why: error.message }, { cause: error })
  }
}

/** An identity credential has begun and not ended; no skew on the end. @throws IDENTITY_INVALID */
export function requireCurrent(
  { subject, validFrom, validUntil }: Pick<Credential<Identity>, 'subject' | 'validFrom' | 'validUntil'>,
  now: UnixSeconds,
): void {
  if (now < validFrom - SKEW || now >= validUntil) throw invalid(`that of ${subject} is not valid now`)
}

/**
 * The status lists that an identity credential may name beside those in force for its link: what its issuer serves under
 * its own did:web host, and signs itself.
 */
export function ownLists({ issuer, status }: Credential<Identity>): readonly StatusIssuer[] {
  if (methodOf(issuer) !== 'web') return []
  const { origin } = new URL(didWebUrl(issuer))
  const entries: readonly unknown[] = Array.isArray(status) ? (status as readonly unknown[]) : [status]
  return entries.flatMap((entry): readonly StatusIssuer[] => {
    const url = isObject(entry) ? member(entry, 'statusListCredential') : undefined
    const folder = typeof url === 'string' ? url.slice(0, url.lastIndexOf('/')) : ''
    const isOwn = folder === origin || (folder.startsWith(`${origin}/`) && isResource(folder))
    return isOwn ? [{ iss: issuer, base: `${folder}/` }] : []
  })
}

function required(chain: Chain, index = 0): ProcuraError {
  const did: Did = (chain[index] ?? chain[0]).subject
  return new ProcuraError('IDENTITY_REQUIRED', { did })
}

function invalid(why: string): ProcuraError {
  return new ProcuraError('IDENTITY_INVALID', { why })
}
