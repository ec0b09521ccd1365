import { readFileSync } from 'node:fs'
import { Resolver } from 'did-resolver'
import { base58btc } from 'multiformats/bases/base58'
import { describe, expect, test } from 'vitest'
import { createFetch } from '../../src/adapters/resolve/fetch.js'
import { createKeys } from '../../src/adapters/resolve/keys.js'
import type { Did, DidUrl } from '../../src/did/did.js'
import { codeOf, testClock, watchAttempts } from './host.js'

interface Vector {
  readonly verificationKeyPair: { readonly publicKeyBase58?: string; readonly publicKeyJwk?: { readonly x: string } }
  readonly didDocument: {
    readonly verificationMethod: readonly { readonly id: DidUrl }[]
    readonly authentication: readonly DidUrl[]
    readonly assertionMethod: readonly DidUrl[]
    readonly keyAgreement: readonly DidUrl[]
  }
}

const FILE = new URL('../vectors/third-party/did-key/ed25519-x25519.json', import.meta.url)
const VECTORS = Object.entries(JSON.parse(readFileSync(FILE, 'utf8')) as Record<Did, Vector>) as [Did, Vector][]
const KEYS = createKeys({ fetch: createFetch(), clock: testClock() })

function keyOf({ verificationKeyPair: { publicKeyBase58, publicKeyJwk } }: Vector): string {
  if (publicKeyJwk !== undefined) return publicKeyJwk.x
  return Buffer.from(base58btc.decode(`z${publicKeyBase58!}`)).toString('base64url')
}

test('there are vectors', () => expect(VECTORS.length).toBeGreaterThanOrEqual(5))

describe.each(VECTORS)('%s', (did, vector) => {
  test('its key, under both relationships, without asking anyone', async () => {
    const attempts = watchAttempts()
    for (const relationship of ['authentication', 'assertionMethod'] as const) {
      const [kid] = vector.didDocument[relationship]
      expect((await KEYS.find(kid!, relationship))?.x).toBe(keyOf(vector))
      expect((await KEYS.all(did, relationship)).map(key => key.x)).toEqual([keyOf(vector)])
    }
    expect(attempts).toEqual([])
  })

  test('no other key id', async () => {
    const [, agreement] = vector.didDocument.verificationMethod
    expect(agreement).toBeDefined()
    for (const kid of [agreement!.id, `${did}#${did}`, `${did}#key-1`, `${did}#z`] as DidUrl[]) {
      expect(await KEYS.find(kid, 'authentication')).toBeNull()
    }
  })

  test('as a resolver for agents', async () => {
    const { didDocument } = await new Resolver({ ...KEYS.methods }).resolve(did)
    expect(didDocument?.id).toBe(did)
    expect(didDocument?.authentication).toEqual(vector.didDocument.authentication)
    const [method] = didDocument?.verificationMethod ?? []
    expect(Buffer.from(base58btc.decode(`z${method!.publicKeyBase58!}`)).toString('base64url')).toBe(keyOf(vector))
  })
})

describe('what is no Ed25519 did:key', () => {
  const prefixed = (...bytes: number[]): Did => `did:key:${base58btc.encode(Uint8Array.from(bytes))}`
  test.each<[string, string, Did]>([
    ['X25519', 'DID_METHOD', prefixed(0xec, 1, ...Buffer.alloc(32, 9))],
    ['another length', 'DID_METHOD', prefixed(0xed, 1, ...Buffer.alloc(33, 9))],
    ['not base58btc', 'DID_METHOD', 'did:key:uabc'],
    ['a weak key', 'KEY_WEAK', prefixed(0xed, 1, 1, ...Buffer.alloc(31))],
    ['another method', 'DID_METHOD', 'did:ion:abc'],
    ['a method like web', 'DID_METHOD', 'did:webvh:a.example'],
  ])('%s is %s', async (_, code, did) => {
    const kid: DidUrl = `${did}#${did.slice('did:key:'.length)}`
    expect(await codeOf(() => KEYS.find(kid, 'authentication'))).toBe(code)
    expect(await codeOf(() => KEYS.all(did, 'authentication'))).toBe(code)
  })

  test('agents get invalidDid, and quickly', async () => {
    const resolver = new Resolver({ ...KEYS.methods })
    const started = performance.now()
    for (const did of ['did:key:z6Mk', `did:key:z${'6'.repeat(200_000)}`]) {
      expect((await resolver.resolve(did)).didResolutionMetadata.error).toBe('invalidDid')
    }
    expect(performance.now() - started).toBeLessThan(1000)
  })
})
