import type { AuthorityDraft, GrantJson } from '../authority/authority.js'
import { rateShape, type Rate } from '../authority/budget.js'
import { ACTION } from '../authority/grant.js'
import { AUTONOMY, type AgentProfile } from '../credential/identity.js'
import type { Did } from '../did/did.js'
import { ProcuraError } from '../errors.js'
import type { Json } from '../json.js'
import { findings, integer, mapOf, object, oneOf, type Read, type Shape } from '../shape.js'
import { versionOf, type Policy } from './policy.js'
import { demandsOf, isAsked, RISKS, type From, type Risk } from './risk.js'

const fromOrNever = oneOf(...RISKS, 'never')
const from: Shape<From> = (value, at, report) => {
  const risk = fromOrNever(value, at, report)
  return risk === 'never' ? null : risk
}
const capability = {
  /** longest life of a grant, in seconds */
  maxTtl: integer(1, 86_400),
  /** most hops that may follow */
  more: integer(0, 16),
  /** bounds all calls under one grant together */
  rate: { optional: rateShape },
  /** `long`: a grant of at most 300 s gets no status entry */
  status: oneOf('always', 'long'),
  /** a person approves each call */
  approval: from,
  /** how many sub-agents may be registered, and for how many seconds */
  subAgents: object({ max: integer(0, 10_000), maxTtl: integer(1, 31_622_400) }),
}
const agentMembers = {
  ...capability,
  /** the verifier hands out a nonce first */
  challenge: from,
  /** the agent shows its identity credential */
  identity: from,
  /** what may have changed is asked again right before the effect */
  commit: from,
}
const agentShape = object(agentMembers)

/** What a subject of one class may be granted. */
export type Class = Read<typeof capability>
/** What an agent of one class may be granted, and what its calls need at a verifier. */
export type AgentClass = Read<typeof agentMembers>

/** Capability, which is autonomy, and risk of an agent. */
export type ClassName = `${'low' | 'high'}/${AgentProfile['risk']}`

const policyShape = object({
  highCapability: oneOf(...AUTONOMY),
  risk: mapOf(ACTION, oneOf(...RISKS)),
  agents: object({ 'low/low': agentShape, 'low/high': agentShape, 'high/low': agentShape, 'high/high': agentShape }),
  principals: object(capability),
})

/** What an issuer grants to whom: the capability–risk matrix. */
export interface IssuingPolicy {
  /** from this autonomy level on, an agent is highly capable */
  readonly highCapability: AgentProfile['autonomy']
  /** risk of actions; one that is not named is of low risk */
  readonly risk: ReadonlyMap<string, Risk>
  readonly agents: Readonly<Record<ClassName, AgentClass>>
  /** people and organisations */
  readonly principals: Class
  /** base64url SHA-256 of the policy's JCS form */
  readonly version: string
}

/**
 * Reads an issuing policy. Every class and every member is due, what is not known is refused.
 *
 * @param at - how messages name the place, the file's name for example
 * @throws CONFIG_INVALID - the message lists everything that is wrong, each with its path
 */
export function parseIssuingPolicy(value: Json, at = 'issuing policy'): IssuingPolicy {
  const version = versionOf(value, at)
  let policy: ReturnType<typeof policyShape> | undefined
  const wrong = findings(report => {
    policy = policyShape(value, at, report)
  })
  if (policy === undefined || wrong.length > 0) {
    throw new ProcuraError('CONFIG_INVALID', { at, why: wrong.map(error => error.message).join('; ') })
  }
  return { ...policy, version }
}

/** The class of an agent: how capable it is, by its autonomy, and how risky. */
export function classNameOf({ autonomy, risk }: AgentProfile, { highCapability }: IssuingPolicy): ClassName {
  const isHigh = AUTONOMY.indexOf(autonomy) >= AUTONOMY.indexOf(highCapability)
  return `${isHigh ? 'high' : 'low'}/${risk}`
}

/** What a subject may be granted. @param agent - `null` for a person or an organisation */
export function classOf(agent: AgentProfile | null, policy: IssuingPolicy): Class {
  return agent === null ? policy.principals : policy.agents[classNameOf(agent, policy)]
}

/**
 * Holds a request for authority to a class: what the class does not grant is refused, and what it demands of every grant
 * is put in. A grant whose actions differ in whether they need an approval becomes two.
 *
 * @param ttl - seconds
 * @throws GRANT_REFUSED - says which bound
 */
export function checkGrant(draft: AuthorityDraft, ttl: number, bounds: Class, policy: IssuingPolicy): AuthorityDraft {
  const { more = 0, rate = bounds.rate } = draft
  if (ttl > bounds.maxTtl) throw refused(`it would live ${ttl} s, at most ${bounds.maxTtl} s are granted here`)
  if (more > bounds.more) throw refused(`it could be handed on ${more} times, at most ${bounds.more} are granted here`)
  if (rate !== undefined && bounds.rate !== undefined && !isRateWithin(rate, bounds.rate)) {
    throw refused(`its rate is above ${bounds.rate.max} calls in ${bounds.rate.per} s`)
  }
  const grants = draft.grants.flatMap(grant => withApproval(grant, bounds.approval, policy.risk))
  return { ...draft, ...(rate === undefined ? {} : { rate }), grants }
}

function refused(why: string): ProcuraError {
  return new ProcuraError('GRANT_REFUSED', { why })
}

function isRateWithin(asked: Rate, bound: Rate): boolean {
  return asked.max <= bound.max && asked.per >= bound.per
}

function withApproval(grant: GrantJson, due: From, risks: ReadonlyMap<string, Risk>): readonly GrantJson[] {
  if (grant.perCall === true) return [grant]
  const needs = (action: string): boolean => isAsked(risks.get(action) ?? 'low', due)
  const [free, bound] = [grant.actions.filter(action => !needs(action)), grant.actions.filter(needs)]
  return [
    ...(free.length > 0 || bound.length === 0 ? [{ ...grant, actions: free }] : []),
    ...(bound.length > 0 ? [{ ...grant, actions: bound, perCall: true }] : []),
  ]
}

/**
 * Requires a verifier that takes this issuer's grants to ask at least what the matrix wants: of each action whose risk
 * the issuing policy names, the same risk or more, and a nonce, an identity credential, an approval and the commit point
 * where any class wants them, because a verifier does not know the class.
 *
 * @param at - names the verifier's policy
 * @throws CONFIG_INVALID - the first action that it takes more lightly, and how
 */
export function requireAsStrict(verifier: Policy, issuing: IssuingPolicy, issuer: Did, at: string): void {
  const taken = new Set(verifier.roots.get(issuer)?.grants.flatMap(({ actions }) => actions))
  for (const [action, risk] of issuing.risk) {
    if (!taken.has(action)) continue
    const asked = demandsOf(action, verifier)
    const wanted = (what: 'challenge' | 'identity' | 'approval' | 'commit'): boolean =>
      Object.values(issuing.agents).some(one => isAsked(risk, one[what]))
    const missing =
      RISKS.indexOf(asked.risk) < RISKS.indexOf(risk)
        ? `takes ${action} for ${asked.risk} risk, the issuing policy for ${risk}`
        : (['challenge', 'identity', 'approval', 'commit'] as const)
            .filter(what => wanted(what) && (asked[what] === false || asked[what] === 'none'))
            .map(what => `does not ask for ${what} of ${action}, as the issuing policy wants at ${risk} risk`)[0]
    if (missing !== undefined) throw new ProcuraError('CONFIG_INVALID', { at, why: missing })
  }
}
