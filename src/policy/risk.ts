import { ProcuraError } from '../errors.js'
import { object, oneOf, type Shape } from '../shape.js'
import { listAge, type Feed, type ListAge } from './feeds.js'

/** How much harm an action can do. */
export type Risk = 'low' | 'medium' | 'high' | 'critical'

/** From the least to the gravest. */
export const RISKS = ['low', 'medium', 'high', 'critical'] as const satisfies readonly Risk[]

/** The least risk at which something is asked for; above it, it is asked for too. `null`: it never is. */
export type From = Risk | null

/** True if something that is asked for from a risk on is asked for at this one. */
export function isAsked(risk: Risk, from: From): boolean {
  return from !== null && RISKS.indexOf(risk) >= RISKS.indexOf(from)
}

/** What a policy asks of calls by the risk of their action. */
export interface ByRisk {
  /** risk of actions; an action that is not named is of low risk */
  readonly risk: ReadonlyMap<string, Risk>
  /** seconds a status list may be old */
  readonly maxStatusAge: Readonly<Record<Risk, number>>
  /** followed feeds; each issuer stands once */
  readonly feeds: readonly Feed[]
  /** a nonce of this verifier */
  readonly challenge: From
  /** identity credentials: of the leaf, of every link */
  readonly identity: { readonly leaf: From; readonly every: From }
  /** an approval of the single call, also where no grant says `perCall` */
  readonly approval: From
  /** a reservation, so that it can be committed right before its effect */
  readonly commit: From
}

/** What a policy asks of one call. */
export interface Demands {
  readonly risk: Risk
  readonly maxStatusAge: ListAge
  readonly challenge: boolean
  readonly identity: 'none' | 'leaf' | 'every'
  readonly approval: boolean
  readonly commit: boolean
}

/** What is asked of a call of this action. */
export function demandsOf(action: string, policy: ByRisk): Demands {
  const risk = policy.risk.get(action) ?? 'low'
  const { identity } = policy
  return {
    risk,
    maxStatusAge: listAge(risk, policy.maxStatusAge, policy.feeds),
    challenge: isAsked(risk, policy.challenge),
    identity: isAsked(risk, identity.every) ? 'every' : isAsked(risk, identity.leaf) ? 'leaf' : 'none',
    approval: isAsked(risk, policy.approval),
    commit: isAsked(risk, policy.commit),
  }
}

const risk = oneOf(...RISKS)
const fromRisk = object({ from: risk })

/** Reads `always`, the word for never, or `{"from": risk}`. */
export function fromShape(never: string): Shape<From> {
  const word = oneOf(never, 'always')
  return (value, at, report) => {
    if (typeof value !== 'string') return fromRisk(value, at, report).from
    return word(value, at, report) === 'always' ? 'low' : null
  }
}

const who = oneOf('none', 'leaf', 'every')
const whoByRisk = object({ leaf: { optional: risk }, every: { optional: risk } })

/** Reads whose identity is asked for: `none`, `leaf`, `every`, or from which risk on, `{"leaf": risk, "every": risk}`. */
export const identityDemandShape: Shape<ByRisk['identity']> = (value, at, report) => {
  if (typeof value === 'string') {
    const whose = who(value, at, report)
    return { leaf: whose === 'leaf' ? 'low' : null, every: whose === 'every' ? 'low' : null }
  }
  const { leaf = null, every = null } = whoByRisk(value, at, report)
  if (leaf === null && every === null) {
    report(new ProcuraError('SCHEMA', { at, why: 'names neither leaf nor every' }))
  }
  return { leaf, every }
}
