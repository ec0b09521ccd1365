import { expect, test } from 'vitest'
import type { Charge, Ledger, Settlement, Throttle } from '../../src/ports/deciding.js'
import { settle } from '../../src/verifier/charges.js'
import { booker, GRANTS, mint, NOW, owner, PARAMS, planner, policyOf, REQUEST, SELF } from '../mint.js'
import { opened, says, sentence } from './scene.js'

const USD = { unit: 'USD', decimals: 2, max: 80_000, meter: 'amount', unitArg: 'currency' }
const CALLS = { unit: '#calls', decimals: 0, max: 5, meter: '#calls' }
const CALL = { action: 'book', resource: REQUEST.resource as `https://${string}`, params: PARAMS }
const USE = { key: 'k:j', issuedAt: NOW, until: NOW + 90 }

/** What a ledger is asked for a call under these bounds, and what becomes of its answer. */
async function settled(
  bounds: readonly [root: object, leaf: object],
  { rate = {}, answer = null as null | 'used' | Throttle | Charge, action = 'book' } = {},
) {
  const root = await mint({ signer: owner, to: planner, until: 3600, authority: { grants: GRANTS, ...bounds[0] } })
  const leaf = await mint({ signer: planner, to: booker, parent: root, until: 900, authority: bounds[1] })
  const chain = await opened([root, leaf])
  const trusted = policyOf({
    roots: [{ issuer: owner.did, grants: [{ resource: `${SELF}/**`, actions: ['book'] }], ...rate }],
  })
  let asked: Settlement | undefined
  const ledger = {
    settle(settlement: Settlement) {
      asked = settlement
      return Promise.resolve(answer)
    },
  } as Ledger
  const hold = { id: 'd', until: NOW + 60, facts: {} }
  const told = await sentence(() =>
    settle([USE], SELF, trusted.roots.get(owner.did)!, chain, { ...CALL, action }, hold, NOW, ledger),
  )
  return { asked: asked!, told, root: root.digest, leaf: leaf.digest, hold }
}

test('without bounds: the use and the hold, and nothing is counted or charged', async () => {
  const { asked, hold, told } = await settled([{}, {}])
  expect(asked).toEqual({ uses: [USE], throttles: [], charges: [], hold, now: NOW })
  expect(told).toBe('ok')
})

test('each link has accounts of its own, named by its digest and the place of the budget, until it ends', async () => {
  const { asked, root, leaf } = await settled([{ budgets: [USD, CALLS] }, { budgets: [{ ...USD, max: 40_000 }] }])
  expect(asked.charges).toEqual([
    { account: `${root} 0`, amount: 32_000, max: 80_000, unit: 'USD', until: NOW + 3600 },
    { account: `${root} 1`, amount: 1, max: 5, unit: '#calls', until: NOW + 3600 },
    { account: `${leaf} 0`, amount: 32_000, max: 40_000, unit: 'USD', until: NOW + 900 },
  ])
  expect(asked.throttles).toEqual([])
})

test('a budget that does not meter the action is not charged, and the next keeps its place', async () => {
  const budgets = [{ ...USD, on: ['quote'] }, CALLS]
  const { asked, root } = await settled([{ budgets }, {}])
  expect(asked.charges).toEqual([{ account: `${root} 1`, amount: 1, max: 5, unit: '#calls', until: NOW + 3600 }])
  expect((await settled([{ budgets }, {}], { action: 'quote' })).asked.charges).toHaveLength(2)
})

test('rates: that of the policy counts all calls under the root here, that of a link all under the link', async () => {
  const rates = [{ rate: { max: 9, per: 60 } }, { rate: { max: 3, per: 60 } }] as const
  const { asked, root, leaf } = await settled(rates, { rate: { rate: { max: 100, per: 3600 } } })
  expect(asked.throttles).toEqual([
    { account: `root ${owner.did} at ${SELF} per 3600`, max: 100, per: 3600 },
    { account: `${root} rate`, max: 9, per: 60 },
    { account: `${leaf} rate`, max: 3, per: 60 },
  ])
  expect(asked.charges).toEqual([])
})

const charge = { account: 'a', amount: 7, max: 5, unit: 'USD', until: NOW }
test.each([
  [null, 'ok'],
  ['used', says('PRESENTATION_REPLAYED', {})],
  [{ account: 'a', max: 3, per: 60 }, says('RATE_LIMITED', { max: 3, per: 60 })],
  [charge, says('BUDGET_EXHAUSTED', { max: 5, unit: 'USD' })],
] as const)('the ledger answers %o: %s', async (answer, due) => {
  expect((await settled([{}, {}], { answer })).told).toBe(due)
})
