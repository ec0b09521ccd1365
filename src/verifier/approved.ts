import type { Grant } from '../authority/grant.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { Policy, Root } from '../policy/policy.js'
import type { Keys, Use } from '../ports.js'
import { openApproval, readApproval, type ApprovalRequest } from '../presentation/approval.js'
import type { UnixSeconds } from '../time.js'
import { findKey, useOf } from './checks.js'

/**
 * If any grant that allows the call wants each call approved, an approver of the policy approved exactly this one:
 * step 17, last.
 *
 * @param token - `agent-approval+jwt`, if one came along
 * @returns the approval's use, to be made together with the presentation's; none if no grant asks
 * @throws APPROVAL_REQUIRED, APPROVAL_INVALID; DID_RESOLUTION where an approver's key cannot be looked up
 */
export async function requireApproved(
  allowing: readonly Grant[],
  token: string | undefined,
  due: ApprovalRequest,
  { approvers }: Root,
  policy: Policy,
  keys: Keys,
  now: UnixSeconds,
): Promise<readonly Use[]> {
  if (allowing.every(grant => grant.perCall !== true)) return []
  if (token === undefined) throw new ProcuraError('APPROVAL_REQUIRED', { paramsDigest: due.paramsDigest })
  try {
    const sealed = readApproval(token)
    if (!approvers.includes(sealed.signer)) throw invalid(`${sealed.signer} is no approver here`)
    const key = await findKey(sealed, policy, keys)
    if (key === null) throw invalid(`${sealed.kid} is not listed under assertionMethod`)
    return [useOf(openApproval(sealed, key, due, now), key)]
  } catch (error) {
    if (!isProcuraError(error) || error.kind === 'unavailable' || error.code === 'APPROVAL_INVALID') throw error
    throw new ProcuraError('APPROVAL_INVALID', { why: error.message }, { cause: error })
  }
}

function invalid(why: string): ProcuraError {
  return new ProcuraError('APPROVAL_INVALID', { why })
}
