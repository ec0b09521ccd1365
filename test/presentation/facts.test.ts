import { beforeAll, describe, expect, test } from 'vitest'
import { s256 } from '../../src/encoding.js'
import type { Json, JsonObject } from '../../src/json.js'
import { signJws } from '../../src/jws/compact.js'
import { openApproval, readApproval } from '../../src/presentation/approval.js'
import { envelope } from '../../src/presentation/envelope.js'
import {
  openPresentation,
  readPresentation,
  readReference,
  readTokens,
  requireFresh,
} from '../../src/presentation/presentation.js'
import { openProof, readProof, requireBound } from '../../src/presentation/proof.js'
import { paramsDigest, requireRequest, type ReceivedRequest } from '../../src/presentation/request.js'
import { outcome } from '../ground/refusal.js'
import { alice, booker, goodChain, mallory, mint, NOW, owner, party, planner, present, prove, REQUEST, SELF, type Minted } from '../mint.js' // prettier-ignore

let chain: [Minted, Minted]
beforeAll(async () => {
  chain = await goodChain()
})

const { method: htm, url: htu, action, resource, params } = REQUEST
const SIGNED = { htm, htu, bodyDigest: REQUEST.bodyDigest ?? '', action, resource, paramsDigest: paramsDigest(params) }
const received = (change: Partial<ReceivedRequest>) => () => requireRequest(SIGNED, { ...REQUEST, ...change }, [])
const approval = () => ({ audience: SELF, leaf: chain[1].digest, action, resource, paramsDigest: '', display: {} })

/** The caller has to find what to mend, the server's operator what went wrong. */
describe('a refusal names', () => {
  test.each<[string, () => unknown, string, object]>([
    ['the presentation that is too large', () => readPresentation('a'.repeat(49_153), 5), 'INPUT_TOO_LARGE', { what: 'presentation', size: 49_153, max: 49_152 }],
    ['the reference that is too large', () => readReference('a'.repeat(49_153), 5), 'INPUT_TOO_LARGE', { what: 'proof', size: 49_153, max: 49_152 }],
    ['the proof that is too large', () => readProof('a'.repeat(4097)), 'INPUT_TOO_LARGE', { what: 'proof', size: 4097, max: 4096 }],
    ['the approval that is too large', () => readApproval('a'.repeat(4097)), 'INPUT_TOO_LARGE', { what: 'approval', size: 4097, max: 4096 }],
    ['the links that are too many', () => readTokens(['a', 'b'], 1), 'CHAIN_TOO_LONG', { length: 2, max: 1 }],
    ['how long it lives', () => requireFresh({ iat: NOW, exp: NOW + 121 }, NOW), 'PRESENTATION_LIFETIME', { seconds: 121, max: 120 }],
    ['how far off its start is', () => requireFresh({ iat: NOW + 31, exp: NOW + 60 }, NOW), 'TIME_NOT_YET_VALID', { at: 'iat', seconds: 31 }],
    ['how long ago it ended', () => requireFresh({ iat: NOW - 60, exp: NOW - 40 }, NOW), 'PRESENTATION_EXPIRED', { seconds: 40 }],
    ['both methods', () => requireBound(SIGNED, { ...REQUEST, method: 'PUT' }), 'REQUEST_METHOD', { signed: 'POST', received: 'PUT' }],
    ['the resource of the server', received({ resource: 'x' }), 'RESOURCE_SYNTAX', { at: 'request.resource' }],
    ['both actions', received({ action: 'quote' }), 'REQUEST_ACTION', { signed: `book ${resource}`, received: `quote ${resource}` }],
    ['the parameters that are too deep', received({ params: { x: JSON.parse('['.repeat(64) + ']'.repeat(64)) as Json } }), 'JSON_DEPTH', { what: 'params' }],
  ])('%s', (_name, run, code, facts) => {
    expect(outcome(run)).toBe(code)
    expect(run).toThrow(expect.objectContaining({ facts: expect.objectContaining(facts) as object }))
  }) // prettier-ignore

  test('the place in a token', async () => {
    const [proof, given] = [await signJws({}, 'agent-proof+jwt', alice), await signJws({}, 'agent-approval+jwt', alice)]
    const at = (place: string) => expect.objectContaining({ code: 'SCHEMA', facts: expect.objectContaining({ at: place }) as object }) as object // prettier-ignore
    expect(() => openProof(readProof(proof), alice.publicKey)).toThrow(at('proof.iss'))
    expect(() => readReference(proof, 5)).toThrow(at('proof.holder'))
    expect(() => openApproval(readApproval(given), alice.publicKey, approval(), NOW)).toThrow(at('approval.iss'))
  })

  test('who signed a proof, and who is said to', async () => {
    const claims = { iss: mallory.did, aud: SELF, iat: NOW, exp: NOW + 60, jti: 'A'.repeat(22), request: { htm, htu } }
    const sealed = readProof(await signJws(claims, 'agent-proof+jwt', alice))
    expect(() => openProof(sealed, alice.publicKey)).toThrow(
      expect.objectContaining({ code: 'JWS_KID_MISMATCH', facts: { kid: alice.did, issuer: mallory.did } }),
    )
  })
})

describe('a presentation', () => {
  test('hands out its chain without the identities beside it', async () => {
    const identity = await mint({ signer: owner, to: booker })
    const token = await present(booker, chain, { claims: { identity: [envelope(identity.token)] } })
    const { credentials } = readPresentation(token, 5)
    expect(credentials.map(({ digest }) => digest)).toEqual(chain.map(({ digest }) => digest))
  })

  test('by reference, with more identities than a chain has links', async () => {
    const tokens = await Promise.all(
      Array.from({ length: 3 }, async () => (await mint({ signer: owner, to: booker })).token),
    )
    const named = await prove(booker, chain[1].digest, { identity: tokens.map(envelope) })
    expect(readReference(named, 3).identities).toHaveLength(3)
    expect(outcome(() => readReference(named, 2))).toBe('CHAIN_TOO_LONG')
  })

  test('is not of the leaf just because its key is', async () => {
    const web = party('booker', 'did:web:booker.example')
    const sealed = readPresentation(await present(booker, chain), 5)
    expect(web.publicKey.x).toBe(booker.publicKey.x)
    expect(outcome(() => openPresentation(sealed, { subject: web.did, key: web.publicKey }))).toBe(
      'PRESENTATION_HOLDER',
    )
  })

  test.each<[string, Json, string]>([
    ['of 512 characters', `https://${'a'.repeat(504)}`, 'ok'],
    ['of 513 characters', `https://${'a'.repeat(505)}`, 'SCHEMA'],
    ['of no host', 'https://', 'SCHEMA'],
    ['with a blank', 'https://a.example/x y', 'SCHEMA'],
    ['with a line end', 'https://a.example/x\n', 'SCHEMA'],
    ['behind something else', 'see https://a.example', 'SCHEMA'],
    ['in an array', ['https://a.example'], 'SCHEMA'],
    ['that is a DID', planner.did, 'ok'],
  ])('with a source %s -> %s', async (_name, source, code) => {
    const token = await present(booker, chain, { request: { provenance: [{ source, s256: s256('x') }] } })
    expect(outcome(() => readPresentation(token, 5))).toBe(code)
  })

  test.each<[string, JsonObject]>([
    ['null', { params: null }],
    ['an array', { params: [] }],
    ['text', { params: 'x' }],
  ])('whose parameters are %s is refused, whatever was signed', (_name, { params: odd }) => {
    const change = { params: odd as unknown as JsonObject }
    const signed = { ...SIGNED, paramsDigest: paramsDigest(change.params) }
    expect(outcome(() => requireRequest(signed, { ...REQUEST, ...change }, []))).toBe('REQUEST_PARAMS')
  })

  test.each<[string, Json]>([
    ['null', null],
    ['an array', []],
    ['text', 'x'],
    ['a number', 7],
  ])('that is %s is told that it is no object, and nothing else', async (_name, payload) => {
    const claims = payload as unknown as object
    const [whole, named] = [await signJws(claims, 'vp+jwt', booker), await signJws(claims, 'agent-proof+jwt', booker)]
    const why = (at: string) =>
      expect.objectContaining({ code: 'SCHEMA', facts: { at, why: 'is not an object' } }) as object
    expect(() => readPresentation(whole, 5)).toThrow(why('presentation'))
    expect(() => readReference(named, 5)).toThrow(why('proof'))
  })
})
