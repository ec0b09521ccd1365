import { isProcuraError, ProcuraError } from '../errors.js'
import type { Policy, Root } from '../policy/policy.js'
import type { Demands } from '../policy/risk.js'
import type { Keys, Use } from '../ports/deciding.js'
import { openApproval, readApproval, type ApprovalRequest } from '../presentation/approval.js'
import type { UnixSeconds } from '../time.js'
import type { Did } from '../did/did.js'
import { findKey, useOf, type Allowing } from './checks.js'

/** Who approved a call, and the use of what they signed. */
export interface Approved {
  readonly by: { readonly did: Did; readonly id: string; readonly method: string }
  readonly use: Use
}

/**
 * If the policy wants calls of this risk approved, or any grant that allows the call wants each call approved, an
 * approver of the policy approved exactly this one: step 17, last.
 *
 * @param token - `agent-approval+jwt`, if one came along
 * @returns `null` if nobody asks
 * @throws APPROVAL_REQUIRED, APPROVAL_INVALID; DID_RESOLUTION where an approver's key cannot be looked up
 */
export async function requireApproved(
  allowing: Allowing,
  demands: Demands,
  token: string | undefined,
  due: ApprovalRequest,
  { approvers }: Root,
  policy: Policy,
  keys: Keys,
  now: UnixSeconds,
): Promise<Approved | null> {
  const isPerCall = [...allowing.policy, ...allowing.links].some(grant => grant.perCall === true)
  if (!isPerCall && !demands.approval) return null
  if (token === undefined) throw new ProcuraError('APPROVAL_REQUIRED', { paramsDigest: due.paramsDigest })
  try {
    const sealed = readApproval(token)
    if (!approvers.includes(sealed.signer)) throw invalid(`${sealed.signer} is no approver here`)
    const key = await findKey(sealed, policy, keys)
    if (key === null) throw invalid(`${sealed.kid} is not listed under assertionMethod`)
    const approval = openApproval(sealed, key, due, now)
    return { by: { did: approval.iss, ...approval.approver }, use: useOf(approval, key) }
  } catch (error) {
    if (!isProcuraError(error) || error.kind === 'unavailable' || error.code === 'APPROVAL_INVALID') throw error
    throw new ProcuraError('APPROVAL_INVALID', { why: error.message }, { cause: error })
  }
}

function invalid(why: string): ProcuraError {
  return new ProcuraError('APPROVAL_INVALID', { why })
}
