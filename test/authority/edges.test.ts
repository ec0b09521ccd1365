import { describe, expect, test } from 'vitest'
import { authorityShape } from '../../src/authority/authority.js'
import { constraintShape } from '../../src/authority/constraint.js'
import type { Json, JsonObject } from '../../src/json.js'
import { findings, read } from '../../src/shape.js'
import { outcome } from '../ground/refusal.js'

const SELF = 'https://api.travel.example'
const AUTHORITY: JsonObject = {
  v: 1,
  hop: 0,
  more: 0,
  audience: [SELF],
  grants: [{ resource: SELF, actions: ['book'] }],
}
const base = (url: Json): JsonObject => ({ statusIssuers: [{ iss: 'did:web:status.example', base: url }] })
const to = (recipient: Json): JsonObject => ({ to: [recipient] })
const budget = (change: JsonObject): JsonObject => ({
  budgets: [{ unit: '#calls', decimals: 0, max: 9, meter: '#calls', ...change }],
})
const url = (length: number): string => `https://a.example/${'x'.repeat(length - 'https://a.example//'.length)}/`
const prefix = (length: number): string => `did:web:${'x'.repeat(length - 'did:web::**'.length)}:**`

describe('the edges of an authority', () => {
  test.each<[string, JsonObject, string]>([
    ['a base of 512 characters', base(url(512)), 'ok'],
    ['a base of 513 characters', base(url(513)), 'SCHEMA'],
    ['a base with a port', base('https://status.example:8443/'), 'ok'],
    ['a base with a port of six digits', base('https://status.example:844300/'), 'SCHEMA'],
    ['a base with a port of letters', base('https://status.example:https/'), 'SCHEMA'],
    ['a base behind something else', base('see https://status.example/'), 'SCHEMA'],
    ['a base in an array', base(['https://status.example/']), 'SCHEMA'],
    ['a base null', base(null), 'SCHEMA'],
    ['a prefix of 512 characters', to(prefix(512)), 'ok'],
    ['a prefix of 513 characters', to(prefix(513)), 'SCHEMA'],
    ['a prefix behind something else', to('xdid:web:**'), 'SCHEMA'],
    ['a prefix in an array', to(['did:web:**']), 'SCHEMA'],
    ['a recipient null', to(null), 'SCHEMA'],
    ['a principal behind something else', { onBehalfOf: 'see https://acme.example' }, 'SCHEMA'],
    ['a meter in an array', budget({ meter: ['#calls'] }), 'SCHEMA'],
    ['an argument as a meter in an array', budget({ meter: ['amount'] }), 'SCHEMA'],
    ['a meter null', budget({ meter: null }), 'SCHEMA'],
    ['calls as a meter', budget({}), 'ok'],
  ])('%s -> %s', (_name, change, code) => {
    expect(outcome(() => read(authorityShape, { ...AUTHORITY, ...change }, 'authority'))).toBe(code)
  })

  test.each<[string, JsonObject]>([
    ['any', { op: 'any' }],
    ['eq', { op: 'eq', value: 1 }],
    ['in', { op: 'in', values: [1] }],
    ['range', { op: 'range', min: 1 }],
    ['under', { op: 'under', base: '/a' }],
    ['subset', { op: 'subset', values: [1], maxItems: 1 }],
    ['text', { op: 'text', maxBytes: 1 }],
  ])('%s understands no member more', (_name, constraint) => {
    expect(outcome(() => read(constraintShape, { ...constraint, req: true }, 'c'))).toBe('ok')
    expect(outcome(() => read(constraintShape, { ...constraint, req: true, x: 1 }, 'c'))).toBe('CAVEAT_UNKNOWN')
  })
})

/** Who writes a credential has to find the member to mend. */
describe('what is wrong is told with its place', () => {
  const args = (value: Json): JsonObject => ({ grants: [{ resource: SELF, actions: ['book'], args: value }] })
  test.each<[string, JsonObject, object]>([
    ['a resource that is no text', { grants: [{ resource: 7, actions: ['book'] }] }, { at: 'a.grants[0].resource', why: 'is not a string' }],
    ['arguments that are none', args([]), { at: 'a.grants[0].args', why: 'is not an object of at most 32 argument names' }],
    ['an operator nobody knows', args({ amount: { op: 'regex', req: true } }), { at: 'a.grants[0].args.amount.op' }],
    ['a range without bounds', args({ amount: { op: 'range', req: true } }), { at: 'a.grants[0].args.amount', why: 'has neither min nor max' }],
    ['a budget that could be dodged', budget({ meter: 'amount' }), { at: 'a.budgets[0]', why: 'amount is not required and ≥ 0' }],
  ])('%s', (_name, change, facts) => {
    const found = findings(report => authorityShape({ ...AUTHORITY, ...change }, 'a', report))
    expect(found.map(one => one.facts)).toEqual([facts])
  }) // prettier-ignore
})
