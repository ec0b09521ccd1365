import { ProcuraError } from '../errors.js'
import { isObject, member, type Json } from '../json.js'
import { boolean, integer, object, setOf, where, type Shape } from '../shape.js'
import { isAtOrBelow, isPath } from './resource.js'

/** A string, a boolean or a safe integer. */
export type Scalar = string | boolean | number

/** What one argument may be. `req`: the argument has to be there. */
export type Constraint = { readonly req: boolean } & (
  | { readonly op: 'any' }
  | { readonly op: 'eq'; readonly value: Scalar }
  | { readonly op: 'in'; readonly values: readonly Scalar[] }
  | { readonly op: 'range'; readonly min?: number; readonly max?: number }
  | { readonly op: 'under'; readonly base: string }
  | { readonly op: 'subset'; readonly values: readonly Scalar[]; readonly maxItems: number }
  | { readonly op: 'text'; readonly maxBytes: number }
)

const MAX_VALUES = 64
const MAX_STRING = 512

/** True for a string, a boolean or a safe integer; −0 is none. */
export function isScalar(value: unknown): value is Scalar {
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0)
  return typeof value === 'boolean' || (typeof value === 'string' && value.isWellFormed())
}

const scalar = where(
  (value): value is Scalar => isScalar(value) && (typeof value !== 'string' || value.length <= MAX_STRING),
  `is not a boolean, a safe integer or a string of at most ${MAX_STRING} characters`,
)
const head = { op: where((value): value is never => typeof value === 'string', 'is not a string'), req: boolean }

/** The closed set of operators. A new one is a new version of the profile. */
const OPERATORS: { readonly [Op in Constraint['op']]: Shape<unknown> } = {
  any: object(head, 'CAVEAT_UNKNOWN'),
  eq: object({ ...head, value: scalar }, 'CAVEAT_UNKNOWN'),
  in: object({ ...head, values: setOf(scalar, 1, MAX_VALUES) }, 'CAVEAT_UNKNOWN'),
  range: object({ ...head, min: { optional: integer() }, max: { optional: integer() } }, 'CAVEAT_UNKNOWN'),
  under: object({ ...head, base: where(isPath, 'is not a canonical absolute path') }, 'CAVEAT_UNKNOWN'),
  subset: object({ ...head, values: setOf(scalar, 1, MAX_VALUES), maxItems: integer(0) }, 'CAVEAT_UNKNOWN'),
  text: object({ ...head, maxBytes: integer(0) }, 'CAVEAT_UNKNOWN'),
}

/** Reads one constraint (profile §4.1). Reports SCHEMA, and CAVEAT_UNKNOWN for an unknown operator or member. */
export const constraintShape: Shape<Constraint> = (value, at, report) => {
  const op = isObject(value) ? member(value, 'op') : undefined
  if (typeof op === 'string' && !Object.hasOwn(OPERATORS, op)) {
    report(new ProcuraError('CAVEAT_UNKNOWN', { at: `${at}.op` }))
    return value as unknown as Constraint
  }
  const operator = typeof op === 'string' ? OPERATORS[op as Constraint['op']] : OPERATORS.any
  const result = operator(value, at, report) as Constraint
  if (op === 'range' && isObject(value) && !Object.hasOwn(value, 'min') && !Object.hasOwn(value, 'max')) {
    report(new ProcuraError('SCHEMA', { at, why: 'has neither min nor max' }))
  }
  return result
}

const sets = new WeakMap<readonly Scalar[], ReadonlySet<Scalar>>()
/** Up to here looking through a list is as quick as looking into a set. */
const FEW = 8

/** True if one of the values is this one; of many it is found at once, not by going through them. */
export function isAmong<T extends Scalar>(values: readonly T[], value: T): boolean {
  return values.length <= FEW ? values.includes(value) : setOfAll(values).has(value)
}

/** The first of those asked for that is not among the values. */
export function firstOutside<T extends Scalar>(asked: readonly T[], values: readonly T[]): T | undefined {
  if (values.length <= FEW) return asked.find(one => !values.includes(one))
  const known = setOfAll(values)
  return asked.find(one => !known.has(one))
}

function setOfAll(values: readonly Scalar[]): ReadonlySet<Scalar> {
  const known = sets.get(values) ?? new Set(values)
  sets.set(values, known)
  return known
}

/** True if the constraint accepts the value (profile §4.1). A value of another type is not accepted. */
export function accepts(constraint: Constraint, value: Json): boolean {
  switch (constraint.op) {
    case 'any':
      return true
    case 'eq':
      return isScalar(value) && value === constraint.value
    case 'in':
      return isScalar(value) && isAmong(constraint.values, value)
    case 'range':
      return (
        typeof value === 'number' &&
        isScalar(value) &&
        value >= (constraint.min ?? -Infinity) &&
        value <= (constraint.max ?? Infinity)
      )
    case 'under':
      return isPath(value) && isAtOrBelow(value, constraint.base)
    case 'subset':
      return (
        Array.isArray(value) &&
        value.length <= constraint.maxItems &&
        value.every(item => isScalar(item) && isAmong(constraint.values, item))
      )
    case 'text':
      return typeof value === 'string' && value.isWellFormed() && Buffer.byteLength(value) <= constraint.maxBytes
  }
}

/**
 * True if `child` is at most as permissive as `parent`: everything child accepts, parent accepts (profile §4.2).
 * Sound and linear; may say no to a true inclusion. `req` is judged over the whole argument map.
 */
export function isWithin(child: Constraint, parent: Constraint): boolean {
  if (parent.op === 'any') return true
  switch (child.op) {
    case 'any':
      return false
    case 'eq':
      return parent.op !== 'subset' && accepts(parent, child.value)
    case 'in':
      if (parent.op === 'in') return firstOutside(child.values, parent.values) === undefined
      return parent.op !== 'subset' && child.values.every(value => accepts(parent, value))
    case 'range':
      return (
        parent.op === 'range' &&
        (child.min ?? -Infinity) >= (parent.min ?? -Infinity) &&
        (child.max ?? Infinity) <= (parent.max ?? Infinity)
      )
    case 'under':
      return parent.op === 'under' && isAtOrBelow(child.base, parent.base)
    case 'subset':
      return (
        parent.op === 'subset' &&
        child.maxItems <= parent.maxItems &&
        firstOutside(child.values, parent.values) === undefined
      )
    case 'text':
      return parent.op === 'text' && child.maxBytes <= parent.maxBytes
  }
}
