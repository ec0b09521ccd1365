import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { permutation } from '../../src/status/allocation.js'

const key = createHash('sha256').update('a').digest()

/**
 * The order of a list that is in use must never change: a new version that permutes otherwise would hand out an index
 * twice. So these answers stand for ever.
 */
test.each<[number, readonly number[]]>([
  [3, [7, 6, 4, 5]],
  [12, [1653, 2707, 4030, 633]],
  [13, [2658, 1470, 1495, 8005]],
  [17, [35_128, 4384, 73_871, 7269]],
  [29, [416_550_087, 292_582_160, 390_124_498, 293_716_741]],
  [30, [416_550_087, 292_582_160, 502_240_681, 417_899_382]],
])('the first two, the middle and the last of 2^%i', (exponent, images) => {
  const length = 2 ** exponent
  expect([0, 1, length / 2, length - 1].map(permutation(key, length).indexAt)).toEqual(images)
})

test('all of eight', () => {
  expect(Array.from({ length: 8 }, (_, position) => position).map(permutation(key, 8).indexAt)).toEqual([
    7, 6, 0, 2, 4, 1, 3, 5,
  ])
})
