import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { permutation } from '../../src/status/allocation.js'

const key = (name: string): Uint8Array => createHash('sha256').update(name).digest()

/** Every position gets an index of the list, and no two the same. */
function expectBijective(length: number, by: Uint8Array): number[] {
  const { indexAt: permute, positionOf } = permutation(by, length)
  const images = Array.from({ length }, (_, position) => permute(position))
  const seen = new Uint8Array(length)
  for (const image of images) if (Number.isInteger(image) && image >= 0 && image < length) seen[image] = 1
  expect(seen.every(one => one === 1)).toBe(true)
  expect(images.every((image, position) => positionOf(image) === position)).toBe(true)
  return images
}

describe('permutation', () => {
  test.each([131_072, 1_048_576])('is bijective over all %i positions, and neighbours part', length => {
    const images = expectBijective(length, key('a'))
    const close = images.filter((image, at) => at > 0 && Math.abs(image - images[at - 1]!) <= 8)
    // 17 of all places are that close: about 17 such pairs are due by chance
    expect(close.length).toBeLessThan(60)
    const inPlace = images.filter((image, at) => image === at)
    expect(inPlace.length).toBeLessThan(10)
  })

  test.each([1, 2, 3, 4, 5, 9, 10, 11, 12])('is bijective over 2^%i', exponent => {
    for (const name of ['a', 'b']) expectBijective(2 ** exponent, key(name))
  })

  test.each([13, 14, 15, 16, 18, 19, 21, 22, 29, 30])('stays inside and maps samples of 2^%i to as many', exponent => {
    const length = 2 ** exponent
    const { indexAt: permute, positionOf } = permutation(key('c'), length)
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: length - 1 }), { minLength: 50, maxLength: 50 }),
        positions => {
          const all = [0, length - 1, ...positions.filter(one => one > 0 && one < length - 1)]
          const images = all.map(permute)
          expect(images.map(positionOf)).toEqual(all)
          expect(images.every(image => Number.isInteger(image) && image >= 0 && image < length)).toBe(true)
          expect(new Set(images).size).toBe(images.length)
        },
      ),
      { numRuns: 6 },
    )
  })

  test('is the same for one key and another for every other', () => {
    const first = (name: string): string => Array.from({ length: 64 }, (_, at) => permutation(key(name), 131_072).indexAt(at)).join() // prettier-ignore
    expect(first('a')).toBe(first('a'))
    expect(new Set(['a', 'b', 'c', 'd'].map(first)).size).toBe(4)
  })
})
