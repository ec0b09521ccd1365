import { createHmac } from 'node:crypto'

const ROUNDS = 6

/**
 * A keyed permutation of `0 … length − 1`: neighbours in time are not neighbours in the list, so an index tells nobody
 * how many credentials were issued, or when. A Feistel network over the next even number of bits, walked until it falls
 * inside.
 *
 * @param key - secret, 32 bytes
 * @param length - a power of two, 2 to 2^30
 * @see https://link.springer.com/chapter/10.1007/3-540-45760-7_9 Black and Rogaway, cycle walking
 */
export function permutation(key: Uint8Array, length: number): (position: number) => number {
  const half = Math.ceil(Math.log2(length) / 2)
  const mask = 2 ** half - 1
  const round = (number: number, value: number): number =>
    createHmac('sha256', key)
      .update(Uint8Array.of(number, value >>> 8, value & 255))
      .digest()
      .readUInt32BE() & mask
  const shuffle = (position: number): number => {
    let left = position >>> half
    let right = position & mask
    for (let number = 0; number < ROUNDS; number += 1) [left, right] = [right, left ^ round(number, right)]
    return left * 2 ** half + right
  }
  return position => {
    let index = shuffle(position)
    while (index >= length) index = shuffle(index)
    return index
  }
}
