import { hash } from 'node:crypto'

/** SHA-256 of a node or leaf, 32 bytes. */
export type Hash = Uint8Array

/** Bytes of a hash. */
export const HASH_BYTES = 32

/** Root of the tree without leaves. @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.1 */
export const EMPTY_ROOT: Hash = sha256(new Uint8Array(0))

/** A tree by its peaks: the roots of the perfect trees it consists of, from left to right, the largest first. */
export interface Tree {
  /** leaves; at most 2^53 − 1 */
  readonly size: number
  readonly peaks: readonly Hash[]
}

/** The tree without leaves. */
export const EMPTY: Tree = { size: 0, peaks: [] }

/** Hash of a leaf. The first byte keeps leaves from being read as nodes. @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.1 */
export function leafHash(entry: Uint8Array): Hash {
  const bytes = Buffer.allocUnsafe(1 + entry.length)
  bytes[0] = 0
  bytes.set(entry, 1)
  return sha256(bytes)
}

/** A record as bytes, with its place in the tree. */
export interface Leaf {
  readonly entry: Uint8Array
  readonly hash: Hash
}

/** A record as a leaf: hashed once, however often it is asked for. */
export function leafOf(entry: Uint8Array): Leaf {
  return { entry, hash: leafHash(entry) }
}

/** Hash of a node with two children. @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.1 */
export function nodeHash(left: Hash, right: Hash): Hash {
  const bytes = Buffer.allocUnsafe(1 + left.length + right.length)
  bytes[0] = 1
  bytes.set(left, 1)
  bytes.set(right, 1 + left.length)
  return sha256(bytes)
}

/** The tree with further leaves at its end. */
export function extend({ size, peaks }: Tree, leaves: Iterable<Hash>): Tree {
  const grown = [...peaks]
  let count = size
  for (const leaf of leaves) {
    let top = leaf
    for (let below = count; below % 2 === 1; below = Math.floor(below / 2)) top = nodeHash(grown.pop() ?? top, top)
    grown.push(top)
    count += 1
  }
  return { size: count, peaks: grown }
}

/** Root of a tree: its Merkle Tree Hash. */
export function rootOf({ peaks }: Tree): Hash {
  return (
    peaks.reduceRight<Hash | null>((right, left) => (right === null ? left : nodeHash(left, right)), null) ?? EMPTY_ROOT
  )
}

/** One hash over what determines a tree: its size and its peaks. Cheaper than the root, and good for comparing only. */
export function sumOf({ size, peaks }: Tree): Hash {
  const head = Buffer.alloc(9, 2)
  head.writeDoubleBE(size, 1)
  return sha256(Buffer.concat([head, ...peaks]))
}

/** The largest power of two below `size`, which is 2 or more: where a tree splits. */
export function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}

/** Level and place of the perfect trees that a tree of `size` leaves consists of, in the order of {@link Tree.peaks}. */
export function peaksOf(size: number): readonly { readonly level: number; readonly index: number }[] {
  const found: { readonly level: number; readonly index: number }[] = []
  let [level, left] = [0, size]
  for (; left > 0; left = Math.floor(left / 2), level += 1)
    if (left % 2 === 1) found.unshift({ level, index: left - 1 })
  return found
}

/** True for the same bytes. Hashes are public, so time does not matter. */
export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

function sha256(data: Uint8Array): Hash {
  return hash('sha256', data, 'buffer')
}
