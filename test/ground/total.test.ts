import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toAuthorityJson } from '../../src/authority/authority.js'
import { readCredential, toCredentialJson } from '../../src/credential/credential.js'
import { IDENTITY, identityShape } from '../../src/credential/identity.js'
import { CAPABILITY, subjectShape } from '../../src/delegation/chain.js'
import { canonicalize, isObject, type Json, type JsonObject } from '../../src/json.js'
import { readJws, type Sealed, type Verified } from '../../src/jws/compact.js'
import { parsePolicy } from '../../src/policy/policy.js'
import { envelope } from '../../src/presentation/envelope.js'
import { readPresentation } from '../../src/presentation/presentation.js'
import { readStatus, toStatusJson } from '../../src/status/entry.js'
import { toBase64url } from '../../src/encoding.js'
import { alice, booker, GRANTS, LIST, NOW, owner, planner, present, SELF, status, STATUS_BASE } from '../mint.js'
import { outcome } from './refusal.js'

/** What somebody might write anywhere: every type of JSON, and names that objects already answer to. */
const anything = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, 1, -1, 5, '', 'x', '__proto__', 'toString', 'any', [], {}, [[]], [null], [{}], { op: 5 }, { length: 1 }), // prettier-ignore
  fc.constantFrom<Json>(JSON.parse('{"__proto__":{"op":"any"}}') as Json, { constructor: 1 }, { toString: 1 }),
)

/** The value with what stands at one of its places, counted by `at`, exchanged. */
function exchange(value: Json, at: number, by: Json): Json {
  let left = at % places(value)
  const walk = (one: Json): Json => {
    if (left-- === 0) return by
    if (Array.isArray(one)) return one.map(item => walk(item as Json))
    return isObject(one) ? Object.fromEntries(Object.entries(one).map(([name, inner]) => [name, walk(inner)])) : one
  }
  return walk(value)
}
function places(value: Json): number {
  return typeof value === 'object' && value !== null
    ? Object.values(value).reduce<number>((sum, inner) => sum + places(inner), 1)
    : 1
}

const args: JsonObject = {
  a: { op: 'any', req: false },
  b: { op: 'eq', value: 1, req: true },
  c: { op: 'in', values: [1, 'x'], req: true },
  d: { op: 'range', min: 0, max: 9, req: true },
  e: { op: 'under', base: '/a', req: true },
  f: { op: 'subset', values: [1], maxItems: 1, req: true },
  g: { op: 'text', maxBytes: 9, req: true },
}
const GRANT = { resource: `${SELF}/**`, actions: ['book'], args, perCall: false }
const AUTHORITY: JsonObject = {
  ...(toAuthorityJson({ v: 1, hop: 0, more: 1, audience: [SELF], grants: GRANTS }) as JsonObject),
  grants: [GRANT],
  budgets: [{ unit: 'USD', decimals: 2, max: 9, meter: 'd', on: ['book'] }],
  rate: { max: 1, per: 1 },
  purpose: { s256: 'A'.repeat(43), ref: 'x' },
  onBehalfOf: 'urn:x',
  to: ['did:key:**'],
  statusIssuers: [{ iss: status.did, base: STATUS_BASE }],
  parent: { id: 'urn:uuid:0192f5c2-0000-7000-8000-000000000001', digest: `uEiA${'A'.repeat(43)}` },
}
const credential = (claims: JsonObject, type: string): JsonObject =>
  toCredentialJson({ id: 'urn:uuid:0192f5c2-0000-7000-8000-000000000001', type, issuer: owner.did, subject: planner.did, key: planner.publicKey, issuedAt: NOW, validFrom: NOW, validUntil: NOW + 60, claims, status: toStatusJson(LIST, 1) }) // prettier-ignore
const identity = credential({ agent: { name: 'x', operator: owner.did, autonomy: 'L1', risk: 'low', software: [{ kind: 'x', digest: `uEiA${'A'.repeat(43)}` }], model: { provider: 'x', name: 'y' } } }, IDENTITY) // prettier-ignore
const policy: JsonObject = {
  self: SELF,
  maxChain: 5,
  roots: [{ issuer: owner.did, maxTtl: 60, grants: [GRANT], rate: { max: 1, per: 1 }, jwks: { keys: [{ kid: owner.kid, kty: 'OKP', crv: 'Ed25519', x: owner.publicKey.x }] } }], // prettier-ignore
  risk: { book: 'low' },
  maxStatusAge: { low: 1 },
}
const presentation = JSON.parse(Buffer.from((await present(booker, [])).split('.')[1]!, 'base64url').toString()) as JsonObject // prettier-ignore
const bare = await present(alice, [])
const whole: JsonObject = { ...presentation, verifiableCredential: [envelope('a.b.c')], identity: [envelope('a.b.c')] }

const DIGEST = { digest: `uEiA${'A'.repeat(43)}` } as const satisfies Pick<Sealed, 'digest'>
const opened = (claims: Json): Verified<JsonObject> => claims as Verified<JsonObject>
const segment = (value: Json): string => toBase64url(Buffer.from(canonicalize(value)))
const [head = '', body = '', signature = ''] = bare.split('.')

/** Whatever stands wherever, reading answers with a code of the table and never falls over. */
describe('reading is total', () => {
  test.each<[string, Json, (value: Json) => unknown]>([
    ['a capability', credential({ authority: AUTHORITY }, CAPABILITY), value => isObject(value) && readCredential(opened(value), DIGEST, CAPABILITY, subjectShape)], // prettier-ignore
    [
      'an identity',
      identity,
      value => isObject(value) && readCredential(opened(value), DIGEST, IDENTITY, identityShape),
    ],
    ['a presentation', whole, value => readPresentation(`${head}.${segment(value)}.${signature}`, 5)],
    ['a header', { alg: 'EdDSA', kid: alice.kid, typ: 'vp+jwt', cty: 'vp' }, value => readJws(`${segment(value)}.${body}.${signature}`, 'vp+jwt', 1e5, 'x')], // prettier-ignore
    ['a status', [toStatusJson(LIST, 1)], value => readStatus(value, 60, [{ iss: status.did, base: STATUS_BASE }])],
    ['a policy', policy, value => parsePolicy(value)],
  ])('%s', (_name, good, read) => {
    const codes = new Set<string>()
    fc.assert(
      fc.property(fc.nat(), anything, (at, by) => {
        const value = exchange(good, at, by)
        const code = outcome(() => read(value))
        codes.add(code)
        expect(code, JSON.stringify(value)).not.toMatch(/^DEFECT/)
      }),
      { numRuns: 3000 },
    )
    expect(codes.size).toBeGreaterThan(1)
  })
})
