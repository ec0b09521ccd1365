import { ProcuraError } from '../../errors.js'
import type { Commitment, Decision, Verifier } from '../../verifier/verifier.js'
import { HttpRefusal } from './http-refusal.js'

/** The decision that allowed a call, with its commit point where the route reserves. */
export type Allowed = Extract<Decision, { readonly allow: true }> & {
  /**
   * Asks again what may have changed, and makes the charge final: right before an irreversible effect. Returns only if
   * the effect may happen now; what it throws, the framework answers with the status that fits.
   */
  commit(): Promise<void>
  /** Gives the charge back, because the effect did not happen. */
  release(): Promise<void>
}

/** Adds the commit point to a decision. */
export function toAllowed(
  decision: Extract<Decision, { readonly allow: true }>,
  verifier: Verifier,
  reserve: boolean,
): Allowed {
  const close = async (how: 'commit' | 'release'): Promise<void> => {
    if (!reserve) throw new ProcuraError('CONFIG_INVALID', { at: how, why: 'the guard was not told to reserve' })
    requireYes(await verifier[how](decision.decisionId))
  }
  return { ...decision, commit: () => close('commit'), release: () => close('release') }
}

function requireYes(answer: Commitment): void {
  if (answer.allow) return
  throw new HttpRefusal(new ProcuraError(answer.code, {} as never, { message: answer.detail }))
}
