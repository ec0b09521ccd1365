import type { Authority } from '../authority/authority.js'
import { authorityShape } from '../authority/authority.js'
import { readCredential, type Credential } from '../credential/credential.js'
import { didOf, isDid, methodOf, type Did } from '../did/did.js'
import { fromDidKey } from '../did/key.js'
import type { PublicKey } from '../ed25519.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { JsonObject } from '../json.js'
import { openJws, UNSIGNED, type Sealed, type Verified } from '../jws/compact.js'
import type { Keys, Relationship } from '../ports/deciding.js'
import type { KeyHolder } from '../ports/keys.js'
import { object, where } from '../shape.js'
import { SKEW, type UnixSeconds } from '../time.js'
import { requireHop, requireRoot } from './narrowing.js'

/** Type of a root credential. */
export const CAPABILITY = 'AgentCapabilityCredential'
/** Type of every further link. */
export const DELEGATION = 'AgentDelegationCredential'

/** One link: a credential that says what its subject may do. */
export type Link = Credential<{ readonly id: Did; readonly authority: Authority }> & {
  /** the subject's key was found in its DID document, or the DID is the key */
  readonly proved: boolean
}

/** Root first, leaf last; every signature verified, every link narrower than those above. At least one link. */
export type Chain = readonly [Link, ...Link[]]

/** How a subject's name is tied to its key (profile §5.4). */
export type KeyBinding = 'cnf+did' | 'cnf'

/** What a chain is held to beside its own rules. */
export interface ChainRules {
  /** seconds; the longest root life that is trusted */
  readonly maxTtl: number
  /** `kept`: names were proved when the chain was taken in; nothing is looked up */
  readonly binding: KeyBinding | 'kept'
  /** asked only for did:web subjects under `cnf+did` */
  readonly keys: Keys
}

/** Tells how far a walk along the chain has come, so that a refusal can name the link. */
export interface Progress {
  link: number | null
}

/** A walk that opens a chain; what it read can be looked at also when a link is refused for what it says. */
export interface Opening extends Progress {
  /** signatures verified, root first; the last may be one that was refused */
  opened: readonly Link[]
}

/** Reads `credentialSubject` of a capability or delegation. */
export const subjectShape = object({ id: where(isDid, 'is not a DID'), authority: authorityShape }, 'CAVEAT_UNKNOWN')

/**
 * Opens a chain: steps 8 to 10 of profile §6, link by link. Each link's claims are read only after its signature
 * verified under the key that the link above it names; the root's under `rootKey`.
 *
 * Does not check time, status or any request.
 *
 * @param sealed - root first; at least one
 * @param known - the links it begins with, if they were opened from these very tokens under this key before; of those
 *   only the names are tied to their keys again: documents change, signatures do not
 * @throws the codes of steps 8, 9 and 10
 */
export async function openChain(
  sealed: readonly Sealed[],
  rootKey: PublicKey,
  { maxTtl, binding, keys }: ChainRules,
  progress: Opening = { link: null, opened: [] },
  known: readonly Link[] = [],
): Promise<Chain> {
  const links: Link[] = []
  const read: Link[] = []
  progress.opened = read
  for (const [index, token] of sealed.entries()) {
    progress.link = index
    const above = links.at(-1)
    const before = known[index]
    const credential = before ?? readLink(token, rootKey, above)
    const bound = bindKey(credential, binding, relationshipOf(index, sealed), keys)
    const proved = typeof bound === 'boolean' ? bound : await bound
    if (token.signer !== credential.issuer) {
      throw new ProcuraError('JWS_KID_MISMATCH', { kid: token.signer, issuer: credential.issuer })
    }
    const link = before ?? { ...credential, proved }
    read.push(link)
    if (before === undefined) {
      if (above === undefined) requireRoot(link, maxTtl)
      else requireHop(link, links)
    }
    links.push(link)
  }
  progress.link = null
  const [root, ...rest] = links
  if (root === undefined) throw new ProcuraError('CHAIN_EMPTY', {})
  return [root, ...rest]
}

function readLink(token: Sealed, rootKey: PublicKey, above: Link | undefined): Omit<Link, 'proved'> {
  const claims = openJws(token, above?.key ?? rootKey, above?.subject ?? token.kid)
  return readCredential(claims, token, above === undefined ? CAPABILITY : DELEGATION, subjectShape)
}

/** Who delegates asserts; the leaf only speaks. */
function relationshipOf(index: number, { length }: { readonly length: number }): Relationship {
  return index === length - 1 ? 'authentication' : 'assertionMethod'
}

/**
 * Opens a chain outside a decision, for who holds, hands on or takes back: without time, without a bound on the root's
 * life. A did:web subject is looked up only where a list of recipients depends on its name.
 */
export async function openOwnChain(sealed: readonly Sealed[], rootKey: PublicKey, keys: Keys): Promise<Chain> {
  try {
    return await openChain(sealed, rootKey, { maxTtl: Infinity, binding: 'cnf', keys })
  } catch (error) {
    if (!isProcuraError(error) || error.code !== 'DELEGATE_NOT_ALLOWED') throw error
    return openChain(sealed, rootKey, { maxTtl: Infinity, binding: 'cnf+did', keys })
  }
}

/**
 * The link that is about to be signed: read and held against those above as {@link openOwnChain} does it, but for the
 * signature, which is still to be made.
 *
 * @param above - the chain that it continues; empty for a root
 * @returns all of the link that does not depend on the token, which is not there yet
 * @throws SIGNATURE_INVALID - the signer's key is not the one that the leaf names; the codes of steps 8, 9 and 10
 */
export async function readNext(
  above: readonly Link[],
  claims: Verified<JsonObject>,
  { kid, publicKey }: Pick<KeyHolder, 'kid' | 'publicKey'>,
  keys: Keys,
): Promise<Omit<Link, 'digest'>> {
  const leaf = above.at(-1)
  if (leaf !== undefined && leaf.key.x !== publicKey.x)
    throw new ProcuraError('SIGNATURE_INVALID', { by: leaf.subject })
  const credential = readCredential(claims, UNSIGNED, leaf === undefined ? CAPABILITY : DELEGATION, subjectShape)
  const link = { ...credential, proved: await bindKey(credential, 'cnf', 'authentication', keys) }
  if (didOf(kid) !== link.issuer) throw new ProcuraError('JWS_KID_MISMATCH', { kid: didOf(kid), issuer: link.issuer })
  if (leaf === undefined) {
    requireRoot(link, Infinity)
    return link
  }
  try {
    requireHop(link, above)
    return link
  } catch (error) {
    if (!isProcuraError(error) || error.code !== 'DELEGATE_NOT_ALLOWED') throw error
    for (const one of above) await bindKey(one, 'cnf+did', 'assertionMethod', keys)
    const proved = { ...link, proved: await bindKey(link, 'cnf+did', 'authentication', keys) }
    requireHop(proved, above)
    return proved
  }
}

/**
 * True if the issuer that a link names is who signed it: the root's by its key, a did:key by itself, a did:web by its
 * document. A name in a chain is otherwise just text that whoever signed the link above chose.
 *
 * @throws DID_RESOLUTION, DID_FORBIDDEN_HOST
 */
export async function isIssuerProved(chain: Chain, index: number, keys: Keys): Promise<boolean> {
  const above = chain[index - 1]
  return above === undefined || isSubjectProved(above, keys)
}

/** True if the subject that a link names has the key that the link names. @throws DID_RESOLUTION, DID_FORBIDDEN_HOST */
export async function isSubjectProved({ subject, key, proved }: Link, keys: Keys): Promise<boolean> {
  if (proved) return true
  const listed = await keys.all(subject, 'assertionMethod')
  return listed.some(one => one.x === key.x)
}

/** The last link: the narrowest authority. */
export function leafOf(chain: Chain): Link {
  return chain[chain.length - 1] ?? chain[0]
}

/**
 * Ties the subject's key to its name. Whether the name is proved; a promise only where a document has to be read.
 * Throws KEY_BINDING, DID_METHOD and the like.
 */
function bindKey(
  { subject, key }: Pick<Link, 'subject' | 'key'>,
  binding: ChainRules['binding'],
  relationship: Relationship,
  keys: Keys,
): boolean | Promise<boolean> {
  const method = methodOf(subject)
  if (method === 'key') {
    if (fromDidKey(subject).x !== key.x) throw new ProcuraError('KEY_BINDING', { did: subject, purpose: relationship })
    return true
  }
  if (method !== 'web') throw new ProcuraError('DID_METHOD', { did: subject })
  return binding === 'cnf+did' ? isListed(subject, key, relationship, keys) : binding === 'kept'
}

async function isListed(subject: Did, key: PublicKey, relationship: Relationship, keys: Keys): Promise<true> {
  const listed = await keys.all(subject, relationship)
  if (listed.some(one => one.x === key.x)) return true
  throw new ProcuraError('KEY_BINDING', { did: subject, purpose: relationship })
}

/** Every link has begun, and none has ended; no skew on the end. Step 13. @throws TIME_NOT_YET_VALID, TIME_EXPIRED */
export function requireInTime(chain: Chain, now: UnixSeconds, progress: Progress = { link: null }): void {
  for (const [index, { validFrom, validUntil }] of chain.entries()) {
    progress.link = index
    if (now < validFrom - SKEW)
      throw new ProcuraError('TIME_NOT_YET_VALID', { at: 'validFrom', seconds: validFrom - now })
    if (now >= validUntil) throw new ProcuraError('TIME_EXPIRED', { seconds: now - validUntil })
  }
  progress.link = null
}
