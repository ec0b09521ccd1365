import { beforeAll, describe, expect, test } from 'vitest'
import { CONTEXTS } from '../../src/credential/credential.js'
import { s256 } from '../../src/encoding.js'
import type { Json, JsonObject } from '../../src/json.js'
import { signJws } from '../../src/jws/compact.js'
import { envelope } from '../../src/presentation/envelope.js'
import { openPresentation, readPresentation, requireFresh } from '../../src/presentation/presentation.js'
import { openProof, readProof, signProof } from '../../src/presentation/proof.js'
import { bodyDigest, paramsDigest, requireRequest, type ReceivedRequest } from '../../src/presentation/request.js'
import { but } from '../ground/but.js'
import { outcome, settled } from '../ground/refusal.js'
import {
  alice,
  booker,
  goodChain,
  mallory,
  NOW,
  PARAMS,
  planner,
  present,
  REQUEST,
  SELF,
  type Minted,
} from '../mint.js'

const S256 = s256('x')
let chain: [Minted, Minted]
beforeAll(async () => {
  chain = await goodChain()
})

/** Members that are `undefined` are left out. */
async function token(
  claims: Record<string, Json | undefined> = {},
  request: Record<string, Json | undefined> = {},
): Promise<string> {
  const body = JSON.parse(Buffer.from((await present(booker, chain)).split('.')[1]!, 'base64url').toString()) as JsonObject // prettier-ignore
  const kept = (all: object) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as JsonObject // prettier-ignore
  const whole = { ...body, request: kept({ ...(body['request'] as JsonObject), ...request }), ...claims }
  return signJws(kept(whole), 'vp+jwt', booker)
}
const read = async (claims: Record<string, Json | undefined>, request: Record<string, Json | undefined> = {}, maxChain = 5) => readPresentation(await token(claims, request), maxChain) // prettier-ignore

describe('the frame', () => {
  const entry = (change: object): JsonObject => ({ ...(envelope('a.b.c') as JsonObject), ...change })
  const source = (change: object = {}): JsonObject => ({ source: 'did:web:acme.example', s256: S256, ...change })
  test.each<[string, Record<string, Json | undefined>, string]>([
    ['as it stands', {}, 'ok'],
    ['an unknown member', { x: 1 }, 'SCHEMA'],
    ['a member named __proto__', JSON.parse('{"__proto__":1}') as JsonObject, 'SCHEMA'],
    ['vc', { vc: {} }, 'SCHEMA'],
    ['vp', { vp: {} }, 'SCHEMA'],
    ['nbf', { nbf: NOW }, 'SCHEMA'],
    ['sub', { sub: booker.did }, 'SCHEMA'],
    ['proof', { proof: {} }, 'SCHEMA'],
    ...['holder', 'iss', 'aud', 'iat', 'exp', 'jti', 'request', 'verifiableCredential'].flatMap((name): [string, Record<string, Json | undefined>, string][] => [
      [`no ${name}`, { [name]: undefined }, 'SCHEMA'],
      [`${name} null`, { [name]: null }, 'SCHEMA'],
      [`${name} true`, { [name]: true }, 'SCHEMA'],
    ]),
    ['aud in an array', { aud: [SELF] }, 'SCHEMA'],
    ['an empty aud', { aud: '' }, 'SCHEMA'],
    ['iat as text', { iat: String(NOW) }, 'SCHEMA'],
    ['a negative iat', { iat: -1 }, 'SCHEMA'],
    ['holder as an object', { holder: { id: booker.did } }, 'SCHEMA'],
    ['a jti of 21 characters', { jti: 'A'.repeat(21) }, 'SCHEMA'],
    ['a jti of 22 characters', { jti: 'A'.repeat(22) }, 'ok'],
    ['a jti of 64 characters', { jti: 'A'.repeat(64) }, 'ok'],
    ['a jti of 65 characters', { jti: 'A'.repeat(65) }, 'SCHEMA'],
    ['a jti with a colon', { jti: `${'A'.repeat(22)}:` }, 'SCHEMA'],
    ['a jti with a line end', { jti: `${'A'.repeat(22)}\n` }, 'SCHEMA'],
    ['a nonce', { nonce: 'x' }, 'ok'],
    ['an empty nonce', { nonce: '' }, 'SCHEMA'],
    ['a nonce of 513 characters', { nonce: 'x'.repeat(513) }, 'SCHEMA'],
    ['no context', { '@context': undefined }, 'CREDENTIAL_CONTEXT'],
    ['another context', { '@context': [CONTEXTS[1], CONTEXTS[0]] }, 'CREDENTIAL_CONTEXT'],
    ['no type', { type: undefined }, 'CREDENTIAL_TYPE'],
    ['the type of any presentation', { type: ['VerifiablePresentation'] }, 'CREDENTIAL_TYPE'],
    ['the type of a credential', { type: ['VerifiableCredential', 'AgentRequestPresentation'] }, 'CREDENTIAL_TYPE'],
    ['no credential', { verifiableCredential: [] }, 'CHAIN_EMPTY'],
    ['one credential outside an array', { verifiableCredential: envelope('a.b.c') }, 'SCHEMA'],
    ['six credentials', { verifiableCredential: Array.from({ length: 6 }, () => envelope('a.b.c')) }, 'CHAIN_TOO_LONG'],
    ['six identities', { identity: Array.from({ length: 6 }, () => envelope('a.b.c')) }, 'CHAIN_TOO_LONG'],
    ['a bare token', { verifiableCredential: ['a.b.c'] }, 'SCHEMA'],
    ['an embedded credential', { verifiableCredential: [{ type: ['VerifiableCredential'] }] }, 'SCHEMA'],
    ['an envelope with a member more', { verifiableCredential: [entry({ name: 'x' })] }, 'SCHEMA'],
    ['an envelope with its type in an array', { verifiableCredential: [entry({ type: ['EnvelopedVerifiableCredential'] })] }, 'SCHEMA'],
    ['an envelope with two contexts', { verifiableCredential: [entry({ '@context': CONTEXTS })] }, 'SCHEMA'],
    ['an envelope of a presentation', { verifiableCredential: [entry({ type: 'EnvelopedVerifiablePresentation' })] }, 'SCHEMA'],
    ['an envelope whose id is no text', { verifiableCredential: [entry({ id: 7 })] }, 'SCHEMA'],
    ['an envelope of another media type', { verifiableCredential: [entry({ id: 'data:application/vc+ld+jwt,a.b.c' })] }, 'CHAIN_ENVELOPE'],
    ['an envelope in base64', { verifiableCredential: [entry({ id: 'data:application/vc+jwt;base64,a.b.c' })] }, 'CHAIN_ENVELOPE'],
    ['an envelope of upper case', { verifiableCredential: [entry({ id: 'DATA:application/vc+jwt,a.b.c' })] }, 'CHAIN_ENVELOPE'],
    ['an envelope that names a URL', { verifiableCredential: [entry({ id: 'https://mallory.example/vc' })] }, 'CHAIN_ENVELOPE'],
    ['an envelope of nothing', { verifiableCredential: [entry({ id: 'data:application/vc+jwt,' })] }, 'JWS_FORMAT'],
    ['an envelope of rubbish', { verifiableCredential: [envelope('x')] }, 'JWS_FORMAT'],
    ['an envelope of 8193 characters', { verifiableCredential: [envelope('x'.repeat(8193))] }, 'INPUT_TOO_LARGE'],
    ['no identity', { identity: [] }, 'ok'],
    ['identity outside an array', { identity: {} }, 'SCHEMA'],
    ['an identity that is no envelope', { identity: ['x'] }, 'SCHEMA'],
    ['an identity of rubbish', { identity: [envelope('x')] }, 'JWS_FORMAT'],
    // within a row the codes stand in order
    ['schema before context', { x: 1, '@context': [] }, 'SCHEMA'],
    ['context before type', { '@context': [], type: [] }, 'CREDENTIAL_CONTEXT'],
    ['type before empty', { type: [], verifiableCredential: [] }, 'CREDENTIAL_TYPE'],
    ['too long before envelope', { verifiableCredential: Array.from({ length: 6 }, () => entry({ id: 'x' })) }, 'CHAIN_TOO_LONG'],
    ['envelopes before what is in them', { verifiableCredential: [envelope('x'), entry({ id: 'x' })] }, 'CHAIN_ENVELOPE'],
  ])('%s', async (_name, claims, code) => {
    expect(await settled(() => read(claims))).toBe(code)
  }) // prettier-ignore

  test.each<[string, Record<string, Json | undefined>, string]>([
    ['an unknown member', { x: 1 }, 'SCHEMA'],
    ['no body', { bodyDigest: undefined }, 'ok'],
    ['an empty bodyDigest', { bodyDigest: '' }, 'SCHEMA'],
    ['bodyDigest null', { bodyDigest: null }, 'SCHEMA'],
    ['a bodyDigest in base64', { bodyDigest: `${S256}=` }, 'SCHEMA'],
    ['a purpose that is text', { purpose: 'book a flight' }, 'SCHEMA'],
    ['no purpose', { purpose: undefined }, 'ok'],
    ...['htm', 'htu', 'action', 'resource', 'paramsDigest'].flatMap((name): [string, Record<string, Json | undefined>, string][] => [
      [`no ${name}`, { [name]: undefined }, 'SCHEMA'],
      [`${name} null`, { [name]: null }, 'SCHEMA'],
      [`an empty ${name}`, { [name]: '' }, 'SCHEMA'],
      [`${name} in an array`, { [name]: ['x'] }, 'SCHEMA'],
    ]),
    ['provenance', { provenance: [source(), source({ source: 'https://a.example/x' })] }, 'ok'],
    ['no provenance', { provenance: [] }, 'SCHEMA'],
    ['nine sources', { provenance: Array.from({ length: 9 }, (_, i) => source({ source: `did:web:a${i}.example` })) }, 'SCHEMA'],
    ['a source over http', { provenance: [source({ source: 'http://a.example' })] }, 'SCHEMA'],
    ['a source that spoke twice', { provenance: [source(), source()] }, 'ok'],
    ['a source with a member more', { provenance: [source({ x: 1 })] }, 'SCHEMA'],
    ['a source without digest', { provenance: [{ source: 'did:web:a.example' }] }, 'SCHEMA'],
  ])('of the request: %s', async (_name, request, code) => {
    expect(await settled(() => read({}, request))).toBe(code)
  }) // prettier-ignore

  test('the same credential twice, in the chain or beside it, whatever its signature', async () => {
    const [root, leaf] = chain
    const again = `${root.token.slice(0, root.token.lastIndexOf('.'))}.${'A'.repeat(86)}`
    const of = (tokens: readonly string[], identity: readonly string[] = []) => read({ verifiableCredential: tokens.map(envelope), ...(identity.length === 0 ? {} : { identity: identity.map(envelope) }) }) // prettier-ignore
    expect(await settled(() => of([root.token, leaf.token]))).toBe('ok')
    expect(await settled(() => of([root.token, root.token]))).toBe('CHAIN_DUPLICATE')
    expect(await settled(() => of([root.token, again]))).toBe('CHAIN_DUPLICATE')
    expect(await settled(() => of([root.token, leaf.token], [leaf.token]))).toBe('CHAIN_DUPLICATE')
    expect(await settled(() => of([leaf.token], [root.token, again]))).toBe('CHAIN_DUPLICATE')
  })

  test("the bound on links is the policy's", async () => {
    expect(await settled(() => read({}, {}, 2))).toBe('ok')
    expect(await settled(() => read({}, {}, 1))).toBe('CHAIN_TOO_LONG')
  })

  test('a presentation over 48 KiB is not looked at', () => {
    expect(outcome(() => readPresentation('a'.repeat(48 * 1024 + 1), 5))).toBe('INPUT_TOO_LARGE')
    expect(outcome(() => readPresentation('a'.repeat(48 * 1024), 5))).toBe('JWS_FORMAT')
  })

  test('a credential is no presentation', () => {
    expect(outcome(() => readPresentation(chain[0].token, 5))).toBe('JWS_TYP')
  })
})

describe('who presents', () => {
  const leaf = { subject: booker.did, key: booker.publicKey }
  test.each<[string, () => Promise<string>, string]>([
    ['the holder', () => present(booker, chain), 'ok'],
    ['a thief', () => present(mallory, chain), 'SIGNATURE_INVALID'],
    ['a thief under the right kid', () => present({ ...mallory, did: booker.did, kid: booker.kid }, chain), 'SIGNATURE_INVALID'],
    ['the holder as somebody else', () => present(booker, chain, { claims: { holder: alice.did } }), 'PRESENTATION_HOLDER'],
    ['the holder with another iss', () => present(booker, chain, { claims: { iss: alice.did } }), 'PRESENTATION_HOLDER'],
    ['the holder with both of another', () => present(booker, chain, { claims: { iss: alice.did, holder: alice.did } }), 'PRESENTATION_HOLDER'],
    ['the holder under the kid of another', () => present({ ...booker, kid: alice.kid }, chain), 'PRESENTATION_HOLDER'],
    ['the middle of the chain', () => present(planner, chain), 'SIGNATURE_INVALID'],
  ])('%s', async (_name, make, code) => {
    const sealed = readPresentation(await make(), 5)
    expect(outcome(() => openPresentation(sealed, leaf))).toBe(code)
  }) // prettier-ignore

  test.each<[number, number, string]>([
    [NOW, NOW + 120, 'ok'],
    [NOW, NOW + 121, 'PRESENTATION_LIFETIME'],
    [NOW, NOW, 'PRESENTATION_LIFETIME'],
    [NOW, NOW - 1, 'PRESENTATION_LIFETIME'],
    [NOW + 30, NOW + 60, 'ok'],
    [NOW + 31, NOW + 60, 'TIME_NOT_YET_VALID'],
    [NOW - 60, NOW - 29, 'ok'],
    [NOW - 60, NOW - 30, 'PRESENTATION_EXPIRED'],
    [NOW + 1000, NOW + 2000, 'PRESENTATION_LIFETIME'],
  ])('from %i to %i -> %s', (iat, exp, code) => {
    expect(outcome(() => requireFresh({ iat, exp }, NOW))).toBe(code)
  })
})

describe('what was signed is what was received', () => {
  const { params, method: htm, url: htu, bodyDigest: digest, action, resource } = REQUEST
  const signed = { htm, htu, bodyDigest: digest!, action, resource, paramsDigest: paramsDigest(params), purpose: S256 }
  const noBody = but(signed, 'bodyDigest')
  const got = (change: Partial<ReceivedRequest>): ReceivedRequest => ({ ...REQUEST, ...change })
  const WRONG: readonly [string, Partial<ReceivedRequest>][] = [
    ['REQUEST_METHOD', { method: 'PUT' }],
    ['REQUEST_URL', { url: `${htu}?x=1` }],
    ['REQUEST_BODY', { bodyDigest: s256('other') }],
    ['RESOURCE_SYNTAX', { resource: `${SELF}/bookings/../admin` }],
    ['REQUEST_ACTION', { action: 'quote' }],
    ['REQUEST_PARAMS', { params: { ...PARAMS, amount: 32_001 } }],
  ]
  test.each(WRONG)('%s, before all that follow', (code, change) => {
    expect(outcome(() => requireRequest(signed, got(change), [S256]))).toBe(code)
    const after = WRONG.slice(WRONG.findIndex(([one]) => one === code))
    const all = Object.assign({}, ...after.map(([, one]) => one).reverse()) as Partial<ReceivedRequest>
    expect(outcome(() => requireRequest(signed, got(all), ['x']))).toBe(code)
  })

  test.each<[string, () => unknown, string]>([
    ['all the same', () => requireRequest(signed, REQUEST, [S256, S256]), 'ok'],
    ['no purpose in the chain', () => requireRequest(signed, REQUEST, []), 'ok'],
    ['another purpose in one link', () => requireRequest(signed, REQUEST, [S256, s256('y')]), 'REQUEST_PURPOSE'],
    ['another resource', () => requireRequest(signed, got({ resource: `${SELF}/bookings/1` }), []), 'REQUEST_ACTION'],
    ['a method of lower case', () => requireRequest(signed, got({ method: 'post' }), []), 'REQUEST_METHOD'],
    ['a body where none was signed', () => requireRequest(noBody, REQUEST, []), 'REQUEST_BODY'],
    ['no body where one was signed', () => requireRequest(signed, got({ bodyDigest: null }), []), 'REQUEST_BODY'],
    ['no body at all', () => requireRequest(noBody, got({ bodyDigest: null }), []), 'ok'],
    ['one parameter more', () => requireRequest(signed, got({ params: { ...PARAMS, x: 1 } }), []), 'REQUEST_PARAMS'],
    ['parameters in another order', () => requireRequest(signed, got({ params: Object.fromEntries(Object.entries(PARAMS).reverse()) }), []), 'ok'], // prettier-ignore
    [
      'a number as text',
      () => requireRequest(signed, got({ params: { ...PARAMS, amount: '32000' } }), []),
      'REQUEST_PARAMS',
    ],
    ['parameters nothing can write', () => requireRequest(signed, got({ params: { ...PARAMS, x: '\ud800' } }), []), 'JSON_NOT_CANONICAL'], // prettier-ignore
  ])('%s', (_name, run, code) => {
    expect(outcome(run)).toBe(code)
  })

  test('a purpose that the chain states and the request does not', () => {
    expect(outcome(() => requireRequest(but(signed, 'purpose'), REQUEST, [S256]))).toBe('REQUEST_PURPOSE')
  })

  test.each([[''], [null], [undefined], [new Uint8Array(0)]])('%j is no body', body => {
    expect(bodyDigest(body)).toBeNull()
  })

  test('a body is its bytes', () => {
    expect(bodyDigest('é')).toBe(bodyDigest(Buffer.from('é')))
    expect(bodyDigest('é')).not.toBe(bodyDigest('e\u0301'))
  })
})

describe('a proof', () => {
  const request = { method: 'GET', url: `${SELF}/v1/agents`, bodyDigest: null }
  const sign = (change: object = {}, typ: 'agent-proof+jwt' | 'vp+jwt' = 'agent-proof+jwt') =>
    signJws({ iss: alice.did, aud: SELF, iat: NOW, exp: NOW + 60, jti: 'A'.repeat(22), request: { htm: 'GET', htu: request.url }, ...change }, typ, alice) // prettier-ignore
  test('is read as it was signed', async () => {
    const token = await signProof(alice, SELF, request, 'A'.repeat(22), NOW)
    expect(openProof(readProof(token), alice.publicKey)).toEqual({ iss: alice.did, aud: SELF, iat: NOW, exp: NOW + 60, jti: 'A'.repeat(22), request: { htm: 'GET', htu: request.url } }) // prettier-ignore
  })

  test.each<[string, () => Promise<string>, string]>([
    ['of another typ', () => sign({}, 'vp+jwt'), 'JWS_TYP'],
    ['of another iss', () => sign({ iss: mallory.did }), 'JWS_KID_MISMATCH'],
    ['with a leaf', () => sign({ leaf: 'x' }), 'SCHEMA'],
    ['with an unknown member in its request', () => sign({ request: { htm: 'GET', htu: 'x', x: 1 } }), 'SCHEMA'],
    ['with a short jti', () => sign({ jti: 'A' }), 'SCHEMA'],
    ['that is too long', () => sign({ aud: 'x'.repeat(4096) }), 'INPUT_TOO_LARGE'],
  ])('%s', async (_name, make, code) => {
    const token = await make()
    expect(outcome(() => openProof(readProof(token), alice.publicKey))).toBe(code)
  })

  test('of somebody else reads nothing before the signature', async () => {
    const token = await sign({ iss: 7 })
    expect(outcome(() => openProof(readProof(token), mallory.publicKey))).toBe('SIGNATURE_INVALID')
  })
})
