import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatAmount } from '../../src/authority/format.js'
import { parseConstraint } from '../../src/authority/short.js'
import { readWritten } from '../../src/authority/written.js'
import type { Json } from '../../src/json.js'

const RESOURCE = 'https://api.example/bookings/**'
const CURRENCIES = [
  ['USD', 2],
  ['JPY', 0],
  ['KWD', 3],
] as const
const readAt = (value: Json) => readWritten(value, member => `<${member}>`)

test('an amount is what it says, in any number of its decimals', () => {
  fc.assert(
    fc.property(fc.constantFrom(...CURRENCIES), fc.nat(10 ** 12), ([unit, decimals], amount) => {
      const text = formatAmount(amount, decimals)
      const short = text.replace(/\.?0+$/, match => (text.includes('.') ? '' : match))
      for (const written of [text, short]) {
        const { constraint } = parseConstraint(`range:0..${written}${unit}`, true, 'x')
        expect(constraint).toMatchObject({ min: 0, max: amount })
      }
    }),
  )
})

test('short forms and those of the profile may stand side by side', () => {
  const { to, ttl, draft, origins } = readAt({
    to: 'did:web:a.example',
    ttl: 600,
    grants: [
      {
        resource: RESOURCE,
        actions: ['book'],
        args: { amount: 'range:0..20USD', currency: 'eq:USD', 'note?': 'text:9', tag: { op: 'any', req: false } },
      },
    ],
    budgets: ['20USD', { unit: 'CALLS', decimals: 0, max: 3, meter: '#calls' }],
    rate: '1/s',
    recipients: ['did:web:a.example:**'],
  })
  expect([to, ttl, origins]).toEqual(['did:web:a.example', 600, ['https://api.example']])
  expect(draft).toEqual({
    audience: [],
    grants: [
      {
        resource: RESOURCE,
        actions: ['book'],
        args: {
          amount: { op: 'range', min: 0, max: 2000, req: true },
          currency: { op: 'eq', value: 'USD', req: true },
          note: { op: 'text', maxBytes: 9, req: false },
          tag: { op: 'any', req: false },
        },
      },
    ],
    budgets: [
      { unit: 'USD', decimals: 2, max: 2000, meter: 'amount', unitArg: 'currency' },
      { unit: 'CALLS', decimals: 0, max: 3, meter: '#calls' },
    ],
    rate: { max: 1, per: 1 },
    to: ['did:web:a.example:**'],
  })
})

describe('what is wrong is told, all of it, with its place', () => {
  const grant = { resource: RESOURCE, actions: ['book'] }
  test.each<[string, Json, string[]]>([
    ['no object', 7, ['SCHEMA: <> is not an object']],
    ['no grants', {}, ['<grants> is not an array']],
    ['a member that nobody knows', { grants: [grant], grant: 1 }, ['<grant> is not a known member']],
    ['an operator that nobody knows', { grants: [{ ...grant, args: { a: { op: 'regex', req: true } } }] }, ['CAVEAT_UNKNOWN: <grants[0].args.a.op>']], // prettier-ignore
    ['two things', { grants: [{ ...grant, args: { a: 'range:1', b: 'all' } }], more: -1 }, ['<grants[0].args.a>', '<grants[0].args.b>']], // prettier-ignore
    ['a budget of several audiences', { grants: [grant], audience: ['https://a.example', 'https://b.example'], budgets: ['5 calls'] }, ['BUDGET_AUDIENCE']], // prettier-ignore
    ['a budget that could be dodged', { grants: [grant], budgets: ['5USD of amount'] }, ['BUDGET_METER: <budgets[0]>']],
    ['hops beyond any', { grants: [grant], more: 17 }, ['<more> is not an integer']],
    ['nobody', { grants: [grant], to: 'alice' }, ['<to> is not a DID']],
  ])('%s', (_, value, parts) => {
    const told = (() => {
      try {
        readAt(value)
      } catch (error) {
        return String(error)
      }
      return 'nothing'
    })()
    for (const part of parts) expect(told).toContain(part)
  })
})
