import { createHash, createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { sodiumBackend } from '../../src/adapters/sodium/backend.js'
import {
  NODE_CRYPTO,
  parsePublicKey,
  signatureBackend,
  useSignatures,
  verifyEd25519,
  type PublicKey,
  type SignatureBackend,
} from '../../src/ed25519.js'
import { outcome } from './refusal.js'

const L = (1n << 252n) + 27742317777372353535851937790883648493n
const P = (1n << 255n) - 19n
const ORDER_8 = [
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
]
const sodium = sodiumBackend()
const BACKENDS = [NODE_CRYPTO, ...(sodium === null ? [] : [sodium])].map(one => [one.name, one] as const)
const before = signatureBackend() === NODE_CRYPTO.name ? NODE_CRYPTO : sodium!

afterEach(() => void useSignatures(before))

if (sodium === null) console.warn('SKIPPED: sodium-native does not load here; only node:crypto is tested')
test('where all is installed, there are two', () => {
  if (process.env['CI'] === 'true') expect(sodium).not.toBeNull()
})

function littleEndian(value: bigint, length = 32): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex').reverse()
}

function encode(y: bigint, sign: number): Buffer {
  const bytes = littleEndian(y)
  bytes[31]! |= sign << 7
  return bytes
}

const WEAK = [0n, 1n, P - 1n, ...ORDER_8, P, P + 1n].flatMap(y => [0, 1].map(bit => encode(y, bit)))

/** A key whose secret scalar and prefix are at hand, so that signatures can be bent. */
function bendable(seed: Buffer) {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const scalar = createHash('sha512').update(seed).digest().subarray(0, 32)
  scalar[0]! &= 248
  scalar[31] = (scalar[31]! & 127) | 64
  const x = privateKey.export({ format: 'jwk' }).x!
  const a = BigInt(`0x${Buffer.from(scalar).reverse().toString('hex')}`)
  return { key: parsePublicKey(Buffer.from(x, 'base64url'), 'k'), privateKey, a }
}

/** S for r = 0: with the identity as R, [S]B = R + [h]A. What the holder of a key can make, and nobody else. */
function withoutNonce(key: PublicKey, a: bigint, data: Buffer, R: Buffer): Buffer {
  const hash = createHash('sha512').update(R).update(key.bytes).update(data).digest()
  const h = BigInt(`0x${hash.reverse().toString('hex')}`) % L
  return Buffer.concat([R, littleEndian((h * a) % L)])
}

describe.each(BACKENDS)('%s', (_name, backend) => {
  interface Group {
    publicKey: { pk: string }
    tests: { tcId: number; comment: string; msg: string; sig: string; result: string }[]
  }
  const file = join(import.meta.dirname, '../vectors/third-party/wycheproof/ed25519_test.json')
  const { testGroups } = JSON.parse(readFileSync(file, 'utf8')) as { testGroups: Group[] }

  test('passes its own test', () => {
    expect(useSignatures(backend)).toBe(true)
    expect(signatureBackend()).toBe(backend.name)
  })

  test('says what Wycheproof says, of every signature', () => {
    useSignatures(backend)
    const wrong = testGroups.flatMap(({ publicKey: { pk }, tests }) => {
      const key = parsePublicKey(Buffer.from(pk, 'hex'), 'vector')
      return tests.filter(
        ({ msg, sig, result }) =>
          verifyEd25519(key, Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex')) !== (result === 'valid'),
      )
    })
    expect(wrong).toEqual([])
    expect(testGroups.flatMap(group => group.tests).length).toBeGreaterThan(140)
  })

  test('refuses an R of small order in all 14 encodings, also where the equation holds', () => {
    useSignatures(backend)
    const { key, a } = bendable(Buffer.alloc(32, 7))
    for (const R of WEAK) {
      for (let n = 0; n < 8; n += 1) {
        const data = Buffer.from(`message ${n}`)
        expect(verifyEd25519(key, data, withoutNonce(key, a, data, R)), R.toString('hex')).toBe(false)
      }
      expect(verifyEd25519(key, Buffer.from('x'), Buffer.concat([R, Buffer.alloc(32)]))).toBe(false)
    }
  })

  test.each(WEAK.map(bytes => [bytes.toString('hex'), bytes] as const))(
    'never sees a key such as %s',
    (_hex, bytes) => {
      useSignatures(backend)
      expect(outcome(() => parsePublicKey(bytes, 'k'))).toBe('KEY_WEAK')
    },
  )

  test('refuses S + L, S with high bits, and another length', () => {
    useSignatures(backend)
    const { key, privateKey } = bendable(Buffer.alloc(32, 9))
    const data = Buffer.from('data')
    const good = sign(null, data, privateKey)
    const S = BigInt(`0x${Buffer.from(good.subarray(32)).reverse().toString('hex')}`)
    const withS = (s: bigint): Buffer => Buffer.concat([good.subarray(0, 32), littleEndian(s)])
    expect(verifyEd25519(key, data, withS(S))).toBe(true)
    for (const s of [S + L, S + 2n * L, S | (1n << 253n), S | (1n << 255n), 0n]) {
      expect(verifyEd25519(key, data, withS(s))).toBe(false)
    }
    for (const one of [good.subarray(1), good.subarray(0, 63), Buffer.concat([good, Buffer.of(0)]), Buffer.alloc(0)]) {
      expect(verifyEd25519(key, data, one)).toBe(false)
    }
  })

  test('takes no bytes and many', () => {
    useSignatures(backend)
    const { key, privateKey } = bendable(Buffer.alloc(32, 3))
    for (const data of [Buffer.alloc(0), randomBytes(50_000)]) {
      expect(verifyEd25519(key, data, sign(null, data, privateKey))).toBe(true)
    }
  })
})

test.runIf(sodium !== null)('both say the same of signatures that were changed at random', () => {
  let right = 0
  for (let n = 0; n < 500; n += 1) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const bytes = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')
    const data = randomBytes(n)
    const signature = sign(null, data, privateKey)
    const flipped = [bytes, data, signature][n % 4]
    if (flipped !== undefined && flipped.length > 0) flipped[(n * 31) % flipped.length]! ^= 1 << (n % 8)
    if (outcome(() => parsePublicKey(bytes, 'k')) !== 'ok') continue
    const key = parsePublicKey(bytes, 'k')
    const answer = NODE_CRYPTO.verify(key, data, signature)
    expect(sodium!.verify(key, data, signature), signature.toString('hex')).toBe(answer)
    if (answer) right += 1
  }
  expect(right).toBeGreaterThan(100)
  expect(right).toBeLessThan(200)
})

test.runIf(sodium !== null)('both say the same where a point of small order was added to R or to the key', () => {
  const { crypto_core_ed25519_add: add } = createRequire(import.meta.url)('sodium-native') as {
    crypto_core_ed25519_add: (sum: Buffer, one: Uint8Array, other: Uint8Array) => void
  }
  const moved = (point: Uint8Array): Buffer => {
    const sum = Buffer.alloc(32)
    add(sum, point, encode(ORDER_8[0]!, 0))
    return sum
  }
  const [{ key, a }, nonce] = [bendable(Buffer.alloc(32, 1)), bendable(Buffer.alloc(32, 2))]
  /** What the holder of `a` would sign with this R, for somebody who knows the key by these bytes. */
  const bent = (R: Uint8Array, A: Uint8Array, data: Buffer): Buffer => {
    const hash = createHash('sha512').update(R).update(A).update(data).digest()
    const h = BigInt(`0x${hash.reverse().toString('hex')}`) % L
    return Buffer.concat([R, littleEndian((nonce.a + h * a) % L)])
  }
  const tallies = [key, parsePublicKey(moved(key.bytes), 'mixed')].flatMap(under =>
    [nonce.key.bytes, moved(nonce.key.bytes)].map(R => {
      const answers = Array.from({ length: 40 }, (_, n) => {
        const data = Buffer.from(`message ${n}`)
        const signature = bent(R, under.bytes, data)
        expect(sodium!.verify(under, data, signature)).toBe(NODE_CRYPTO.verify(under, data, signature))
        return NODE_CRYPTO.verify(under, data, signature)
      })
      return answers.filter(Boolean).length
    }),
  )
  expect(tallies.slice(0, 2)).toEqual([40, 0])
  expect(Math.min(...tallies.slice(2))).toBeGreaterThan(0)
  expect(Math.max(...tallies.slice(2))).toBeLessThan(40)
})

describe('what cannot be relied on is not used', () => {
  const good: SignatureBackend['verify'] = (...args) => NODE_CRYPTO.verify(...args)
  test.each<[string, SignatureBackend['verify']]>([
    ['yes to everything', () => true],
    ['no to everything', () => false],
    ['something that is no boolean', ((...args: Parameters<typeof good>) => (good(...args) ? 1 : 0)) as never],
    ['nothing where it is wrong', ((...args: Parameters<typeof good>) => good(...args) || undefined) as never],
    ['an error', () => { throw new Error('broken') }], // prettier-ignore
    ['an error where it is wrong', (...args) => { if (good(...args)) return true; throw new Error('wrong') }], // prettier-ignore
    ['yes whatever the data is', (key, _data, signature) => good(key, Buffer.from('af82', 'hex'), signature)],
    [
      'yes whatever the last byte is',
      (key, data, signature) => good(key, data, Uint8Array.of(...signature.subarray(0, 63), 0x0a)),
    ],
    ['a promise', (async (...args: Parameters<typeof good>) => Promise.resolve(good(...args))) as never],
  ])('%s', (_name, verify) => {
    useSignatures(NODE_CRYPTO)
    expect(useSignatures({ name: 'bad', verify })).toBe(false)
    expect(signatureBackend()).toBe('node:crypto')
  })

  test('nor is any answer but true a yes, later', () => {
    let isTested = false
    const verify = (...args: Parameters<typeof good>): boolean => (isTested ? (1 as never) : good(...args))
    expect(useSignatures({ name: 'turned', verify })).toBe(true)
    isTested = true
    const { key, privateKey } = bendable(Buffer.alloc(32, 5))
    expect(verifyEd25519(key, Buffer.of(1), sign(null, Buffer.of(1), privateKey))).toBe(false)
  })
})
