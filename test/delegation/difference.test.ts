import { describe, expect, test } from 'vitest'
import { authorityShape } from '../../src/authority/authority.js'
import type { Link } from '../../src/delegation/chain.js'
import { differences } from '../../src/delegation/difference.js'
import { digestOf } from '../../src/encoding.js'
import type { JsonObject } from '../../src/json.js'
import { read } from '../../src/shape.js'
import { alice, booker, planner, SELF, status, STATUS_BASE } from '../mint.js'

const BOOK = { resource: `${SELF}/**`, actions: ['book', 'read'] }
const OTHER = 'https://other.example'
const PARENT = { digest: digestOf('parent'), id: 'urn:uuid:0192f5c2-0000-7000-8000-000000000001' }
const LISTS = [{ iss: status.did, base: STATUS_BASE }]

/** A link as far as differences go: what it grants, and when. */
function link(authority: JsonObject, hop = 0, from = 0, until = 1000): Link {
  const whole = {
    ...{ v: 1, hop, more: 3 - hop, audience: [SELF], grants: [BOOK] },
    ...(hop === 0 ? { onBehalfOf: 'urn:user:1', statusIssuers: LISTS } : { parent: PARENT }),
    ...authority,
  }
  const claims = { authority: read(authorityShape, whole, 'authority') }
  return { claims, validFrom: from, validUntil: until } as Link
}
const between = (above: JsonObject, below: JsonObject): readonly string[] =>
  differences(link(below, 1), [link({ more: 3, ...above })]).filter(line => line !== 'further hops: 3 → 2')

test('a root differs from nothing', () => {
  expect(differences(link({}), [])).toEqual([])
})

test('one that grants all it was granted, and as long, has a hop less', () => {
  expect(differences(link({}, 1), [link({})])).toEqual(['further hops: 3 → 2'])
})

test.each([
  [1, ['further hops: 3 → 1']],
  [3, ['further hops: 3, where 3 were left']],
  [4, ['further hops: 4, where 3 were left']],
])('%i further hops below 3', (more, due) => {
  expect(differences(link({ more }, 1), [link({ more: 3 })])).toEqual(due)
})

test.each([
  [0, 1000, []],
  [5, 1000, ['begins 5 s later']],
  [-7, 1000, ['begins 7 s earlier']],
  [0, 400, ['ends 600 s earlier']],
  [0, 1001, ['ends 1 s later']],
])('from %i until %i', (from, until, due) => {
  expect(differences(link({}, 1, from, until), [link({})]).slice(1)).toEqual(due)
})

describe('what is granted', () => {
  const args = (map: JsonObject) => ({ grants: [{ ...BOOK, args: map }] })
  const AMOUNT = { op: 'range', min: 0, max: 9, req: true }
  const NOTE = { op: 'any', req: false }

  test.each<[string, JsonObject, JsonObject, readonly string[]]>([
    ['an audience less', { audience: [SELF, OTHER] }, { audience: [SELF] }, [`audience: drops ${OTHER}`]],
    ['an audience more', { audience: [SELF] }, { audience: [SELF, OTHER] }, []],
    ['a narrower resource', {}, { grants: [{ ...BOOK, resource: `${SELF}/a` }] }, [`${SELF}/** → ${SELF}/a`]],
    [
      'fewer actions',
      { grants: [{ ...BOOK, actions: ['book', 'read', 'write'] }] },
      { grants: [{ ...BOOK, actions: ['book'] }] },
      ['drops action read, write'],
    ],
    ['a grant less', { grants: [BOOK, { resource: OTHER, actions: ['read'] }] }, {}, [`drops read on ${OTHER}`]],
    [
      'a grant of its own',
      {},
      { grants: [BOOK, { resource: OTHER, actions: ['read'] }] },
      [`within no grant above: read on ${OTHER}`],
    ],
    ['an approval for each call', {}, { grants: [{ ...BOOK, perCall: true }] }, ['each call needs an approval']],
    ['an approval as before', { grants: [{ ...BOOK, perCall: true }] }, { grants: [{ ...BOOK, perCall: true }] }, []],
    ['an approval that is not asked for', {}, { grants: [{ ...BOOK, perCall: false }] }, []],
    ['arguments as before', args({ amount: AMOUNT }), args({ amount: AMOUNT }), []],
    [
      'arguments where there were any',
      {},
      args({ amount: AMOUNT, note: NOTE }),
      ['arguments: any → only those named', 'amount: anything → 0…9', 'note: anything → anything, optional'],
    ],
    [
      'a narrower argument, and one dropped',
      args({ amount: AMOUNT, note: NOTE }),
      args({ amount: { ...AMOUNT, max: 5 } }),
      ['amount: 0…9 → 0…5', 'note: not accepted any more'],
    ],
  ])('%s', (_name, above, below, due) => {
    expect(between(above, below)).toEqual(due)
  })
})

describe('bounds', () => {
  const budget = (max: number, meter = '#calls') =>
    meter === '#calls'
      ? { meter, unit: '#calls', decimals: 0, max }
      : { meter, unit: 'USD', decimals: 2, max, unitArg: 'currency' }
  const purpose = (s256: string) => ({ purpose: { s256 } })
  const [A, B] = ['A'.repeat(43), `${'B'.repeat(42)}A`]

  test.each<[string, JsonObject, JsonObject, readonly string[]]>([
    ['none', {}, {}, []],
    ['a budget', {}, { budgets: [budget(5)] }, ['budget: introduces 5 calls']],
    ['a smaller budget', { budgets: [budget(9)] }, { budgets: [budget(5)] }, ['budget: 9 calls → 5 calls']],
    ['the same budget', { budgets: [budget(9)] }, { budgets: [budget(9)] }, []],
    ['a budget that is not stated again', { budgets: [budget(9)] }, {}, []],
    ['a rate', {}, { rate: { max: 2, per: 60 } }, ['rate: introduces 2 calls in 60 s']],
    [
      'a lower rate',
      { rate: { max: 5, per: 60 } },
      { rate: { max: 2, per: 60 } },
      ['rate: 5 calls in 60 s → 2 calls in 60 s'],
    ],
    ['the same rate', { rate: { max: 5, per: 60 } }, { rate: { max: 5, per: 60 } }, []],
    ['a purpose', {}, purpose(A), [`purpose: introduces ${A}`]],
    ['another purpose', purpose(A), purpose(B), [`purpose: ${A} → ${B}`]],
    ['recipients', {}, { to: [alice.did] }, [`recipients: introduces ${alice.did}`]],
    [
      'fewer recipients',
      { to: [alice.did, booker.did] },
      { to: [alice.did] },
      [`recipients: ${alice.did}, ${booker.did} → ${alice.did}`],
    ],
    [
      'status issuers',
      { statusIssuers: [...LISTS, { iss: planner.did, base: 'https://p.example/' }] },
      { statusIssuers: LISTS },
      ['status issuers: 2 → 1'],
    ],
  ])('%s', (_name, above, below, due) => {
    expect(between(above, below)).toEqual(due)
  })

  test('are compared with the nearest link that states them', () => {
    const amount = budget(90_000, 'amount')
    const args = {
      amount: { op: 'range', min: 0, max: 90_000, req: true },
      currency: { op: 'eq', value: 'USD', req: true },
    }
    const grants = [{ ...BOOK, args }]
    const above = [
      link({
        grants,
        budgets: [budget(9), amount],
        rate: { max: 5, per: 60 },
        to: [alice.did, booker.did],
        ...purpose(A),
      }),
      link({ grants, budgets: [budget(7)] }, 1),
    ]
    const below = {
      grants,
      budgets: [budget(5), budget(80_000, 'amount')],
      ...{ rate: { max: 2, per: 60 }, to: [alice.did], ...purpose(B) },
    }
    expect(differences(link(below, 2), above)).toEqual([
      'budget: 7 calls → 5 calls',
      'budget: 900.00 USD of amount → 800.00 USD of amount',
      'rate: 5 calls in 60 s → 2 calls in 60 s',
      `purpose: ${A} → ${B}`,
      `recipients: ${alice.did}, ${booker.did} → ${alice.did}`,
      'further hops: 2 → 1',
    ])
  })

  test('no status issuer above counts as none', () => {
    const above = link({ statusIssuers: LISTS })
    const none = {
      ...above,
      claims: { authority: { ...above.claims.authority, statusIssuers: undefined } },
    } as unknown as Link
    expect(differences(link({ statusIssuers: LISTS }, 1), [none])).toContain('status issuers: 0 → 1')
  })
})
