import { readFileSync } from 'node:fs'
import { Resolver } from 'did-resolver'
import { base58btc } from 'multiformats/bases/base58'
import { describe, expect, test } from 'vitest'
import { createFetch } from '../../src/adapters/resolve/fetch.js'
import { createKeys } from '../../src/adapters/resolve/keys.js'
import type { Did, DidUrl } from '../../src/did/did.js'
import { party } from '../mint.js'
import { testClock, watchAttempts } from './host.js'

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

test('what is no Ed25519 did:key is invalidDid for agents, and quickly', async () => {
  const resolver = new Resolver({ ...KEYS.methods })
  const started = performance.now()
  for (const did of ['did:key:z6Mk', `did:key:z${'6'.repeat(200_000)}`]) {
    expect((await resolver.resolve(did)).didResolutionMetadata.error).toBe('invalidDid')
  }
  expect(performance.now() - started).toBeLessThan(1000)
})

test('what decisions compute is what key-did-resolver reads, for any key', async () => {
  const resolver = new Resolver({ ...KEYS.methods })
  for (let n = 0; n < 50; n += 1) {
    const { did, kid, publicKey } = party(`agent ${n}`)
    const { didDocument } = await resolver.resolve(did)
    const [method] = didDocument?.verificationMethod ?? []
    expect(method?.id).toBe(kid)
    expect(Buffer.from(base58btc.decode(`z${method!.publicKeyBase58!}`)).toString('base64url')).toBe(publicKey.x)
    expect((await KEYS.find(kid, 'assertionMethod'))?.x).toBe(publicKey.x)
  }
})
