import { describe, expect, test } from 'vitest'
import { chargeOf, checkBudgets, isSameMeter, requireNarrowerBudgets, type Budget } from '../../src/authority/budget.js'
import { requireAllowed, requireNarrower, wideningOfArgs, type Call, type Grant } from '../../src/authority/grant.js'
import type { Json } from '../../src/json.js'
import { findings } from '../../src/shape.js'
import { outcome } from '../ground/refusal.js'

const USD: Budget = { unit: 'USD', decimals: 2, max: 100, meter: 'amount', unitArg: 'currency' }
const COUNT: Budget = { unit: '#calls', decimals: 0, max: 3, meter: '#calls' }
const call = (params: Readonly<Record<string, Json>>, action = 'book'): Call => ({ action, resource: 'https://a.example', params }) // prettier-ignore

describe('what a call takes from a budget', () => {
  test.each<[string, Budget, Call, number]>([
    ['the metered argument', USD, call({ amount: 7 }), 7],
    ['nothing', USD, call({ amount: 0 }), 0],
    ['the largest amount', USD, call({ amount: Number.MAX_SAFE_INTEGER }), Number.MAX_SAFE_INTEGER],
    ['one call', COUNT, call({ amount: 7 }), 1],
    ['one call without arguments', COUNT, call({}), 1],
    ['a metered action', { ...USD, on: ['quote', 'book'] }, call({ amount: 7 }), 7],
    ['an action that is not metered', { ...USD, on: ['quote'] }, call({ amount: 7 }), 0],
    ['an action that is not metered, whatever its amount', { ...USD, on: ['quote'] }, call({ amount: 'x' }), 0],
    ['an action whose calls are not counted', { ...COUNT, on: ['quote'] }, call({}), 0],
    ['a meter named __proto__', { ...USD, meter: '__proto__' }, call(JSON.parse('{"__proto__":7}') as Call['params']), 7], // prettier-ignore
  ])('%s', (_name, budget, one, amount) => {
    expect(chargeOf(budget, one)).toBe(amount)
  })

  test.each<[string, Call['params'], string?]>([
    ['no amount', {}],
    ['a negative amount', { amount: -1 }],
    ['a fraction', { amount: 0.5 }],
    ['2^53', { amount: 2 ** 53 }],
    ['an endless amount', { amount: Infinity }],
    ['no number', { amount: NaN }],
    ['text', { amount: '7' }],
    ['true', { amount: true }],
    ['null', { amount: null }],
    ['an array', { amount: [7] }],
    ['an inherited amount', Object.create({ amount: 7 }) as Call['params']],
    ['an inherited member', {}, 'constructor'],
  ])('is not known of %s', (_name, params, meter = 'amount') => {
    expect(() => chargeOf({ ...USD, meter }, call(params))).toThrow(
      expect.objectContaining({ code: 'DENIED_ARG', facts: { name: meter } }),
    )
  })
})

describe('a budget below another', () => {
  test.each<[string, readonly Budget[], readonly Budget[], string]>([
    ['the same', [USD], [USD], 'ok'],
    ['less', [{ ...USD, max: 99 }], [USD], 'ok'],
    ['more', [{ ...USD, max: 101 }], [USD], 'WIDENED_BUDGET'],
    ['other decimals', [{ ...USD, decimals: 1 }], [USD], 'WIDENED_BUDGET'],
    ['more than the second', [{ ...USD, max: 60 }], [USD, { ...USD, max: 50 }], 'WIDENED_BUDGET'],
    ['none', [], [USD], 'ok'],
    ['where none is', [USD], [], 'ok'],
    ['another unit', [{ ...USD, unit: 'EUR', max: 101 }], [USD], 'ok'],
  ])('%s -> %s', (_name, budgets, above, code) => {
    expect(outcome(() => requireNarrowerBudgets(budgets, above))).toBe(code)
  })

  test('is refused with both figures', () => {
    const wide = { ...USD, max: 101, decimals: 3 }
    expect(() => requireNarrowerBudgets([USD, wide], [{ ...USD, unit: 'EUR' }, USD])).toThrow(
      expect.objectContaining({ facts: { unit: 'USD', asked: '101e-3', granted: '100e-2' } }),
    )
  })

  test.each<[string, Budget, boolean]>([
    ['itself', USD, true],
    ['another sum of it', { ...USD, max: 1, decimals: 0, on: ['book'] }, true],
    ['another unit', { ...USD, unit: 'EUR' }, false],
    ['another meter', { ...USD, meter: 'total' }, false],
    ['another unit argument', { ...USD, unitArg: 'cur' }, false],
  ])('bounds the same sum as %s: %s', (_name, other, same) => {
    expect(isSameMeter(USD, other)).toBe(same)
    expect(isSameMeter(other, USD)).toBe(same)
  })
})

describe('what could be dodged is listed whole', () => {
  const good: Grant = {
    resource: 'https://a.example',
    actions: ['book'],
    args: new Map([
      ['amount', { op: 'range', min: 0, req: true }],
      ['currency', { op: 'eq', value: 'USD', req: true }],
    ]),
  }
  const free: Grant = { resource: 'https://a.example', actions: ['book'] }
  const amountOnly: Grant = { ...good, args: new Map([['amount', { op: 'eq', value: 0, req: true }]]) }
  const listed = (budgets: readonly Budget[], grants: readonly Grant[], audiences = 1) =>
    findings(report => checkBudgets(budgets, grants, audiences, 'a.budgets', report)).map(({ code, facts }) => ({ code, ...facts })) // prettier-ignore

  test('each budget with each grant, each with its place', () => {
    expect(listed([COUNT, USD], [good, free, amountOnly], 2)).toEqual([
      { code: 'BUDGET_METER', at: 'a.budgets[1]', why: 'amount is not required and ≥ 0' },
      { code: 'BUDGET_METER', at: 'a.budgets[1]', why: 'currency is not fixed to USD' },
      { code: 'BUDGET_AUDIENCE', count: 2 },
    ])
  })

  test('nothing where nothing could be', () => {
    expect(listed([COUNT, USD], [good])).toEqual([])
    expect(listed([], [free], 2)).toEqual([])
  })
})

describe('grants', () => {
  const BASE: Grant = {
    resource: 'https://a.example/bookings/**',
    actions: ['book', 'quote'],
    args: new Map([['amount', { op: 'range', min: 0, max: 10, req: true }]]),
    perCall: true,
  }
  const call_ = (change: Partial<Call>): Call => ({ action: 'book', resource: 'https://a.example/bookings/1', params: { amount: 1 }, ...change }) // prettier-ignore
  test.each<[string, Partial<Call>, object]>([
    ['resource', { resource: 'https://a.example/x' }, { resource: 'https://a.example/x' }],
    ['action', { action: 'refund' }, { action: 'refund' }],
    ['argument outside', { params: { amount: 11 } }, { name: 'amount' }],
    ['argument unknown', { params: { amount: 1, x: 1 } }, { name: 'x' }],
    ['argument missing', { params: {} }, { name: 'amount' }],
  ])('refuse a call and name the %s', (_name, change, facts) => {
    expect(() => requireAllowed([BASE], call_(change))).toThrow(expect.objectContaining({ facts }))
  })

  test('of which one allows the call are answered with that one alone', () => {
    const other: Grant = { ...BASE, args: new Map() }
    expect(requireAllowed([other, BASE], call_({}))).toEqual([BASE])
    // of two refusals the first is told
    expect(outcome(() => requireAllowed([other, BASE], call_({ params: { amount: 11 } })))).toBe('DENIED_ARG_UNKNOWN')
    expect(outcome(() => requireAllowed([BASE, other], call_({ params: { amount: 11 } })))).toBe('DENIED_ARG')
  })

  const far: Grant = { ...BASE, resource: 'https://b.example/**' }
  const idle: Grant = { ...BASE, actions: ['quote'] }
  const tight: Grant = { ...BASE, args: new Map() }
  test.each<[string, Grant, readonly Grant[], object]>([
    ['resource', BASE, [far], { code: 'WIDENED_RESOURCE', facts: { asked: BASE.resource } }],
    ['resource where nothing is granted', BASE, [], { code: 'WIDENED_RESOURCE', facts: { asked: BASE.resource } }],
    ['action', BASE, [far, idle, far], { code: 'WIDENED_ACTION', facts: { asked: 'book', resource: BASE.resource } }],
    ['argument', BASE, [idle, tight, far], { code: 'WIDENED_ARGS', facts: { why: 'amount is not named above' } }],
    ['approval', { ...BASE, perCall: false }, [tight, BASE, idle], { code: 'WIDENED_APPROVAL', facts: { resource: BASE.resource } }], // prettier-ignore
    ['first of two equally close', { ...BASE, actions: ['a', 'b'] }, [{ ...BASE, actions: ['b'] }, { ...BASE, actions: ['a'] }], { facts: { asked: 'a', resource: BASE.resource } }], // prettier-ignore
  ])('refuse a wider grant and name the %s', (_name, child, parents, refusal) => {
    expect(() => requireNarrower([child], parents)).toThrow(expect.objectContaining(refusal))
  })

  test('say why an argument map is wider', () => {
    const any = { op: 'any', req: true } as const
    expect(wideningOfArgs(new Map([['x', any]]), new Map())).toBe('x is not named above')
    expect(wideningOfArgs(undefined, new Map())).toBe('all are allowed')
    expect(wideningOfArgs(new Map(), BASE.args)).toBe('amount is no longer required')
    expect(wideningOfArgs(new Map([['amount', any]]), BASE.args)).toBe('amount (any) is not within what is granted above (range)') // prettier-ignore
  })
})
