import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accepts, isWithin, type Constraint } from '../../src/authority/constraint.js'
import { requireAllowed, requireNarrower, wideningOfArgs, type Call, type Grant } from '../../src/authority/grant.js'
import type { Resource } from '../../src/authority/resource.js'
import type { Json, JsonObject } from '../../src/json.js'
import { outcome } from '../ground/refusal.js'
import { argumentMap, constraint, grant, VALUES } from './arbitrary.js'
import { soundness, transitivity, type Order } from './order.js'
import { callsAt, near, nearGrant, nearMap, paramsAt, valuesAt } from './related.js'

type Args = ReadonlyMap<string, Constraint>

/** A parent and something near it, either way round. */
const pairOf = <T>(one: fc.Arbitrary<T>, around: (one: T) => fc.Arbitrary<T>): fc.Arbitrary<readonly [T, T]> =>
  one
    .chain(parent => fc.tuple(around(parent), fc.constant(parent), fc.integer({ min: 0, max: 9 })))
    .map(([child, parent, turn]): readonly [T, T] => (turn === 0 ? [parent, child] : [child, parent]))

const tripleOf = <T>(one: fc.Arbitrary<T>, around: (one: T) => fc.Arbitrary<T>): fc.Arbitrary<readonly [T, T, T]> =>
  one.chain(top => around(top).chain(middle => fc.tuple(around(middle), fc.constant(middle), fc.constant(top))))

const PLACE: Resource = 'https://a.example/bookings/1'
const isAllowed = (one: Grant, call: Call): boolean => outcome(() => requireAllowed([one], call)) === 'ok'

const CONSTRAINTS: Order<Constraint, Json> = {
  within: isWithin,
  accepts,
  values: (child, parent) => [...valuesAt(child), ...valuesAt(parent), ...VALUES],
}
const MAPS: Order<Args, JsonObject> = {
  within: (child, parent) => wideningOfArgs(child, parent) === null,
  accepts: (args, params) =>
    isAllowed({ resource: PLACE, actions: ['book'], args }, { resource: PLACE, action: 'book', params }),
  values: paramsAt,
}
const GRANTS: Order<Grant, Call> = {
  within: (child, parent) => outcome(() => requireNarrower([child], [parent])) === 'ok',
  accepts: isAllowed,
  values: callsAt,
}

const constraints = pairOf(constraint, near)
const maps = pairOf(argumentMap, nearMap)
const grants = pairOf(grant, nearGrant)

describe('⊑ is sound: what the child accepts, the parent accepts', () => {
  test('on 120 000 pairs of constraints', () => {
    const { counterexample, pairs, within, accepted } = soundness(CONSTRAINTS, constraints, 120_000)
    expect(counterexample).toBeNull()
    expect(pairs).toBe(120_000)
    expect(within).toBeGreaterThan(pairs * 0.3)
    expect(accepted).toBeGreaterThan(within)
  })

  test('on argument maps', () => {
    const { counterexample, pairs, within, accepted } = soundness(MAPS, maps, 12_000)
    expect(counterexample).toBeNull()
    expect(within).toBeGreaterThan(pairs * 0.3)
    expect(accepted).toBeGreaterThan(within)
  })

  test('on grants', () => {
    const { counterexample, pairs, within, accepted } = soundness(GRANTS, grants, 6000)
    expect(counterexample).toBeNull()
    expect(within).toBeGreaterThan(pairs * 0.25)
    expect(accepted).toBeGreaterThan(within)
  })
})

describe('⊑ is transitive', () => {
  test('on constraints', () => {
    const { counterexample, chains } = transitivity(isWithin, tripleOf(constraint, near), 40_000)
    expect(counterexample).toBeNull()
    expect(chains).toBeGreaterThan(8000)
  })

  test('on argument maps', () => {
    const { counterexample, chains } = transitivity(MAPS.within, tripleOf(argumentMap, nearMap), 15_000)
    expect(counterexample).toBeNull()
    expect(chains).toBeGreaterThan(3000)
  })

  test('on grants', () => {
    const { counterexample, chains } = transitivity(GRANTS.within, tripleOf(grant, nearGrant), 15_000)
    expect(counterexample).toBeNull()
    expect(chains).toBeGreaterThan(1500)
  })
})

/** The order but for pairs that `wrongly` decides. */
const but = (wrongly: (child: Constraint, parent: Constraint) => boolean | null): Order<Constraint, Json> => ({
  ...CONSTRAINTS,
  within: (child, parent) => wrongly(child, parent) ?? isWithin(child, parent),
})
const loosely = (parent: Constraint, value: unknown): boolean =>
  (parent.op === 'eq' && String(parent.value) === String(value)) ||
  (parent.op === 'in' && parent.values.map(String).includes(String(value)))

describe('the property fails for an order that', () => {
  test.each<[string, Order<Constraint, Json>]>([
    [
      'ignores max',
      but((child, parent) =>
        child.op === 'range' && parent.op === 'range' ? (child.min ?? -Infinity) >= (parent.min ?? -Infinity) : null,
      ),
    ],
    [
      'compares lists by length',
      but((child, parent) =>
        child.op === 'in' && parent.op === 'in' ? child.values.length <= parent.values.length : null,
      ),
    ],
    [
      'compares paths as text',
      but((child, parent) =>
        child.op === 'under' && parent.op === 'under' ? child.base.startsWith(parent.base) : null,
      ),
    ],
    [
      'ignores maxItems',
      but((child, parent) =>
        child.op === 'subset' && parent.op === 'subset' ? child.values.every(one => parent.values.includes(one)) : null,
      ),
    ],
    [
      'measures text in code units',
      but((child, parent) =>
        child.op === 'eq' && parent.op === 'text'
          ? String(child.value).length <= parent.maxBytes && typeof child.value === 'string'
          : null,
      ),
    ],
    [
      'compares across types',
      but((child, parent) => (child.op === 'eq' && loosely(parent, child.value) ? true : null)),
    ],
    [
      'takes a scalar for the set of it',
      but((child, parent) =>
        child.op === 'eq' && parent.op === 'subset' ? parent.values.includes(child.value) : null,
      ),
    ],
  ])('%s', (_name, order) => {
    expect(soundness(order, constraints, 20_000).counterexample).not.toBeNull()
  })

  const droppingReq: Order<Args, JsonObject> = {
    ...MAPS,
    within: (child, parent) => [...child].every(([name, one]) => parent.has(name) && isWithin(one, parent.get(name)!)),
  }
  const forgettingNames: Order<Args, JsonObject> = {
    ...MAPS,
    within: (child, parent) => MAPS.within(new Map([...child].filter(([name]) => parent.has(name))), parent),
  }
  test.each<[string, Order<Args, JsonObject>]>([
    ['drops req', droppingReq],
    ['lets names be added', forgettingNames],
  ])('%s', (_name, order) => {
    expect(soundness(order, maps, 5000).counterexample).not.toBeNull()
  })

  test.each<[string, (child: Grant, parent: Grant) => Grant]>([
    ['looks at no resource', (child, parent) => ({ ...child, resource: parent.resource })],
    ['looks at no action', (child, parent) => ({ ...child, actions: parent.actions })],
  ])('%s', (_name, pretend) => {
    const order = { ...GRANTS, within: (child: Grant, parent: Grant) => GRANTS.within(pretend(child, parent), parent) }
    expect(soundness(order, grants, 3000).counterexample).not.toBeNull()
  })
})
