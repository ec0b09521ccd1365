import { ProcuraError } from '../errors.js'
import { integer, object, setOf, text, where, type Report } from '../shape.js'
import type { Constraint } from './constraint.js'
import { ACTION, ARGUMENT, type Call, type Grant } from './grant.js'

/** A bound on the sum of a metered argument over all calls under a credential, its descendants' included. */
export interface Budget {
  readonly unit: string
  /** digits after the point: `max` 200000 with 2 decimals is 2000.00 */
  readonly decimals: number
  readonly max: number
  /** the argument that is summed, or `#calls` */
  readonly meter: string
  /** the argument that names the unit */
  readonly unitArg?: string
  /** the actions that are metered; all if absent */
  readonly on?: readonly string[]
}

/** At most `max` accepted calls in any `per` seconds. */
export interface Rate {
  readonly max: number
  readonly per: number
}

/** The meter that counts calls instead of summing an argument. */
export const CALLS = '#calls'

const meter = where(
  (value): value is string => value === CALLS || (typeof value === 'string' && ARGUMENT.test(value)),
  'is not #calls or an argument name',
)

/** One budget (profile §3.2). */
export const budgetShape = object(
  {
    unit: text(/^[A-Z#][A-Za-z0-9_-]{0,31}$/),
    decimals: integer(0, 9),
    max: integer(0, 10 ** 15 - 1),
    meter,
    unitArg: { optional: text(ARGUMENT) },
    on: { optional: setOf(text(ACTION), 1, 32) },
  },
  'CAVEAT_UNKNOWN',
)

/** A rate (profile §3.2). */
export const rateShape = object({ max: integer(0), per: integer(1, 86_400) }, 'CAVEAT_UNKNOWN')

/**
 * Reports budgets that could be dodged: the metered argument must be required and provably not negative, and the unit
 * fixed, in every grant the budget meters; and only one audience may spend (profile §4.3).
 * Reports BUDGET_METER, BUDGET_AUDIENCE.
 */
export function checkBudgets(
  budgets: readonly Budget[],
  grants: readonly Grant[],
  audiences: number,
  at: string,
  report: Report,
): void {
  budgets.forEach((budget, index) => {
    for (const grant of grants) {
      const why = grant.actions.some(action => isMetered(budget, action)) ? loophole(budget, grant.args) : null
      if (why !== null) report(new ProcuraError('BUDGET_METER', { at: `${at}[${index}]`, why }))
    }
  })
  if (budgets.length > 0 && audiences !== 1) report(new ProcuraError('BUDGET_AUDIENCE', { count: audiences }))
}

function loophole(budget: Budget, args: Grant['args']): string | null {
  if (budget.meter !== CALLS) {
    const metered = args?.get(budget.meter)
    if (metered?.req !== true || !isNeverNegative(metered)) return `${budget.meter} is not required and ≥ 0`
  }
  if (budget.unitArg !== undefined) {
    const unit = args?.get(budget.unitArg)
    if (unit?.req !== true || unit.op !== 'eq' || unit.value !== budget.unit) {
      return `${budget.unitArg} is not fixed to ${budget.unit}`
    }
  }
  return null
}

function isNeverNegative(constraint: Constraint): boolean {
  const isCount = (value: unknown): boolean => typeof value === 'number' && value >= 0
  if (constraint.op === 'range') return isCount(constraint.min)
  if (constraint.op === 'eq') return isCount(constraint.value)
  return constraint.op === 'in' && constraint.values.every(isCount)
}

function isMetered(budget: Budget, action: string): boolean {
  return budget.on?.includes(action) ?? true
}

/**
 * What a call takes from a budget, in the budget's smallest unit; 0 for an action it does not meter.
 * The call must have been allowed by the credential that states the budget.
 *
 * @throws DENIED_ARG - the metered argument is not a non-negative safe integer
 */
export function chargeOf(budget: Budget, call: Call): number {
  if (!isMetered(budget, call.action)) return 0
  if (budget.meter === CALLS) return 1
  const amount = Object.hasOwn(call.params, budget.meter) ? call.params[budget.meter] : undefined
  if (typeof amount === 'number' && Number.isSafeInteger(amount) && amount >= 0) return amount
  throw new ProcuraError('DENIED_ARG', { name: budget.meter })
}

/**
 * Requires that each budget is at most every budget of the same unit, meter and unit argument above it.
 *
 * @param above - for each such triple, those of the nearest ancestor that states it
 * @throws WIDENED_BUDGET
 */
export function requireNarrowerBudgets(budgets: readonly Budget[], above: readonly Budget[]): void {
  for (const budget of budgets) {
    const wider = above.find(
      parent => isSameMeter(budget, parent) && (budget.max > parent.max || budget.decimals !== parent.decimals),
    )
    if (wider === undefined) continue
    throw new ProcuraError('WIDENED_BUDGET', {
      unit: budget.unit,
      asked: `${budget.max}e-${budget.decimals}`,
      granted: `${wider.max}e-${wider.decimals}`,
    })
  }
}

/** True if two budgets bound the same sum. */
export function isSameMeter(a: Budget, b: Budget): boolean {
  return a.unit === b.unit && a.meter === b.meter && a.unitArg === b.unitArg
}
