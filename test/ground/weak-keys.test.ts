import { createHash, createPrivateKey, createPublicKey, verify } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { fromDidKey, toDidKey } from '../../src/did/key.js'
import { parseJwk, parsePublicKey, toJwk, type PublicKey } from '../../src/ed25519.js'
import { toBase64url } from '../../src/encoding.js'
import type { Json, JsonObject } from '../../src/json.js'
import { planner } from '../mint.js'
import { outcome } from './refusal.js'

const P = (1n << 255n) - 19n
const ORDER_8 = [
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
]

/** 32 bytes of a y coordinate and the sign of x, as RFC 8032 writes them. */
function encode(y: bigint, sign: number): Buffer {
  const bytes = Buffer.from(y.toString(16).padStart(64, '0'), 'hex').reverse()
  bytes[31]! |= sign << 7
  return bytes
}

/** Every encoding that a lenient decoder reads as a point whose order divides 8: 8 canonical ones and 6 others. */
const WEAK = [0n, 1n, P - 1n, ...ORDER_8, P, P + 1n].flatMap(y => [0, 1].map(sign => encode(y, sign)))
const L = (1n << 252n) + 27742317777372353535851937790883648493n

/** 64 pairs R = [a]B, a: what a signature is made of when the key adds nothing to it. */
const PAIRS = Array.from({ length: 64 }, (_, index) => {
  const seed = createHash('sha256').update(`forgery ${index}`).digest()
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const { x } = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).export({ format: 'jwk' })
  const scalar = createHash('sha512').update(seed).digest().subarray(0, 32)
  scalar[0]! &= 248
  scalar[31] = (scalar[31]! & 127) | 64
  const a = BigInt(`0x${Buffer.from(scalar).reverse().toString('hex')}`) % L
  return Buffer.concat([Buffer.from(x!, 'base64url'), encode(a, 0)])
})

/**
 * A signature that no private key made and plain `crypto.verify` accepts for the message; `null` if there is none.
 * Under a key A of small order [h]A is the identity for one hash h in eight at least, so a few tries do.
 */
function forge(key: Uint8Array, message: Uint8Array): Buffer | null {
  const handle = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: toBase64url(key) }, format: 'jwk' })
  return PAIRS.find(pair => verify(null, message, handle, pair)) ?? null
}

describe('the 14 weak encodings', () => {
  test('are 14', () => {
    expect(new Set(WEAK.map(bytes => bytes.toString('hex'))).size).toBe(14)
  })

  test.each(WEAK.map(bytes => [bytes.toString('hex'), bytes] as const))(
    '%s is refused, for good reason',
    (_hex, key) => {
      for (const text of ['transfer 1', 'transfer 2', '']) expect(forge(key, Buffer.from(text)), text).not.toBeNull()
      expect(outcome(() => parsePublicKey(key, 'k'))).toBe('KEY_WEAK')
      expect(outcome(() => parseJwk({ kty: 'OKP', crv: 'Ed25519', x: toBase64url(key) }, 'k'))).toBe('KEY_WEAK')
      const did = toDidKey({ bytes: key } as unknown as PublicKey)
      expect(outcome(() => fromDidKey(did))).toBe('KEY_WEAK')
    },
  )

  test('a sane key allows no such forgery', () => {
    expect(forge(planner.publicKey.bytes, Buffer.from('transfer 1'))).toBeNull()
  })
})

describe('parsePublicKey', () => {
  test.each<[string, Uint8Array, string]>([
    ['a sane key', planner.publicKey.bytes, 'ok'],
    ['31 bytes', planner.publicKey.bytes.slice(1), 'KEY_WEAK'],
    ['33 bytes', Uint8Array.of(...planner.publicKey.bytes, 0), 'KEY_WEAK'],
    ['nothing', new Uint8Array(0), 'KEY_WEAK'],
    ['p + 3, a coordinate written twice', encode(P + 3n, 0), 'KEY_WEAK'],
    ['p + 18, the largest', encode(P + 18n, 1), 'KEY_WEAK'],
    ['2', encode(2n, 0), 'ok'],
    ['p − 2', encode(P - 2n, 1), 'ok'],
  ])('%s', (_name, bytes, code) => {
    expect(outcome(() => parsePublicKey(bytes, 'k'))).toBe(code)
  })

  test('keeps its own copy of the bytes', () => {
    const bytes = Uint8Array.from(planner.publicKey.bytes)
    const key = parsePublicKey(bytes, 'k')
    bytes.fill(0)
    expect(key.bytes).toEqual(planner.publicKey.bytes)
    expect(key.x).toBe(planner.publicKey.x)
  })
})

describe('parseJwk', () => {
  const good: JsonObject = { ...toJwk(planner.publicKey) }
  const trailing = `${planner.publicKey.x.slice(0, -1)}${String.fromCharCode(planner.publicKey.x.charCodeAt(42) + 1)}`
  test.each<[string, Json, string]>([
    ['a public key', good, 'key'],
    ['with descriptive members', { ...good, alg: 'EdDSA', use: 'sig', kid: 'x' }, 'key'],
    ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].map((name): [string, Json, string] => [`with ${name}`, { ...good, [name]: 'AA' }, 'KEY_PRIVATE']), // prettier-ignore
    ['private and of another type', { kty: 'EC', d: 'AA' }, 'KEY_PRIVATE'],
    ['private and null', { ...good, d: null }, 'KEY_PRIVATE'],
    ['Ed448', { ...good, crv: 'Ed448' }, 'null'],
    ['X25519', { ...good, crv: 'X25519' }, 'null'],
    ['EC', { ...good, kty: 'EC' }, 'null'],
    ['without x', { kty: 'OKP', crv: 'Ed25519' }, 'null'],
    ['x with padding', { ...good, x: `${planner.publicKey.x}=` }, 'null'],
    ['x with trailing bits', { ...good, x: trailing }, 'null'],
    ['x of 31 bytes', { ...good, x: planner.publicKey.x.slice(0, 42) }, 'null'],
    ['an array', [good], 'null'],
    ['null', null, 'null'],
  ])('%s', (_name, jwk, expected) => {
    const code = outcome(() => parseJwk(jwk, 'k'))
    expect(code === 'ok' ? (parseJwk(jwk, 'k') === null ? 'null' : 'key') : code).toBe(expected)
  })
})
