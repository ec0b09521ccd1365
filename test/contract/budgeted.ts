import type { Budget } from '../../src/authority/budget.js'
import { bodyDigest, paramsDigest } from '../../src/presentation/request.js'
import { booker, mint, owner, planner, present, REQUEST, type Minted, type Party } from '../mint.js'
import type { Call } from './verifier-process.js'

export const dollars = (max: number): Budget => ({
  unit: 'USD',
  decimals: 2,
  max,
  meter: 'amount',
  unitArg: 'currency',
})
export const calls = (max: number): Budget => ({ unit: 'CALLS', decimals: 0, max, meter: '#calls' })

/** So short a life that no status has to be asked for. */
export const SHORT = { from: -200, until: 100, index: null }

/** owner → planner → booker, each link with budgets of its own. */
export async function budgeted(
  above: readonly Budget[],
  below: readonly Budget[],
  life: Partial<typeof SHORT> = {},
): Promise<[Minted, Minted]> {
  const root = await mint({ signer: owner, to: planner, authority: { budgets: above }, ...life })
  return [root, await mint({ signer: planner, to: booker, parent: root, authority: { budgets: below }, ...life })]
}

/** A call that books for so many cents; each is another presentation. */
export async function booking(holder: Party, chain: readonly Minted[], amount: number, reserve = false): Promise<Call> {
  const params = { amount, currency: 'USD' }
  const bound = { bodyDigest: bodyDigest(JSON.stringify(params)), paramsDigest: paramsDigest(params) }
  const shown = await present(holder, chain, { request: bound })
  return ['decide', shown, { ...REQUEST, params, bodyDigest: bound.bodyDigest }, { reserve }]
}

/** A budget with the name of its account in the ledger. */
export interface Account extends Budget {
  readonly account: string
}

/** The accounts that a call under the chain is charged to, root first. */
export function accountsOf(chain: readonly Minted[]): readonly Account[] {
  return chain.flatMap(({ digest, authority }) =>
    (authority.budgets ?? []).map((budget, index) => ({ ...budget, account: `${digest} ${index}` })),
  )
}

/** What a booking for so many cents takes from a budget. */
export const taking = ({ meter }: Budget, amount: number): number => (meter === '#calls' ? 1 : amount)
