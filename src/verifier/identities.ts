import type { StatusIssuer } from '../authority/authority.js'
import { isResource } from '../authority/resource.js'
import { readCredential, type Credential } from '../credential/credential.js'
import { IDENTITY, identityShape, type Identity } from '../credential/identity.js'
import type { Chain } from '../delegation/chain.js'
import { didWebUrl } from '../did/web.js'
import { methodOf } from '../did/did.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import { isObject, member } from '../json.js'
import { openJws, type Sealed } from '../jws/compact.js'
import type { Policy } from '../policy/policy.js'
import type { Demands } from '../policy/risk.js'
import type { Keys } from '../ports/deciding.js'
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
  { identity }: Demands,
  policy: Policy,
  keys: Keys,
  now: UnixSeconds,
): Promise<readonly Identified[]> {
  if (identity === 'none') return []
  const due = [...chain.keys()].slice(identity === 'leaf' ? -1 : 0)
  const identified: Identified[] = []
  const refusals: unknown[] = []
  for (const one of sealed) {
    try {
      identified.push(await open(one, chain, policy, keys, now))
    } catch (error) {
      if (!isProcuraError(error) || error.kind === 'unavailable') throw error
      refusals.push(error)
    }
  }
  const named = identified.flatMap(({ links }) => links)
  const missing = due.filter(index => !named.includes(index)).map(index => (chain[index] ?? chain[0]).subject)
  const [first] = missing
  // whose they would have been is not known of those that do not hold
  if (first !== undefined && new Set(missing).size > refusals.length) {
    throw new ProcuraError('IDENTITY_REQUIRED', { did: first })
  }
  if (refusals.length > 0) throw refusals[0]
  if (new Set(named).size < named.length) throw invalid('two describe the same link')
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
 * The status lists that an identity credential may name: those in force for its link, and what its issuer serves under
 * its own did:web host. There nobody but the issuer itself signs them, whatever the chain's root says.
 *
 * @param inForce - the `statusIssuers` of the links it describes
 */
export function listsOf(
  { issuer, status }: Credential<Identity>,
  inForce: readonly StatusIssuer[],
): readonly StatusIssuer[] {
  if (methodOf(issuer) !== 'web') return inForce
  const { origin } = new URL(didWebUrl(issuer))
  const entries: readonly unknown[] = Array.isArray(status) ? (status as readonly unknown[]) : [status]
  const own = entries.flatMap((entry): readonly StatusIssuer[] => {
    const url = isObject(entry) ? member(entry, 'statusListCredential') : undefined
    const folder = typeof url === 'string' ? url.slice(0, url.lastIndexOf('/')) : ''
    const isOwn = folder === origin || (folder.startsWith(`${origin}/`) && isResource(folder))
    return isOwn ? [{ iss: issuer, base: `${folder}/` }] : []
  })
  return [...inForce.filter(({ base }) => !base.startsWith(`${origin}/`)), ...own]
}

function invalid(why: string): ProcuraError {
  return new ProcuraError('IDENTITY_INVALID', { why })
}
