import { describe, expect, test } from 'vitest'
import type { DidUrl } from '../../src/did/did.js'
import { isProcuraError, type ProcuraError } from '../../src/errors.js'
import type { Json, JsonObject } from '../../src/json.js'
import { parseKeys, parsePolicy } from '../../src/policy/policy.js'
import { outcome } from '../ground/refusal.js'
import { alice, mallory, owner, SELF } from '../mint.js'

const GRANT = { resource: `${SELF}/**`, actions: ['book'] }
const ROOT: JsonObject = { issuer: owner.did, grants: [GRANT] }
const JWK: JsonObject = { kid: owner.kid, kty: 'OKP', crv: 'Ed25519', x: owner.publicKey.x }
const WEAK = 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
const policy = (change: object = {}): Json => ({ self: SELF, roots: [ROOT], ...change })
const root = (change: object): Json => policy({ roots: [{ ...ROOT, ...change }] })
const jwks = (...keys: object[]): Json => root({ jwks: { keys } })

/** The refusal of a policy; fails if it is taken. */
function refusal(value: Json, at?: string): ProcuraError {
  try {
    parsePolicy(value, at)
  } catch (error) {
    if (isProcuraError(error)) return error
    throw error
  }
  throw new Error('the policy was taken')
}

test('what is left out gets the defaults of the profile', () => {
  const parsed = parsePolicy(policy())
  expect({ ...parsed, roots: [...parsed.roots.values()] }).toMatchObject({
    self: SELF,
    maxChain: 5,
    subjectKeyBinding: 'cnf+did',
    roots: [{ issuer: owner.did, maxTtl: 86_400, grants: [GRANT], rate: null, keys: null }],
    risk: new Map(),
    maxStatusAge: { low: 300, medium: 60, high: 10, critical: 0 },
    challenge: null,
    identity: { leaf: null, every: null },
    approval: null,
    commit: null,
  })
  expect([...parsed.roots.keys()]).toEqual([owner.did])
  const stated: readonly object[] = [parsed, ...parsed.roots.values()]
  expect(stated.flatMap(one => Object.values(one) as unknown[]).filter(value => value === undefined)).toEqual([])
})

test('what is stated is kept', () => {
  const parsed = parsePolicy(
    policy({
      maxChain: 8,
      subjectKeyBinding: 'cnf',
      risk: { book: 'critical', 'mcp:tools/call:x': 'low' },
      maxStatusAge: { low: 20 },
      challenge: 'always',
      roots: [{ ...ROOT, maxTtl: 60, rate: { max: 1, per: 60 }, jwks: { keys: [JWK] } }],
    }),
  )
  expect(parsed).toMatchObject({ maxChain: 8, subjectKeyBinding: 'cnf', challenge: 'low' })
  expect(parsed.maxStatusAge).toEqual({ low: 20, medium: 60, high: 10, critical: 0 })
  expect([...parsed.risk]).toEqual([['book', 'critical'], ['mcp:tools/call:x', 'low']]) // prettier-ignore
  const [one] = parsed.roots.values()
  expect(one).toMatchObject({ maxTtl: 60, rate: { max: 1, per: 60 } })
  expect(one!.keys!.get(owner.kid)!.x).toBe(owner.publicKey.x)
})

test('its version follows from what it says, not from how it is written', () => {
  const version = (value: Json): string => parsePolicy(value).version
  expect(version({ roots: [{ grants: [GRANT], issuer: owner.did }], self: SELF })).toBe(version(policy()))
  expect(version(policy({ challenge: 'never' }))).not.toBe(version(policy()))
  expect(version(policy())).toMatch(/^[\w-]{43}$/)
})

describe('is refused', () => {
  test.each<[string, Json, string]>([
    ['null', null, 'policy is not an object'],
    ['an array', [], 'policy is not an object'],
    ['text', 'x', 'policy is not an object'],
    ['without self', { roots: [ROOT] }, 'policy.self'],
    ['without roots', { self: SELF }, 'policy.roots'],
    ['with no root', policy({ roots: [] }), 'policy.roots'],
    ['with 65 roots', policy({ roots: Array.from({ length: 65 }, (_, i) => ({ ...ROOT, issuer: `did:web:a${i}.example` })) }), 'policy.roots'],
    ['with a root twice', policy({ roots: [ROOT, ROOT] }), 'policy.roots'],
    ['with an issuer twice', policy({ roots: [ROOT, { ...ROOT, maxTtl: 60 }] }), 'policy.roots: names an issuer twice'],
    ['with an unknown member', policy({ selff: SELF }), 'policy.selff is not a known member'],
    ['with a member named __proto__', JSON.parse(`{"__proto__":{},"self":"${SELF}","roots":[]}`) as Json, 'policy.__proto__'],
    ['with an unknown member in a root', root({ trust: 'all' }), 'policy.roots[0].trust is not a known member'],
    ['with an unknown member in a grant', root({ grants: [{ ...GRANT, unless: 1 }] }), 'policy.roots[0].grants[0].unless'],
    ['with an unknown operator', root({ grants: [{ ...GRANT, args: { a: { op: 'regex', req: true } } }] }), 'policy.roots[0].grants[0].args.a.op'],
    ['with an issuer that is no DID', root({ issuer: 'acme' }), 'policy.roots[0].issuer'],
    ['with an issuer that is a DID URL', root({ issuer: owner.kid }), 'policy.roots[0].issuer'],
    ['with no grant', root({ grants: [] }), 'policy.roots[0].grants'],
    ['with a resource that is none', root({ grants: [{ ...GRANT, resource: '*' }] }), 'policy.roots[0].grants[0].resource'],
    ['with maxTtl 0', root({ maxTtl: 0 }), 'policy.roots[0].maxTtl'],
    ['with maxTtl of more than a day', root({ maxTtl: 86_401 }), 'policy.roots[0].maxTtl'],
    ['with maxTtl as text', root({ maxTtl: '60' }), 'policy.roots[0].maxTtl'],
    ['with maxTtl null', root({ maxTtl: null }), 'policy.roots[0].maxTtl'],
    ['with maxChain 0', policy({ maxChain: 0 }), 'policy.maxChain'],
    ['with maxChain 9', policy({ maxChain: 9 }), 'policy.maxChain'],
    ['with another binding', policy({ subjectKeyBinding: 'none' }), 'policy.subjectKeyBinding'],
    ['with another challenge', policy({ challenge: true }), 'policy.challenge'],
    ['with another risk', policy({ risk: { book: 'extreme' } }), 'policy.risk.book'],
    ['with a risk of a wildcard', policy({ risk: { '*': 'low' } }), 'policy.risk'],
    ['with an age of 301', policy({ maxStatusAge: { low: 301 } }), 'policy.maxStatusAge.low'],
    ['with a negative age', policy({ maxStatusAge: { critical: -1 } }), 'policy.maxStatusAge.critical'],
    ['with an age of an unknown risk', policy({ maxStatusAge: { extreme: 1 } }), 'policy.maxStatusAge.extreme'],
    ['with a rate of no time', root({ rate: { max: 1, per: 0 } }), 'policy.roots[0].rate.per'],
    ['with no key', jwks(), 'policy.roots[0].jwks.keys'],
    ['with a key twice', jwks(JWK, JWK), 'policy.roots[0].jwks.keys'],
    ['with a key id twice', jwks(JWK, { ...JWK, x: mallory.publicKey.x }), 'policy.roots[0].jwks'],
    ['with a weak key', jwks({ ...JWK, x: WEAK }), 'policy.roots[0].jwks'],
    ['with a private key', jwks({ ...JWK, d: 'AA' }), 'policy.roots[0].jwks.keys[0].d'],
    ['with a key that does not say its kid', jwks({ kty: 'OKP', crv: 'Ed25519', x: alice.publicKey.x }), 'policy.roots[0].jwks.keys[0].kid'],
    ['with a key of another curve', jwks({ ...JWK, crv: 'X25519' }), 'policy.roots[0].jwks.keys[0].crv'],
    ['with a key for encryption', jwks({ ...JWK, use: 'enc' }), 'policy.roots[0].jwks.keys[0].use'],
    ['with audit of no argument', root({ grants: [{ ...GRANT, audit: [] }] }), 'policy.roots[0].grants[0].audit'],
    ['with audit of what is no argument name', root({ grants: [{ ...GRANT, audit: ['a b'] }] }), 'policy.roots[0].grants[0].audit'],
    ['with identities of nobody', policy({ identity: 'leaf' }), 'policy.identityIssuers'],
  ])('%s', (_name, value, why) => {
    const { code, message } = refusal(value)
    expect(code).toBe('CONFIG_INVALID')
    expect(message).toContain(why)
  }) // prettier-ignore

  test('with everything that is wrong in one message', () => {
    const wrong = policy({
      maxChain: 9,
      x: 1,
      roots: [{ ...ROOT, maxTtl: 0, grants: [{ resource: 'x', actions: [] }] }],
    })
    const { message } = refusal(wrong, 'policy.json')
    for (const place of [
      'maxChain',
      'x',
      'roots[0].maxTtl',
      'roots[0].grants[0].resource',
      'roots[0].grants[0].actions',
    ]) {
      expect(message).toContain(`policy.json.${place} `)
    }
  })

  // a policy comes from YAML or from code, too, where numbers and text may be what JSON cannot say
  test.each<[string, Json]>([
    ['an infinity', root({ maxTtl: Infinity })],
    ['NaN', root({ maxTtl: NaN })],
    ['a lone surrogate', policy({ self: '\ud800' })],
    ['a lone surrogate in a set', root({ grants: [{ ...GRANT, actions: ['\ud800'] }] })],
    ['an operator that is a number', root({ grants: [{ ...GRANT, args: { a: { op: 5, req: true } } }] })],
  ])('as CONFIG_INVALID with %s', (_name, value) => {
    expect(outcome(() => parsePolicy(value))).toBe('CONFIG_INVALID')
  })
})

describe('parseKeys', () => {
  const keys = (...all: object[]) => ({ keys: all }) as unknown as Parameters<typeof parseKeys>[0]
  test('gives each key under its id', () => {
    const other = { ...JWK, kid: `${owner.did}#k2`, x: alice.publicKey.x }
    const parsed = parseKeys(keys(JWK, other), 'keys')
    expect([...parsed].map(([kid, key]) => [kid, key.x])).toEqual([[owner.kid, owner.publicKey.x], [other.kid, alice.publicKey.x]]) // prettier-ignore
    expect(parsed.get(`${owner.did}#k3` as DidUrl)).toBeUndefined()
  })

  test.each<[string, object[]]>([
    ['none', []],
    ['a weak one', [{ ...JWK, x: WEAK }]],
    ['a private one', [{ ...JWK, d: 'AA' }]],
  ])('refuses %s', (_name, all) => {
    expect(outcome(() => parseKeys(keys(...all), 'keys'))).toBe('CONFIG_INVALID')
  })
})
