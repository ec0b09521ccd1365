import { createHmac } from 'node:crypto'

const ROUNDS = 6

/** A one-to-one map of `0 … length − 1` onto itself, and the way back. */
export interface Permutation {
  readonly indexAt: (position: number) => number
  readonly positionOf: (index: number) => number
}

/**
 * A keyed permutation of `0 … length − 1`: neighbours in time are not neighbours in the list, so an index tells nobody
 * how many credentials were issued, or when. A Feistel network over the next even number of bits, walked until it falls
 * inside. It can be undone, so whose an index is follows from whose block its position lies in.
 *
 * @param key - secret, 32 bytes
 * @param length - a power of two, 2 to 2^30
 * @see https://link.springer.com/chapter/10.1007/3-540-45760-7_9 Black and Rogaway, cycle walking
 */
export function permutation(key: Uint8Array, length: number): Permutation {
  const half = Math.ceil(Math.log2(length) / 2)
  const mask = 2 ** half - 1
  // a round knows no more values than half of the index has: 512 for a list of 131 072, each worked out once
  const known = new Int32Array(ROUNDS * (mask + 1)).fill(-1)
  const round = (number: number, value: number): number => {
    const at = number * (mask + 1) + value
    const before = known[at] ?? -1
    return before >= 0 ? before : (known[at] = mac(number, value) & mask)
  }
  const mac = (number: number, value: number): number =>
    createHmac('sha256', key)
      .update(Uint8Array.of(number, value >>> 8, value & 255))
      .digest()
      .readUInt32BE()
  const shuffle = (position: number): number => {
    let left = position >>> half
    let right = position & mask
    for (let number = 0; number < ROUNDS; number += 1) [left, right] = [right, left ^ round(number, right)]
    return left * 2 ** half + right
  }
  const unshuffle = (index: number): number => {
    let left = index >>> half
    let right = index & mask
    for (let number = ROUNDS - 1; number >= 0; number -= 1) [left, right] = [right ^ round(number, left), left]
    return left * 2 ** half + right
  }
  const walk = (step: (value: number) => number) => (value: number) => {
    let next = step(value)
    while (next >= length) next = step(next)
    return next
  }
  return { indexAt: walk(shuffle), positionOf: walk(unshuffle) }
}
