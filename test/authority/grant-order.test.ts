import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { read } from '../../src/shape.js'
import {
  grantsShape,
  requireAllowed,
  requireNarrower,
  toGrantJson,
  type Call,
  type Grant,
} from '../../src/authority/grant.js'
import { covers, isResource, isSelector } from '../../src/authority/resource.js'
import { but } from '../ground/but.js'
import type { Json } from '../../src/json.js'
import { outcome } from '../ground/refusal.js'
import { call, grant, RESOURCES, SELECTORS } from './arbitrary.js'

const allows = (grants: readonly Grant[], one: Call): boolean => outcome(() => requireAllowed(grants, one)) === 'ok'

/** A grant at most as wide as it was, or a little wider: pairs of strangers are almost never within each other. */
const near = (from: Grant): fc.Arbitrary<Grant> =>
  fc.tuple(fc.constantFrom(...SELECTORS), fc.integer({ min: 0, max: 7 }), grant).map(([resource, turn, stranger]) => {
    const { args, perCall, ...rest } = from
    const kept = { ...(args === undefined ? {} : { args }), ...(perCall === undefined ? {} : { perCall }) }
    if (turn === 0) return stranger
    if (turn === 1) return { ...rest, ...kept, actions: stranger.actions }
    if (turn === 2) return { ...rest, ...kept, ...(stranger.args === undefined ? {} : { args: stranger.args }) }
    if (turn === 3) return { ...rest, ...(args === undefined ? {} : { args }) }
    if (turn === 4) return { ...rest, ...(perCall === undefined ? {} : { perCall }) }
    if (turn === 5) return { ...rest, ...kept, perCall: true }
    return { ...rest, ...kept, resource }
  })

/** Random parents, children near one of them, and random calls. */
const family = fc
  .array(grant, { minLength: 1, maxLength: 3 })
  .chain(parents =>
    fc.tuple(
      fc.constant(parents),
      fc.array(fc.constantFrom(...parents).chain(near), { minLength: 1, maxLength: 2 }),
      fc.array(call, { minLength: 12, maxLength: 12 }),
    ),
  )

describe('requireNarrower', () => {
  test('is sound: every call that the children allow, the parents allow', () => {
    let narrower = 0
    let allowed = 0
    fc.assert(
      fc.property(family, ([parents, children, calls]) => {
        if (outcome(() => requireNarrower(children, parents)) !== 'ok') return
        narrower += 1
        for (const one of calls.filter(one => allows(children, one))) {
          allowed += 1
          expect(allows(parents, one), JSON.stringify({ one, children: children.map(toGrantJson) })).toBe(true)
        }
      }),
      { numRuns: 12_000 },
    )
    expect(narrower).toBeGreaterThan(1000)
    expect(allowed).toBeGreaterThan(500)
  })

  test('never lets a call need an approval above and none below', () => {
    let seen = 0
    fc.assert(
      fc.property(family, ([parents, children, calls]) => {
        if (outcome(() => requireNarrower(children, parents)) !== 'ok') return
        for (const child of children) {
          const above = parents.filter(parent => outcome(() => requireNarrower([child], [parent])) === 'ok')
          for (const one of calls.filter(one => allows([child], one))) {
            if (!above.every(parent => parent.perCall === true)) continue
            seen += 1
            expect(child.perCall).toBe(true)
            expect(above.some(parent => allows([parent], one))).toBe(true)
          }
        }
      }),
      { numRuns: 6000 },
    )
    expect(seen).toBeGreaterThan(50)
  })

  test('every grant is narrower than itself, whatever else stands beside it', () => {
    fc.assert(
      fc.property(fc.array(grant, { minLength: 1, maxLength: 4 }), grants => {
        requireNarrower(grants, grants)
        requireNarrower([grants[0]!], grants)
      }),
      { numRuns: 2000 },
    )
  })

  const BASE: Grant = {
    resource: 'https://a.example/bookings/**',
    actions: ['book'],
    args: new Map([['amount', { op: 'range', min: 0, max: 10, req: true }]]),
    perCall: true,
  }
  const silent: Grant = but(BASE, 'perCall')
  const unbounded: Grant = but(BASE, 'args')
  test.each<[string, Grant[], Grant[], string]>([
    ['itself', [BASE], [BASE], 'ok'],
    ['a neighbour', [{ ...BASE, resource: 'https://a.example/bookings2' }], [BASE], 'WIDENED_RESOURCE'],
    ['the node above', [{ ...BASE, resource: 'https://a.example/**' }], [BASE], 'WIDENED_RESOURCE'],
    ['another port', [{ ...BASE, resource: 'https://a.example:8443/bookings/1' }], [BASE], 'WIDENED_RESOURCE'],
    ['another case', [{ ...BASE, resource: 'https://a.example/Bookings/1' }], [BASE], 'WIDENED_RESOURCE'],
    ['another action', [{ ...BASE, actions: ['book', 'quote'] }], [BASE], 'WIDENED_ACTION'],
    ['a longer action', [{ ...BASE, actions: ['book:all'] }], [BASE], 'WIDENED_ACTION'],
    ['no arguments at all', [unbounded], [BASE], 'WIDENED_ARGS'],
    ['an empty map', [{ ...BASE, args: new Map() }], [BASE], 'WIDENED_ARGS'],
    ['no approval', [silent], [BASE], 'WIDENED_APPROVAL'],
    ['perCall false', [{ ...BASE, perCall: false }], [BASE], 'WIDENED_APPROVAL'],
    ['one good, one wide', [BASE, { ...BASE, actions: ['quote'] }], [BASE], 'WIDENED_ACTION'],
    [
      'a union of two parents',
      [{ ...BASE, actions: ['book', 'quote'] }],
      [BASE, { ...BASE, actions: ['quote'] }],
      'WIDENED_ACTION',
    ],
    [
      'the closest parent is reported, not the first',
      [unbounded],
      [{ ...BASE, resource: 'https://b.example/**' }, BASE],
      'WIDENED_ARGS',
    ],
  ])('%s', (_name, children, parents, code) => {
    expect(outcome(() => requireNarrower(children, parents))).toBe(code)
  })
})

describe('requireAllowed', () => {
  const GRANTS = read(
    grantsShape,
    [
      {
        resource: 'https://a.example/bookings/**',
        actions: ['book'],
        args: JSON.parse(
          '{"amount":{"max":10,"min":0,"op":"range","req":true},"note":{"maxBytes":4,"op":"text","req":false},"__proto__":{"op":"eq","req":false,"value":1}}',
        ) as Json,
      },
      { resource: 'https://a.example/bookings/1', actions: ['quote'] },
    ],
    'grants',
  )
  const call = (change: Partial<Call>): Call => ({
    action: 'book',
    resource: 'https://a.example/bookings/1',
    params: { amount: 1 },
    ...change,
  })
  test.each<[string, Call, string]>([
    ['good', call({}), 'ok'],
    ['the node itself', call({ resource: 'https://a.example/bookings' }), 'ok'],
    ['an argument named __proto__', call({ params: JSON.parse('{"amount":1,"__proto__":1}') as Call['params'] }), 'ok'],
    ['with another value', call({ params: JSON.parse('{"amount":1,"__proto__":2}') as Call['params'] }), 'DENIED_ARG'],
    ['a neighbour', call({ resource: 'https://a.example/bookings2' }), 'DENIED_RESOURCE'],
    ['an action of no grant', call({ action: 'search' }), 'DENIED_ACTION'],
    [
      'an action of another grant',
      call({ action: 'quote', resource: 'https://a.example/bookings/2' }),
      'DENIED_ACTION',
    ],
    ['an argument outside', call({ params: { amount: 11 } }), 'DENIED_ARG'],
    ['an argument unknown', call({ params: { amount: 1, x: 1 } }), 'DENIED_ARG_UNKNOWN'],
    ['an argument named constructor', call({ params: { amount: 1, constructor: 1 } }), 'DENIED_ARG_UNKNOWN'],
    ['an argument named toString', call({ params: { amount: 1, toString: 1 } }), 'DENIED_ARG_UNKNOWN'],
    ['an argument missing', call({ params: { note: 'x' } }), 'DENIED_ARG_MISSING'],
    ['outside before unknown', call({ params: { x: 1, amount: 11 } }), 'DENIED_ARG'],
    ['unknown before missing', call({ params: { x: 1 } }), 'DENIED_ARG_UNKNOWN'],
    ['an inherited argument', call({ params: Object.create({ amount: 1 }) as Call['params'] }), 'DENIED_ARG_MISSING'],
  ])('%s', (_name, one, code) => {
    expect(outcome(() => requireAllowed(GRANTS, one))).toBe(code)
  })

  test('answers all grants that allow the call, so that none with perCall is passed over', () => {
    const twice: readonly Grant[] = [
      { resource: 'https://a.example/**', actions: ['book'] },
      { resource: 'https://a.example/bookings/**', actions: ['book'], perCall: true },
    ]
    expect(requireAllowed(twice, call({}))).toEqual(twice)
  })

  test('a grant survives being written and read', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(grant, { minLength: 1, maxLength: 4, selector: one => JSON.stringify(toGrantJson(one)) }),
        grants => {
          expect(read(grantsShape, grants.map(toGrantJson), 'grants')).toEqual(grants)
        },
      ),
      { numRuns: 1000 },
    )
  })
})

describe('covers', () => {
  test('is a partial order', () => {
    for (const a of SELECTORS) {
      expect(covers(a, a)).toBe(true)
      for (const b of SELECTORS) {
        if (a !== b) expect(covers(a, b) && covers(b, a), `${a} ${b}`).toBe(false)
        if (!covers(a, b)) continue
        for (const c of SELECTORS) if (covers(b, c)) expect(covers(a, c), `${a} ${b} ${c}`).toBe(true)
      }
    }
  })

  test('is sound and complete for the resources of a tree', () => {
    const segment = fc.constantFrom('a', 'b', 'ab', 'a.b')
    const resource = fc
      .array(segment, { maxLength: 4 })
      .map(segments => `https://${['h.example', ...segments].join('/')}` as const)
    let covered = 0
    fc.assert(
      fc.property(resource, resource, resource, fc.boolean(), fc.boolean(), (p, c, r, below, deep) => {
        const parent = below ? (`${p}/**` as const) : p
        const child = deep ? (`${c}/**` as const) : c
        expect(isSelector(parent) && isResource(r)).toBe(true)
        if (!covers(parent, child)) {
          // what is not covered has a resource outside: the child's own node, or one below it
          expect(covers(parent, c) && covers(parent, `${c}/witness`) && deep).toBe(false)
          return
        }
        covered += 1
        if (covers(child, r)) expect(covers(parent, r), `${parent} ${child} ${r}`).toBe(true)
      }),
      { numRuns: 8000 },
    )
    expect(covered).toBeGreaterThan(500)
    expect(RESOURCES.every(isResource)).toBe(true)
  })
})
