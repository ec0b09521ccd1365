/**
 * Does something so many times. `seconds` are those that count: of processor time for what only computes, because other
 * programs disturb it least, and on the clock for what waits for a disk or for others.
 *
 * @typedef {(count: number) => Promise<{ seconds: number, onTheClock: number }>} Row
 */

/** Seconds of this process. */
const processorTime = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
const clock = () => performance.now() / 1000

/**
 * A row that computes. Its inputs are made before, one for each call.
 *
 * @template T
 * @param {(count: number) => Promise<T[]> | T[]} make
 * @param {(made: T) => unknown} call
 * @returns {Row}
 */
export function row(make, call, time = processorTime) {
  return async count => {
    const all = await make(count)
    const [from, started] = [time(), clock()]
    for (const made of all) await call(made)
    return { seconds: time() - from, onTheClock: clock() - started }
  }
}

/** A row that computes, whose call needs nothing. @param {() => unknown} call @returns {Row} */
export const plain = call => row(nothings, call)

/** A row that waits. @param {() => unknown} call @returns {Row} */
export const waiting = call => row(nothings, call, clock)

/** @param {number} count */
const nothings = count => Array.from({ length: count }, () => null)

/** So many of them, one after the other. @template T @param {number} count @param {() => Promise<T> | T} make */
export async function several(count, make) {
  /** @type {T[]} */
  const all = []
  while (all.length < count) all.push(await make())
  return all
}
