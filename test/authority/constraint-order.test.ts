import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accepts, isWithin, type Constraint } from '../../src/authority/constraint.js'
import { wideningOfArgs } from '../../src/authority/grant.js'
import { argumentMap, constraint } from './arbitrary.js'

/** One of every kind at every boundary: small enough to compare all pairs and all triples. */
const UNIVERSE: readonly Constraint[] = fc.sample(constraint, { numRuns: 110, seed: 20_261_121 })

describe('⊑ on constraints', () => {
  test('is reflexive', () => {
    fc.assert(
      fc.property(constraint, one => isWithin(one, one)),
      { numRuns: 5000 },
    )
  })

  test('is transitive over all triples', () => {
    const below = UNIVERSE.map(parent => new Set(UNIVERSE.filter(child => isWithin(child, parent))))
    let triples = 0
    UNIVERSE.forEach((middle, index) => {
      UNIVERSE.forEach((top, position) => {
        if (!isWithin(middle, top)) return
        for (const bottom of below[index]!) {
          expect(below[position]!.has(bottom), JSON.stringify([bottom, middle, top])).toBe(true)
          triples += 1
        }
      })
    })
    expect(triples).toBeGreaterThan(1000)
  })

  test('says no to a parent of which the child exceeds one bound', () => {
    const at = (op: object): Constraint => ({ req: true, ...op }) as Constraint
    const ladder: readonly [string, Constraint, Constraint][] = [
      ['range max', at({ op: 'range', min: 0, max: 11 }), at({ op: 'range', min: 0, max: 10 })],
      ['range min', at({ op: 'range', min: -1, max: 10 }), at({ op: 'range', min: 0, max: 10 })],
      ['range without max', at({ op: 'range', min: 0 }), at({ op: 'range', min: 0, max: 10 })],
      ['range without min', at({ op: 'range', max: 10 }), at({ op: 'range', min: 0, max: 10 })],
      ['in', at({ op: 'in', values: ['a', 'b'] }), at({ op: 'in', values: ['a'] })],
      ['in with a number as text', at({ op: 'in', values: ['1'] }), at({ op: 'in', values: [1] })],
      ['in beyond a range', at({ op: 'in', values: [0, 11] }), at({ op: 'range', min: 0, max: 10 })],
      ['eq true is not 1', at({ op: 'eq', value: true }), at({ op: 'in', values: [1, 'true'] })],
      ['eq composed', at({ op: 'eq', value: 'é' }), at({ op: 'eq', value: 'e\u0301' })],
      ['eq under a set of items', at({ op: 'eq', value: 'a' }), at({ op: 'subset', values: ['a'], maxItems: 9 })],
      ['in under a set of items', at({ op: 'in', values: ['a'] }), at({ op: 'subset', values: ['a'], maxItems: 9 })],
      ['under a neighbour', at({ op: 'under', base: '/ab' }), at({ op: 'under', base: '/a' })],
      ['under the parent', at({ op: 'under', base: '/a' }), at({ op: 'under', base: '/a/b' })],
      ['eq with a dot segment', at({ op: 'eq', value: '/a/../b' }), at({ op: 'under', base: '/a' })],
      [
        'subset values',
        at({ op: 'subset', values: [1, 2], maxItems: 1 }),
        at({ op: 'subset', values: [1], maxItems: 1 }),
      ],
      ['subset items', at({ op: 'subset', values: [1], maxItems: 2 }), at({ op: 'subset', values: [1], maxItems: 1 })],
      ['text', at({ op: 'text', maxBytes: 11 }), at({ op: 'text', maxBytes: 10 })],
      ['eq longer in bytes than in characters', at({ op: 'eq', value: 'é' }), at({ op: 'text', maxBytes: 1 })],
      ['any under all scalars', at({ op: 'any' }), at({ op: 'in', values: [1, 'a', true] })],
    ]
    for (const [name, child, parent] of ladder) expect(isWithin(child, parent), name).toBe(false)
    // and yes to each turned by one step, so that the table says something of the bound, not of the operator
    const turned: readonly [string, Constraint, Constraint][] = [
      ['range', at({ op: 'range', min: 0, max: 10 }), at({ op: 'range', min: 0, max: 10 })],
      ['in a range', at({ op: 'in', values: [0, 10] }), at({ op: 'range', min: 0, max: 10 })],
      ['in', at({ op: 'in', values: ['a'] }), at({ op: 'in', values: ['b', 'a'] })],
      ['eq in a text', at({ op: 'eq', value: 'é' }), at({ op: 'text', maxBytes: 2 })],
      ['eq under', at({ op: 'eq', value: '/a/b' }), at({ op: 'under', base: '/a' })],
      ['under', at({ op: 'under', base: '/a/b' }), at({ op: 'under', base: '/a' })],
      ['subset', at({ op: 'subset', values: [1], maxItems: 1 }), at({ op: 'subset', values: [2, 1], maxItems: 1 })],
      ['all in any', at({ op: 'subset', values: [1], maxItems: 1 }), at({ op: 'any' })],
    ]
    for (const [name, child, parent] of turned) expect(isWithin(child, parent), name).toBe(true)
  })
})

describe('what a constraint accepts', () => {
  const at = (op: object): Constraint => ({ req: true, ...op }) as Constraint
  test.each<[string, Constraint, unknown[], unknown[]]>([
    ['eq 1', at({ op: 'eq', value: 1 }), [1], ['1', true, 1.5, null, [1], 2]],
    ['eq 0 is not −0', at({ op: 'eq', value: 0 }), [0], [-0, false, '', null, []]],
    ['eq "__proto__"', at({ op: 'eq', value: '__proto__' }), ['__proto__'], [{}, 'proto']],
    ['in', at({ op: 'in', values: ['a', 0] }), ['a', 0], ['A', -0, ['a'], null]],
    ['range', at({ op: 'range', min: 0, max: 10 }), [0, 1, 10], [-0, -1, 11, 0.5, '5', true, null, [5], 2 ** 53]],
    ['range up to the last safe integer', at({ op: 'range', min: 1 }), [2 ** 53 - 1], [2 ** 53, 1e300, 0]],
    ['range down to the first', at({ op: 'range', max: 1 }), [-(2 ** 53 - 1)], [-(2 ** 53), -1e300, 2]],
    [
      'under',
      at({ op: 'under', base: '/a' }),
      ['/a', '/a/b', '/a/b/c'],
      ['/ab', '/a/', '/a/../b', '/a/./b', '/a//b', '/a/%2e%2e/b', '/a\\b', '/A', 'a', '/', '', 1, ['/a'], '/a/b\n'],
    ],
    [
      'subset',
      at({ op: 'subset', values: ['a', 1], maxItems: 2 }),
      [[], ['a'], [1, 'a'], ['a', 'a']],
      [['a', 1, 'a'], ['b'], ['1'], [['a']], 'a', { length: 0 }, null, [null]],
    ],
    ['subset of nothing', at({ op: 'subset', values: ['a'], maxItems: 0 }), [[]], [['a'], null]],
    [
      'text',
      at({ op: 'text', maxBytes: 4 }),
      ['', 'abcd', 'éé', '😀'],
      ['abcde', 'ééa', '😀a', '\ud800', 1, null, ['a']],
    ],
    ['any', at({ op: 'any' }), [null, 1.5, 'x', [], {}], []],
  ])('%s', (_name, one, good, bad) => {
    for (const value of good) expect(accepts(one, value as never), JSON.stringify(value)).toBe(true)
    for (const value of bad) expect(accepts(one, value as never), JSON.stringify(value)).toBe(false)
  })
})

describe('⊑ on argument maps', () => {
  test('is reflexive', () => {
    fc.assert(
      fc.property(argumentMap, map => wideningOfArgs(map, map) === null),
      { numRuns: 2000 },
    )
  })

  const amount = (req: boolean, max = 10): Constraint => ({ op: 'range', min: 0, max, req })
  const any = (req: boolean): Constraint => ({ op: 'any', req })
  test.each<
    [string, ReadonlyMap<string, Constraint> | undefined, ReadonlyMap<string, Constraint> | undefined, boolean]
  >([
    ['no map under a map', undefined, new Map([['a', any(false)]]), false],
    ['no map under an empty map', undefined, new Map(), false],
    ['a map under no map', new Map([['a', any(false)]]), undefined, true],
    ['no map under no map', undefined, undefined, true],
    ['an empty map under an optional argument', new Map(), new Map([['a', any(false)]]), true],
    ['an empty map under a required argument', new Map(), new Map([['a', any(true)]]), false],
    ['a required argument made optional', new Map([['a', amount(false)]]), new Map([['a', amount(true)]]), false],
    ['an optional argument made required', new Map([['a', amount(true)]]), new Map([['a', amount(false)]]), true],
    ['one argument more', new Map([['a', any(true)], ['b', any(false)]]), new Map([['a', any(true)]]), false], // prettier-ignore
    ['a wider argument', new Map([['a', amount(true, 11)]]), new Map([['a', amount(true)]]), false],
    ['an argument named __proto__ under none', new Map([['__proto__', any(false)]]), new Map(), false],
    ['__proto__ dropped where required', new Map(), new Map([['__proto__', any(true)]]), false],
    [
      'constructor under constructor',
      new Map([['constructor', any(true)]]),
      new Map([['constructor', any(true)]]),
      true,
    ],
  ])('%s', (_name, child, parent, within) => {
    expect(wideningOfArgs(child, parent) === null).toBe(within)
  })
})
