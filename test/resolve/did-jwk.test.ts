import { readFileSync } from 'node:fs'
import { Resolver } from 'did-resolver'
import { describe, expect, test } from 'vitest'
import { createFetch } from '../../src/adapters/resolve/fetch.js'
import { createKeys } from '../../src/adapters/resolve/keys.js'
import type { Did, DidUrl } from '../../src/did/did.js'
import { didJwkDocument } from '../../src/did/jwk.js'
import type { JsonObject } from '../../src/json.js'
import { alice, owner } from '../mint.js'
import { codeOf, testClock, watchAttempts } from './host.js'

interface Vector {
  readonly name: string
  readonly did: Did
  readonly didUrl: DidUrl
  readonly didDocument: JsonObject
}

const FILE = new URL('../vectors/third-party/did-jwk/vectors.json', import.meta.url)
const VECTORS = JSON.parse(readFileSync(FILE, 'utf8')) as readonly Vector[]
const KEYS = createKeys({ fetch: createFetch(), clock: testClock() })
const BOTH = ['authentication', 'assertionMethod'] as const

const named = (text: string): Did => `did:jwk:${Buffer.from(text).toString('base64url')}`
const { x } = alice.publicKey
const ALICE = named(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)

describe.each(VECTORS)('$name of the specification', ({ did, didUrl, didDocument }) => {
  // one reference of the P-256 example begins `did:jwk:$`, which is a slip of its author
  const expected = JSON.parse(JSON.stringify(didDocument).replaceAll('did:jwk:$', 'did:jwk:')) as JsonObject

  test('is that document, for agents too', async () => {
    expect(didJwkDocument(did)).toEqual(expected)
    const { didDocument: resolved } = await new Resolver({ ...KEYS.methods }).resolve(did)
    expect(resolved).toEqual(expected)
  })

  test('holds no key that signs here', async () => {
    for (const relationship of BOTH) {
      expect(await KEYS.find(didUrl, relationship)).toBeNull()
      expect(await KEYS.all(did, relationship)).toEqual([])
    }
  })
})

describe('an Ed25519 key', () => {
  test.each([
    ['in canonical order', ALICE],
    ['as jose exports it', named(`{"crv":"Ed25519","x":"${x}","kty":"OKP"}`)],
    [
      'with what describes it',
      named(`{"kty":"OKP","crv":"Ed25519","x":"${x}","use":"sig","alg":"EdDSA","key_ops":["verify"]}`),
    ],
  ])('%s: one key, called #0, and nobody is asked', async (_name, did) => {
    const attempts = watchAttempts()
    for (const relationship of BOTH) {
      expect((await KEYS.find(`${did}#0`, relationship))?.x).toBe(x)
      expect((await KEYS.all(did, relationship)).map(key => key.x)).toEqual([x])
      for (const kid of ['1', did.slice(8), 'key-0']) expect(await KEYS.find(`${did}#${kid}`, relationship)).toBeNull()
    }
    expect(attempts).toEqual([])
  })

  test('for encryption signs nothing', async () => {
    const did = named(`{"kty":"OKP","crv":"Ed25519","use":"enc","x":"${x}"}`)
    expect(await KEYS.find(`${did}#0`, 'assertionMethod')).toBeNull()
  })

  test.each([
    ['a private one', 'KEY_PRIVATE', `{"kty":"OKP","crv":"Ed25519","x":"${x}","d":"${x}"}`],
    ['a weak one', 'KEY_WEAK', `{"kty":"OKP","crv":"Ed25519","x":"${Buffer.alloc(32, 0).toString('base64url')}"}`],
  ])('%s is %s', async (_name, code, jwk) => {
    expect(await codeOf(() => KEYS.find(`${named(jwk)}#0`, 'assertionMethod'))).toBe(code)
    expect(await KEYS.all(named(jwk), 'assertionMethod')).toEqual([])
  })
})

test.each<[string, Did]>([
  ['no base64url', 'did:jwk:abc.def'],
  ['trailing bits', `${ALICE.slice(0, -1)}${ALICE.endsWith('R') ? 'S' : 'R'}` as Did],
  ['padding', `${ALICE}%3D`],
  ['no JSON', named('key')],
  ['no object', named('["OKP"]')],
  ['no key type', named(`{"crv":"Ed25519","x":"${x}"}`)],
  ['white space', named(`{"crv":"Ed25519", "kty":"OKP","x":"${x}"}`)],
  ['an escape', named(`{"crv":"Ed25519","\\u006bty":"OKP","x":"${x}"}`)],
  ['a member twice', named(`{"crv":"Ed25519","kty":"OKP","x":"${owner.publicKey.x}","x":"${x}"}`)],
  ['a member that is an object', named(`{"crv":"Ed25519","kty":"OKP","x":"${x}","y":{}}`)],
  ['bad UTF-8', `did:jwk:${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}`],
])('a name with %s stands for nothing', async (_name, did) => {
  expect(await codeOf(() => KEYS.find(`${did}#0`, 'assertionMethod'))).toBe('DID_METHOD')
  expect(await codeOf(() => KEYS.all(did, 'assertionMethod'))).toBe('DID_METHOD')
  const { didResolutionMetadata } = await new Resolver({ ...KEYS.methods }).resolve(did)
  expect(didResolutionMetadata.error).toBe('invalidDid')
})
