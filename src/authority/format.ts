import type { Authority } from './authority.js'
import type { Budget, Rate } from './budget.js'
import { CALLS } from './budget.js'
import type { Constraint, Scalar } from './constraint.js'
import type { Grant } from './grant.js'

/** A grant for people: `book, quote on https://…/** (amount 0…200000, currency = "USD")`. */
export function formatGrant({ resource, actions, args, perCall }: Grant): string {
  const named = args === undefined ? '' : ` (${formatArgs(args)})`
  return `${actions.join(', ')} on ${resource}${named}${perCall === true ? ', each call approved' : ''}`
}

function formatArgs(args: NonNullable<Grant['args']>): string {
  if (args.size === 0) return 'no arguments'
  return [...args].map(([name, constraint]) => `${name} ${formatConstraint(constraint)}`).join(', ')
}

/** A constraint for people: `0…200000`, `= "USD"`, `one of "a", "b", optional`. */
export function formatConstraint(constraint: Constraint): string {
  return constraint.req ? bare(constraint) : `${bare(constraint)}, optional`
}

function bare(constraint: Constraint): string {
  switch (constraint.op) {
    case 'any':
      return 'anything'
    case 'eq':
      return `= ${JSON.stringify(constraint.value)}`
    case 'in':
      return `one of ${listed(constraint.values)}`
    case 'range':
      return formatRange(constraint)
    case 'under':
      return `at or under ${constraint.base}`
    case 'subset':
      return `at most ${constraint.maxItems} of ${listed(constraint.values)}`
    case 'text':
      return `text of at most ${constraint.maxBytes} bytes`
  }
}

function formatRange({ min, max }: { readonly min?: number; readonly max?: number }): string {
  if (min === undefined) return `≤ ${String(max)}`
  return max === undefined ? `≥ ${min}` : `${min}…${max}`
}

function listed(values: readonly Scalar[]): string {
  return values.map(value => JSON.stringify(value)).join(', ')
}

/** A budget for people: `2000.00 USD of amount on book`, `5 calls`. */
export function formatBudget({ unit, decimals, max, meter, on }: Budget): string {
  const where = on === undefined ? '' : ` on ${on.join(', ')}`
  return meter === CALLS ? `${max} calls${where}` : `${formatAmount(max, decimals)} ${unit} of ${meter}${where}`
}

/** An amount in its smallest unit, with its point: 200000 with 2 decimals is `2000.00`. */
export function formatAmount(amount: number, decimals: number): string {
  const digits = String(amount).padStart(decimals + 1, '0')
  return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
}

/** A rate for people: `10 calls in 60 s`. */
export function formatRate({ max, per }: Rate): string {
  return `${max} calls in ${per} s`
}

/**
 * What an authority lets its holder do, in a sentence.
 *
 * @param seconds - how long it lives
 */
export function formatAuthority(authority: Authority, holder: string, seconds: number): string {
  const { grants, budgets = [], rate, more, audience, onBehalfOf, to, purpose } = authority
  const parts = [
    `${holder} may ${grants.map(formatGrant).join('; and ')}`,
    ...budgets.map(budget => `spending at most ${formatBudget(budget)}`),
    ...(rate === undefined ? [] : [`at most ${formatRate(rate)}`]),
    ...(onBehalfOf === undefined ? [] : [`on behalf of ${onBehalfOf}`]),
    ...(purpose === undefined ? [] : [`for the mission ${purpose.s256}`]),
    `at ${audience.join(', ')}`,
    `for ${formatSeconds(seconds)}`,
    more === 0 ? 'and may not hand it on' : `and may hand it on over ${more} ${more === 1 ? 'hop' : 'hops'}`,
  ]
  return `${parts.join(', ')}${to === undefined ? '' : `, to ${to.join(', ')}`}.`
}

/** A time for people: `30 min`, `2 h`, `90 s`. */
export function formatSeconds(seconds: number): string {
  if (seconds >= 3600 && seconds % 3600 === 0) return `${seconds / 3600} h`
  return seconds >= 60 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}
