// What a soak is judged by.

/** @typedef {{ seconds: number, requests: number, heap: number, external: number, rss: number, descriptors: number, handles: number }} Point */
/** @typedef {{ first: number, last: number, perHour: number, perRequest: number, allowed: number, grows: boolean }} Growth */

const MIB = 1024 * 1024

/**
 * How much more the last quarter may hold than the first, of a run that began with full caches: a part of it for the
 * noise, and an amount for what is bounded but not full within an hour (signed events, 10 000; pages of the database), or
 * goes with the calls of a moment (connections).
 */
const ALLOWED = {
  heap: { part: 0.1, amount: 16 * MIB },
  external: { part: 0.1, amount: 8 * MIB },
  rss: { part: 0.15, amount: 32 * MIB },
  descriptors: { part: 0, amount: 32 },
  handles: { part: 0, amount: 32 },
}

/** Names of what may not grow. */
export const WATCHED = /** @type {(keyof typeof ALLOWED)[]} */ (Object.keys(ALLOWED))

/**
 * Whether something grows without bound: a low value of the last quarter (a fourth of its samples are lower) is above that of
 * the first by more than {@link ALLOWED}, and the last quarter rises too. Low, because calls under way hold something as well,
 * and more of it when the machine is busy. A cache that fills rises and then does not; a leak rises to the end.
 * Slopes are Theil and Sen's, so that single points do not count.
 *
 * @param {readonly Point[]} points in order
 * @param {keyof typeof ALLOWED} what
 * @returns {Growth}
 */
export function growthOf(points, what) {
  const quarter = Math.max(1, Math.floor(points.length / 4))
  const [head, tail] = [points.slice(0, quarter), points.slice(-quarter)]
  const of = (/** @type {readonly Point[]} */ some) => lowOf(some.map(point => point[what]))
  const [first, last] = [of(head), of(tail)]
  const { part, amount } = ALLOWED[what]
  const allowed = first * part + amount
  const perHour = 3600 * slope(points.map(point => [point.seconds, point[what]]))
  const perRequest = slope(points.map(point => [point.requests, point[what]]))
  const rising = slope(tail.map(point => [point.seconds, point[what]])) > 0
  return { first, last, perHour, perRequest, allowed, grows: last - first > allowed && rising }
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** @param {readonly number[]} values */
function lowOf(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 4)] ?? 0
}

/** @param {readonly (readonly [number, number])[]} points */
function slope(points) {
  /** @type {number[]} */
  const slopes = []
  for (const [n, [x, y]] of points.entries()) {
    for (const [x2, y2] of points.slice(n + 1)) if (x2 > x) slopes.push((y2 - y) / (x2 - x))
  }
  return median(slopes)
}
