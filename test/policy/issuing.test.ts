import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/json.js'
import { checkGrant, classNameOf, classOf, parseIssuingPolicy, requireAsStrict } from '../../src/policy/issuing.js'
import { parsePolicy } from '../../src/policy/policy.js'
import { isAsked, RISKS } from '../../src/policy/risk.js'
import { AUTHORITY, issuingPolicy, POLICY_JSON } from '../registrar/scene.js'

const policy = issuingPolicy()
const agent = (autonomy: 'L0' | 'L2' | 'L3' | 'L5', risk: 'low' | 'high') =>
  ({ name: 'a', operator: 'did:web:acme.example', autonomy, risk }) as const

describe('classes', () => {
  test.each([
    ['L0', 'low', 'low/low'],
    ['L2', 'high', 'low/high'],
    ['L3', 'low', 'high/low'],
    ['L5', 'high', 'high/high'],
  ] as const)('%s, %s risk → %s', (autonomy, risk, name) => {
    expect(classNameOf(agent(autonomy, risk), policy)).toBe(name)
    expect(classOf(agent(autonomy, risk), policy)).toBe(policy.agents[name])
  })

  test('people and organisations have one of their own', () => {
    expect(classOf(null, policy)).toBe(policy.principals)
  })

  test('the published policy never gives the riskier or the more capable more', () => {
    const { agents } = parseIssuingPolicy(POLICY_JSON)
    for (const [wide, narrow] of [
      ['low/low', 'low/high'],
      ['low/low', 'high/low'],
      ['low/high', 'high/high'],
      ['high/low', 'high/high'],
    ] as const) {
      const [a, b] = [agents[wide], agents[narrow]]
      expect([b.maxTtl <= a.maxTtl, b.more <= a.more, b.subAgents.max <= a.subAgents.max]).toEqual([true, true, true])
      for (const risk of RISKS)
        for (const due of ['approval', 'challenge', 'identity', 'commit'] as const)
          if (isAsked(risk, a[due])) expect(isAsked(risk, b[due]), `${narrow} ${due} ${risk}`).toBe(true)
    }
  })
})

describe('what is due from which risk', () => {
  test.each([
    ['low', 'low', true],
    ['low', 'medium', false],
    ['high', 'medium', true],
    ['critical', 'critical', true],
    ['high', 'critical', false],
    ['critical', null, false],
  ] as const)('%s, due from %s: %s', (risk, from, due) => expect(isAsked(risk, from)).toBe(due))
})

describe('a request for authority is held to its class', () => {
  const bounds = policy.agents['high/high']
  const grants = [{ resource: 'https://api.example/**', actions: ['read', 'deploy', 'book', 'pay'] }]

  test('what the class demands is put in', () => {
    const checked = checkGrant({ ...AUTHORITY, grants }, 60, bounds, policy)
    expect(checked.rate).toEqual({ max: 60, per: 60 })
    expect(checked.grants).toEqual([
      { ...grants[0], actions: ['read', 'book'] },
      { ...grants[0], actions: ['deploy', 'pay'], perCall: true },
    ])
  })

  test('what is narrower already stays as it is', () => {
    const narrow = { ...AUTHORITY, rate: { max: 1, per: 3600 }, grants: [{ ...grants[0]!, perCall: true }] }
    expect(checkGrant(narrow, 60, bounds, policy)).toEqual(narrow)
    const free = { ...AUTHORITY, grants }
    expect(checkGrant(free, 60, policy.principals, policy)).toEqual(free)
    const all = [{ ...grants[0]!, actions: ['deploy'] }]
    expect(checkGrant({ ...AUTHORITY, grants: all }, 60, bounds, policy).grants).toEqual([{ ...all[0], perCall: true }])
  })

  test.each<[string, object, number]>([
    ['a longer life', {}, 3601],
    ['more hops', { more: 2 }, 60],
    ['more calls', { rate: { max: 61, per: 60 } }, 60],
    ['the same calls in less time', { rate: { max: 60, per: 59 } }, 60],
  ])('%s is refused, and said why', (_name, change, ttl) => {
    expect(() => checkGrant({ ...AUTHORITY, ...change }, ttl, bounds, policy)).toThrow(
      expect.objectContaining({ code: 'GRANT_REFUSED', message: expect.stringMatching(/at most|above/) as string }),
    )
  })

  test('the bounds themselves are granted', () => {
    expect(checkGrant({ ...AUTHORITY, more: 1, rate: { max: 60, per: 60 } }, 3600, bounds, policy).more).toBe(1)
  })
})

describe('the verifiers of a service are held against its matrix', () => {
  const issuer = 'did:web:travel.example'
  const verifier = (change: JsonObject, actions = ['read', 'book', 'deploy', 'pay']) =>
    parsePolicy({
      self: 'https://api.example',
      roots: [{ issuer, grants: [{ resource: 'https://api.example/**', actions }] }],
      identityIssuers: [issuer],
      risk: { pay: 'critical', deploy: 'high', book: 'medium' },
      challenge: { from: 'high' },
      identity: { leaf: 'medium' },
      approval: { from: 'high' },
      commit: { from: 'high' },
      ...change,
    })

  test.each<[string, JsonObject, RegExp | null]>([
    ['as strict', {}, null],
    ['stricter', { challenge: 'always', identity: 'every', approval: 'always', commit: 'always' }, null],
    [
      'a risk taken lightly',
      { risk: { pay: 'critical', deploy: 'medium', book: 'medium' } },
      /takes deploy for medium/,
    ],
    ['a risk not named', { risk: { pay: 'critical', deploy: 'high' } }, /takes book for low/],
    ['no challenge', { challenge: 'never' }, /challenge of/],
    ['a challenge too late', { challenge: { from: 'critical' } }, /challenge of deploy/],
    ['identity too late', { identity: { leaf: 'high' } }, /identity of book/],
    ['no approval', { approval: 'granted' }, /approval of/],
    ['no commit point', { commit: 'never' }, /commit of/],
  ])('%s', (_name, change, message) => {
    const attempt = (): void => requireAsStrict(verifier(change), policy, issuer, 'api.json')
    if (message === null) expect(attempt).not.toThrow()
    else expect(attempt).toThrow(message)
  })

  test('only for what it takes of this issuer', () => {
    const lax = { risk: {}, challenge: 'never', identity: 'none', approval: 'granted', commit: 'never' }
    requireAsStrict(verifier(lax, ['read']), policy, issuer, 'api.json')
    requireAsStrict(verifier(lax), policy, 'did:web:other.example', 'api.json')
    expect(() => requireAsStrict(verifier(lax), policy, issuer, 'api.json')).toThrow(/api\.json/)
  })
})

describe('a policy file', () => {
  const agents = POLICY_JSON['agents'] as JsonObject
  const strict = agents['high/high'] as JsonObject
  test.each<[string, JsonObject, RegExp]>([
    ['without a class', { agents: { 'low/low': strict } }, /agents\.high\/high.*/],
    [
      'with a class nobody knows',
      { agents: { ...agents, 'high/higher': strict } },
      /agents\.high\/higher is not a known/,
    ],
    ['with a life of two days', { principals: { ...strict, maxTtl: 172_800 } }, /principals\.maxTtl/],
    ['with a risk that is none', { risk: { pay: 'severe' } }, /risk\.pay/],
    ['with an action that is none', { risk: { 'Pay!': 'high' } }, /risk/],
    ['without the line between high and low', { highCapability: 'L9' }, /highCapability/],
    ['with an approval from nowhere', { principals: { ...strict, approval: 'sometimes' } }, /principals\.approval/],
  ])('%s is refused with the path', (_name, change, message) => {
    const attempt = (): unknown => parseIssuingPolicy({ ...POLICY_JSON, ...change }, 'issuing.json')
    expect(attempt).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(attempt).toThrow(message)
  })

  test('has a version that changes with it', () => {
    expect(parseIssuingPolicy(POLICY_JSON).version).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(issuingPolicy().version).not.toBe(parseIssuingPolicy(POLICY_JSON).version)
  })
})
