/** Numbers that follow from a seed (mulberry32): the same seed breaks the same thing again. */
export class Random {
  #state: number

  constructor(...seeds: readonly number[]) {
    this.#state = seeds.reduce((state, seed) => Math.imul(state ^ seed, 0x9e3779b1) ^ (state >>> 15), 0x2545f491)
    this.next()
  }

  /** others that follow from another seed alone */
  fork(seed: number): Random {
    return new Random(seed)
  }

  /** from 0 to below 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** a whole number, both bounds included */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  pick<T>(from: readonly T[]): T {
    const found = from[this.int(0, from.length - 1)]
    if (found === undefined && from.length === 0) throw new RangeError('nothing to pick from')
    return found as T
  }

  /** those that a coin keeps, and always the ones named */
  some<T>(from: readonly T[], ...always: readonly T[]): T[] {
    return from.filter(one => always.includes(one) || this.chance(0.5))
  }
}
