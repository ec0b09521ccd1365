import { ProcuraError } from '../errors.js'
import type { ReadNode } from './proof.js'
import { HASH_BYTES, nodeHash, type Hash } from './tree.js'

/** Hashes of a full tile, and entries of a full bundle. */
export const WIDTH = 256
/** Bytes of the longest entry that a bundle can hold. */
export const MAX_ENTRY = 65_535

/** A level of hashes, or the entries themselves. */
export type TileLevel = number | 'entries'

/** Which tile or bundle. */
export interface TileName {
  readonly level: TileLevel
  /** place within the level, zero-based */
  readonly index: number
  /** 1 to 256; fewer than 256 for one that is not full yet */
  readonly width: number
}

const PATH = /^tile\/(entries|[0-9]|[1-5][0-9]|6[0-3])\/((?:x\d{3}\/)*)(\d{3})(?:\.p\/([1-9]\d{0,2}))?$/

/** Path of a tile or bundle. @see https://c2sp.org/tlog-tiles#merkle-tree */
export function tilePath({ level, index, width }: TileName): string {
  const groups: string[] = []
  for (let left = index; groups.length === 0 || left > 0; left = Math.floor(left / 1000)) {
    groups.unshift(`${groups.length === 0 ? '' : 'x'}${String(left % 1000).padStart(3, '0')}`)
  }
  return `tile/${level}/${groups.join('/')}${width === WIDTH ? '' : `.p/${width}`}`
}

/** The tile that a path names, or `null` if no tile has it. */
export function parseTilePath(path: string): TileName | null {
  const [, level = '', above = '', last = '', width = String(WIDTH)] = PATH.exec(path) ?? []
  const index = Number(`${above.replace(/[x/]/g, '')}${last}`)
  const name = { level: level === 'entries' ? level : Number(level), index, width: Number(width) } as const
  return last !== '' && name.width <= WIDTH && tilePath(name) === path ? name : null
}

/** Width of a tile in a tree of `size` leaves; 0 if the tree does not reach there. */
export function widthIn(size: number, level: TileLevel, index: number): number {
  const hashes = level === 'entries' ? size : Math.floor(size / WIDTH ** level)
  return Math.max(0, Math.min(WIDTH, hashes - index * WIDTH))
}

/** All tiles of a tree, and its bundles: each full one, and at most one of each level that is not. */
export function* tilesOf(size: number): Generator<TileName> {
  for (let level: TileLevel = 'entries'; ; level = level === 'entries' ? 0 : level + 1) {
    for (let index = 0; widthIn(size, level, index) > 0; index += 1) {
      yield { level, index, width: widthIn(size, level, index) }
    }
    if (widthIn(size, level, 0) === 0) return
  }
}

/** Root of the perfect tree over hashes whose number is a power of two, at most {@link WIDTH}. */
export function perfectRoot(hashes: readonly Hash[]): Hash {
  let row = hashes
  while (row.length > 1) {
    const above: Hash[] = []
    for (let at = 0; at + 1 < row.length; at += 2) above.push(nodeHash(row[at] ?? EMPTY, row[at + 1] ?? EMPTY))
    row = above
  }
  return row[0] ?? EMPTY
}

const EMPTY = new Uint8Array(HASH_BYTES)

/**
 * Finds nodes in tiles.
 *
 * @param readTile - the hashes of a tile, at least as many as the tree has there
 */
export function nodesIn(readTile: (level: number, index: number) => Promise<readonly Hash[]>): ReadNode {
  return async (level, index) => {
    const [row, count] = [Math.floor(level / 8), 2 ** (level % 8)]
    const first = index * count
    const hashes = await readTile(row, Math.floor(first / WIDTH))
    return perfectRoot(hashes.slice(first % WIDTH, (first % WIDTH) + count))
  }
}

/** The hashes of a tile's bytes. @throws AUDIT_BROKEN - the bytes are no row of hashes */
export function hashesOf(bytes: Uint8Array, what: string): readonly Hash[] {
  if (bytes.length % HASH_BYTES !== 0) throw new ProcuraError('AUDIT_BROKEN', { why: `${what} is torn` })
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  )
}

/**
 * Writes entries as a bundle: each with its length in two bytes before it.
 *
 * @param entries - at most {@link MAX_ENTRY} bytes each
 * @param head - bytes before them that the caller fills
 * @see https://c2sp.org/tlog-tiles#log-entries
 */
export function encodeBundle(entries: readonly Uint8Array[], head = 0): Buffer {
  const bytes = Buffer.allocUnsafe(entries.reduce((sum, { length }) => sum + 2 + length, head))
  let at = head
  for (const entry of entries) {
    bytes.set(entry, bytes.writeUInt16BE(entry.length, at))
    at += 2 + entry.length
  }
  return bytes
}

/** Reads the entries of a bundle, or `null` where the bytes end within one. */
export function decodeBundle(bytes: Uint8Array): readonly Uint8Array[] | null {
  const entries: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 + (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)
    if (at + 2 > bytes.length || end > bytes.length) return null
    entries.push(bytes.subarray(at + 2, end))
    at = end
  }
  return entries
}

/** One entry of a bundle, or `null` if it does not reach there. */
export function entryIn(bytes: Uint8Array, index: number): Uint8Array | null {
  let at = 0
  for (let left = index; ; left -= 1) {
    const end = at + 2 + (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)
    if (at + 2 > bytes.length || end > bytes.length) return null
    if (left === 0) return bytes.subarray(at + 2, end)
    at = end
  }
}
