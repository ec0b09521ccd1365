import fc from 'fast-check'
import type { Constraint, Scalar } from '../../src/authority/constraint.js'
import type { Call, Grant } from '../../src/authority/grant.js'
import type { Resource, Selector } from '../../src/authority/resource.js'
import type { Json, JsonObject } from '../../src/json.js'

const { MAX_SAFE_INTEGER: MAX, MIN_SAFE_INTEGER: MIN } = Number

/** Numbers at which bounds of the other generators lie, and their neighbours. */
export const INTEGERS: readonly number[] = [MIN, -2, -1, 0, 1, 2, 3, 9, 10, 11, MAX - 1, MAX]
export const PATHS: readonly string[] = ['/a', '/a/b', '/a/b/c', '/ab', '/a.b', '/A', '/a/b.']
/** Strings whose length in bytes, in code units and as a path differ. */
export const STRINGS: readonly string[] = ['', 'a', 'aa', 'é', 'e\u0301', '😀', '\u0000', '1', 'true', 'USD', ...PATHS]
export const SCALARS: readonly Scalar[] = [...INTEGERS, ...STRINGS, true, false]

/** What a request may carry, sound or not: every scalar, and all that looks like one. */
export const VALUES: readonly Json[] = [
  ...SCALARS,
  -0,
  0.5,
  2 ** 53,
  -(2 ** 53),
  1e300,
  null,
  '\ud800',
  '/a/',
  '/a/../ab',
  '/a//b',
  '/a/%2e',
  '/',
  'a/b',
  [],
  [1],
  [1, 1],
  [1, 'a'],
  ['a', 'aa', 'é'],
  [[1]],
  [-0],
  [null],
  {},
  { '0': 1, length: 1 },
]

const scalar = fc.constantFrom(...SCALARS)
const bytes = fc.integer({ min: 0, max: 8 })

/** Any constraint that the shape lets in, from a pool small enough that two of them often meet. */
export const constraint: fc.Arbitrary<Constraint> = fc
  .tuple(
    fc.boolean(),
    fc.oneof(
      fc.constant({ op: 'any' } as const),
      scalar.map(value => ({ op: 'eq', value }) as const),
      fc.uniqueArray(scalar, { minLength: 1, maxLength: 5 }).map(values => ({ op: 'in', values }) as const),
      fc
        .record({ min: fc.constantFrom(...INTEGERS), max: fc.constantFrom(...INTEGERS) }, { requiredKeys: [] })
        .filter(({ min, max }) => min !== undefined || max !== undefined)
        .map(bounds => ({ op: 'range', ...bounds }) as const),
      fc.constantFrom(...PATHS).map(base => ({ op: 'under', base }) as const),
      fc
        .tuple(fc.uniqueArray(scalar, { minLength: 1, maxLength: 5 }), bytes)
        .map(([values, maxItems]) => ({ op: 'subset', values, maxItems }) as const),
      bytes.map(maxBytes => ({ op: 'text', maxBytes }) as const),
    ),
  )
  .map(([req, rest]) => ({ req, ...rest }))

export const value: fc.Arbitrary<Json> = fc.constantFrom(...VALUES)

/** Names of arguments, with those that plain objects already answer to. */
const ARGUMENTS = ['amount', 'currency', '__proto__', 'constructor', 'hasOwnProperty']

export const argumentMap: fc.Arbitrary<ReadonlyMap<string, Constraint>> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...ARGUMENTS), constraint), { maxLength: 3, selector: ([name]) => name })
  .map(entries => new Map(entries))

export const params: fc.Arbitrary<JsonObject> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...ARGUMENTS), value), { maxLength: 3, selector: ([name]) => name })
  .map(entries => Object.fromEntries(entries))

/** A small tree, and what lies beside it. */
export const RESOURCES: readonly Resource[] = [
  'https://a.example',
  'https://a.example/bookings',
  'https://a.example/bookings/1',
  'https://a.example/bookings/1/seats',
  'https://a.example/bookings2',
  'https://a.example/Bookings',
  'https://a.example:8443/bookings',
  'https://a.example.mallory.example/bookings',
  'https://b.example/bookings',
]
export const SELECTORS: readonly Selector[] = [...RESOURCES, ...RESOURCES.map((one): Selector => `${one}/**`)]
const ACTIONS = ['book', 'quote', 'search']

export const grant: fc.Arbitrary<Grant> = fc
  .tuple(
    fc.constantFrom(...SELECTORS),
    fc.uniqueArray(fc.constantFrom(...ACTIONS), { minLength: 1, maxLength: 3 }),
    fc.option(argumentMap, { nil: undefined }),
    fc.boolean(),
  )
  .map(([resource, actions, args, perCall]) => ({
    resource,
    actions,
    ...(args === undefined ? {} : { args }),
    ...(perCall ? { perCall } : {}),
  }))

export const call: fc.Arbitrary<Call> = fc.record({
  resource: fc.constantFrom(...RESOURCES),
  action: fc.constantFrom(...ACTIONS),
  params,
})
