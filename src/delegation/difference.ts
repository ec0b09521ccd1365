import type { Authority } from '../authority/authority.js'
import { isSameMeter } from '../authority/budget.js'
import { formatBudget, formatConstraint, formatGrant, formatRate } from '../authority/format.js'
import { isGrantWithin, type Grant } from '../authority/grant.js'
import { nearest } from './narrowing.js'
import type { Link } from './chain.js'

/**
 * How a link differs from those above it, for people: one line per difference, `amount: 0…200000 → 0…80000`. A link that
 * was refused because it is wider differs the other way.
 *
 * @param above - root first; at least one
 * @returns empty if the link grants all that it was granted, and as long
 */
export function differences(child: Link, above: readonly Link[]): readonly string[] {
  const parent = above.at(-1)
  if (parent === undefined) return []
  const authorities = above.map(link => link.claims.authority)
  const [mine, theirs] = [child.claims.authority, parent.claims.authority]
  return [
    ...theirs.audience.filter(one => !mine.audience.includes(one)).map(one => `audience: drops ${one}`),
    ...differencesOfGrants(mine.grants, theirs.grants),
    ...differencesOfBounds(mine, authorities),
    ...(mine.more < theirs.more ? [`further hops: ${theirs.more} → ${mine.more}`] : []),
    ...(mine.more >= theirs.more ? [`further hops: ${mine.more}, where ${theirs.more} were left`] : []),
    ...shifted('begins', child.validFrom - parent.validFrom),
    ...shifted('ends', child.validUntil - parent.validUntil),
  ]
}

function shifted(verb: string, seconds: number): readonly string[] {
  if (seconds === 0) return []
  return [`${verb} ${Math.abs(seconds)} s ${seconds > 0 ? 'later' : 'earlier'}`]
}

function differencesOfGrants(mine: readonly Grant[], theirs: readonly Grant[]): readonly string[] {
  const sources = mine.map(grant => theirs.find(parent => isGrantWithin(grant, parent)))
  const dropped = theirs.filter(parent => !sources.includes(parent)).map(parent => `drops ${formatGrant(parent)}`)
  const narrowed = mine.flatMap((grant, index) => {
    const source = sources[index]
    return source === undefined ? [`within no grant above: ${formatGrant(grant)}`] : differencesOfGrant(grant, source)
  })
  return [...narrowed, ...dropped]
}

function differencesOfGrant(child: Grant, parent: Grant): readonly string[] {
  const actions = parent.actions.filter(action => !child.actions.includes(action))
  return [
    ...(child.resource === parent.resource ? [] : [`${parent.resource} → ${child.resource}`]),
    ...(actions.length === 0 ? [] : [`drops action ${actions.join(', ')}`]),
    ...differencesOfArgs(child, parent),
    ...(child.perCall === true && parent.perCall !== true ? ['each call needs an approval'] : []),
  ]
}

function differencesOfArgs({ args: mine }: Grant, { args: theirs }: Grant): readonly string[] {
  if (mine === undefined) return []
  const unstated = theirs === undefined ? ['arguments: any → only those named'] : []
  const changed = [...mine].flatMap(([name, constraint]) => {
    const before = theirs?.get(name)
    const [from, to] = [before === undefined ? 'anything' : formatConstraint(before), formatConstraint(constraint)]
    return from === to ? [] : [`${name}: ${from} → ${to}`]
  })
  const dropped = [...(theirs ?? [])]
    .filter(([name]) => !mine.has(name))
    .map(([name]) => `${name}: not accepted any more`)
  return [...unstated, ...changed, ...dropped]
}

/** Members that may be left out are compared with the nearest link above that states them. */
function differencesOfBounds(mine: Authority, above: readonly Authority[]): readonly string[] {
  const budgets = (mine.budgets ?? []).flatMap(budget => {
    const before = above.findLast(({ budgets: own = [] }) => own.some(one => isSameMeter(one, budget)))
    const [one] = before?.budgets?.filter(other => isSameMeter(other, budget)) ?? []
    return change('budget', one === undefined ? null : formatBudget(one), formatBudget(budget))
  })
  const rate = nearest(above, 'rate')
  const purpose = nearest(above, 'purpose')
  const recipients = above.findLast(({ to }) => to !== undefined)?.to
  const lists = nearest(above, 'statusIssuers')?.length ?? 0
  return [
    ...budgets,
    ...(mine.rate === undefined
      ? []
      : change('rate', rate === undefined ? null : formatRate(rate), formatRate(mine.rate))),
    ...(mine.purpose === undefined ? [] : change('purpose', purpose?.s256 ?? null, mine.purpose.s256)),
    ...(mine.to === undefined ? [] : change('recipients', recipients?.join(', ') ?? null, mine.to.join(', '))),
    ...(mine.statusIssuers === undefined
      ? []
      : change('status issuers', String(lists), String(mine.statusIssuers.length))),
  ]
}

function change(what: string, from: string | null, to: string): readonly string[] {
  if (from === to) return []
  return [from === null ? `${what}: introduces ${to}` : `${what}: ${from} → ${to}`]
}
