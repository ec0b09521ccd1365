import { decodeBundle, encodeBundle } from './tile.js'
import { extend, HASH_BYTES, isSame, leafOf, sumOf, type Leaf, type Tree } from './tree.js'

/** Records that were written in one go, before they stand in tiles. */
export interface Frame {
  readonly leaves: readonly Leaf[]
  /** the log up to and with them */
  readonly tree: Tree
}

/** What a journal holds. */
export interface Journal {
  readonly frames: readonly Frame[]
  /** bytes up to the end of the last whole frame; what follows is torn */
  readonly whole: number
}

const HEAD = 4 + HASH_BYTES

/** Writes records as a frame: the length of their bundle, the sum of the log with them, the bundle. */
export function encodeFrame({ leaves, tree }: Frame): Uint8Array {
  const entries = leaves.map(({ entry }) => entry)
  const bytes = encodeBundle(entries, HEAD)
  bytes.set(sumOf(tree), bytes.writeUInt32BE(bytes.length - HEAD))
  return bytes
}

/**
 * Reads frames as long as they are whole and lead from this tree on. The sum is a checksum of its frame and of everything
 * before it, so what a crash left torn is told from what was written.
 */
export function readJournal(bytes: Uint8Array, from: Tree): Journal {
  const frames: Frame[] = []
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  let [whole, tree] = [0, from]
  while (whole + HEAD <= bytes.length) {
    const end = whole + HEAD + view.readUInt32BE(whole)
    const entries = end > bytes.length ? null : decodeBundle(bytes.subarray(whole + HEAD, end))
    if (entries === null || entries.length === 0) break
    const leaves = entries.map(leafOf)
    const grown = extend(
      tree,
      leaves.map(({ hash }) => hash),
    )
    if (!isSame(sumOf(grown), bytes.subarray(whole + 4, whole + HEAD))) break
    frames.push({ leaves, tree: grown })
    ;[whole, tree] = [end, grown]
  }
  return { frames, whole }
}
