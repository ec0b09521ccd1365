import { describe, expect, test } from 'vitest'
import { parseArgument, parseBudget, parseConstraint, parseRate } from '../../src/authority/short.js'

describe('constraints as people write them', () => {
  test.each([
    ['any', { op: 'any' }],
    ['eq:USD', { op: 'eq', value: 'USD' }],
    ['eq:7', { op: 'eq', value: 7 }],
    ['eq:"7"', { op: 'eq', value: '7' }],
    ['eq:true', { op: 'eq', value: true }],
    ['in:economy,premium', { op: 'in', values: ['economy', 'premium'] }],
    ['in:"a,b",2,c', { op: 'in', values: ['a,b', 2, 'c'] }],
    ['range:0..2000.00USD', { op: 'range', min: 0, max: 200_000 }],
    ['range:0.5USD..2000USD', { op: 'range', min: 50, max: 200_000 }],
    ['range:..5000JPY', { op: 'range', max: 5000 }],
    ['range:1.005KWD..', { op: 'range', min: 1005 }],
    ['range:-5..5', { op: 'range', min: -5, max: 5 }],
    ['range:0..8GPUh', { op: 'range', min: 0, max: 8 }],
    ['under:/data/eu', { op: 'under', base: '/data/eu' }],
    ['subset:2:a,b,c', { op: 'subset', values: ['a', 'b', 'c'], maxItems: 2 }],
    ['text:280', { op: 'text', maxBytes: 280 }],
  ])('%s', (text, expected) => {
    expect(parseConstraint(text, true, 'x').constraint).toEqual({ ...expected, req: true })
  })

  test.each([
    '',
    'all',
    'regex:.*',
    'range:1',
    'range:..',
    'range:1..2..3',
    'range:0..20.5',
    'range:0..0.001USD',
    'range:0..1.5GPUh',
    'range:0..1e3',
    'range:0..1E3',
    'range:0USD..5EUR',
    'range:0..9007199254740993',
    'range:-0..1',
    'eq:9007199254740993',
    'eq:"open',
    'text:many',
    'text:-1',
    'subset:a,b',
  ])('%s is refused', text => {
    expect(() => parseConstraint(text, true, '--arg')).toThrow(/^SCHEMA: --arg /)
  })

  test('an argument is required unless it is marked', () => {
    expect(parseArgument('note?=text:9', 'x')).toMatchObject({ name: 'note', constraint: { req: false } })
    expect(parseArgument('ref=eq:a=b', 'x')).toMatchObject({ name: 'ref', constraint: { value: 'a=b', req: true } })
    expect(() => parseArgument('amount', 'x')).toThrow('NAME=CONSTRAINT')
  })
})

describe('budgets and rates', () => {
  const args = ['amount=range:0..500USD', 'currency=eq:USD', 'seats=range:1..4'].map(one => parseArgument(one, 'x'))

  test.each([
    ['2000USD', { unit: 'USD', decimals: 2, max: 200_000, meter: 'amount', unitArg: 'currency' }],
    ['19.99 USD of amount on book,rebook', { max: 1999, meter: 'amount', on: ['book', 'rebook'] }],
    ['12SEATS of seats', { unit: 'SEATS', decimals: 0, max: 12, meter: 'seats' }],
    ['5 calls', { unit: '#calls', decimals: 0, max: 5, meter: '#calls' }],
    ['1 call on book', { unit: '#calls', max: 1, on: ['book'] }],
  ])('%s', (text, expected) => {
    expect(parseBudget(text, args, 'x')).toMatchObject(expected)
    expect(Object.keys(parseBudget('12SEATS of seats', args, 'x'))).not.toContain('unitArg')
  })

  test.each(['2000', 'USD', '2000EUR', '0.001USD', '1e3USD', '1E3', '5 calls of x y', '-1 calls'])(
    '%s is refused',
    text => {
      expect(() => parseBudget(text, args, '--budget')).toThrow(/^SCHEMA: --budget /)
    },
  )

  test.each([
    ['10/min', { max: 10, per: 60 }],
    ['100/30s', { max: 100, per: 30 }],
    ['0/h', { max: 0, per: 3600 }],
  ])('%s', (text, expected) => {
    expect(parseRate(text, 'x')).toEqual(expected)
  })
  test.each(['10', '10/', '1.5/min', '10/fortnight', '/min'])('%s is refused', text => {
    expect(() => parseRate(text, '--rate')).toThrow(/^SCHEMA: --rate /)
  })
})
