import { generateKeyPairSync } from 'node:crypto'
import { base58btc } from 'multiformats/bases/base58'
import { describe, expect, test } from 'vitest'
import { MAX_METHODS, readDidDocument, toDidDocument } from '../../src/did/document.js'
import { parseJwk, toJwk, type PublicKey } from '../../src/ed25519.js'
import type { Json, JsonObject } from '../../src/json.js'

const ALICE = 'did:web:alice.example'
const NOW = 1_795_255_500
const KEY = freshKey()
const OTHER = freshKey()
const WEAK = { ...toJwk(KEY), x: 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }

function freshKey(): PublicKey {
  return parseJwk(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }) as Json, 'test')!
}

function multibase(prefix: readonly number[], bytes: Uint8Array): string {
  return base58btc.encode(Uint8Array.of(...prefix, ...bytes))
}

function method(id: string, members: JsonObject = {}): JsonObject {
  return { id: `${ALICE}#${id}`, type: 'JsonWebKey', controller: ALICE, publicKeyJwk: { ...toJwk(KEY) }, ...members }
}

/** A document whose one method `#k` is listed under assertionMethod. */
function withMethod(members: JsonObject): JsonObject {
  return { id: ALICE, verificationMethod: [method('k', members)], assertionMethod: [`${ALICE}#k`] }
}

function find(document: Json, kid = 'k', relationship: 'authentication' | 'assertionMethod' = 'assertionMethod') {
  return readDidDocument(ALICE, document).find(`${ALICE}#${kid}`, relationship, NOW)?.x ?? null
}

function all(document: Json, relationship: 'authentication' | 'assertionMethod' = 'assertionMethod') {
  return readDidDocument(ALICE, document)
    .all(relationship, NOW)
    .map(key => key.x)
}

describe('keys that are found', () => {
  const ed25519 = multibase([0xed, 0x01], KEY.bytes)
  test.each<[string, JsonObject]>([
    ['publicKeyJwk', {}],
    ['publicKeyJwk with descriptive members', { publicKeyJwk: { ...toJwk(KEY), kid: 'x', use: 'sig', alg: 'EdDSA' } }],
    ['JsonWebKey2020', { type: 'JsonWebKey2020' }],
    ['a relative id', { id: '#k' }],
    ['an end that is ahead', { expires: '2027-01-01T00:00:00Z', revoked: '2028-01-01T00:00:00.5+01:00' }],
  ])('%s', (_, members) => expect(find(withMethod(members))).toBe(KEY.x))

  test.each(['Multikey', 'Ed25519VerificationKey2020', 'SomethingElse'])('publicKeyMultibase of type %s', type => {
    const entry = { id: `${ALICE}#k`, type, controller: ALICE, publicKeyMultibase: ed25519 }
    expect(find({ id: ALICE, verificationMethod: [entry], assertionMethod: ['#k'] })).toBe(KEY.x)
  })

  test('an embedded method counts for the relationship it stands in, and no other', () => {
    const document = { id: ALICE, authentication: [method('k')], assertionMethod: ['#k'] }
    expect(find(document, 'k', 'authentication')).toBe(KEY.x)
    expect(find(document, 'k', 'assertionMethod')).toBeNull()
    expect(all(document, 'authentication')).toEqual([KEY.x])
    expect(all(document, 'assertionMethod')).toEqual([])
  })

  test('all names every key once, whatever it is called', () => {
    const second = method('l', { publicKeyJwk: { ...toJwk(OTHER) } })
    const document = {
      id: ALICE,
      verificationMethod: [method('k'), second],
      assertionMethod: ['#k', `${ALICE}#k`, '#l'],
      authentication: ['#l'],
    }
    expect(all(document)).toEqual([KEY.x, OTHER.x])
    expect(all(document, 'authentication')).toEqual([OTHER.x])
  })

  test('what is written is read again', () => {
    const document = toDidDocument(ALICE, [
      { kid: `${ALICE}#k`, key: KEY },
      { kid: `${ALICE}#l`, key: OTHER },
    ])
    expect(JSON.parse(JSON.stringify(document))).toEqual(document)
    for (const relationship of ['authentication', 'assertionMethod'] as const) {
      expect(find(document, 'k', relationship)).toBe(KEY.x)
      expect(find(document, 'l', relationship)).toBe(OTHER.x)
      expect(all(document, relationship)).toEqual([KEY.x, OTHER.x])
    }
  })
})

describe('keys that are not there', () => {
  test.each<[string, JsonObject]>([
    ['a foreign controller', { controller: 'did:web:mallory.example' }],
    ['no controller', { controller: null }],
    ['a list of controllers', { controller: [ALICE] }],
    ['the id of another DID', { id: 'did:web:mallory.example#k' }],
    ['another curve', { publicKeyJwk: { kty: 'OKP', crv: 'X25519', x: KEY.x } }],
    ['another key type', { publicKeyJwk: { kty: 'EC', crv: 'P-256', x: KEY.x, y: KEY.x } }],
    ['a JWK that is none', { publicKeyJwk: 'x' }],
    ['two materials', { publicKeyMultibase: multibase([0xed, 0x01], OTHER.bytes) }],
    ['an end in the past', { expires: '2026-01-01T00:00:00Z' }],
    ['an end this second', { expires: '2026-11-21T10:05:00Z' }],
    ['a revocation', { revoked: '2026-01-01T00:00:00Z' }],
    ['a revocation beside a later end', { revoked: '2026-01-01T00:00:00Z', expires: '2028-01-01T00:00:00Z' }],
    ['an end without time zone', { expires: '2028-01-01T00:00:00' }],
    ['an end that is no date', { expires: '2028-13-01T00:00:00Z' }],
    ['an end that is a number', { expires: 1_900_000_000 }],
  ])('%s', (_, members) => {
    expect(find(withMethod(members))).toBeNull()
    expect(all(withMethod(members))).toEqual([])
  })

  test.each([
    ['X25519', multibase([0xec, 0x01], KEY.bytes)],
    ['a prefix that starts like the right one', multibase([0xed, 0x02], KEY.bytes)],
    ['a private key', multibase([0x80, 0x26], KEY.bytes)],
    ['no prefix', multibase([], KEY.bytes)],
    ['a byte too many', multibase([0xed, 0x01], Uint8Array.of(...KEY.bytes, 0))],
    ['a byte too few', multibase([0xed, 0x01], KEY.bytes.slice(1))],
    ['base64url', `u${Buffer.from([0xed, 1, ...KEY.bytes]).toString('base64url')}`],
    ['a character that base58 lacks', 'z6Mk0OIl'],
    ['endless text', `z${'2'.repeat(60_000)}`],
    ['a number', 5],
  ])('publicKeyMultibase with %s', (_, publicKeyMultibase) => {
    const entry = { id: `${ALICE}#k`, type: 'Multikey', controller: ALICE, publicKeyMultibase }
    const started = performance.now()
    expect(find({ id: ALICE, verificationMethod: [entry], assertionMethod: ['#k'] })).toBeNull()
    expect(performance.now() - started).toBeLessThan(100)
  })

  test.each<[string, JsonObject]>([
    ['listed nowhere', {}],
    ['listed under the other relationship', { authentication: ['#k'] }],
    ['listed for key agreement', { keyAgreement: ['#k'], capabilityInvocation: ['#k'], capabilityDelegation: ['#k'] }],
    ['listed as a key of another DID', { assertionMethod: ['did:web:mallory.example#k'] }],
    ['listed by bare fragment', { assertionMethod: ['k'] }],
  ])('a method %s', (_, members) => {
    expect(find({ id: ALICE, verificationMethod: [method('k')], ...members })).toBeNull()
  })

  test('names of object members mean nothing', () => {
    expect(find(withMethod({}), '__proto__')).toBeNull()
    expect(find(withMethod({}), 'constructor')).toBeNull()
  })
})

describe('a key that must not be relied on', () => {
  const weakMultibase = multibase([0xed, 0x01], Buffer.from(WEAK.x, 'base64url'))
  const bad: readonly [string, string, JsonObject][] = [
    ['weak', 'KEY_WEAK', { publicKeyJwk: WEAK }],
    ['private', 'KEY_PRIVATE', { publicKeyJwk: { ...toJwk(OTHER), d: OTHER.x } }],
  ]
  test.each(bad)('a %s key throws %s when looked up, the others are found', (_, code, members) => {
    const document = {
      id: ALICE,
      verificationMethod: [method('bad', members), method('k')],
      assertionMethod: ['#bad', '#k'],
    }
    expect(find(document)).toBe(KEY.x)
    expect(all(document)).toEqual([KEY.x])
    expect(find(document, 'bad', 'authentication')).toBeNull()
    expect(() => find(document, 'bad')).toThrow(expect.objectContaining({ code }))
  })

  test('a weak key in multibase throws too', () => {
    const entry = { id: '#k', type: 'Multikey', controller: ALICE, publicKeyMultibase: weakMultibase }
    const document = { id: ALICE, verificationMethod: [entry], assertionMethod: ['#k'] }
    expect(() => find(document)).toThrow(expect.objectContaining({ code: 'KEY_WEAK' }))
  })
})

describe('documents that are refused', () => {
  test.each<[string, Json]>([
    ['null', null],
    ['an array', [withMethod({})]],
    ['a string', ALICE],
    ['no id', { verificationMethod: [] }],
    ['another DID', { ...withMethod({}), id: 'did:web:mallory.example' }],
    ['the DID in another case', { ...withMethod({}), id: 'did:web:Alice.example' }],
    ['the DID as a URL', { ...withMethod({}), id: `${ALICE}#` }],
    ['two methods of one id', { id: ALICE, verificationMethod: [method('k'), method('k')] }],
    ['two equal ids, one relative', { id: ALICE, verificationMethod: [method('k'), method('k', { id: '#k' })] }],
    ['a method embedded again', { id: ALICE, verificationMethod: [method('k')], authentication: [method('k')] }],
    ['one method embedded twice', { id: ALICE, authentication: [method('k')], assertionMethod: [method('k')] }],
    ['a method embedded for key agreement', { ...withMethod({}), keyAgreement: [method('k')] }],
    ['a method embedded for invocation', { ...withMethod({}), capabilityInvocation: [method('k')] }],
    ['a method embedded for delegation', { ...withMethod({}), capabilityDelegation: [method('k')] }],
    ['a method without id', { id: ALICE, verificationMethod: [{ controller: ALICE }] }],
    ['a method that is a string', { id: ALICE, verificationMethod: ['#k'] }],
    ['methods that are no array', { id: ALICE, verificationMethod: method('k') }],
    ['a relationship that is no array', { ...withMethod({}), assertionMethod: '#k' }],
    ['a relationship that holds a number', { ...withMethod({}), authentication: [1] }],
    ['too many methods', methods(MAX_METHODS + 1)],
  ])('%s', (_, document) => {
    expect(() => find(document)).toThrow(expect.objectContaining({ code: 'DID_RESOLUTION' }))
  })

  test('as many methods as allowed', () => {
    expect(find(methods(MAX_METHODS), 'k0')).toBe(KEY.x)
  })

  function methods(count: number): JsonObject {
    const list = Array.from({ length: count }, (_, index) => method(`k${index}`))
    return { id: ALICE, verificationMethod: list, assertionMethod: ['#k0'] }
  }
})
