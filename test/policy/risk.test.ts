import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isProcuraError } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import { parsePolicy } from '../../src/policy/policy.js'
import { demandsOf, RISKS, type Demands } from '../../src/policy/risk.js'
import { alice, owner, SELF } from '../mint.js'

const ROOT: JsonObject = { issuer: owner.did, grants: [{ resource: `${SELF}/**`, actions: ['book'] }] }
const WRITTEN = { self: SELF, roots: [ROOT], identityIssuers: [alice.did] }
const policy = (change: object = {}) =>
  parsePolicy({ ...WRITTEN, risk: Object.fromEntries(RISKS.map(risk => [`a:${risk}`, risk])), ...change })
const asked = (change: object): readonly Demands[] => RISKS.map(risk => demandsOf(`a:${risk}`, policy(change)))
const NOTHING = { challenge: false, identity: 'none', approval: false, commit: false } as const

test('a policy that says nothing asks for fresh status alone', () => {
  const ages = [300, 60, 10, 0]
  expect(asked({})).toEqual(
    RISKS.map((risk, index) => ({ risk, maxStatusAge: { pushed: ages[index], pulled: ages[index] }, ...NOTHING })),
  )
})

test('an action that is not named is of low risk', () => {
  expect(demandsOf('other', policy({ challenge: { from: 'low' }, approval: { from: 'medium' } }))).toEqual({
    ...{ risk: 'low', maxStatusAge: { pushed: 300, pulled: 300 } },
    ...{ ...NOTHING, challenge: true },
  })
  expect(demandsOf('__proto__', policy({ commit: { from: 'medium' } })).commit).toBe(false)
})

describe('from a risk on, and at every one above it', () => {
  test.each(['challenge', 'approval', 'commit'] as const)('%s', name => {
    const never = name === 'approval' ? 'granted' : 'never'
    const at = (value: unknown) => asked({ [name]: value }).map(one => one[name])
    expect(at(never)).toEqual([false, false, false, false])
    expect(at('always')).toEqual([true, true, true, true])
    expect(at({ from: 'low' })).toEqual([true, true, true, true])
    expect(at({ from: 'high' })).toEqual([false, false, true, true])
    expect(at({ from: 'critical' })).toEqual([false, false, false, true])
  })

  test.each<[unknown, readonly Demands['identity'][]]>([
    ['none', ['none', 'none', 'none', 'none']],
    ['leaf', ['leaf', 'leaf', 'leaf', 'leaf']],
    ['every', ['every', 'every', 'every', 'every']],
    [{ leaf: 'medium' }, ['none', 'leaf', 'leaf', 'leaf']],
    [{ every: 'high' }, ['none', 'none', 'every', 'every']],
    [{ leaf: 'medium', every: 'critical' }, ['none', 'leaf', 'leaf', 'every']],
    // what asks for less hides nothing that asks for more
    [{ leaf: 'high', every: 'medium' }, ['none', 'every', 'every', 'every']],
    [{ leaf: 'high', every: 'high' }, ['none', 'none', 'every', 'every']],
  ])('identity %j', (identity, due) => {
    expect(asked({ identity }).map(one => one.identity)).toEqual(due)
  })
})

test('a higher risk never asks for less', () => {
  const from = fc.constantFrom(...RISKS)
  const either = (never: string) => fc.oneof(fc.constantFrom(never, 'always'), fc.record({ from }))
  const whose = fc.oneof(
    fc.constantFrom('none', 'leaf', 'every'),
    fc.record({ leaf: from, every: from }),
    fc.record({ leaf: from }),
  )
  const WHO = ['none', 'leaf', 'every']
  const change = fc.record({
    challenge: either('never'),
    approval: either('granted'),
    commit: either('never'),
    identity: whose,
  })
  fc.assert(
    fc.property(change, stated => {
      asked(stated).reduce((lower, higher) => {
        for (const name of ['challenge', 'approval', 'commit'] as const) expect(higher[name] || !lower[name]).toBe(true)
        expect(WHO.indexOf(higher.identity)).toBeGreaterThanOrEqual(WHO.indexOf(lower.identity))
        return higher
      })
    }),
  )
})

describe('is refused, with its path', () => {
  test.each<[object, string]>([
    [{ challenge: true }, 'policy.challenge is not an object'],
    [{ challenge: 'high' }, 'policy.challenge is not one of never, always'],
    [{ challenge: {} }, 'policy.challenge.from is not one of low, medium, high, critical'],
    [{ challenge: { from: 'extreme' } }, 'policy.challenge.from is not one of'],
    [{ challenge: { from: 'high', to: 'low' } }, 'policy.challenge.to is not a known member'],
    [{ approval: 'never' }, 'policy.approval is not one of granted, always'],
    [{ approval: null }, 'policy.approval is not an object'],
    [{ commit: { at: 'high' } }, 'policy.commit.at is not a known member'],
    [{ commit: ['high'] }, 'policy.commit is not an object'],
    [{ identity: {} }, 'policy.identity names neither leaf nor every'],
    [{ identity: { leaf: 'always' } }, 'policy.identity.leaf is not one of'],
    [{ identity: { root: 'low' } }, 'policy.identity.root is not a known member'],
    [{ identity: { every: 'critical' }, identityIssuers: [] }, 'policy.identityIssuers: is empty'],
    [{ identity: { leaf: 'critical' }, identityIssuers: [] }, 'policy.identityIssuers: is empty'],
  ])('%j', (change, why) => {
    try {
      policy(change)
    } catch (error) {
      if (!isProcuraError(error)) throw error
      expect([error.code, error.message]).toEqual(['CONFIG_INVALID', expect.stringContaining(why)])
      return
    }
    throw new Error('the policy was taken')
  })
})
