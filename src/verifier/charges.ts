import { chargeOf } from '../authority/budget.js'
import type { Call } from '../authority/grant.js'
import type { Chain } from '../delegation/chain.js'
import { ProcuraError } from '../errors.js'
import type { Root } from '../policy/policy.js'
import type { Charge, Hold, Ledger, Throttle, Use } from '../ports/deciding.js'
import type { UnixSeconds } from '../time.js'

/**
 * Uses the presentation (and its approval), counts the call against the rates and charges the budgets of the policy and
 * of every link, all or none: step 18. A budget of a parent is shared by all of its descendants, because its account is
 * named by the parent's digest. Who was refused by a bound may try again with the same presentation.
 *
 * @throws PRESENTATION_REPLAYED, REPLAY_UNAVAILABLE, RATE_LIMITED, BUDGET_EXHAUSTED, LEDGER_UNAVAILABLE
 */
export async function settle(
  uses: readonly Use[],
  self: string,
  root: Root,
  chain: Chain,
  call: Call,
  hold: Hold | null,
  now: UnixSeconds,
  ledger: Ledger,
): Promise<void> {
  const throttles: Throttle[] = []
  const charges: Charge[] = []
  if (root.rate !== null) {
    throttles.push({ account: `root ${root.issuer} at ${self} per ${root.rate.per}`, ...root.rate })
  }
  for (const { digest, claims, validUntil } of chain) {
    const { rate, budgets = [] } = claims.authority
    if (rate !== undefined) throttles.push({ account: `${digest} rate`, ...rate })
    for (const [index, budget] of budgets.entries()) {
      const amount = chargeOf(budget, call)
      const { max, unit } = budget
      if (amount > 0) charges.push({ account: `${digest} ${index}`, amount, max, unit, until: validUntil })
    }
  }
  const refused = await ledger.settle({ uses, throttles, charges, hold, now })
  if (refused === null) return
  if (refused === 'used') throw new ProcuraError('PRESENTATION_REPLAYED', {})
  if ('per' in refused) throw new ProcuraError('RATE_LIMITED', { max: refused.max, per: refused.per })
  throw new ProcuraError('BUDGET_EXHAUSTED', { max: refused.max, unit: refused.unit })
}
