import { requireInTime } from '../delegation/chain.js'
import { toProcuraError } from '../errors.js'
import { demandsOf } from '../policy/risk.js'
import { readTokens } from '../presentation/presentation.js'
import { requireAudience, requireRootKey, requireTrustedRoot } from './checks.js'
import { rulesOf, tellTime, type Trust } from './decide.js'
import { evidence, nothingKnown, refusal, type Known } from './decision.js'
import { toExplanation, type Explanation } from './explanation.js'
import { requireLive } from './live.js'

/**
 * Whether a chain would do for a request at this verifier, and why: of profile §6 what asks nothing of a request. Decides
 * nothing, uses up nothing and records nothing. Lists may be as old as for a call of low risk.
 *
 * @param tokens - root first
 */
export async function explainChain(tokens: readonly string[], trust: Trust): Promise<Explanation> {
  const { policy } = trust
  const known = nothingKnown()
  const error = await walk(tokens, trust, known).then(() => null, toProcuraError)
  const holds = { ...evidence(known, policy), allow: true, code: null, link: null, reservedUntil: null } as const
  return toExplanation(error === null ? holds : refusal(error, known, policy), known, 'chain')
}

async function walk(tokens: readonly string[], trust: Trust, known: Known): Promise<void> {
  const { policy, keys } = trust
  const tell = () => tellTime(known, trust.clock)
  tell()
  const sealed = readTokens(tokens, policy.maxChain) // 1–4
  known.presented = sealed
  known.step = 6
  const root = requireTrustedRoot(sealed[0], policy)
  known.step = 7
  const rootKey = await requireRootKey(sealed[0], policy, keys)
  known.step = 10
  const chain = await trust.verdicts.open(sealed, rootKey, rulesOf(root, trust), known.now, known)
  known.chain = chain
  known.step = 12
  requireAudience(policy.self, chain, policy.self, known)
  known.step = 13
  requireInTime(chain, tell(), known)
  known.step = 17
  await requireLive(chain, [], demandsOf('', policy).maxStatusAge, policy, tell, trust, known)
  requireInTime(chain, tell(), known) // looking things up took time
}
