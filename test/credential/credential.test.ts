import { describe, expect, test } from 'vitest'
import { CONTEXTS, readCredential, toCredentialJson } from '../../src/credential/credential.js'
import { identityShape, IDENTITY } from '../../src/credential/identity.js'
import { CAPABILITY, subjectShape } from '../../src/delegation/chain.js'
import { toAuthorityJson } from '../../src/authority/authority.js'
import { toJwk } from '../../src/ed25519.js'
import { canonicalize, type Json, type JsonObject } from '../../src/json.js'
import { openJws, readJws, signJws, type Verified } from '../../src/jws/compact.js'
import { read } from '../../src/shape.js'
import { toDate } from '../../src/time.js'
import { settled, outcome } from '../ground/refusal.js'
import { alice, GRANTS, mallory, NOW, owner, planner, SELF, STATUS_BASE, status } from '../mint.js'

const AUTHORITY = { v: 1, hop: 0, more: 1, audience: [SELF], grants: GRANTS, statusIssuers: [{ iss: status.did, base: STATUS_BASE }] } as const // prettier-ignore
const ID = 'urn:uuid:0192f5c2-0000-7000-8000-000000000001'
const JWK: JsonObject = { ...toJwk(planner.publicKey) }
const WEAK = { ...JWK, x: 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }
const GOOD = toCredentialJson({
  id: ID,
  type: CAPABILITY,
  issuer: owner.did,
  subject: planner.did,
  key: planner.publicKey,
  issuedAt: NOW - 5,
  validFrom: NOW,
  validUntil: NOW + 600,
  claims: { authority: toAuthorityJson(AUTHORITY) },
})
const SUBJECT = GOOD['credentialSubject'] as JsonObject
const authority = (change: JsonObject): JsonObject => ({
  credentialSubject: { ...SUBJECT, authority: { ...(SUBJECT['authority'] as JsonObject), ...change } },
})

/** Signed and opened, as every claim is that is ever read; members that are `undefined` are left out. */
async function open(change: Record<string, Json | undefined>) {
  const claims = Object.fromEntries(Object.entries({ ...GOOD, ...change }).filter(([, value]) => value !== undefined))
  const sealed = readJws(await signJws(claims, 'vc+jwt', owner), 'vc+jwt', 1e5, 'credential')
  return readCredential(openJws(sealed, owner.publicKey), sealed, CAPABILITY, subjectShape)
}

test('a good credential is read as it was written', async () => {
  expect(await open({})).toMatchObject({ id: ID, issuer: owner.did, subject: planner.did, issuedAt: NOW - 5, validFrom: NOW, validUntil: NOW + 600, claims: { id: planner.did, authority: AUTHORITY } }) // prettier-ignore
  expect((await open({})).key.x).toBe(planner.publicKey.x)
  expect((await open({ credentialStatus: { a: 1 } })).status).toEqual({ a: 1 })
})

describe('one fault', () => {
  const time = (name: string, value: Json | undefined) => ({ [name]: value })
  const cnf = (jwk: Json): JsonObject => ({ cnf: { jwk } })
  const from = (at: number): JsonObject => ({ validFrom: toDate(NOW + at) })
  const until = (at: number): JsonObject => ({ validUntil: toDate(NOW + at), exp: NOW + at })
  test.each<[string, Record<string, Json | undefined>, string]>([
    ['none', {}, 'ok'],
    ['an unknown member at the top', { evidence: [{ type: 'x' }], name: 'x', termsOfUs: 1 }, 'ok'],
    ['a member named __proto__', JSON.parse('{"__proto__":{"vc":1}}') as JsonObject, 'ok'],
    ['vc', { vc: {} }, 'SCHEMA'],
    ['vp', { vp: {} }, 'SCHEMA'],
    ['nbf', { nbf: NOW }, 'SCHEMA'],
    ['nbf null', { nbf: null }, 'SCHEMA'],
    ['terms of use', { termsOfUse: [] }, 'CAVEAT_UNKNOWN'],
    ['a proof', { proof: {} }, 'CAVEAT_UNKNOWN'],
    ['one context', { '@context': [CONTEXTS[0]] }, 'CREDENTIAL_CONTEXT'],
    ['three contexts', { '@context': [...CONTEXTS, 'https://mallory.example'] }, 'CREDENTIAL_CONTEXT'],
    ['contexts in another order', { '@context': [...CONTEXTS].reverse() }, 'CREDENTIAL_CONTEXT'],
    ['the context as text', { '@context': CONTEXTS[0] }, 'CREDENTIAL_CONTEXT'],
    ['a context inline', { '@context': [...CONTEXTS, {}] }, 'CREDENTIAL_CONTEXT'],
    ['the context of version 1', { '@context': ['https://www.w3.org/2018/credentials/v1', CONTEXTS[1]] }, 'CREDENTIAL_CONTEXT'],
    ['no context', { '@context': undefined }, 'CREDENTIAL_CONTEXT'],
    ['one type', { type: ['VerifiableCredential'] }, 'CREDENTIAL_TYPE'],
    ['three types', { type: ['VerifiableCredential', CAPABILITY, 'x'] }, 'CREDENTIAL_TYPE'],
    ['types in another order', { type: [CAPABILITY, 'VerifiableCredential'] }, 'CREDENTIAL_TYPE'],
    ['another type', { type: ['VerifiableCredential', 'AgentDelegationCredential'] }, 'CREDENTIAL_TYPE'],
    ['no type', { type: undefined }, 'CREDENTIAL_TYPE'],
    ['another iss', { iss: mallory.did }, 'CREDENTIAL_ISSUER'],
    ['no iss', { iss: undefined }, 'CREDENTIAL_ISSUER'],
    ['the issuer as an object', { issuer: { id: owner.did } }, 'SCHEMA'],
    ['the issuer as an object that has no text', { issuer: { toString: 1 } }, 'SCHEMA'],
    ['no issuer and no iss', { issuer: undefined, iss: undefined }, 'SCHEMA'],
    ['an issuer that is no DID', { issuer: 'https://a.example', iss: 'https://a.example' }, 'SCHEMA'],
    ['another sub', { sub: mallory.did }, 'CREDENTIAL_SUBJECT'],
    ['no sub', { sub: undefined }, 'CREDENTIAL_SUBJECT'],
    ['two subjects', { credentialSubject: [SUBJECT] }, 'SCHEMA'],
    ['no subject', { credentialSubject: undefined, sub: undefined }, 'SCHEMA'],
    ['a subject without id', { credentialSubject: { authority: SUBJECT['authority']! }, sub: undefined }, 'SCHEMA'],
    ['a subject with more to say', { credentialSubject: { ...SUBJECT, role: 'admin' } }, 'CAVEAT_UNKNOWN'],
    ['no authority', { credentialSubject: { id: planner.did } }, 'SCHEMA'],
    ['a caveat nobody knows', authority({ onlyOn: 'Monday' }), 'CAVEAT_UNKNOWN'],
    ...[
      '0192f5c2-0000-7000-8000-000000000001', 'urn:uuid:0192F5C2-0000-7000-8000-000000000001', 'urn:uuid:0192f5c2-0000-1000-8000-000000000001',
      'urn:uuid:0192f5c2-0000-3000-8000-000000000001', 'urn:uuid:0192f5c2-0000-5000-8000-000000000001', 'urn:uuid:0192f5c2-0000-6000-8000-000000000001',
      'urn:uuid:0192f5c2-0000-8000-8000-000000000001', 'urn:uuid:0192f5c2-0000-7000-7000-000000000001', 'urn:uuid:0192f5c2-0000-7000-c000-000000000001',
      'urn:uuid:00000000-0000-0000-0000-000000000000', 'URN:UUID:0192f5c2-0000-7000-8000-000000000001', 'urn:uuid:{0192f5c2-0000-7000-8000-000000000001}',
      'urn:uuid:0192f5c200007000800000000000000001', `${ID}\n`, ` ${ID}`, `${ID}0`, 'https://a.example/1', '', null, 1, [ID],
    ].map((id): [string, JsonObject, string] => [`id ${JSON.stringify(id)}`, { id }, 'SCHEMA']),
    ['no id', { id: undefined }, 'SCHEMA'],
    ['a v4 UUID', { id: 'urn:uuid:0192f5c2-0000-4000-bfff-000000000001' }, 'ok'],
    ...['2026-11-21T10:05:60Z', '2026-13-21T10:05:00Z', '2026-02-30T10:05:00Z', '2026-11-21T10:05:00.000Z', '2026-11-21T10:05:00+00:00', '2026-11-21', 1_795_255_500, null, ['2026-11-21T10:05:00Z']].flatMap(
      (value): [string, JsonObject, string][] => [
        [`validFrom ${JSON.stringify(value)}`, { validFrom: value }, 'TIME_FORMAT'],
        [`validUntil ${JSON.stringify(value)}`, { validUntil: value }, 'TIME_FORMAT'],
      ],
    ),
    ...['iat', 'exp'].flatMap((name): [string, JsonObject, string][] => [
      [`${name} as text`, { [name]: String(NOW) }, 'TIME_FORMAT'],
      [`${name} null`, { [name]: null }, 'TIME_FORMAT'],
    ]),
    ...['iat', 'exp', 'validFrom', 'validUntil'].map((name): [string, Record<string, undefined>, string] => [`no ${name}`, time(name, undefined) as Record<string, undefined>, 'TIME_FORMAT']),
    ['exp a second after validUntil', { exp: NOW + 601 }, 'TIME_CONFLICT'],
    ['exp a second before validUntil', { exp: NOW + 599 }, 'TIME_CONFLICT'],
    ['iat at validFrom', { iat: NOW }, 'ok'],
    ['iat after validFrom', { iat: NOW + 1 }, 'TIME_CONFLICT'],
    ['no life at all', until(0), 'TIME_CONFLICT'],
    ['a second of life', until(1), 'ok'],
    ['an end before its start', { ...from(0), ...until(-1) }, 'TIME_CONFLICT'],
    ['a resource that is none', authority({ grants: [{ resource: 'https://a.example/a/', actions: ['x'] }] }), 'RESOURCE_SYNTAX'],
    ['a budget that could be dodged', authority({ budgets: [{ unit: 'USD', decimals: 2, max: 1, meter: 'total' }] }), 'BUDGET_METER'],
    ['a budget for two audiences', authority({ budgets: [{ unit: 'USD', decimals: 2, max: 1, meter: 'amount' }], audience: [SELF, 'https://b.example'] }), 'BUDGET_AUDIENCE'],
    ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].map((name): [string, JsonObject, string] => [`cnf with ${name}`, cnf({ ...JWK, [name]: 'AA' }), 'KEY_PRIVATE']),
    ['a weak key', cnf(WEAK), 'KEY_WEAK'],
    ['a weak key with d', cnf({ ...WEAK, d: 'AA' }), 'KEY_PRIVATE'],
    ['no cnf', { cnf: undefined }, 'SCHEMA'],
    ['cnf with a kid', { cnf: { kid: planner.kid } }, 'SCHEMA'],
    ['cnf with jwk and kid', { cnf: { jwk: JWK, kid: planner.kid } }, 'SCHEMA'],
    ['cnf with two keys', { cnf: { jwk: [JWK, JWK] } }, 'SCHEMA'],
    ['cnf with a jwk as text', { cnf: { jwk: canonicalize(JWK) } }, 'SCHEMA'],
    ['cnf with alg', cnf({ ...JWK, alg: 'EdDSA' }), 'SCHEMA'],
    ['cnf of X25519', cnf({ ...JWK, crv: 'X25519' }), 'SCHEMA'],
    ['cnf of EC', cnf({ kty: 'EC', crv: 'P-256', x: JWK['x']!, y: JWK['x']! }), 'SCHEMA'],
    ['cnf without x', cnf({ kty: 'OKP', crv: 'Ed25519' }), 'SCHEMA'],
    ['cnf with x of 31 bytes', cnf({ ...JWK, x: planner.publicKey.x.slice(0, 42) }), 'SCHEMA'],
    ['cnf with x padded', cnf({ ...JWK, x: `${planner.publicKey.x}=` }), 'SCHEMA'],
  ])('%s', async (_name, change, code) => {
    expect(await settled(() => open(change))).toBe(code)
  }) // prettier-ignore
})

describe('two faults: the one that stands first in step 8', () => {
  const NO_BUDGET = { unit: 'USD', decimals: 2, max: 1, meter: 'total' }
  const grants = (resource: string) => [{ resource, actions: ['book'] }]
  /** In the order of the row; each but SCHEMA beside all that come after it. */
  const FAULTS: readonly [string, Record<string, Json | undefined>, JsonObject][] = [
    ['SCHEMA', { nbf: 1 }, {}],
    ['CAVEAT_UNKNOWN', { proof: {} }, {}],
    ['CREDENTIAL_CONTEXT', { '@context': [] }, {}],
    ['CREDENTIAL_TYPE', { type: [] }, {}],
    ['CREDENTIAL_ISSUER', { iss: mallory.did }, {}],
    ['CREDENTIAL_SUBJECT', { sub: mallory.did }, {}],
    ['TIME_FORMAT', { validFrom: '2026-11-21' }, {}],
    ['TIME_CONFLICT', { exp: NOW }, {}],
    ['RESOURCE_SYNTAX', {}, { grants: grants('https://a.example/') }],
    ['BUDGET_METER', {}, { budgets: [NO_BUDGET] }],
    ['BUDGET_AUDIENCE', {}, { audience: [SELF, 'https://b.example'], budgets: [{ ...NO_BUDGET, meter: '#calls' }] }],
    ['KEY_PRIVATE', { cnf: { jwk: { ...WEAK, d: 'AA' } } }, {}],
    ['KEY_WEAK', { cnf: { jwk: WEAK } }, {}],
  ]
  const PAIRS = FAULTS.flatMap((first, index) => FAULTS.slice(index + 1).map(second => [first, second] as const))

  test.each(PAIRS.map(([a, b]) => [a[0], b[0], a, b] as const))('%s before %s', async (code, _later, first, second) => {
    // the second's members first, so that where both spoil the same member the graver one stands
    const claims = { ...second[1], ...first[1], ...authority({ ...second[2], ...first[2] }) }
    expect(await settled(() => open(claims))).toBe(code)
    expect(await settled(() => open({ ...second[1], ...authority(second[2]) }))).toBe(second[0])
  })

  test('and all of them at once', async () => {
    for (const [index, [code]] of FAULTS.entries()) {
      const rest = FAULTS.slice(index).reverse()
      const claims = Object.assign({}, ...rest.map(([, one]) => one), authority(Object.assign({}, ...rest.map(([, , one]) => one) as object[]) as JsonObject)) as JsonObject // prettier-ignore
      expect(await settled(() => open(claims))).toBe(code)
    }
  })
})

describe('an identity credential', () => {
  const AGENT: JsonObject = { name: 'trip-planner', operator: 'did:web:acme.example', autonomy: 'L4', risk: 'high' }
  const FULL: JsonObject = {
    ...AGENT,
    version: '3.4.1',
    instance: 'spiffe://acme.example/ns/agents/sa/planner',
    software: [{ kind: 'oci-image', digest: `uEiA${'A'.repeat(43)}` }],
    model: { provider: 'a', name: 'b' },
  }
  const agent = (change: JsonObject): JsonObject => ({ id: alice.did, agent: { ...FULL, ...change } })
  test.each<[string, Json, string]>([
    ['in full', { id: alice.did, agent: FULL }, 'ok'],
    ['in short', { id: alice.did, agent: AGENT }, 'ok'],
    ['without agent', { id: alice.did }, 'SCHEMA'],
    ['without id', { agent: AGENT }, 'SCHEMA'],
    ['that grants something', { id: alice.did, agent: AGENT, authority: toAuthorityJson(AUTHORITY) }, 'CAVEAT_UNKNOWN'],
    ['with an unknown member', agent({ mood: 'good' }), 'CAVEAT_UNKNOWN'],
    ['of autonomy L6', agent({ autonomy: 'L6' }), 'SCHEMA'],
    ['of medium risk', agent({ risk: 'medium' }), 'SCHEMA'],
    ['with an operator that is no DID', agent({ operator: 'acme' }), 'SCHEMA'],
    ['with an empty name', agent({ name: '' }), 'SCHEMA'],
    ['with a name of 513 characters', agent({ name: 'x'.repeat(513) }), 'SCHEMA'],
    ['with no software', agent({ software: [] }), 'SCHEMA'],
    [
      'with software twice',
      agent({ software: [...(FULL['software'] as Json[]), ...(FULL['software'] as Json[])] }),
      'SCHEMA',
    ],
    ['with software by hex digest', agent({ software: [{ kind: 'x', digest: 'ab' }] }), 'SCHEMA'],
    ['with software of more members', agent({ software: [{ kind: 'x', digest: `uEiA${'A'.repeat(43)}`, url: 'x' }] }), 'CAVEAT_UNKNOWN'], // prettier-ignore
    ['with half a model', agent({ model: { name: 'b' } }), 'SCHEMA'],
  ])('%s', (_name, subject, code) => {
    expect(outcome(() => read(identityShape, subject, 'credentialSubject'))).toBe(code)
  })

  test('is read with the type of one, and never as a capability', () => {
    const claims = {
      ...GOOD,
      type: ['VerifiableCredential', IDENTITY],
      credentialSubject: { id: planner.did, agent: AGENT },
    }
    const verified = claims as unknown as Verified<JsonObject>
    const digest = { digest: `uEiA${'A'.repeat(43)}` } as const
    expect(readCredential(verified, digest, IDENTITY, identityShape).claims.agent).toEqual(AGENT)
    expect(outcome(() => readCredential(verified, digest, CAPABILITY, identityShape))).toBe('CREDENTIAL_TYPE')
  })
})
