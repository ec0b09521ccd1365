import { createPublicKey, verify, type KeyObject } from 'node:crypto'
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

/**
 * Reads 32 bytes as a key. Refuses the eight points of small order and every coordinate not below the field's prime:
 * under such keys `crypto.verify` accepts one signature for every message.
 *
 * @param at - how messages name the place
 * @throws KEY_WEAK - also for another length
 * @see https://www.rfc-editor.org/rfc/rfc8032#section-5.1.3
 */
export function parsePublicKey(bytes: Uint8Array, at: string): PublicKey {
  if (bytes.length !== 32 || isWeak(bytes)) throw new ProcuraError('KEY_WEAK', { at })
  const x = toBase64url(bytes)
  const handle = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return { bytes: Uint8Array.from(bytes), x, handle }
}

function isWeak(bytes: Uint8Array): boolean {
  const y = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) & ((1n << 255n) - 1n)
  return y >= P || SMALL_ORDER_Y.has(y)
}

/** True if `signature` (64 bytes) over `data` verifies. @see https://www.rfc-editor.org/rfc/rfc8032#section-5.1.7 */
export function verifyEd25519(key: PublicKey, data: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, data, key.handle, signature)
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
