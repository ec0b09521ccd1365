import { EMPTY_ROOT, isSame, nodeHash, splitOf, type Hash } from './tree.js'

/** Reads the root of the perfect tree of 2^`level` leaves that is the `index`th of its kind. */
export type ReadNode = (level: number, index: number) => Promise<Hash>

/** Root of the tree of the first `size` leaves. */
export async function rootAt(size: number, read: ReadNode): Promise<Hash> {
  return size === 0 ? EMPTY_ROOT : rangeHash(0, size, read)
}

/**
 * What leads from a leaf to the root of the tree of the first `size` leaves.
 *
 * @param index - zero-based, below `size`
 * @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.1
 */
export async function inclusionProof(index: number, size: number, read: ReadNode): Promise<readonly Hash[]> {
  const path: Hash[] = []
  let [from, to] = [0, size]
  while (to - from > 1) {
    const middle = from + splitOf(to - from)
    if (index < middle) {
      path.unshift(await rangeHash(middle, to, read))
      to = middle
    } else {
      path.unshift(await rangeHash(from, middle, read))
      from = middle
    }
  }
  return path
}

/**
 * What shows that the tree of the first `size` leaves begins with the one of the first `earlier`.
 *
 * @param earlier - 1 to `size`
 * @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.4.1
 */
export async function consistencyProof(earlier: number, size: number, read: ReadNode): Promise<readonly Hash[]> {
  const path: Hash[] = []
  let [from, to] = [0, size]
  let isWhole = true
  while (earlier < to) {
    const middle = from + splitOf(to - from)
    if (earlier <= middle) {
      path.unshift(await rangeHash(middle, to, read))
      to = middle
    } else {
      path.unshift(await rangeHash(from, middle, read))
      from = middle
      isWhole = false
    }
  }
  return isWhole ? path : [await rangeHash(from, to, read), ...path]
}

/** True if the proof leads from this leaf to this root. @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2 */
export function isIncluded(index: number, size: number, leaf: Hash, path: readonly Hash[], root: Hash): boolean {
  if (index < 0 || index >= size) return false
  let [place, last, hash] = [index, size - 1, leaf]
  for (const step of path) {
    if (last === 0) return false
    if (place % 2 === 1 || place === last) {
      hash = nodeHash(step, hash)
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)]
    } else {
      hash = nodeHash(hash, step)
    }
    ;[place, last] = [half(place), half(last)]
  }
  return last === 0 && isSame(hash, root)
}

/**
 * True if the proof shows that the later tree begins with the earlier one. Every tree begins with the empty one.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.4.2
 */
export function isConsistent(
  earlier: number,
  later: number,
  first: Hash,
  second: Hash,
  proof: readonly Hash[],
): boolean {
  if (earlier > later) return false
  if (earlier === later) return proof.length === 0 && isSame(first, second)
  if (earlier === 0) return proof.length === 0 && isSame(first, EMPTY_ROOT)
  if (proof.length === 0) return false
  const [start, ...steps] = isPowerOfTwo(earlier) ? [first, ...proof] : proof
  if (start === undefined) return false
  let [place, last] = [earlier - 1, later - 1]
  while (place % 2 === 1) [place, last] = [half(place), half(last)]
  let [old, now] = [start, start]
  for (const step of steps) {
    if (last === 0) return false
    if (place % 2 === 1 || place === last) {
      ;[old, now] = [nodeHash(step, old), nodeHash(step, now)]
      while (place % 2 === 0 && place !== 0) [place, last] = [half(place), half(last)]
    } else {
      now = nodeHash(now, step)
    }
    ;[place, last] = [half(place), half(last)]
  }
  return last === 0 && isSame(old, first) && isSame(now, second)
}

/** Hash of the leaves from `from` on and before `to`; `from` is where a tree of that many leaves can begin. */
async function rangeHash(from: number, to: number, read: ReadNode): Promise<Hash> {
  const size = to - from
  if (isPowerOfTwo(size)) return read(Math.log2(size), from / size)
  const middle = from + splitOf(size)
  return nodeHash(await rangeHash(from, middle, read), await rangeHash(middle, to, read))
}

function isPowerOfTwo(size: number): boolean {
  return size === 1 || splitOf(size) * 2 === size
}

function half(value: number): number {
  return Math.floor(value / 2)
}
