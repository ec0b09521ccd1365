import { LRUCache } from 'lru-cache'
import { didOf, isDidUrl, type Did, type DidUrl } from '../did/did.js'
import { verifyEd25519, type PublicKey } from '../ed25519.js'
import { digestOf, fromBase64url, lentAscii, lentBase64url, toBase64url, type Digest } from '../encoding.js'
import { printable, ProcuraError } from '../errors.js'
import {
  canonicalize,
  isObject,
  member,
  parseJson,
  requireShallow,
  requireStrict,
  type Json,
  type JsonObject,
} from '../json.js'
import type { Signer } from '../signer.js'

export type { Signer } from '../signer.js'

declare const seal: unique symbol

/** A value read from bytes whose signature verified. Only {@link openJws} makes one; `as Verified` elsewhere fails review. */
export type Verified<T> = T & { readonly [seal]: true }

/** The one `typ` a place accepts. */
export type Typ = 'vc+jwt' | 'vp+jwt' | 'agent-proof+jwt' | 'agent-approval+jwt' | 'secevent+jwt'

/** A token whose form and header are sound and whose signature is not verified yet. */
export interface Sealed {
  readonly token: string
  readonly kid: DidUrl
  /** the DID of `kid` */
  readonly signer: Did
  /** identity of the token's content: header and payload without the signature */
  readonly digest: Digest
  /**
   * The claims before anyone vouched for them. Only the frame of a presentation is read here (the list of its
   * envelopes has to be known before its signature can be checked); everything else waits for {@link openJws}.
   */
  readonly unverified: Json
}

interface Header {
  readonly kid: DidUrl
  readonly signer: Did
}

/** Headers that are sound, by `typ` and the text of their segment: a signer writes the same one into each token. */
const headers = new LRUCache<string, Header>({ max: 5000 })
const EMPTY = new Uint8Array()

const HEADER_MEMBERS = new Set(['alg', 'typ', 'kid', 'cty'])
const CTY: Partial<Record<Typ, string>> = { 'vc+jwt': 'vc', 'vp+jwt': 'vp' }
const SIGNATURE_CHARACTERS = 86
/** The one base64url text of some 64 bytes: of the last character two bits count. */
const SIGNATURE = /^[A-Za-z0-9_-]{85}[AQgw]$/
const SEGMENTS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/**
 * Reads form, JSON and header of a compact JWS: steps 1 to 3 of profile §6, in order. Verifies nothing.
 *
 * @param max - bound in characters of the compact form
 * @param what - how messages name the token
 * @throws INPUT_TOO_LARGE, JWS_FORMAT, JWS_BASE64, JSON_SYNTAX, JSON_DEPTH, JSON_NOT_CANONICAL, JWS_CRIT, JWS_HEADER,
 *   JWS_ALG, JWS_TYP, JWS_KID
 * @see https://www.rfc-editor.org/rfc/rfc7515#section-5.2
 */
export function readJws(token: unknown, typ: Typ, max: number, what: string): Sealed {
  if (typeof token !== 'string') throw new ProcuraError('JWS_FORMAT', { why: 'not a string' })
  if (token.length > max) throw new ProcuraError('INPUT_TOO_LARGE', { what, size: token.length, max })
  const [headEnd, bodyEnd] = [token.indexOf('.'), token.lastIndexOf('.')]
  const head = token.slice(0, Math.max(headEnd, 0))
  const known = headers.get(nameOf(typ, head))
  const headBytes = known === undefined ? fromBase64url(head) : EMPTY
  const bodyBytes = lentBase64url(token.slice(headEnd + 1, bodyEnd))
  const signature = token.slice(bodyEnd + 1)
  const isWhole = head !== '' && bodyEnd > headEnd + 1
  if (!isWhole || headBytes === null || bodyBytes === null || !SIGNATURE.test(signature)) {
    throw malformed(token, what)
  }

  const header = known === undefined ? parseJson(headBytes, `${what} header`) : null
  const claims = parseJson(bodyBytes, what)
  requireStrict(header === null ? [claims] : [header, claims])
  const { kid, signer } = known ?? checkHeader(header?.value, typ)
  if (known === undefined) headers.set(copyOf(nameOf(typ, head)), { kid, signer })
  const input = token.slice(0, bodyEnd)
  let digest: Digest | undefined
  return {
    token,
    kid,
    signer,
    get digest() {
      return (digest ??= digestOf(input))
    },
    unverified: claims.value,
  }
}

function nameOf(typ: Typ, head: string): string {
  return `${typ} ${head}`
}

/** The same text in memory of its own: a part of a token keeps the whole of it alive for as long as it is a key. */
function copyOf(name: string): string {
  return Buffer.from(name, 'latin1').toString('latin1')
}

/** What is wrong with the form of a token, as the table of checks has it: segments, then what they encode. */
function malformed(token: string, what: string): ProcuraError {
  if (!SEGMENTS.test(token)) return new ProcuraError('JWS_FORMAT', { why: 'not three base64url segments' })
  const [head = '', body = '', signature = ''] = token.split('.')
  if (signature.length !== SIGNATURE_CHARACTERS) {
    return new ProcuraError('JWS_FORMAT', { why: 'not a 64-byte signature' })
  }
  if (fromBase64url(head) === null) return new ProcuraError('JWS_BASE64', { what: `${what} header` })
  if (fromBase64url(body) === null) return new ProcuraError('JWS_BASE64', { what })
  return new ProcuraError('JWS_BASE64', { what: `${what} signature` })
}

function checkHeader(header: Json | undefined, typ: Typ): Header {
  if (!isObject(header)) throw new ProcuraError('JWS_HEADER', { member: 'object' })
  if (Object.hasOwn(header, 'crit')) throw new ProcuraError('JWS_CRIT', {})
  for (const name of Object.keys(header)) {
    if (!HEADER_MEMBERS.has(name)) throw new ProcuraError('JWS_HEADER', { member: name })
  }
  for (const name of ['alg', 'typ', 'kid']) {
    if (!Object.hasOwn(header, name)) throw new ProcuraError('JWS_HEADER', { member: name })
  }
  if (!isFittingCty(header, typ)) throw new ProcuraError('JWS_HEADER', { member: 'cty' })
  const alg = member(header, 'alg')
  if (alg !== 'EdDSA' && alg !== 'Ed25519') throw new ProcuraError('JWS_ALG', { alg: show(alg) })
  if (member(header, 'typ') !== typ)
    throw new ProcuraError('JWS_TYP', { typ: show(member(header, 'typ')), expected: typ })
  const kid = member(header, 'kid')
  if (!isDidUrl(kid)) throw new ProcuraError('JWS_KID', { kid: show(kid) })
  return { kid, signer: didOf(kid) }
}

/** `cty` may be left out, else it says what `typ` says: that of the token, or that of the place the token stands in. */
function isFittingCty(header: JsonObject, due: Typ): boolean {
  if (!Object.hasOwn(header, 'cty')) return true
  return Object.entries(CTY).some(([typ, cty]) => cty === header['cty'] && (typ === due || typ === header['typ']))
}

/**
 * Verifies the signature and hands out the claims: the only door to them.
 *
 * @param by - how messages name the key
 * @throws SIGNATURE_INVALID, SCHEMA - the payload is not an object
 */
export function openJws(sealed: Sealed, key: PublicKey, by: string = sealed.kid): Verified<JsonObject> {
  const dot = sealed.token.lastIndexOf('.')
  const signature = Buffer.from(sealed.token.slice(dot + 1), 'base64url')
  if (!verifyEd25519(key, lentAscii(sealed.token.slice(0, dot)), signature)) {
    throw new ProcuraError('SIGNATURE_INVALID', { by })
  }
  if (!isObject(sealed.unverified)) throw new ProcuraError('SCHEMA', { at: 'payload', why: 'is not an object' })
  return sealed.unverified as Verified<JsonObject>
}

/** A token that its signer has not signed yet. */
export interface Draft {
  /** what will be signed says this: who is about to sign it vouches for it to nobody but itself */
  readonly claims: Verified<JsonObject>
  /**
   * Signs what was read, and `more` beside it, which nobody reads.
   *
   * @returns the token
   * @throws INPUT_TOO_LARGE - before anything is signed
   */
  sign(more?: JsonObject): Promise<string>
}

/** A token that is not there has no identity. */
export const UNSIGNED: Pick<Sealed, 'digest'> = { digest: 'uEi' }

/**
 * Writes what a compact JWS over the JCS form of `claims` signs, and reads it as others will.
 *
 * @param max - bound in characters of the compact form
 * @param what - how messages name the token
 * @throws JSON_NOT_CANONICAL - claims with a number that is not a safe integer, or a lone surrogate; JSON_DEPTH
 * @see https://www.rfc-editor.org/rfc/rfc8037#section-3.1
 */
export function draftJws(claims: JsonObject, typ: Typ, max: number, what: string, signer: Signer): Draft {
  requireShallow(claims, what)
  const written = membersOf(claims)
  return {
    claims: JSON.parse(textOf(written)) as Verified<JsonObject>,
    async sign(more = {}) {
      const input = inputOf(textOf(new Map([...membersOf(more), ...written])), typ, signer)
      const size = input.length + 1 + SIGNATURE_CHARACTERS
      if (size > max) throw new ProcuraError('INPUT_TOO_LARGE', { what, size, max })
      return signed(input, signer)
    },
  }
}

/** The members of an object, each in canonical form: so others can join them without these being written again. */
function membersOf(object: JsonObject): ReadonlyMap<string, string> {
  return new Map(Object.entries(object).map(([name, value]) => [name, canonicalize(value, true)]))
}

/** The canonical form of the object that has these members. */
function textOf(members: ReadonlyMap<string, string>): string {
  const names = [...members.keys()].sort()
  return `{${names.map(name => `${canonicalize(name)}:${members.get(name)}`).join(',')}}`
}

/**
 * Writes a compact JWS over the JCS form of `claims`.
 *
 * @throws JSON_NOT_CANONICAL - as {@link draftJws}
 * @see https://www.rfc-editor.org/rfc/rfc8037#section-3.1
 */
export async function signJws(claims: object, typ: Typ, signer: Signer): Promise<string> {
  return signed(inputOf(canonicalize(claims, true), typ, signer), signer)
}

/** Identity of a token's content: header and payload without the signature. */
export function digestOfToken(token: string): Digest {
  return digestOf(token.slice(0, token.lastIndexOf('.')))
}

function inputOf(body: string, typ: Typ, { kid }: Signer): string {
  const name = nameOf(typ, kid)
  let head = heads.get(name)
  if (head === undefined) {
    const cty = CTY[typ]
    const header = { alg: 'EdDSA', kid, typ, ...(cty === undefined ? {} : { cty }) }
    heads.set(name, (head = toBase64url(Buffer.from(canonicalize(header)))))
  }
  return `${head}.${toBase64url(Buffer.from(body))}`
}

/** Headers that were written, by `typ` and key id. */
const heads = new LRUCache<string, string>({ max: 1000 })

async function signed(input: string, signer: Signer): Promise<string> {
  return `${input}.${toBase64url(await signer.sign(Buffer.from(input, 'latin1')))}`
}

function show(value: unknown): string {
  return typeof value === 'string' ? printable(value).slice(0, 80) : typeof value
}
