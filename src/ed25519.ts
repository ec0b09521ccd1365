import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { fromBase64url, toBase64url } from './encoding.js'
import { ProcuraError } from './errors.js'
import { isObject, member, type Json } from './json.js'

/** An Ed25519 public key that is sane: canonical and not of small order. */
export interface PublicKey {
  /** 32 bytes, RFC 8032 §5.1.5 */
  readonly bytes: Uint8Array
  /** the same as base64url, as in a JWK's `x` */
  readonly x: string
  readonly handle: KeyObject
}

/** A public Ed25519 key as RFC 8037 §2 writes it. */
export interface PublicJwk {
  readonly crv: 'Ed25519'
  readonly kty: 'OKP'
  readonly x: string
}

const P = (1n << 255n) - 19n
/** The y coordinates of the eight points whose order divides 8. */
const SMALL_ORDER_Y = new Set([
  0n,
  1n,
  P - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
])

/** Keys remembered at once; one weighs about 2 kB. */
export const MAX_KEYS = 5000
/** Keys that were found sane, by their text: importing one costs a tenth of a signature. */
const sane = new LRUCache<string, PublicKey>({ max: MAX_KEYS })

/**
 * Reads 32 bytes as a key. Refuses the eight points of small order and every coordinate not below the field's prime:
 * under such keys `crypto.verify` accepts one signature for every message.
 *
 * @param at - how messages name the place
 * @throws KEY_WEAK - also for another length
 * @see https://www.rfc-editor.org/rfc/rfc8032#section-5.1.3
 */
export function parsePublicKey(bytes: Uint8Array, at: string): PublicKey {
  const x = toBase64url(bytes)
  const known = knownKey(x)
  if (known !== undefined) return known
  if (bytes.length !== 32 || isWeakPoint(bytes)) throw new ProcuraError('KEY_WEAK', { at })
  const handle = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  const key = { bytes: Uint8Array.from(bytes), x, handle }
  sane.set(x, key)
  return key
}

/** The key of this text, if it was read before. */
export function knownKey(x: string): PublicKey | undefined {
  return sane.get(x)
}

/** The top bytes, without the sign of x, that a weak encoding can have. */
const WEAK_TOPS: ReadonlySet<number | undefined> = new Set([0x00, 0x05, 0x7a, 0x7f])

/** True for 32 bytes that encode a point of small order, or a y that is not below the field's prime. */
function isWeakPoint(bytes: Uint8Array): boolean {
  if (!WEAK_TOPS.has((bytes[31] ?? 0) & 127)) return false
  const y = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) & ((1n << 255n) - 1n)
  return y >= P || SMALL_ORDER_Y.has(y)
}

/** What verifies signatures. */
export interface SignatureBackend {
  readonly name: string
  /** True if the signature over `data` verifies. The key is sane, the signature has 64 bytes, and its R is not weak. */
  verify(key: PublicKey, data: Uint8Array, signature: Uint8Array): boolean
}

/** Always there. */
export const NODE_CRYPTO: SignatureBackend = {
  name: 'node:crypto',
  verify: (key, data, signature) => verify(null, data, key.handle, signature),
}

let backend = NODE_CRYPTO

/** The name of what verifies signatures in this process. */
export function signatureBackend(): string {
  return backend.name
}

/**
 * Has all signatures of this process verified by `candidate` from now on. For the start of a program.
 *
 * @returns false if it fails its test; then everything stays as it was
 */
export function useSignatures(candidate: SignatureBackend): boolean {
  if (!isSound(candidate)) return false
  backend = candidate
  return true
}

/**
 * True if `signature` (64 bytes) over `data` verifies. An R of small order is refused, which only the key's own holder
 * could have made: libraries differ about it.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8032#section-5.1.7
 */
export function verifyEd25519(key: PublicKey, data: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || isWeakPoint(signature.subarray(0, 32))) return false
  // a backend without types might answer with anything: only `true` is a yes
  return (backend.verify(key, data, signature) as unknown) === true
}

/** RFC 8032 §7.1, TEST 3. */
const KNOWN = {
  key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
  data: 'af82',
  signature:
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
}

/** Says yes to a signature that is known to be right, and no to it with any one byte changed, over other data, under another key. */
function isSound(candidate: SignatureBackend): boolean {
  const [bytes, data, right] = [KNOWN.key, KNOWN.data, KNOWN.signature].map(hex => Buffer.from(hex, 'hex'))
  if (bytes === undefined || data === undefined || right === undefined) return false
  const key = parsePublicKey(bytes, 'known')
  const other = parsePublicKey(Uint8Array.of(2, ...bytes.subarray(1)), 'other')
  const says = (under: PublicKey, over: Uint8Array, signature: Uint8Array): unknown =>
    candidate.verify(under, over, signature)
  const changed = [...right.keys()].map(at => right.map((byte, index) => (index === at ? byte ^ 1 : byte)))
  try {
    return (
      says(key, data, right) === true &&
      changed.every(signature => says(key, data, signature) === false) &&
      says(key, Uint8Array.of(0xaf, 0x83), right) === false &&
      says(other, data, right) === false
    )
  } catch {
    return false
  }
}

/** The key as a JWK. */
export function toJwk(key: PublicKey): PublicJwk {
  return { crv: 'Ed25519', kty: 'OKP', x: key.x }
}

/** Members of a JWK that only its owner may know. @see https://www.rfc-editor.org/rfc/rfc7518#section-6 */
export const PRIVATE_MEMBERS: readonly string[] = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** True for canonical base64url of 32 bytes. */
export function isKeyText(value: unknown): value is string {
  return typeof value === 'string' && value.length === 43 && fromBase64url(value) !== null
}

/**
 * Reads the Ed25519 key of a JWK. Descriptive members (`kid`, `use`, `alg`) are not read.
 *
 * @returns the key, or `null` for another key type
 * @throws KEY_PRIVATE, KEY_WEAK
 * @see https://www.rfc-editor.org/rfc/rfc8037#section-2
 */
export function parseJwk(jwk: Json, at: string): PublicKey | null {
  if (!isObject(jwk)) return null
  if (PRIVATE_MEMBERS.some(name => Object.hasOwn(jwk, name))) throw new ProcuraError('KEY_PRIVATE', { at })
  const x = member(jwk, 'x')
  if (member(jwk, 'kty') !== 'OKP' || member(jwk, 'crv') !== 'Ed25519' || !isKeyText(x)) return null
  return parsePublicKey(Buffer.from(x, 'base64url'), at)
}
