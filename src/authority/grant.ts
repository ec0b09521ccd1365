import { ProcuraError } from '../errors.js'
import { isObject, type Json, type JsonObject } from '../json.js'
import { boolean, object, setOf, text, type Shape } from '../shape.js'
import { accepts, constraintShape, firstOutside, isAmong, isWithin, type Constraint } from './constraint.js'
import { covers, isSelector, type Resource, type Selector } from './resource.js'

/** What may be done where, with which arguments. `perCall`: each call needs an approval. */
export interface Grant {
  readonly resource: Selector
  readonly actions: readonly string[]
  /** Closed: what is not named is refused. Absent: arguments are unconstrained. */
  readonly args?: ReadonlyMap<string, Constraint>
  readonly perCall?: boolean
}

/** What a resource server is about to do; derived by the server, never taken from the caller. */
export interface Call {
  readonly action: string
  readonly resource: Resource
  readonly params: JsonObject
}

const MAX_GRANTS = 16
const MAX_ACTIONS = 32
const MAX_ARGS = 32
/** Action names (profile §4.1). */
export const ACTION = /^[a-z0-9][A-Za-z0-9_.:/-]{0,127}$/
/** Argument names (profile §4.1). */
export const ARGUMENT = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/

const selectorShape: Shape<Selector> = (value, at, report) => {
  if (typeof value !== 'string') report(new ProcuraError('SCHEMA', { at, why: 'is not a string' }))
  else if (!isSelector(value)) report(new ProcuraError('RESOURCE_SYNTAX', { at }))
  return value as Selector
}

/** Argument names become keys of a map, so that `__proto__` and its like are names as any other. */
const argsShape: Shape<ReadonlyMap<string, Constraint>> = (value, at, report) => {
  const names = isObject(value) ? Object.keys(value) : []
  if (!isObject(value) || names.length > MAX_ARGS || !names.every(name => ARGUMENT.test(name))) {
    report(new ProcuraError('SCHEMA', { at, why: `is not an object of at most ${MAX_ARGS} argument names` }))
    return new Map()
  }
  return new Map(names.map(name => [name, constraintShape(value[name], `${at}.${name}`, report)]))
}

/** One grant of a credential or of a policy. */
export const grantMembers = {
  resource: selectorShape,
  actions: setOf(text(ACTION), 1, MAX_ACTIONS),
  args: { optional: argsShape },
  perCall: { optional: boolean },
}

/** Reads `grants`: 1 to 16. Reports SCHEMA, CAVEAT_UNKNOWN, RESOURCE_SYNTAX. */
export const grantsShape: Shape<readonly Grant[]> = setOf(object(grantMembers, 'CAVEAT_UNKNOWN'), 1, MAX_GRANTS)

/** Writes a grant as JSON. */
export function toGrantJson(grant: Grant): Json {
  const { args, ...rest } = grant
  return args === undefined ? rest : { ...rest, args: Object.fromEntries(args) }
}

/**
 * Requires that one of the grants allows the call. Reports the grant that got furthest: resource, action, arguments.
 *
 * @returns the grants that allow it
 * @throws DENIED_RESOURCE, DENIED_ACTION, DENIED_ARG, DENIED_ARG_UNKNOWN, DENIED_ARG_MISSING
 */
export function requireAllowed<G extends Grant>(grants: readonly G[], call: Call): readonly G[] {
  const allowing: G[] = []
  let isHere = false
  let refusal: Refusal | null = null
  for (const grant of grants) {
    if (!covers(grant.resource, call.resource)) continue
    isHere = true
    if (!isAmong(grant.actions, call.action)) continue
    const refused = argumentRefusal(grant, call.params)
    if (refused === null) allowing.push(grant)
    else refusal ??= refused
  }
  if (allowing.length > 0) return allowing
  if (refusal !== null) throw refusal()
  if (isHere) throw new ProcuraError('DENIED_ACTION', { action: call.action })
  throw new ProcuraError('DENIED_RESOURCE', { resource: call.resource })
}

/** Makes the error: many are found and one is thrown, and an error takes longer to make than all the rest. */
type Refusal = () => ProcuraError

function argumentRefusal({ args }: Grant, params: JsonObject): Refusal | null {
  if (args === undefined) return null
  const names = Object.keys(params)
  for (const name of names) {
    const constraint = args.get(name)
    if (constraint !== undefined && !accepts(constraint, params[name] as Json)) {
      return () => new ProcuraError('DENIED_ARG', { name })
    }
  }
  const unknown = names.find(name => !args.has(name))
  if (unknown !== undefined) return () => new ProcuraError('DENIED_ARG_UNKNOWN', { name: unknown })
  for (const [name, { req }] of args) {
    if (req && !Object.hasOwn(params, name)) return () => new ProcuraError('DENIED_ARG_MISSING', { name })
  }
  return null
}

/**
 * Requires that each child grant lies within **one** parent grant, never within a union of several (profile §4.2).
 * Reports the parent grant that came closest: resource, actions, arguments, approval.
 *
 * @throws WIDENED_RESOURCE, WIDENED_ACTION, WIDENED_ARGS, WIDENED_APPROVAL
 */
export function requireNarrower(children: readonly Grant[], parents: readonly Grant[]): void {
  for (const child of children) {
    let closest: Widening | null = null
    for (const parent of parents) {
      const found = widening(child, parent)
      if (found === null) {
        closest = null
        break
      }
      if (closest === null || found.closeness > closest.closeness) closest = found
    }
    if (closest !== null) throw closest.refuse()
    if (parents.length === 0) throw new ProcuraError('WIDENED_RESOURCE', { asked: child.resource })
  }
}

/** True if a grant allows nothing that the other does not. */
export function isGrantWithin(child: Grant, parent: Grant): boolean {
  return widening(child, parent) === null
}

/** How a grant is wider than another, and how close it came: resource, actions, arguments, approval. */
interface Widening {
  readonly closeness: number
  readonly refuse: Refusal
}

function widening(child: Grant, parent: Grant): Widening | null {
  if (!covers(parent.resource, child.resource)) {
    return { closeness: 0, refuse: () => new ProcuraError('WIDENED_RESOURCE', { asked: child.resource }) }
  }
  const asked = firstOutside(child.actions, parent.actions)
  if (asked !== undefined) {
    return { closeness: 1, refuse: () => new ProcuraError('WIDENED_ACTION', { asked, resource: parent.resource }) }
  }
  const why = wideningOfArgs(child.args, parent.args)
  if (why !== null) return { closeness: 2, refuse: () => new ProcuraError('WIDENED_ARGS', { why }) }
  if (parent.perCall === true && child.perCall !== true) {
    return { closeness: 3, refuse: () => new ProcuraError('WIDENED_APPROVAL', { resource: child.resource }) }
  }
  return null
}

/** Why an argument map is not within another, or `null` if it is (profile §4.2). */
export function wideningOfArgs(child: Grant['args'], parent: Grant['args']): string | null {
  if (parent === undefined) return null
  if (child === undefined) return 'all are allowed'
  for (const [name, constraint] of child) {
    const above = parent.get(name)
    if (above === undefined) return `${name} is not named above`
    if (!isWithin(constraint, above)) {
      return `${name} (${constraint.op}) is not within what is granted above (${above.op})`
    }
  }
  for (const [name, above] of parent) {
    if (above.req && child.get(name)?.req !== true) return `${name} is no longer required`
  }
  return null
}
