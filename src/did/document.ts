import { base58btc } from 'multiformats/bases/base58'
import { parseJwk, parsePublicKey, toJwk, type PublicKey } from '../ed25519.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import { isObject, member, type Json, type JsonObject } from '../json.js'
import type { Relationship } from '../ports/deciding.js'
import type { UnixSeconds } from '../time.js'
import type { Did, DidUrl } from './did.js'

/** What a DID document says about Ed25519 keys of its own DID. */
export interface DidDocument {
  /**
   * The key that `kid` names, or `null` if it is not listed under the relationship, is no Ed25519 key, is controlled by
   * another DID, or ended (`expires`, `revoked`) by `now`.
   *
   * @throws KEY_WEAK, KEY_PRIVATE - listed, but no key to rely on
   */
  find(kid: DidUrl, relationship: Relationship, now: UnixSeconds): PublicKey | null
  /** All usable keys under the relationship; those that `find` would not return are left out. */
  all(relationship: Relationship, now: UnixSeconds): readonly PublicKey[]
  /** verification methods that it states, at most {@link MAX_METHODS} */
  readonly methods: number
}

/** Most verification methods of one document: a key weighs more in memory than on the wire. */
export const MAX_METHODS = 64

interface Method {
  readonly key: PublicKey | ProcuraError | null
  readonly ends: UnixSeconds
}

const RELATIONSHIPS = ['authentication', 'assertionMethod'] as const satisfies readonly Relationship[]
const OTHERS = ['keyAgreement', 'capabilityInvocation', 'capabilityDelegation'] as const
const DATE_TIME_STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/
const ED25519_PUB = [0xed, 0x01] as const

/**
 * Reads a DID document as an answer for `did`. An embedded method counts for the relationship it stands in, a reference
 * for the entry of `verificationMethod` it names. Two methods of one id refuse the whole document: ambiguity is not a yes.
 *
 * @param document - as its host served it; at most {@link MAX_METHODS} methods
 * @throws DID_RESOLUTION - about another DID, malformed, or ambiguous
 * @see https://www.w3.org/TR/did-core/#verification-methods
 */
export function readDidDocument(did: Did, document: Json): DidDocument {
  if (!isObject(document)) throw unusable(did, 'the document is not an object')
  if (member(document, 'id') !== did) throw unusable(did, 'the document is about another DID')

  const seen = new Set<string>()
  const readMethod = (entry: Json): readonly [string, Method] => {
    const name = isObject(entry) ? member(entry, 'id') : undefined
    if (!isObject(entry) || typeof name !== 'string') throw unusable(did, 'a verification method has no id')
    const id = absolute(did, name)
    if (seen.has(id)) throw unusable(did, `two verification methods are called ${id}`)
    if (seen.size === MAX_METHODS) throw unusable(did, `it has more than ${MAX_METHODS} verification methods`)
    seen.add(id)
    return [id, { key: keyOf(entry, did, id), ends: endOf(entry) }]
  }
  const shared = new Map(listOf(did, document, 'verificationMethod').map(readMethod))
  const readRelationship = (name: string): ReadonlyMap<string, Method> => {
    const listed = new Map<string, Method>()
    for (const entry of listOf(did, document, name)) {
      const id = typeof entry === 'string' ? absolute(did, entry) : undefined
      const [key, method] = id === undefined ? readMethod(entry) : [id, shared.get(id)]
      if (method !== undefined) listed.set(key, method)
    }
    return listed
  }
  const [authentication, assertionMethod] = RELATIONSHIPS.map(readRelationship)
  OTHERS.forEach(readRelationship)
  const listed = { authentication: authentication ?? new Map(), assertionMethod: assertionMethod ?? new Map() }
  return { ...answering(listed), methods: seen.size }
}

function answering(
  listed: Readonly<Record<Relationship, ReadonlyMap<string, Method>>>,
): Pick<DidDocument, 'find' | 'all'> {
  return {
    find(kid, relationship, now) {
      const method = listed[relationship].get(kid)
      if (method === undefined || now >= method.ends) return null
      if (isProcuraError(method.key)) throw method.key
      return method.key
    },
    all(relationship, now) {
      return [...listed[relationship].values()].flatMap(({ key, ends }) =>
        key === null || isProcuraError(key) || now >= ends ? [] : [key],
      )
    },
  }
}

function listOf(did: Did, document: JsonObject, name: string): readonly Json[] {
  const list = member(document, name)
  if (list === undefined) return []
  if (!Array.isArray(list)) throw unusable(did, `${name} is not an array`)
  return list as readonly Json[]
}

function absolute(did: Did, id: string): string {
  return id.startsWith('#') ? did + id : id
}

function keyOf(method: JsonObject, did: Did, id: string): PublicKey | ProcuraError | null {
  const jwk = member(method, 'publicKeyJwk')
  const multibase = member(method, 'publicKeyMultibase')
  if (member(method, 'controller') !== did || (jwk !== undefined && multibase !== undefined)) return null
  try {
    return jwk === undefined ? fromMultibase(multibase, id) : parseJwk(jwk, id)
  } catch (error) {
    if (isProcuraError(error)) return error
    throw error
  }
}

function fromMultibase(text: Json | undefined, id: string): PublicKey | null {
  // 34 bytes are at most 47 characters of base58; decoding takes quadratic time, so more is not even looked at
  if (typeof text !== 'string' || text.length > 48) return null
  let bytes: Uint8Array
  try {
    bytes = base58btc.decode(text)
  } catch {
    return null
  }
  if (bytes.length !== 34 || bytes[0] !== ED25519_PUB[0] || bytes[1] !== ED25519_PUB[1]) return null
  return parsePublicKey(bytes.slice(2), id)
}

/** When the method's owner wants it to stop counting. A date that cannot be read is in the past. */
function endOf(method: JsonObject): UnixSeconds {
  const dates = [member(method, 'expires'), member(method, 'revoked')].filter(date => date !== undefined)
  return Math.min(...dates.map(date => (isDate(date) ? Date.parse(date) / 1000 : -Infinity)))
}

function isDate(value: Json): value is string {
  return typeof value === 'string' && DATE_TIME_STAMP.test(value) && !Number.isNaN(Date.parse(value))
}

function unusable(did: Did, why: string): ProcuraError {
  return new ProcuraError('DID_RESOLUTION', { did, why })
}

/**
 * Writes the document to host for a DID: each key as a JsonWebKey, under both relationships unless it names its own.
 *
 * @param keys - key ids of this DID, each once; the new and the retiring ones while keys rotate
 * @see https://www.w3.org/TR/vc-jose-cose/#using-controlled-identifier-documents
 */
export function toDidDocument(
  did: Did,
  keys: readonly {
    readonly kid: DidUrl
    readonly key: PublicKey
    readonly relationships?: readonly Relationship[]
  }[],
): { readonly id: Did } & JsonObject {
  const listed = (relationship: Relationship): readonly DidUrl[] =>
    keys.filter(({ relationships = RELATIONSHIPS }) => relationships.includes(relationship)).map(({ kid }) => kid)
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/jwk/v1'],
    id: did,
    verificationMethod: keys.map(({ kid, key }) => ({
      id: kid,
      type: 'JsonWebKey',
      controller: did,
      publicKeyJwk: { ...toJwk(key) },
    })),
    authentication: listed('authentication'),
    assertionMethod: listed('assertionMethod'),
  }
}
