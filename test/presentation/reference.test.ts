import { beforeAll, describe, expect, test } from 'vitest'
import { CONTEXTS } from '../../src/credential/credential.js'
import { isDigest, s256 } from '../../src/encoding.js'
import type { Json, JsonObject } from '../../src/json.js'
import { signJws } from '../../src/jws/compact.js'
import { envelope } from '../../src/presentation/envelope.js'
import {
  readPresentation,
  readReference,
  readTokens,
  toPresentationJson,
  toReferenceJson,
  type Presentation,
} from '../../src/presentation/presentation.js'
import { openProof, readProof, requireBound, signProof } from '../../src/presentation/proof.js'
import { outcome } from '../ground/refusal.js'
import { alice, booker, goodChain, NOW, present, prove, SELF, type Minted } from '../mint.js'

const LEAF = `uEi${'A'.repeat(44)}` as const
let chain: [Minted, Minted]
beforeAll(async () => {
  chain = await goodChain()
})

const PRESENTATION: Presentation = {
  holder: booker.did,
  iss: booker.did,
  aud: SELF,
  iat: NOW,
  exp: NOW + 60,
  jti: 'A'.repeat(22),
  request: { htm: 'GET', htu: SELF, action: 'quote', resource: SELF, paramsDigest: s256('{}') },
}

describe('a reference', () => {
  /** Members that are `undefined` are left out. */
  const reference = (change: Record<string, Json | undefined> = {}): Promise<string> => {
    const whole = { ...toReferenceJson(PRESENTATION, LEAF), ...change }
    const kept = Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined))
    return signJws(kept, 'agent-proof+jwt', booker)
  }

  test('names its chain', async () => {
    const { sealed, leaf } = readReference(await reference(), 5)
    expect(leaf).toBe(LEAF)
    expect(sealed.signer).toBe(booker.did)
    expect(sealed.unverified).toEqual({ '@context': [...CONTEXTS], ...PRESENTATION, leaf: LEAF })
    const { digest } = chain[1]
    expect(readReference(await prove(booker, digest), 5).leaf).toBe(digest)
    expect(isDigest(digest)).toBe(true)
  })

  test.each<[string, Record<string, Json | undefined>, string]>([
    ['no leaf', { leaf: undefined }, 'SCHEMA'],
    ['a leaf null', { leaf: null }, 'SCHEMA'],
    ['a leaf that is an id', { leaf: 'urn:uuid:0192f5c2-0000-7000-8000-000000000001' }, 'SCHEMA'],
    ['a leaf in an array', { leaf: [LEAF] }, 'SCHEMA'],
    ['a type', { type: ['VerifiablePresentation', 'AgentRequestPresentation'] }, 'SCHEMA'],
    ['a chain beside it', { verifiableCredential: [] }, 'SCHEMA'],
    ['no holder', { holder: undefined }, 'SCHEMA'],
    ['no request', { request: undefined }, 'SCHEMA'],
    ['a negative exp', { exp: -1 }, 'SCHEMA'],
    ['no context', { '@context': undefined }, 'CREDENTIAL_CONTEXT'],
    ['another context', { '@context': [CONTEXTS[0]] }, 'CREDENTIAL_CONTEXT'],
    ['schema before context', { '@context': [], leaf: null }, 'SCHEMA'],
  ])('with %s -> %s', async (_name, change, code) => {
    const token = await reference(change)
    expect(outcome(() => readReference(token, 5))).toBe(code)
  })

  test.each<[string, () => Promise<string>, string]>([
    ['no object', () => signJws(['x'], 'agent-proof+jwt', booker), 'SCHEMA'],
    ['a presentation', () => present(booker, [], { claims: { verifiableCredential: [] } }), 'JWS_TYP'],
    ['49 153 characters', () => Promise.resolve('a'.repeat(49_153)), 'INPUT_TOO_LARGE'],
    ['49 152 characters', () => Promise.resolve('a'.repeat(49_152)), 'JWS_FORMAT'],
  ])('that is %s', async (_name, make, code) => {
    const token = await make()
    expect(outcome(() => readReference(token, 5))).toBe(code)
  })
})

describe('a presentation', () => {
  test('is written as it is read', async () => {
    const tokens = chain.map(({ token }) => token)
    const json = toPresentationJson(PRESENTATION, tokens)
    expect(json).toEqual({
      '@context': [...CONTEXTS],
      type: ['VerifiablePresentation', 'AgentRequestPresentation'],
      ...PRESENTATION,
      verifiableCredential: tokens.map(token => ({
        '@context': 'https://www.w3.org/ns/credentials/v2',
        id: `data:application/vc+jwt,${token}`,
        type: 'EnvelopedVerifiableCredential',
      })),
    })
    const { credentials } = readPresentation(await signJws(json, 'vp+jwt', booker), 2)
    expect(credentials.map(({ digest }) => digest)).toEqual(chain.map(({ digest }) => digest))
  })

  test('that is no object -> SCHEMA', async () => {
    const token = await signJws(['x'], 'vp+jwt', booker)
    expect(outcome(() => readPresentation(token, 5))).toBe('SCHEMA')
  })

  const rubbish = envelope('x')
  const foreign: Json = { ...(rubbish as JsonObject), id: 'https://mallory.example/vc' }
  const long = envelope('x'.repeat(8193))
  test.each<[string, object, object]>([
    ['the link', { verifiableCredential: [rubbish, foreign] }, { code: 'CHAIN_ENVELOPE', facts: { at: 'verifiableCredential[1]' } }], // prettier-ignore
    ['the identity', { identity: [foreign] }, { code: 'CHAIN_ENVELOPE', facts: { at: 'identity[0]' } }],
    [
      'the link that is too long',
      { verifiableCredential: [long] },
      { facts: { what: 'link 0', size: 8193, max: 8192 } },
    ],
    ['the identity that is too long', { identity: [long] }, { facts: { what: 'identity 0', size: 8193, max: 8192 } }],
    ['the longer of both lists', { identity: [rubbish, rubbish, rubbish] }, { code: 'CHAIN_TOO_LONG', facts: { length: 3, max: 2 } }], // prettier-ignore
    [
      'no credential before what else is wrong',
      { verifiableCredential: [], identity: [rubbish] },
      { code: 'CHAIN_EMPTY' },
    ],
    ['the place of a wrong entry', { verifiableCredential: [7] }, { code: 'SCHEMA', facts: { at: 'presentation.verifiableCredential[0]', why: 'is not an EnvelopedVerifiableCredential' } }], // prettier-ignore
  ])('refused names %s', async (_name, change, refusal) => {
    const token = await signJws({ ...toPresentationJson(PRESENTATION, [chain[0].token]), ...change }, 'vp+jwt', booker)
    expect(() => readPresentation(token, 2)).toThrow(expect.objectContaining(refusal))
  })
})

describe('a chain of tokens', () => {
  test.each<[string, () => readonly string[], number, string]>([
    ['of two', () => chain.map(({ token }) => token), 2, 'ok'],
    ['of two where one is allowed', () => chain.map(({ token }) => token), 1, 'CHAIN_TOO_LONG'],
    ['of none', () => [], 5, 'CHAIN_EMPTY'],
    ['of one twice', () => [chain[0].token, chain[0].token], 5, 'CHAIN_DUPLICATE'],
    ['with rubbish', () => [chain[0].token, 'x'], 5, 'JWS_FORMAT'],
  ])('%s', (_name, tokens, max, code) => {
    expect(outcome(() => readTokens(tokens(), max))).toBe(code)
  })

  test('keeps its order, and names the two that are the same', () => {
    const [root, leaf] = chain.map(({ token }) => token) as [string, string]
    expect(readTokens([root, leaf], 5).map(({ digest }) => digest)).toEqual(chain.map(({ digest }) => digest))
    expect(() => readTokens([root, leaf, leaf], 5)).toThrow(
      expect.objectContaining({ code: 'CHAIN_DUPLICATE', facts: { first: 1, second: 2 } }),
    )
  })
})

describe('a proof', () => {
  const request = { method: 'PUT', url: `${SELF}/v1/x?y=1`, bodyDigest: s256('body') }
  const bound = { htm: 'PUT', htu: `${SELF}/v1/x?y=1`, bodyDigest: s256('body') }

  test('carries the digest of its body', async () => {
    const token = await signProof(alice, SELF, request, 'A'.repeat(22), NOW)
    expect(openProof(readProof(token), alice.publicKey).request).toEqual(bound)
  })

  test.each<[string, Record<string, Json>, string]>([
    ['a negative iat', { iat: -1 }, 'SCHEMA'],
    ['a negative exp', { exp: -1 }, 'SCHEMA'],
    ['an empty aud', { aud: '' }, 'SCHEMA'],
    ['an iss that is no DID', { iss: 'alice' }, 'SCHEMA'],
    ['a jti of 65 characters', { jti: 'A'.repeat(65) }, 'SCHEMA'],
    ['a jti with a blank', { jti: ` ${'A'.repeat(22)}` }, 'SCHEMA'],
    ['a jti with a line end', { jti: `${'A'.repeat(22)}\n` }, 'SCHEMA'],
    ['no method', { request: { htu: SELF } }, 'SCHEMA'],
    ['no URL', { request: { htm: 'GET' } }, 'SCHEMA'],
    ['a body digest in base64', { request: { ...bound, bodyDigest: `${s256('x')}=` } }, 'SCHEMA'],
    ['an unknown member', { nonce: 'x' }, 'SCHEMA'],
  ])('with %s -> %s', async (_name, change, code) => {
    const good = { iss: alice.did, aud: SELF, iat: NOW, exp: NOW + 60, jti: 'A'.repeat(22), request: bound }
    const token = await signJws({ ...good, ...change }, 'agent-proof+jwt', alice)
    expect(outcome(() => openProof(readProof(token), alice.publicKey))).toBe(code)
  })

  test.each<[string, object, string]>([
    ['as it stands', {}, 'ok'],
    ['another method', { method: 'POST' }, 'REQUEST_METHOD'],
    ['another URL', { url: `${SELF}/v1/x` }, 'REQUEST_URL'],
    ['another body', { bodyDigest: s256('x') }, 'REQUEST_BODY'],
    ['no body', { bodyDigest: null }, 'REQUEST_BODY'],
  ])('is held to %s -> %s', (_name, change, code) => {
    expect(outcome(() => requireBound(bound, { ...request, ...change }))).toBe(code)
  })

  test('over a request without body binds its absence', () => {
    const { htm, htu } = bound
    expect(outcome(() => requireBound({ htm, htu }, { ...request, bodyDigest: null }))).toBe('ok')
    expect(outcome(() => requireBound({ htm, htu }, request))).toBe('REQUEST_BODY')
  })
})
