import { chargeOf } from '../authority/budget.js'
import type { Call } from '../authority/grant.js'
import type { Chain } from '../delegation/chain.js'
import { ProcuraError } from '../errors.js'
import type { Root } from '../policy/policy.js'
import type { Charge, Ledger, Throttle } from '../ports.js'
import type { UnixSeconds } from '../time.js'

/**
 * Charges the call to the rates and budgets of the policy and of every link, all or none: step 18, last.
 * A budget of a parent is shared by all of its descendants, because its account is named by the parent's digest.
 *
 * @throws RATE_LIMITED, BUDGET_EXHAUSTED, LEDGER_UNAVAILABLE
 */
export async function chargeAll(
  self: string,
  root: Root,
  chain: Chain,
  call: Call,
  now: UnixSeconds,
  ledger: Ledger,
): Promise<void> {
  const throttles: Throttle[] =
    root.rate === null ? [] : [{ account: `root ${root.issuer} at ${self} per ${root.rate.per}`, ...root.rate }]
  const charges: Charge[] = []
  for (const { digest, claims, validUntil } of chain) {
    const { rate, budgets = [] } = claims.authority
    if (rate !== undefined) throttles.push({ account: `${digest} rate`, ...rate })
    for (const [index, budget] of budgets.entries()) {
      const amount = chargeOf(budget, call)
      const { max, unit } = budget
      if (amount > 0) charges.push({ account: `${digest} ${index}`, amount, max, unit, until: validUntil })
    }
  }
  if (throttles.length === 0 && charges.length === 0) return
  const refused = await ledger.charge(throttles, charges, now)
  if (refused === null) return
  if ('per' in refused) throw new ProcuraError('RATE_LIMITED', { max: refused.max, per: refused.per })
  throw new ProcuraError('BUDGET_EXHAUSTED', { max: refused.max, unit: refused.unit })
}
