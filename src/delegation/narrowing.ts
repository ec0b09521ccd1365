import { isRecipient, type Authority } from '../authority/authority.js'
import { isSameMeter, requireNarrowerBudgets, type Budget } from '../authority/budget.js'
import { requireNarrower } from '../authority/grant.js'
import { ProcuraError } from '../errors.js'
import type { Link } from './chain.js'

/** Longest life of a root, in seconds, whatever the policy says. */
export const MAX_ROOT_TTL = 86_400

/** What the rules of narrowing look at; a draft of a delegation has it before it is signed. */
export type Narrowable = Pick<
  Link,
  'id' | 'digest' | 'issuer' | 'subject' | 'key' | 'issuedAt' | 'validFrom' | 'validUntil' | 'proved'
> & { readonly claims: { readonly authority: Authority } }

/**
 * Requires a root to be one: step 9 of profile §6.
 *
 * @param maxTtl - seconds
 * @throws PARENT_UNEXPECTED, DEPTH_COUNTER, TIME_LIFETIME
 */
export function requireRoot(root: Narrowable, maxTtl: number): void {
  const { parent, hop } = root.claims.authority
  if (parent !== undefined) throw new ProcuraError('PARENT_UNEXPECTED', {})
  if (hop !== 0) throw new ProcuraError('DEPTH_COUNTER', { hop, expected: 0 })
  const seconds = root.validUntil - root.validFrom
  const max = Math.min(MAX_ROOT_TTL, maxTtl)
  if (seconds > max) throw new ProcuraError('TIME_LIFETIME', { seconds, max })
}

/**
 * Requires a link to continue the chain and to narrow it: step 10 of profile §6, rules of §4.3.
 *
 * @param above - the links above, root first; at least one
 * @throws PARENT_MISSING, PARENT_MISMATCH, DELEGATION_BROKEN, DELEGATION_TO_SELF, DEPTH_COUNTER, DEPTH_EXCEEDED,
 *   WIDENED_TIME, WIDENED_AUDIENCE, WIDENED_RESOURCE, WIDENED_ACTION, WIDENED_ARGS, WIDENED_APPROVAL, WIDENED_BUDGET,
 *   WIDENED_RATE, WIDENED_PURPOSE, WIDENED_PRINCIPAL, WIDENED_STATUS, DELEGATE_NOT_ALLOWED
 */
export function requireHop(child: Narrowable, above: readonly Narrowable[]): void {
  const parent = above.at(-1)
  if (parent === undefined) throw new ProcuraError('PARENT_MISSING', {})
  requireParent(child, parent)
  requireDepth(child.claims.authority, parent.claims.authority)
  requireWindow(child, parent)
  requireNarrowed(
    child.claims.authority,
    above.map(link => link.claims.authority),
  )
  for (const { claims } of above) {
    const { to } = claims.authority
    if (to !== undefined && !isRecipient(to, child.subject, child.proved)) {
      throw new ProcuraError('DELEGATE_NOT_ALLOWED', { did: child.subject })
    }
  }
}

function requireParent(child: Narrowable, parent: Narrowable): void {
  const named = child.claims.authority.parent
  if (named === undefined) throw new ProcuraError('PARENT_MISSING', {})
  if (named.digest !== parent.digest || named.id !== parent.id) {
    throw new ProcuraError('PARENT_MISMATCH', { named: named.digest, actual: parent.digest })
  }
  if (child.issuer !== parent.subject) {
    throw new ProcuraError('DELEGATION_BROKEN', { issuer: child.issuer, holder: parent.subject })
  }
  if (child.key.x === parent.key.x) throw new ProcuraError('DELEGATION_TO_SELF', {})
}

function requireDepth(child: Authority, parent: Authority): void {
  if (child.hop !== parent.hop + 1)
    throw new ProcuraError('DEPTH_COUNTER', { hop: child.hop, expected: parent.hop + 1 })
  if (child.more >= parent.more) {
    throw new ProcuraError('DEPTH_EXCEEDED', { more: child.more, left: parent.more })
  }
}

function requireWindow(child: Narrowable, parent: Narrowable): void {
  if (child.validFrom < parent.validFrom) throw new ProcuraError('WIDENED_TIME', { at: 'validFrom' })
  if (child.validUntil > parent.validUntil) throw new ProcuraError('WIDENED_TIME', { at: 'validUntil' })
  if (child.issuedAt < parent.issuedAt) throw new ProcuraError('WIDENED_TIME', { at: 'iat' })
}

/**
 * Requires an authority to be at most what its ancestors state. Members that may be left out are compared with the
 * nearest ancestor that states them, so a silent link hides nothing.
 *
 * @param above - root first; at least one
 */
export function requireNarrowed(child: Authority, above: readonly Authority[]): void {
  const parent = above.at(-1)
  if (parent === undefined) throw new ProcuraError('PARENT_MISSING', {})
  const beyond = child.audience.find(audience => !parent.audience.includes(audience))
  if (beyond !== undefined) throw new ProcuraError('WIDENED_AUDIENCE', { asked: beyond })
  requireNarrower(child.grants, parent.grants)
  requireNarrowerBudgets(child.budgets ?? [], budgetsInForce(above))

  const rate = nearest(above, 'rate')
  if (child.rate !== undefined && rate !== undefined && (child.rate.max > rate.max || child.rate.per < rate.per)) {
    throw new ProcuraError('WIDENED_RATE', {
      asked: `${child.rate.max}/${child.rate.per} s`,
      granted: `${rate.max}/${rate.per} s`,
    })
  }
  const purpose = nearest(above, 'purpose')
  if (child.purpose !== undefined && purpose !== undefined && child.purpose.s256 !== purpose.s256) {
    throw new ProcuraError('WIDENED_PURPOSE', {})
  }
  const principal = nearest(above, 'onBehalfOf')
  if (child.onBehalfOf !== undefined && child.onBehalfOf !== principal) {
    throw new ProcuraError('WIDENED_PRINCIPAL', { asked: child.onBehalfOf, granted: principal ?? 'none' })
  }
  const issuers = nearest(above, 'statusIssuers') ?? []
  const foreign = child.statusIssuers?.find(
    one => !issuers.some(({ iss, base }) => iss === one.iss && base === one.base),
  )
  if (foreign !== undefined) throw new ProcuraError('WIDENED_STATUS', { asked: foreign.base })
}

/** What the nearest link that states the member says, leaf's side first. */
export function nearest<N extends 'rate' | 'purpose' | 'onBehalfOf' | 'statusIssuers'>(
  chain: readonly Authority[],
  name: N,
): Authority[N] | undefined {
  return chain.findLast(authority => authority[name] !== undefined)?.[name]
}

/** For each unit, meter and unit argument, the budgets of the nearest link that states them. */
function budgetsInForce(above: readonly Authority[]): readonly Budget[] {
  return above.reduceRight<readonly Budget[]>((found, { budgets = [] }) => {
    const hidden = budgets.filter(budget => found.some(nearer => isSameMeter(nearer, budget)))
    return [...found, ...budgets.filter(budget => !hidden.includes(budget))]
  }, [])
}
