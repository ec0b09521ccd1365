import { describe, expect, test } from 'vitest'
import { authorityShape, type Authority } from '../../src/authority/authority.js'
import { breadthOf } from '../../src/authority/breadth.js'
import { formatAuthority, formatSeconds } from '../../src/authority/format.js'
import type { JsonObject } from '../../src/json.js'
import { read } from '../../src/shape.js'

const API = 'https://api.example'
const GRANT = {
  resource: `${API}/x/**`,
  actions: ['book'],
  args: { amount: { op: 'range', min: 0, max: 5, req: true } },
}
const authority = (change: JsonObject = {}): Authority =>
  read(authorityShape, { v: 1, hop: 0, more: 0, audience: [API], grants: [GRANT], ...change }, 'authority')

describe('what is broad', () => {
  test('a narrow one is not', () => {
    expect(breadthOf(authority(), 1800)).toEqual([])
    expect(breadthOf(authority({ more: 3, to: ['did:web:a.example'] }), 4 * 3600)).toEqual([])
  })

  test.each<[string, JsonObject, number, string]>([
    ['an origin', { grants: [{ ...GRANT, resource: `${API}/**` }] }, 60, 'is everything at that origin'],
    ['any arguments', { grants: [{ resource: GRANT.resource, actions: ['book', 'pay'] }] }, 60, 'book, pay on https://api.example/x/** takes any arguments'], // prettier-ignore
    ['two origins', { grants: [GRANT, { ...GRANT, resource: 'https://b.example/x' }] }, 60, 'it reaches 2 origins'],
    ['two verifiers', { audience: [API, 'https://b.example'] }, 60, '2 verifiers take it'],
    ['a long life', {}, 4 * 3600 + 1, 'it lives 14401 s'],
    ['handed on by anybody', { more: 3 }, 60, 'over 3 hops, to anybody'],
    ['money of any currency', { budgets: [{ unit: 'USD', decimals: 2, max: 9, meter: 'amount' }] }, 60, 'no argument is fixed to USD'], // prettier-ignore
  ])('%s is said', (_, change, seconds, said) => {
    expect(breadthOf(authority(change), seconds)).toEqual([expect.stringContaining(said)])
  })
})

test('an authority in a sentence leaves nothing out', () => {
  const s256 = 'A'.repeat(43)
  const all = authority({
    more: 1,
    grants: [{ ...GRANT, perCall: true }],
    rate: { max: 3, per: 60 },
    onBehalfOf: 'did:web:acme.example',
    purpose: { s256 },
    to: ['did:web:acme.example:**'],
  })
  expect(formatAuthority(all, 'did:web:a.example', 90)).toBe(
    `did:web:a.example may book on ${API}/x/** (amount 0…5), each call approved, at most 3 calls in 60 s, on behalf of ` +
      `did:web:acme.example, for the mission ${s256}, at ${API}, for 90 s, and may hand it on over 1 hop, to did:web:acme.example:**.`,
  )
  expect([3600, 5400, 60, 61].map(formatSeconds)).toEqual(['1 h', '90 min', '1 min', '61 s'])
})
