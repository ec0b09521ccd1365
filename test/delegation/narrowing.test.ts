import { describe, expect, test } from 'vitest'
import type { Authority } from '../../src/authority/authority.js'
import type { Budget } from '../../src/authority/budget.js'
import { nearest, requireNarrowed } from '../../src/delegation/narrowing.js'
import { outcome } from '../ground/refusal.js'
import { GRANTS, SELF } from '../mint.js'

const base: Authority = { v: 1, hop: 0, more: 4, audience: [SELF], grants: GRANTS }
const link = (change: Partial<Authority> = {}): Authority => ({ ...base, ...change })
const silent = link()
const USD: Budget = { unit: 'USD', decimals: 2, max: 100, meter: 'amount', unitArg: 'currency' }
const CALLS: Budget = { unit: '#calls', decimals: 0, max: 10, meter: '#calls' }
const A = 'A'.repeat(43)
const B = `${'A'.repeat(42)}E`
const ISSUER = { iss: 'did:web:status.example', base: 'https://status.example/sl/' } as const
const OTHER = { iss: 'did:web:status.example', base: 'https://status.example/other/' } as const

/** Links above, root first; then the child. */
const after = (above: readonly Authority[], child: Partial<Authority>): string =>
  outcome(() => requireNarrowed(link(child), above))

describe('a silent link hides nothing', () => {
  test.each<[string, Partial<Authority>, Partial<Authority>, string]>([
    ['rate', { rate: { max: 5, per: 60 } }, { rate: { max: 6, per: 60 } }, 'WIDENED_RATE'],
    ['rate by its window', { rate: { max: 5, per: 60 } }, { rate: { max: 5, per: 59 } }, 'WIDENED_RATE'],
    ['rate, narrower', { rate: { max: 5, per: 60 } }, { rate: { max: 5, per: 60 } }, 'ok'],
    ['rate of 0', { rate: { max: 0, per: 60 } }, { rate: { max: 1, per: 60 } }, 'WIDENED_RATE'],
    ['purpose', { purpose: { s256: A } }, { purpose: { s256: B } }, 'WIDENED_PURPOSE'],
    ['purpose, equal with another ref', { purpose: { s256: A } }, { purpose: { s256: A, ref: 'x' } }, 'ok'],
    ['principal', { onBehalfOf: 'urn:a' }, { onBehalfOf: 'urn:b' }, 'WIDENED_PRINCIPAL'],
    ['principal, equal', { onBehalfOf: 'urn:a' }, { onBehalfOf: 'urn:a' }, 'ok'],
    ['status issuers', { statusIssuers: [ISSUER] }, { statusIssuers: [ISSUER, OTHER] }, 'WIDENED_STATUS'],
    ['status issuers, fewer', { statusIssuers: [ISSUER, OTHER] }, { statusIssuers: [OTHER] }, 'ok'],
    ['budget', { budgets: [USD] }, { budgets: [{ ...USD, max: 101 }] }, 'WIDENED_BUDGET'],
    ['budget, less', { budgets: [USD] }, { budgets: [{ ...USD, max: 99 }] }, 'ok'],
  ])('%s, restated behind 0 to 3 silent links', (_name, stated, child, code) => {
    for (let between = 0; between <= 3; between += 1) {
      const above = [link(stated), ...Array.from({ length: between }, () => silent)]
      expect(after(above, child), `${between}`).toBe(code)
    }
  })

  test('a silent child inherits', () => {
    const all = link({ rate: { max: 1, per: 1 }, purpose: { s256: A }, onBehalfOf: 'urn:a', statusIssuers: [ISSUER], budgets: [USD], to: ['did:key:**'] }) // prettier-ignore
    expect(after([all], {})).toBe('ok')
    expect(nearest([all, silent, silent], 'rate')).toEqual({ max: 1, per: 1 })
  })

  test('the nearest that states it counts, not the root', () => {
    const above = [link({ rate: { max: 9, per: 60 }, budgets: [USD], statusIssuers: [ISSUER, OTHER] }), link({ rate: { max: 5, per: 60 }, budgets: [{ ...USD, max: 50 }], statusIssuers: [ISSUER] }), silent] // prettier-ignore
    expect(after(above, { rate: { max: 6, per: 60 } })).toBe('WIDENED_RATE')
    expect(after(above, { budgets: [{ ...USD, max: 51 }] })).toBe('WIDENED_BUDGET')
    expect(after(above, { statusIssuers: [OTHER] })).toBe('WIDENED_STATUS')
    expect(after(above, { rate: { max: 5, per: 60 }, budgets: [{ ...USD, max: 50 }], statusIssuers: [ISSUER] })).toBe(
      'ok',
    )
  })
})

describe('what a root alone may introduce', () => {
  test.each<[string, Partial<Authority>, string]>([
    ['a principal', { onBehalfOf: 'urn:a' }, 'WIDENED_PRINCIPAL'],
    ['a status issuer', { statusIssuers: [ISSUER] }, 'WIDENED_STATUS'],
    ['a rate', { rate: { max: 1, per: 1 } }, 'ok'],
    ['a purpose', { purpose: { s256: A } }, 'ok'],
    ['a budget', { budgets: [USD] }, 'ok'],
    ['recipients', { to: ['did:key:**'] }, 'ok'],
  ])('%s', (_name, child, code) => {
    expect(after([silent], child)).toBe(code)
    expect(after([silent, silent], child)).toBe(code)
  })
})

describe('several budgets', () => {
  const both = link({ budgets: [USD, CALLS] })
  test.each<[string, readonly Authority[], readonly Budget[], string]>([
    ['one of two restated', [both], [{ ...CALLS, max: 9 }], 'ok'],
    ['the other one hidden behind it', [both, link({ budgets: [{ ...CALLS, max: 9 }] })], [{ ...USD, max: 101 }], 'WIDENED_BUDGET'],
    ['each compared with its own nearest', [both, link({ budgets: [{ ...CALLS, max: 9 }] })], [USD, { ...CALLS, max: 10 }], 'WIDENED_BUDGET'],
    ['each within its own nearest', [both, link({ budgets: [{ ...CALLS, max: 9 }] })], [USD, { ...CALLS, max: 9 }], 'ok'],
    ['a unit of its own', [both], [{ ...USD, unit: 'EUR', max: 999 }], 'ok'],
    ['a meter of its own', [both], [{ ...USD, meter: 'total', max: 999 }], 'ok'],
    ['a unit argument of its own', [both], [{ ...USD, unitArg: 'cur', max: 999 }], 'ok'],
    ['two of one meter above: the smaller binds', [link({ budgets: [USD, { ...USD, max: 50, on: ['quote'] }] })], [{ ...USD, max: 51 }], 'WIDENED_BUDGET'],
    ['the second of two below', [both], [USD, { ...USD, max: 101, on: ['book'] }], 'WIDENED_BUDGET'],
    ['other decimals with the same number', [both], [{ ...USD, decimals: 0 }], 'WIDENED_BUDGET'],
    ['other decimals with a smaller number', [both], [{ ...USD, max: 1, decimals: 0 }], 'WIDENED_BUDGET'],
  ])('%s', (_name, above, budgets, code) => {
    expect(after(above, { budgets })).toBe(code)
  }) // prettier-ignore
})

test('an authority without anything above is refused', () => {
  expect(after([], {})).toBe('PARENT_MISSING')
})

test('the order of the answers within one link', () => {
  const [grant] = GRANTS
  const above = [link({ rate: { max: 1, per: 1 }, purpose: { s256: A }, onBehalfOf: 'urn:a', statusIssuers: [ISSUER], budgets: [USD] })] // prettier-ignore
  const wrong: [string, Partial<Authority>][] = [
    ['WIDENED_AUDIENCE', { audience: ['https://b.example'] }],
    ['WIDENED_RESOURCE', { grants: [{ ...grant!, resource: SELF }] }],
    ['WIDENED_BUDGET', { budgets: [{ ...USD, max: 999 }] }],
    ['WIDENED_RATE', { rate: { max: 2, per: 1 } }],
    ['WIDENED_PURPOSE', { purpose: { s256: B } }],
    ['WIDENED_PRINCIPAL', { onBehalfOf: 'urn:b' }],
    ['WIDENED_STATUS', { statusIssuers: [OTHER] }],
  ]
  wrong.forEach(([code], index) => {
    const all = Object.assign({}, ...wrong.slice(index).map(([, change]) => change)) as Partial<Authority>
    expect(after(above, all)).toBe(code)
  })
})
