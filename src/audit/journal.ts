import { decodeBundle, encodeBundle } from './tile.js'
import { extend, HASH_BYTES, isSame, leafHash, rootOf, type Tree } from './tree.js'

/** Records that were written in one go, before they stand in tiles. */
export interface Frame {
  readonly entries: readonly Uint8Array[]
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

/** Writes records as a frame: the length of their bundle, the root of the log with them, the bundle. */
export function encodeFrame({ entries, tree }: Frame): Uint8Array {
  const bundle = encodeBundle(entries)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bundle.length)
  return Buffer.concat([length, rootOf(tree), bundle])
}

/**
 * Reads frames as long as they are whole and lead from this tree on. A root is a checksum of its frame and of everything
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
    const grown = extend(tree, entries.map(leafHash))
    if (!isSame(rootOf(grown), bytes.subarray(whole + 4, whole + HEAD))) break
    frames.push({ entries, tree: grown })
    ;[whole, tree] = [end, grown]
  }
  return { frames, whole }
}
