import fc from 'fast-check'
import type { Constraint, Scalar } from '../../src/authority/constraint.js'
import type { Call, Grant } from '../../src/authority/grant.js'
import { isResource, type Resource, type Selector } from '../../src/authority/resource.js'
import type { Json, JsonObject } from '../../src/json.js'
import { argumentMap, constraint, grant, INTEGERS, PATHS, RESOURCES, SELECTORS } from './arbitrary.js'

type Args = ReadonlyMap<string, Constraint>

const isInteger = (value: number): boolean => Number.isSafeInteger(value) && !Object.is(value, -0)
const integersNear = (...bounds: readonly (number | undefined)[]): number[] =>
  bounds.flatMap(bound => (bound === undefined ? [] : [bound - 1, bound, bound + 1])).filter(isInteger)

/** Scalars at, just inside and just outside of what a constraint says. */
function scalarsAt(one: Constraint): Scalar[] {
  switch (one.op) {
    case 'any':
      return []
    case 'eq':
      return [one.value, String(one.value), ...(typeof one.value === 'number' ? integersNear(one.value) : [])]
    case 'in':
    case 'subset':
      return [...one.values, ...one.values.map(String)]
    case 'range':
      return [...integersNear(one.min, one.max), String(one.min ?? one.max)]
    case 'under':
      return [
        one.base,
        `${one.base}/x`,
        `${one.base}/x/y`,
        `${one.base}x`,
        `${one.base}.`,
        one.base.slice(0, -1),
        `${one.base}/`,
        `${one.base}/../z`,
      ]
    case 'text':
      return [-1, 0, 1].flatMap(step => {
        const bytes = Math.min(Math.max(one.maxBytes + step, 0), 600)
        return [
          'a'.repeat(bytes),
          'é'.repeat(bytes),
          'é'.repeat(Math.ceil(bytes / 2)),
          '😀'.repeat(Math.ceil(bytes / 4)),
        ]
      })
  }
}

/** Values at, just inside and just outside of what a constraint says. */
export function valuesAt(one: Constraint): Json[] {
  const scalars = scalarsAt(one)
  if (one.op !== 'subset') return scalars
  const items = Math.min(one.maxItems, 70)
  const lists = [0, 1, items - 1, items, items + 1].filter(length => length >= 0)
  const filled = lists.map(length => Array.from({ length }, (_, index) => one.values[index % one.values.length]!))
  return [...scalars, ...filled, ...scalars.map(value => [value])]
}

/** A constraint that says about the same: often at most as much, often a little more. */
export function near(one: Constraint): fc.Arbitrary<Constraint> {
  const req = fc.oneof({ weight: 3, arbitrary: fc.constant(one.req) }, fc.boolean())
  const scalars = [...scalarsAt(one), 0, 'a'].filter(value => typeof value !== 'string' || value.length <= 512)
  const scalar = fc.constantFrom(...scalars)
  const some = fc.uniqueArray(scalar, { minLength: 1, maxLength: 4 })
  const step = fc.constantFrom(-2, -1, -1, 0, 0, 1)
  const picked = scalar.map(value => ({ op: 'eq', value }) as const)
  const listed = some.map(values => ({ op: 'in', values }) as const)
  const body = (): fc.Arbitrary<object> => {
    switch (one.op) {
      case 'any':
        return constraint
      case 'eq':
        return fc.oneof(picked, listed)
      case 'in': {
        const fewer = fc.subarray([...one.values], { minLength: 1 }).map(values => ({ op: 'in', values }) as const)
        const other = fc
          .tuple(fewer, scalar)
          .map(([{ values }, more]) => ({ op: 'in', values: [...new Set([...values.slice(1), more])] }) as const)
        return fc.oneof(picked, fewer, fewer, other)
      }
      case 'range': {
        const bound = (from: number | undefined): fc.Arbitrary<number | undefined> =>
          from === undefined
            ? fc.constantFrom(undefined, undefined, ...INTEGERS)
            : fc.oneof(
                { weight: 5, arbitrary: step.map(by => from + by).filter(isInteger) },
                { weight: 1, arbitrary: fc.constant(undefined) },
              )
        const moved = fc
          .tuple(bound(one.min), bound(one.max))
          .filter(([min, max]) => min !== undefined || max !== undefined)
          .map(
            ([min, max]) =>
              ({ op: 'range', ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) }) as const,
          )
        return fc.oneof({ weight: 3, arbitrary: moved }, picked, listed)
      }
      case 'under': {
        const deeper = fc
          .constantFrom('', '/x', '/b', 'b', '.b')
          .map(more => ({ op: 'under', base: `${one.base}${more}` }) as const)
        const other = fc.constantFrom(...PATHS).map(base => ({ op: 'under', base }) as const)
        return fc.oneof({ weight: 3, arbitrary: deeper }, other, picked, listed)
      }
      case 'subset': {
        const length = fc.tuple(step, fc.subarray([...one.values], { minLength: 1 }), fc.boolean(), scalar)
        return length.map(([by, values, grows, more]) => ({
          op: 'subset',
          values: grows ? [...new Set([...values, more])] : values,
          maxItems: Math.max(0, one.maxItems + by),
        }))
      }
      case 'text':
        return fc.oneof(
          step.map(by => ({ op: 'text', maxBytes: Math.max(0, one.maxBytes + by) }) as const),
          picked,
          listed,
        )
    }
  }
  return fc.tuple(req, fc.integer({ min: 0, max: 9 }), body(), constraint).map(([required, turn, rest, stranger]) => {
    if (turn === 0) return stranger
    if (turn === 1) return { ...one, req: required }
    return { ...rest, req: required } as Constraint
  })
}

/** A map about as wide: arguments narrowed, widened, dropped and added. */
export function nearMap(args: Args): fc.Arbitrary<Args> {
  const entries = [...args].map(([name, one]) =>
    fc.oneof(
      { weight: 6, arbitrary: near(one).map(other => [[name, other] as const]) },
      { weight: 3, arbitrary: fc.constant([[name, one] as const]) },
      { weight: 1, arbitrary: fc.constant([]) },
    ),
  )
  const more = fc.oneof({ weight: 9, arbitrary: fc.constant<Args>(new Map()) }, { weight: 1, arbitrary: argumentMap })
  return fc.tuple(fc.tuple(...entries), more).map(([kept, added]) => new Map([...added, ...kept.flat()]))
}

/** A grant about as wide. */
export function nearGrant(one: Grant): fc.Arbitrary<Grant> {
  const { args, actions, resource, perCall } = one
  const kept = <T>(value: T, other: fc.Arbitrary<T>): fc.Arbitrary<T> =>
    fc.oneof({ weight: 4, arbitrary: fc.constant(value) }, { weight: 2, arbitrary: other })
  return fc
    .tuple(
      kept(resource, fc.constantFrom(...SELECTORS)),
      kept(
        actions,
        fc.oneof(
          fc.subarray([...actions], { minLength: 1 }),
          grant.map(other => other.actions),
        ),
      ),
      args === undefined
        ? fc.option(argumentMap, { nil: undefined })
        : fc.option(nearMap(args), { nil: undefined, freq: 9 }),
      fc.integer({ min: 0, max: 9 }),
    )
    .map(([where, what, how, turn]) => ({
      resource: where,
      actions: what,
      ...(how === undefined ? {} : { args: how }),
      ...(turn < 2 ? {} : turn < 4 ? { perCall: true } : perCall === undefined ? {} : { perCall }),
    }))
}

/** Parameters that differ from some that both maps know in one argument each: its value, that it is there, or one more. */
export function paramsAt(child: Args | undefined, parent: Args | undefined): JsonObject[] {
  const names = [...new Set([...(child ?? parent ?? []), ...(parent ?? [])].map(([name]) => name))]
  const values = (name: string): Json[] =>
    [child, parent].flatMap(map => {
      const one = map?.get(name)
      return one === undefined ? [] : [...valuesAt(one), ...PROBES]
    })
  const base = [...(child ?? [])].map(([name, one]) => [name, accepted(one)] as const)
  const without = (name: string) => base.filter(([other]) => other !== name)
  return [
    Object.fromEntries(base),
    ...names.flatMap(name => [
      Object.fromEntries(without(name)),
      ...values(name).map(value => Object.fromEntries([...without(name), [name, value] as const]) as JsonObject),
    ]),
    Object.fromEntries([...base, ['more', 1] as const]),
  ]
}

const PROBES: readonly Json[] = [0, 'a', true, null, [], [1]]

/** Some value that a constraint accepts. */
function accepted(one: Constraint | undefined): Json {
  switch (one?.op) {
    case 'eq':
      return one.value
    case 'in':
      return one.values[0]!
    case 'range':
      return one.min ?? one.max ?? 0
    case 'under':
      return one.base
    case 'subset':
      return []
    default:
      return ''
  }
}

const RESOURCES_BELOW: readonly Resource[] = [...RESOURCES, ...RESOURCES.map((one): Resource => `${one}/x`)]

/** Calls on all resources of the tree around both, with each action of either and parameters around both. */
export function callsAt(child: Grant, parent: Grant): Call[] {
  const actions = [...new Set([...child.actions, ...parent.actions])]
  const own = (selector: Selector): Resource[] => {
    const node = selector.replace(/\/\*\*$/, '')
    return isResource(node) ? [node, `${node}/y`] : []
  }
  const params = paramsAt(child.args, parent.args)
  const [plain = {}] = params
  const [resource = RESOURCES[0]!] = own(child.resource)
  const [action = ''] = child.actions
  return [
    ...params.map(one => ({ resource, action, params: one })),
    ...[...RESOURCES_BELOW, ...own(parent.resource), ...own(child.resource)].map(one => ({
      resource: one,
      action,
      params: plain,
    })),
    ...actions.map(one => ({ resource, action: one, params: plain })),
  ]
}
