import { SELF } from './cast.js'
import { admits, constraintFits, probes, within } from './model-args.js'
import { exactly, isCount, isInt, isText, must, objectOf, same, setOf } from './must.js'
import { type Asked, type Draft, type Loose, type LooseObject, at, textOf } from './scene.js'

export interface Grant {
  readonly resource: string
  readonly actions: readonly string[]
  readonly args?: LooseObject
  readonly perCall?: boolean
}

export interface Authority {
  readonly hop: number
  readonly more: number
  readonly audience: readonly string[]
  readonly grants: readonly Grant[]
  readonly budgets: readonly LooseObject[]
  readonly rate?: { readonly max: number; readonly per: number }
  readonly purpose?: string
  readonly onBehalfOf?: string
  readonly to?: readonly string[]
  readonly statusIssuers?: readonly LooseObject[]
  readonly parent?: LooseObject
}

const OPTIONAL = ['budgets', 'rate', 'purpose', 'onBehalfOf', 'to', 'statusIssuers', 'parent']

export function authorityOf(value: Loose | undefined): Authority {
  const raw = objectOf(value, 'authority')
  exactly(raw, ['v', 'hop', 'more', 'audience', 'grants'], OPTIONAL)
  must(raw['v'] === 1 && isCount(raw['hop'], 0, 16) && isCount(raw['more'], 0, 16), 'counters')
  const audience = setOf(raw['audience'], 8, 'audience')
  must(audience.every(isText) && audience.includes(SELF), 'audience')
  const grants = setOf(raw['grants'], 16, 'grants').map(grantOf)
  const budgets =
    raw['budgets'] === undefined ? [] : setOf(raw['budgets'], 8, 'budgets').map(one => budgetOf(one, grants))
  must(budgets.length === 0 || audience.length === 1, 'budget for several audiences')
  const { rate, purpose, onBehalfOf, to, statusIssuers, parent } = raw
  if (rate !== undefined) {
    exactly(objectOf(rate, 'rate'), ['max', 'per'])
    must(isCount(at(rate, 'max'), 1, Infinity) && isCount(at(rate, 'per'), 1, 86_400), 'rate')
  }
  if (purpose !== undefined) {
    exactly(objectOf(purpose, 'purpose'), ['s256'], ['ref'])
    must(isText(at(purpose, 's256')) && (at(purpose, 'ref') === undefined || isText(at(purpose, 'ref'))), 'purpose')
  }
  if (onBehalfOf !== undefined) must(isText(onBehalfOf) && /^(did|urn|https):/.test(onBehalfOf), 'onBehalfOf')
  if (to !== undefined)
    must(
      setOf(to, 64, 'to').every(one => isText(one) && one.startsWith('did:')),
      'to',
    )
  for (const one of statusIssuers === undefined ? [] : setOf(statusIssuers, 8, 'statusIssuers')) {
    exactly(objectOf(one, 'status issuer'), ['iss', 'base'])
    must(isText(at(one, 'iss')) && /^https:\/\/[^?#]*\/$/.test(textOf(at(one, 'base'))), 'status issuer')
  }
  if (parent !== undefined) exactly(objectOf(parent, 'parent'), ['id', 'digest'])
  return {
    ...raw,
    grants,
    budgets,
    ...(purpose === undefined ? {} : { purpose: at(purpose, 's256') }),
  } as unknown as Authority
}

const SELECTOR = /^https:\/\/[a-z0-9.-]+(:\d+)?(\/[A-Za-z0-9._~:@!$&'()+,=-]+)*(\/\*\*)?$/

function grantOf(value: Loose): Grant {
  const raw = objectOf(value, 'grant')
  exactly(raw, ['resource', 'actions'], ['args', 'perCall'])
  must(typeof raw['resource'] === 'string' && SELECTOR.test(raw['resource']), 'resource')
  must(!/\/\.{1,2}(\/|$)/.test(raw['resource']), 'resource')
  const actions = setOf(raw['actions'], 32, 'actions')
  must(
    actions.every(one => typeof one === 'string' && /^[a-z0-9][A-Za-z0-9_.:/-]{0,127}$/.test(one)),
    'actions',
  )
  must(raw['perCall'] === undefined || typeof raw['perCall'] === 'boolean', 'perCall')
  if (raw['args'] !== undefined) {
    const args = objectOf(raw['args'], 'args')
    must(Object.keys(args).length <= 32, 'args')
    for (const [name, one] of Object.entries(args)) {
      must(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/.test(name), 'argument')
      constraintFits(objectOf(one, 'constraint'))
    }
  }
  return raw as unknown as Grant
}

function selects(selector: string, resource: string): boolean {
  if (!selector.endsWith('/**')) return selector === resource
  const node = selector.slice(0, -3)
  return resource === node || resource.startsWith(`${node}/`)
}

function covered(child: Grant, parent: Grant): boolean {
  const node = child.resource.replace(/\/\*\*$/, '')
  const places = child.resource === node ? [node] : [node, `${node}/x`, `${node}/x/y`]
  if (!places.every(place => selects(parent.resource, place))) return false
  if (!child.actions.every(action => parent.actions.includes(action))) return false
  if (parent.perCall === true && child.perCall !== true) return false
  const { args: above } = parent
  if (above === undefined) return true
  const { args } = child
  if (args === undefined) return false
  const isRequired = (map: LooseObject, name: string): boolean => at(map, name, 'req') === true
  return (
    Object.keys(args).every(
      name => Object.hasOwn(above, name) && within(args[name] as LooseObject, above[name] as LooseObject),
    ) && Object.keys(above).every(name => !isRequired(above, name) || isRequired(args, name))
  )
}

function budgetOf(value: Loose, grants: readonly Grant[]): LooseObject {
  const raw = objectOf(value, 'budget')
  exactly(raw, ['unit', 'decimals', 'max', 'meter'], ['unitArg', 'on'])
  const { unit, decimals, max, meter, unitArg } = raw
  must(/^[A-Z#][A-Za-z0-9_-]{0,31}$/.test(textOf(unit)), 'unit')
  must(isCount(decimals, 0, 9) && isCount(max, 0, 10 ** 15 - 1) && isText(meter), 'budget')
  const on = raw['on'] === undefined ? null : setOf(raw['on'], 32, 'on')
  for (const grant of grants) {
    if (on !== null && !grant.actions.some(action => on.includes(action))) continue
    const metered = grant.args?.[meter] as LooseObject | undefined
    if (meter !== '#calls') {
      must(metered?.['req'] === true, 'meter is not required')
      must(
        [-1, Number.MIN_SAFE_INTEGER, 'a', '', true, false, []].every(one => !admits(metered, one)) &&
          probes(metered).every(one => !admits(metered, one) || (isInt(one) && one >= 0)),
        'meter may fall',
      )
    }
    if (unitArg === undefined) continue
    const fixed = grant.args?.[unitArg as string] as LooseObject | undefined
    must(fixed?.['req'] === true && fixed['op'] === 'eq' && fixed['value'] === unit, 'unit is not fixed')
  }
  return raw
}

export function narrows(
  child: Authority,
  above: readonly Authority[],
  over: Draft | undefined,
  index: number,
  digest: string | undefined,
): void {
  must(child.hop === index, 'hop')
  const parent = above.at(-1)
  if (parent === undefined || over === undefined) {
    must(child.parent === undefined, 'a root with a parent')
    return
  }
  must(child.parent !== undefined && child.parent['id'] === at(over.claims, 'id'), 'parent')
  must(child.parent['digest'] === digest, 'parent')
  must(parent.more >= 1 && child.more <= parent.more - 1, 'more')
  must(
    child.audience.every(one => parent.audience.includes(one)),
    'audience',
  )
  must(
    child.grants.every(grant => parent.grants.some(one => covered(grant, one))),
    'grants',
  )
  for (const budget of child.budgets) {
    const isSame = (one: LooseObject): boolean => ['unit', 'meter', 'unitArg'].every(name => one[name] === budget[name])
    const nearest = above.findLast(one => one.budgets.some(isSame))?.budgets.filter(isSame) ?? []
    must(
      nearest.every(one => Number(budget['max']) <= Number(one['max']) && budget['decimals'] === one['decimals']),
      'budget',
    )
  }
  const rate = above.findLast(one => one.rate !== undefined)?.rate
  if (rate !== undefined && child.rate !== undefined)
    must(child.rate.max <= rate.max && child.rate.per >= rate.per, 'rate')
  const principal = above[0]?.onBehalfOf
  must(child.onBehalfOf === undefined || child.onBehalfOf === principal, 'principal')
  const issuers = above.findLast(one => one.statusIssuers !== undefined)?.statusIssuers ?? []
  for (const one of child.statusIssuers ?? [])
    must(
      issuers.some(other => same(one, other)),
      'status issuers',
    )
}

export const names = (entry: string, did: string): boolean =>
  entry.endsWith(':**') ? did.startsWith(entry.slice(0, -2)) : entry === did

/** A grant that allows what is asked; one that wants an approval if any does. */
export function allowing(grants: readonly Grant[], { action, resource, params }: Asked): Grant {
  const found = grants.filter(
    ({ resource: selector, actions, args }) =>
      selects(selector, resource) &&
      actions.includes(action) &&
      (args === undefined ||
        (Object.keys(params).every(
          name => Object.hasOwn(args, name) && admits(args[name] as LooseObject, params[name]!),
        ) &&
          Object.keys(args).every(name => at(args, name, 'req') !== true || Object.hasOwn(params, name)))),
  )
  must(found.length > 0, 'no grant allows it')
  return found.find(grant => grant.perCall === true) ?? found[0]!
}

export function spends({ budgets }: Authority, { action, params }: Asked): void {
  for (const { max, meter, on } of budgets) {
    if (on !== undefined && !(on as Loose[]).includes(action)) continue
    const cost = meter === '#calls' ? 1 : params[meter as string]
    must(isInt(cost) && cost >= 0 && cost <= Number(max), 'beyond the budget')
  }
}
