/** Does something so many times and says how many seconds that took. @typedef {(count: number) => Promise<number>} Row */

/**
 * A row whose inputs are made before the clock runs, one for each call.
 *
 * @template T
 * @param {(count: number) => Promise<T[]> | T[]} make
 * @param {(made: T) => unknown} call
 * @returns {Row}
 */
export function row(make, call) {
  return async count => {
    const all = await make(count)
    const started = performance.now()
    for (const made of all) await call(made)
    return (performance.now() - started) / 1000
  }
}

/** A row whose call needs nothing. @param {() => unknown} call @returns {Row} */
export const plain = call => row(count => Array.from({ length: count }, () => null), call)

/** So many of them, one after the other. @template T @param {number} count @param {() => Promise<T> | T} make */
export async function several(count, make) {
  /** @type {T[]} */
  const all = []
  while (all.length < count) all.push(await make())
  return all
}
