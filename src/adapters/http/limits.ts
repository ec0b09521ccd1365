import { ProcuraError } from '../../errors.js'
import type { Charge, Throttle } from '../../ports.js'

/** Calls that one caller may make in a sliding window. */
export interface Limit {
  readonly max: number
  /** seconds */
  readonly per: number
}

/** What is counted, for each caller on its own; admins are not. The counts are in the ledger, so processes share them. */
export interface Limits {
  /** identity credentials asked for */
  readonly identities: Limit
  /** leases of status indexes, up to 256 indexes each */
  readonly leases: Limit
  /** chains uploaded by a resource server */
  readonly chains: Limit
}

/** A kind of call that is counted. */
export type Counted = keyof Limits

/** The count of one caller. @param who - its DID, or what else names it for good */
export function throttleOf(limits: Limits, what: Counted, who: string): Throttle {
  return { account: `${what} of ${who}`, ...limits[what] }
}

/** Refuses a call whose settlement was refused. @throws PRESENTATION_REPLAYED, RATE_LIMITED */
export function requireSettled(refused: null | 'used' | Throttle | Charge): void {
  if (refused === null) return
  if (refused !== 'used' && 'per' in refused) {
    throw new ProcuraError('RATE_LIMITED', { max: refused.max, per: refused.per })
  }
  throw new ProcuraError('PRESENTATION_REPLAYED', {})
}
