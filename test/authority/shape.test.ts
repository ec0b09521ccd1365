import { describe, expect, test } from 'vitest'
import { authorityShape, isRecipient, toAuthorityJson } from '../../src/authority/authority.js'
import { constraintShape, isScalar } from '../../src/authority/constraint.js'
import { grantsShape } from '../../src/authority/grant.js'
import type { Json, JsonObject } from '../../src/json.js'
import { findings, read } from '../../src/shape.js'
import { but } from '../ground/but.js'
import { outcome } from '../ground/refusal.js'

const SELF = 'https://api.travel.example'
const json = (text: string): Json => JSON.parse(text) as Json
const many = <T>(count: number, item: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i))

describe('a constraint', () => {
  const RANGE = { op: 'range', min: 0, max: 10, req: true }
  test.each<[string, Json, string]>([
    ['any', { op: 'any', req: false }, 'ok'],
    ['eq with an empty string', { op: 'eq', value: '', req: true }, 'ok'],
    ['eq with false', { op: 'eq', value: false, req: true }, 'ok'],
    ['eq with 0', { op: 'eq', value: 0, req: true }, 'ok'],
    ['eq with the first safe integer', { op: 'eq', value: -(2 ** 53 - 1), req: true }, 'ok'],
    ['eq with text that looks like NaN', { op: 'eq', value: 'NaN', req: true }, 'ok'],
    ['eq with 512 characters', { op: 'eq', value: 'x'.repeat(512), req: true }, 'ok'],
    ['eq with 513 characters', { op: 'eq', value: 'x'.repeat(513), req: true }, 'SCHEMA'],
    ['eq with 257 characters of two code units', { op: 'eq', value: '😀'.repeat(257), req: true }, 'SCHEMA'],
    ['eq without value', { op: 'eq', req: true }, 'SCHEMA'],
    ['eq with null', { op: 'eq', value: null, req: true }, 'SCHEMA'],
    ['eq with an array', { op: 'eq', value: [1], req: true }, 'SCHEMA'],
    ['eq with an object', { op: 'eq', value: {}, req: true }, 'SCHEMA'],
    ['eq with −0', { op: 'eq', value: -0, req: true }, 'SCHEMA'],
    ['eq with a fraction', { op: 'eq', value: 0.1, req: true }, 'SCHEMA'],
    ['eq with 2^53', { op: 'eq', value: 2 ** 53, req: true }, 'SCHEMA'],
    ['eq with values', { op: 'eq', value: 1, values: [1], req: true }, 'CAVEAT_UNKNOWN'],
    ['in', { op: 'in', values: ['a', 1, true, '1'], req: true }, 'ok'],
    ['in with 64 values', { op: 'in', values: many(64, i => i), req: true }, 'ok'],
    ['in with 65 values', { op: 'in', values: many(65, i => i), req: true }, 'SCHEMA'],
    ['in with none', { op: 'in', values: [], req: true }, 'SCHEMA'],
    ['in with a value twice', { op: 'in', values: ['a', 'a'], req: true }, 'SCHEMA'],
    ['in with a nested array', { op: 'in', values: [['a']], req: true }, 'SCHEMA'],
    ['in with null', { op: 'in', values: [null], req: true }, 'SCHEMA'],
    ['in with −0', { op: 'in', values: [-0], req: true }, 'SCHEMA'],
    ['in with an object for an array', { op: 'in', values: { '0': 'a', length: 1 }, req: true }, 'SCHEMA'],
    ['in with a string for an array', { op: 'in', values: 'ab', req: true }, 'SCHEMA'],
    ['in without values', { op: 'in', req: true }, 'SCHEMA'],
    ['range', RANGE, 'ok'],
    ['range with min only', { op: 'range', min: 0, req: true }, 'ok'],
    ['range with max only', { op: 'range', max: 0, req: true }, 'ok'],
    ['range with neither', { op: 'range', req: true }, 'SCHEMA'],
    ['range with a fraction', { ...RANGE, max: 10.5 }, 'SCHEMA'],
    ['range with −0', { ...RANGE, min: -0 }, 'SCHEMA'],
    ['range with 2^53', { ...RANGE, max: 2 ** 53 }, 'SCHEMA'],
    ['range with text', { ...RANGE, max: '10' }, 'SCHEMA'],
    ['range with "NaN"', { ...RANGE, max: 'NaN' }, 'SCHEMA'],
    ['range with "Infinity"', { ...RANGE, max: 'Infinity' }, 'SCHEMA'],
    ['range with null for no bound', { ...RANGE, max: null }, 'SCHEMA'],
    ['range with true', { ...RANGE, min: true }, 'SCHEMA'],
    ['range with a step', { ...RANGE, step: 2 }, 'CAVEAT_UNKNOWN'],
    ['under', { op: 'under', base: '/a', req: true }, 'ok'],
    ['under the root', { op: 'under', base: '/', req: true }, 'SCHEMA'],
    ['under nothing', { op: 'under', base: '', req: true }, 'SCHEMA'],
    ['under a dot segment', { op: 'under', base: '/a/..', req: true }, 'SCHEMA'],
    ['under a relative path', { op: 'under', base: 'a', req: true }, 'SCHEMA'],
    ['under a trailing slash', { op: 'under', base: '/a/', req: true }, 'SCHEMA'],
    ['under without base', { op: 'under', req: true }, 'SCHEMA'],
    ['subset', { op: 'subset', values: ['a'], maxItems: 0, req: true }, 'ok'],
    ['subset without maxItems', { op: 'subset', values: ['a'], req: true }, 'SCHEMA'],
    ['subset with a negative maxItems', { op: 'subset', values: ['a'], maxItems: -1, req: true }, 'SCHEMA'],
    ['subset without values', { op: 'subset', maxItems: 1, req: true }, 'SCHEMA'],
    ['text', { op: 'text', maxBytes: 0, req: true }, 'ok'],
    ['text with a negative bound', { op: 'text', maxBytes: -1, req: true }, 'SCHEMA'],
    ['text with a pattern', { op: 'text', maxBytes: 9, pattern: '.*', req: true }, 'CAVEAT_UNKNOWN'],
    ['text without bound', { op: 'text', req: true }, 'SCHEMA'],
    ['no req', { op: 'any' }, 'SCHEMA'],
    ['req as a number', { op: 'any', req: 1 }, 'SCHEMA'],
    ['req as text', { op: 'any', req: 'true' }, 'SCHEMA'],
    ['req as null', { op: 'any', req: null }, 'SCHEMA'],
    ['no op', { req: true }, 'SCHEMA'],
    ['an unknown op', { op: 'regex', value: '.*', req: true }, 'CAVEAT_UNKNOWN'],
    ['an op of upper case', { op: 'EQ', value: 1, req: true }, 'CAVEAT_UNKNOWN'],
    ['an op named __proto__', { op: '__proto__', req: true }, 'CAVEAT_UNKNOWN'],
    ['an op named constructor', { op: 'constructor', req: true }, 'CAVEAT_UNKNOWN'],
    ['an op named toString', { op: 'toString', req: true }, 'CAVEAT_UNKNOWN'],
    ['an empty op', { op: '', req: true }, 'CAVEAT_UNKNOWN'],
    ['op null', { op: null, req: true }, 'SCHEMA'],
    ['op in an array', { op: ['any'], req: true }, 'SCHEMA'],
    ['op as a number', { op: 5, req: true }, 'SCHEMA'],
    ['op as true', { op: true, req: true }, 'SCHEMA'],
    ['op as an object', { op: {}, req: true }, 'SCHEMA'],
    ['a member named __proto__', json('{"op":"any","req":true,"__proto__":{}}'), 'CAVEAT_UNKNOWN'],
    ['a member named constructor', { op: 'any', req: true, constructor: 1 }, 'CAVEAT_UNKNOWN'],
    ['a value for any', { op: 'any', req: true, value: 1 }, 'CAVEAT_UNKNOWN'],
    ['null', null, 'SCHEMA'],
    ['a string', 'any', 'SCHEMA'],
    ['an array', [{ op: 'any', req: true }], 'SCHEMA'],
  ])('%s', (_name, value, code) => {
    expect(outcome(() => read(constraintShape, value, 'c'))).toBe(code)
  })

  test('reads what was written and nothing else', () => {
    expect(read(constraintShape, RANGE, 'c')).toEqual(RANGE)
    const eq = read(constraintShape, { op: 'eq', value: 'x', req: false }, 'c')
    expect(eq).toEqual({ op: 'eq', value: 'x', req: false })
  })

  test.each<[unknown, boolean]>([
    [0, true],
    [-0, false],
    [2 ** 53 - 1, true],
    [2 ** 53, false],
    [NaN, false],
    [Infinity, false],
    [0.5, false],
    ['', true],
    ['\ud800', false],
    ['\udc00\ud800', false],
    [true, true],
    [null, false],
    [undefined, false],
    [1n, false],
    [[], false],
  ])('%s is a scalar: %s', (value, expected) => {
    expect(isScalar(value)).toBe(expected)
  })
})

describe('grants', () => {
  const GRANT = { resource: `${SELF}/a/**`, actions: ['book'] }
  const withArgs = (args: Json): Json => [{ ...GRANT, args }]
  const ANY = { op: 'any', req: false }
  test.each<[string, Json, string]>([
    ['one', [GRANT], 'ok'],
    ['16', many(16, i => ({ ...GRANT, actions: [`a${i}`] })), 'ok'],
    ['17', many(17, i => ({ ...GRANT, actions: [`a${i}`] })), 'SCHEMA'],
    ['none', [], 'SCHEMA'],
    ['no array', GRANT, 'SCHEMA'],
    ['the same twice', [GRANT, { actions: ['book'], resource: `${SELF}/a/**` }], 'SCHEMA'],
    ['an unknown member', [{ ...GRANT, until: 1 }], 'CAVEAT_UNKNOWN'],
    ['a policy member', [{ ...GRANT, audit: ['x'] }], 'CAVEAT_UNKNOWN'],
    ['no resource', [{ actions: ['book'] }], 'SCHEMA'],
    ['resource as an array', [{ ...GRANT, resource: [GRANT.resource] }], 'SCHEMA'],
    ['a resource that is none', [{ ...GRANT, resource: `${SELF}/a/../b` }], 'RESOURCE_SYNTAX'],
    ['a resource with a query', [{ ...GRANT, resource: `${SELF}/a?x=1` }], 'RESOURCE_SYNTAX'],
    ['an empty resource', [{ ...GRANT, resource: '' }], 'RESOURCE_SYNTAX'],
    ['schema before resource', [{ ...GRANT, resource: 'x', actions: [] }], 'SCHEMA'],
    ['schema before caveat', [{ ...GRANT, actions: [], x: 1 }], 'SCHEMA'],
    ['caveat before resource', [{ ...GRANT, resource: 'x', x: 1 }], 'CAVEAT_UNKNOWN'],
    ['32 actions', [{ ...GRANT, actions: many(32, i => `a${i}`) }], 'ok'],
    ['33 actions', [{ ...GRANT, actions: many(33, i => `a${i}`) }], 'SCHEMA'],
    ['no actions', [{ ...GRANT, actions: [] }], 'SCHEMA'],
    ['an action twice', [{ ...GRANT, actions: ['a', 'a'] }], 'SCHEMA'],
    ['an action of 128 characters', [{ ...GRANT, actions: ['a'.repeat(128)] }], 'ok'],
    ['an action of 129 characters', [{ ...GRANT, actions: ['a'.repeat(129)] }], 'SCHEMA'],
    ['an MCP action', [{ ...GRANT, actions: ['mcp:tools/call:search_flights', 'a2a:message/send'] }], 'ok'],
    ['an action of upper case', [{ ...GRANT, actions: ['Book'] }], 'SCHEMA'],
    ['a wildcard action', [{ ...GRANT, actions: ['*'] }], 'SCHEMA'],
    ['a wildcard in an action', [{ ...GRANT, actions: ['mcp:*'] }], 'SCHEMA'],
    ['an action with a line end', [{ ...GRANT, actions: ['book\n'] }], 'SCHEMA'],
    ['an empty action', [{ ...GRANT, actions: [''] }], 'SCHEMA'],
    ['an action as a number', [{ ...GRANT, actions: [1] }], 'SCHEMA'],
    ['perCall false', [{ ...GRANT, perCall: false }], 'ok'],
    ['perCall as text', [{ ...GRANT, perCall: 'true' }], 'SCHEMA'],
    ['perCall null', [{ ...GRANT, perCall: null }], 'SCHEMA'],
    ['no argument', withArgs({}), 'ok'],
    ['args null', withArgs(null), 'SCHEMA'],
    ['args as an array', withArgs([]), 'SCHEMA'],
    ['32 arguments', withArgs(Object.fromEntries(many(32, i => [`a${i}`, ANY]))), 'ok'],
    ['33 arguments', withArgs(Object.fromEntries(many(33, i => [`a${i}`, ANY]))), 'SCHEMA'],
    ['an argument name of 64 characters', withArgs({ ['a'.repeat(64)]: ANY }), 'ok'],
    ['an argument name of 65 characters', withArgs({ ['a'.repeat(65)]: ANY }), 'SCHEMA'],
    ['an argument name with a blank', withArgs({ 'a b': ANY }), 'SCHEMA'],
    ['an argument name with a line end', withArgs({ 'a\n': ANY }), 'SCHEMA'],
    ['an argument name that is a number', withArgs({ '1': ANY }), 'SCHEMA'],
    ['an empty argument name', withArgs({ '': ANY }), 'SCHEMA'],
    ['the meter of calls as an argument', withArgs({ '#calls': ANY }), 'SCHEMA'],
    ['an argument without constraint', withArgs({ a: null }), 'SCHEMA'],
  ])('%s', (_name, value, code) => {
    expect(outcome(() => read(grantsShape, value, 'grants'))).toBe(code)
  })

  test('arguments named like the members of every object are read as any other', () => {
    const args = json(
      '{"__proto__":{"op":"eq","req":true,"value":1},"constructor":{"op":"eq","req":true,"value":2},"hasOwnProperty":{"op":"eq","req":true,"value":3}}',
    )
    const [one] = read(grantsShape, withArgs(args), 'grants')
    expect([...one!.args!.keys()].sort()).toEqual(['__proto__', 'constructor', 'hasOwnProperty'])
    expect(one!.args!.get('__proto__')).toEqual({ op: 'eq', req: true, value: 1 })
    expect(({} as Record<string, unknown>)['op']).toBeUndefined()
    expect(outcome(() => read(grantsShape, withArgs(json('{"__proto__":{"op":"or","req":true}}')), 'grants'))).toBe(
      'CAVEAT_UNKNOWN',
    )
  })
})

const AUTHORITY: JsonObject = {
  v: 1,
  hop: 0,
  more: 3,
  audience: [SELF],
  grants: [
    {
      resource: `${SELF}/bookings/**`,
      actions: ['book', 'quote'],
      args: {
        amount: { op: 'range', min: 0, max: 200_000, req: true },
        currency: { op: 'eq', value: 'USD', req: true },
      },
    },
  ],
}
const BUDGET = { unit: 'USD', decimals: 2, max: 200_000, meter: 'amount', unitArg: 'currency', on: ['book'] }
const S256 = 'A'.repeat(43)
const PARENT = { id: 'urn:uuid:0192f5c2-0000-7000-8000-000000000001', digest: `uEiA${'A'.repeat(43)}` }

describe('an authority', () => {
  const issuers = (count: number): Json =>
    many(count, i => ({ iss: 'did:web:status.example', base: `https://status.example/${i}/` }))
  const base = (url: Json): JsonObject => ({ statusIssuers: [{ iss: 'did:web:status.example', base: url }] })
  test.each<[string, JsonObject, string]>([
    ['as it stands', {}, 'ok'],
    ['v 2', { v: 2 }, 'SCHEMA'],
    ['v as text', { v: '1' }, 'SCHEMA'],
    ['an unknown member', { x: 1 }, 'CAVEAT_UNKNOWN'],
    ['a member named __proto__', json('{"__proto__":{}}') as JsonObject, 'CAVEAT_UNKNOWN'],
    ['hop 16', { hop: 16 }, 'ok'],
    ['hop 17', { hop: 17 }, 'SCHEMA'],
    ['hop −1', { hop: -1 }, 'SCHEMA'],
    ['hop −0', { hop: -0 }, 'SCHEMA'],
    ['hop as text', { hop: '0' }, 'SCHEMA'],
    ['more 17', { more: 17 }, 'SCHEMA'],
    ['more −1', { more: -1 }, 'SCHEMA'],
    ['more null', { more: null }, 'SCHEMA'],
    ['8 audiences', { audience: many(8, i => `https://a${i}.example`) }, 'ok'],
    ['9 audiences', { audience: many(9, i => `https://a${i}.example`) }, 'SCHEMA'],
    ['no audience', { audience: [] }, 'SCHEMA'],
    ['audience as text', { audience: SELF }, 'SCHEMA'],
    ['an empty audience', { audience: [''] }, 'SCHEMA'],
    ['an audience twice', { audience: [SELF, SELF] }, 'SCHEMA'],
    ['grants null', { grants: null }, 'SCHEMA'],
    ['a rate', { rate: { max: 0, per: 1 } }, 'ok'],
    ['a rate of a day', { rate: { max: 1, per: 86_400 } }, 'ok'],
    ['a rate of no time', { rate: { max: 1, per: 0 } }, 'SCHEMA'],
    ['a rate of more than a day', { rate: { max: 1, per: 86_401 } }, 'SCHEMA'],
    ['a negative rate', { rate: { max: -1, per: 1 } }, 'SCHEMA'],
    ['a rate without per', { rate: { max: 1 } }, 'SCHEMA'],
    ['a rate with a burst', { rate: { max: 1, per: 1, burst: 9 } }, 'CAVEAT_UNKNOWN'],
    ['a rate null', { rate: null }, 'SCHEMA'],
    ['a purpose', { purpose: { s256: S256, ref: 'https://acme.example/m/1' } }, 'ok'],
    ['a purpose of 42 characters', { purpose: { s256: S256.slice(1) } }, 'SCHEMA'],
    ['a purpose with trailing bits', { purpose: { s256: `${S256.slice(1)}B` } }, 'SCHEMA'],
    ['a purpose in base64', { purpose: { s256: `${S256.slice(1)}+` } }, 'SCHEMA'],
    ['a purpose with text', { purpose: { s256: S256, text: 'x' } }, 'CAVEAT_UNKNOWN'],
    ['a principal', { onBehalfOf: 'urn:acme:1' }, 'ok'],
    ['a principal over http', { onBehalfOf: 'http://acme.example' }, 'SCHEMA'],
    ['a principal of no scheme', { onBehalfOf: 'acme' }, 'SCHEMA'],
    ['recipients', { to: ['did:key:z6Mk', 'did:web:acme.example:**', 'did:web:**'] }, 'ok'],
    ['64 recipients', { to: many(64, i => `did:web:a${i}.example`) }, 'ok'],
    ['65 recipients', { to: many(65, i => `did:web:a${i}.example`) }, 'SCHEMA'],
    ['no recipient', { to: [] }, 'SCHEMA'],
    ['all recipients', { to: ['**'] }, 'SCHEMA'],
    ['all methods', { to: ['did:**'] }, 'SCHEMA'],
    ['a prefix within a name', { to: ['did:web:acme.exa**'] }, 'SCHEMA'],
    ['a prefix that goes on', { to: ['did:web:acme.example:**:x'] }, 'SCHEMA'],
    ['a single star', { to: ['did:web:acme.example:*'] }, 'SCHEMA'],
    ['a DID URL', { to: ['did:web:acme.example#k1'] }, 'SCHEMA'],
    ['status issuers', { statusIssuers: issuers(8) }, 'ok'],
    ['9 status issuers', { statusIssuers: issuers(9) }, 'SCHEMA'],
    ['no status issuer', { statusIssuers: [] }, 'SCHEMA'],
    ['a base without slash', base('https://status.example/sl'), 'SCHEMA'],
    ['a base over http', base('http://status.example/'), 'SCHEMA'],
    ['a base with a query', base('https://status.example/?x=/'), 'SCHEMA'],
    ['a base with a fragment', base('https://status.example/#/'), 'SCHEMA'],
    ['a base with a dot segment', base('https://status.example/a/../'), 'SCHEMA'],
    ['a base with userinfo', base('https://a@status.example/'), 'SCHEMA'],
    ['a base with a percent', base('https://status.example/%2e%2e/'), 'SCHEMA'],
    ['a base with a backslash', base('https://status.example\\a/'), 'SCHEMA'],
    ['a base with an empty segment', base('https://status.example//'), 'SCHEMA'],
    ['a status issuer with a key', { statusIssuers: [{ iss: 'did:web:a.example', base: 'https://a.example/', jwk: {} }] }, 'CAVEAT_UNKNOWN'], // prettier-ignore
    ['a parent', { parent: PARENT }, 'ok'],
    ['a parent by id alone', { parent: { id: PARENT.id } }, 'SCHEMA'],
    ['a parent with a third member', { parent: { ...PARENT, href: SELF } }, 'CAVEAT_UNKNOWN'],
    ['two parents', { parent: [PARENT, PARENT] }, 'SCHEMA'],
    ['a parent digest in hex', { parent: { ...PARENT, digest: 'ab'.repeat(32) } }, 'SCHEMA'],
    ['a parent digest too short', { parent: { ...PARENT, digest: PARENT.digest.slice(0, 46) } }, 'SCHEMA'],
    [
      'a parent digest with trailing bits',
      { parent: { ...PARENT, digest: `${PARENT.digest.slice(0, 46)}B` } },
      'SCHEMA',
    ],
    ['a budget', { budgets: [BUDGET] }, 'ok'],
    ['8 budgets', { budgets: many(8, max => ({ ...BUDGET, max })) }, 'ok'],
    ['9 budgets', { budgets: many(9, max => ({ ...BUDGET, max })) }, 'SCHEMA'],
    ['no budget', { budgets: [] }, 'SCHEMA'],
    ['a budget of 0', { budgets: [{ ...BUDGET, max: 0 }] }, 'ok'],
    ['a budget of 10^15 − 1', { budgets: [{ ...BUDGET, max: 10 ** 15 - 1 }] }, 'ok'],
    ['a budget of 10^15', { budgets: [{ ...BUDGET, max: 10 ** 15 }] }, 'SCHEMA'],
    ['a negative budget', { budgets: [{ ...BUDGET, max: -1 }] }, 'SCHEMA'],
    ['10 decimals', { budgets: [{ ...BUDGET, decimals: 10 }] }, 'SCHEMA'],
    ['no decimals', { budgets: [{ unit: 'USD', max: 1, meter: 'amount' }] }, 'SCHEMA'],
    ['a unit of lower case', { budgets: [{ ...BUDGET, unit: 'usd' }] }, 'SCHEMA'],
    ['a unit of 33 characters', { budgets: [{ ...BUDGET, unit: 'U'.repeat(33) }] }, 'SCHEMA'],
    ['an unknown meter', { budgets: [{ ...BUDGET, meter: '#tokens' }] }, 'SCHEMA'],
    ['a budget member', { budgets: [{ ...BUDGET, per: 60 }] }, 'CAVEAT_UNKNOWN'],
    ['on nothing', { budgets: [{ ...BUDGET, on: [] }] }, 'SCHEMA'],
  ])('%s', (_name, change, code) => {
    expect(outcome(() => read(authorityShape, { ...AUTHORITY, ...change }, 'authority'))).toBe(code)
  })

  test.each(['v', 'hop', 'more', 'audience', 'grants'])('needs %s', name => {
    const rest = Object.fromEntries(Object.entries(AUTHORITY).filter(([key]) => key !== name))
    expect(outcome(() => read(authorityShape, rest, 'authority'))).toBe('SCHEMA')
  })

  test('is written as it was read', () => {
    const value = { ...AUTHORITY, budgets: [BUDGET], to: ['did:web:**'], parent: PARENT }
    expect(toAuthorityJson(read(authorityShape, value, 'authority'))).toEqual(value)
  })
})

describe('a budget that could be dodged', () => {
  const at = (args: Json, budget: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
    ...AUTHORITY,
    grants: [{ resource: `${SELF}/bookings/**`, actions: ['book', 'quote'], ...(args === null ? {} : { args }) }],
    budgets: [{ ...BUDGET, ...budget }],
    ...more,
  })
  const NO_UNIT = but(BUDGET, 'unitArg')
  const UNIT = { currency: { op: 'eq', value: 'USD', req: true } }
  const GOOD = { amount: { op: 'range', min: 0, max: 9, req: true }, ...UNIT }
  const amount = (constraint: JsonObject): JsonObject => ({ ...UNIT, amount: constraint })
  const currency = (constraint: JsonObject): JsonObject => ({ ...GOOD, currency: constraint })
  test.each<[string, JsonObject, string]>([
    ['none of it', at(GOOD), 'ok'],
    ['an amount fixed by eq', at(amount({ op: 'eq', value: 5, req: true })), 'ok'],
    ['an amount of a set', at(amount({ op: 'in', values: [0, 5], req: true })), 'ok'],
    ['an amount without upper bound', at(amount({ op: 'range', min: 0, req: true })), 'ok'],
    ['an amount without lower bound', at(amount({ op: 'range', max: 9, req: true })), 'BUDGET_METER'],
    ['an amount from −1', at(amount({ op: 'range', min: -1, max: 9, req: true })), 'BUDGET_METER'],
    ['an amount that may be left out', at(amount({ op: 'range', min: 0, max: 9, req: false })), 'BUDGET_METER'],
    ['any amount', at(amount({ op: 'any', req: true })), 'BUDGET_METER'],
    ['an amount as text', at(amount({ op: 'text', maxBytes: 9, req: true })), 'BUDGET_METER'],
    ['an amount as a path', at(amount({ op: 'under', base: '/a', req: true })), 'BUDGET_METER'],
    ['amounts in a list', at(amount({ op: 'subset', values: [1], maxItems: 1, req: true })), 'BUDGET_METER'],
    ['a set with a negative amount', at(amount({ op: 'in', values: [5, -1], req: true })), 'BUDGET_METER'],
    ['a set with text', at(amount({ op: 'in', values: [5, '6'], req: true })), 'BUDGET_METER'],
    ['a set with true', at(amount({ op: 'in', values: [5, true], req: true })), 'BUDGET_METER'],
    ['a negative fixed amount', at(amount({ op: 'eq', value: -5, req: true })), 'BUDGET_METER'],
    ['a fixed text', at(amount({ op: 'eq', value: '5', req: true })), 'BUDGET_METER'],
    ['no amount', at(UNIT), 'BUDGET_METER'],
    ['no arguments', at(null), 'BUDGET_METER'],
    ['another unit', at(currency({ op: 'eq', value: 'EUR', req: true })), 'BUDGET_METER'],
    ['the unit in lower case', at(currency({ op: 'eq', value: 'usd', req: true })), 'BUDGET_METER'],
    ['a unit that may be left out', at(currency({ op: 'eq', value: 'USD', req: false })), 'BUDGET_METER'],
    ['a unit of a set of one', at(currency({ op: 'in', values: ['USD'], req: true })), 'BUDGET_METER'],
    ['any unit', at(currency({ op: 'any', req: true })), 'BUDGET_METER'],
    ['no unit argument in the grant', at({ amount: GOOD.amount }), 'BUDGET_METER'],
    ['no unit argument in the budget', at({ amount: GOOD.amount }, {}, { budgets: [NO_UNIT] }), 'ok'],
    ['calls', at(null, {}, { budgets: [{ unit: '#calls', decimals: 0, max: 9, meter: '#calls' }] }), 'ok'],
    ['calls with a unit that nothing fixes', at(null, { meter: '#calls' }), 'BUDGET_METER'],
    ['calls with a fixed unit', at(UNIT, { meter: '#calls' }), 'ok'],
    ['an action that is not metered', at(null, { on: ['search'] }), 'ok'],
    ['one of two actions metered', at(null, { on: ['quote'] }), 'BUDGET_METER'],
    ['on left out: all are metered', at(null, {}, { budgets: [{ unit: 'USD', decimals: 2, max: 1, meter: 'amount' }] }), 'BUDGET_METER'], // prettier-ignore
    [
      'a second grant without bounds',
      at(GOOD, {}, { grants: [{ resource: `${SELF}/a`, actions: ['book'], args: GOOD }, { resource: `${SELF}/b`, actions: ['book'] }] }), // prettier-ignore
      'BUDGET_METER',
    ],
    [
      'a second grant that is not metered',
      at(GOOD, {}, { grants: [{ resource: `${SELF}/a`, actions: ['book'], args: GOOD }, { resource: `${SELF}/b`, actions: ['quote'] }] }), // prettier-ignore
      'ok',
    ],
    ['a meter named __proto__ that no grant has', at(GOOD, { meter: '__proto__' }), 'BUDGET_METER'],
    ['a meter named constructor that no grant has', at(GOOD, { meter: 'constructor' }), 'BUDGET_METER'],
    [
      'a second budget that could be',
      at(GOOD, {}, { budgets: [BUDGET, { ...BUDGET, meter: 'total' }] }),
      'BUDGET_METER',
    ],
    ['two audiences', at(GOOD, {}, { audience: [SELF, 'https://b.example'] }), 'BUDGET_AUDIENCE'],
    ['a meter before the audience', at(null, {}, { audience: [SELF, 'https://b.example'] }), 'BUDGET_METER'],
    [
      'a resource before the meter',
      at(null, {}, { grants: [{ resource: 'x', actions: ['book'] }] }),
      'RESOURCE_SYNTAX',
    ],
  ])('%s', (_name, value, code) => {
    expect(outcome(() => read(authorityShape, value, 'authority'))).toBe(code)
  })

  test('two audiences are fine without budgets', () => {
    const value = { ...AUTHORITY, audience: [SELF, 'https://b.example'] }
    expect(outcome(() => read(authorityShape, value, 'authority'))).toBe('ok')
  })
})

describe('what is wrong is listed whole, the gravest first', () => {
  test('with paths', () => {
    const value = { ...AUTHORITY, x: 1, hop: -1, grants: [{ resource: 'x', actions: [], y: 1 }] }
    const found = findings(report => authorityShape(value, 'a', report))
    expect(found.map(({ code, facts }) => `${code} ${facts['at'] ?? ''}`)).toEqual([
      'SCHEMA a.hop',
      'SCHEMA a.grants[0].actions',
      'CAVEAT_UNKNOWN a.x',
      'CAVEAT_UNKNOWN a.grants[0].y',
      'RESOURCE_SYNTAX a.grants[0].resource',
    ])
  })
})

describe('isRecipient', () => {
  test.each<[string, string[], string, boolean, boolean]>([
    ['the DID itself', ['did:web:acme.example'], 'did:web:acme.example', true, true],
    ['unproved', ['did:web:acme.example'], 'did:web:acme.example', false, false],
    ['below a prefix', ['did:web:acme.example:**'], 'did:web:acme.example:agents:1', true, true],
    ['below a prefix, unproved', ['did:web:acme.example:**'], 'did:web:acme.example:agents:1', false, false],
    ['the prefix without anything below', ['did:web:acme.example:**'], 'did:web:acme.example', true, false],
    ['a neighbour of the prefix', ['did:web:acme.example:**'], 'did:web:acme.example.mallory.example:1', true, false],
    ['a port of the prefix', ['did:web:acme.example:**'], 'did:web:acme.example%3A8443', true, false],
    ['a longer DID', ['did:web:acme.example'], 'did:web:acme.example:agents', true, false],
    ['a shorter DID', ['did:web:acme.example:agents'], 'did:web:acme.example', true, false],
    ['every did:key', ['did:key:**'], 'did:key:z6Mk', true, true],
    ['another method', ['did:key:**'], 'did:web:acme.example', true, false],
    ['another case', ['did:web:acme.example'], 'did:web:ACME.example', true, false],
    ['the second entry', ['did:web:a.example', 'did:web:b.example'], 'did:web:b.example', true, true],
  ])('%s', (_name, to, subject, proved, expected) => {
    expect(isRecipient(to, subject as `did:${string}:${string}`, proved)).toBe(expected)
  })
})
