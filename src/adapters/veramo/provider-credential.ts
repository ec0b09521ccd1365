import { MAX_CREDENTIAL } from '../../credential/credential.js'
import { openChain, requireInTime, type Chain, type Link } from '../../delegation/chain.js'
import { readJws } from '../../jws/compact.js'
import type { ListAge } from '../../policy/feeds.js'
import type { Policy } from '../../policy/policy.js'
import { demandsOf } from '../../policy/risk.js'
import { requireRootKey, requireTrustedRoot } from '../../verifier/checks.js'
import { requireLive } from '../../verifier/live.js'
import type { VerifierPorts } from '../../verifier/verifier.js'

/**
 * Opens one credential that stands alone: a root, because the key of any other is named by the link above it.
 * Steps 1 to 3, 6 to 9, 13 and 17 of profile §6, in that order; freshness as the riskiest action it grants asks for.
 *
 * Does not check audience, grants or any request.
 *
 * @param token - `vc+jwt`
 * @throws the codes of those steps
 */
export async function requireCredential(token: string, policy: Policy, ports: VerifierPorts): Promise<Link> {
  const now = ports.clock.now()
  const progress = { link: null, opened: [], live: [] }
  const sealed = readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'credential')
  const root = requireTrustedRoot(sealed, policy)
  const key = await requireRootKey(sealed, policy, ports.keys)
  const chain = await openChain(
    [sealed],
    key,
    { maxTtl: root.maxTtl, binding: policy.subjectKeyBinding, keys: ports.keys },
    progress,
  )
  requireInTime(chain, now, progress)
  await requireLive(chain, [], strictestAge(chain, policy), policy, () => now, ports, progress)
  return chain[0]
}

/** No call is made, so none is known: assume the one whose status may be oldest by the least. */
function strictestAge([{ claims }]: Chain, policy: Policy): ListAge {
  const actions = claims.authority.grants.flatMap(grant => grant.actions)
  const ages = actions.map(action => demandsOf(action, policy).maxStatusAge)
  return {
    pushed: Math.min(...ages.map(({ pushed }) => pushed)),
    pulled: Math.min(...ages.map(({ pulled }) => pulled)),
  }
}
