import { encodeBundle, perfectRoot, WIDTH, type TileName } from './tile.js'
import type { Hash, Leaf, Tree } from './tree.js'

/** The right side of a tiled log: what of each level does not fill a tile yet. Enough to go on. */
export interface Edge {
  /** records */
  readonly size: number
  /** entries of the bundle that is not full */
  readonly entries: readonly Uint8Array[]
  /** hashes of the tile that is not full, for each level from 0 on */
  readonly rows: readonly (readonly Hash[])[]
}

/** A tile or bundle as it is stored. */
export interface Tile {
  readonly name: TileName
  readonly bytes: Uint8Array
}

/** The edge of a log without records. */
export const EMPTY_EDGE: Edge = { size: 0, entries: [], rows: [] }

/** The tree that ends at this edge. */
export function treeOf({ size, rows }: Edge): Tree {
  const peaks: Hash[] = []
  for (const row of rows.toReversed()) {
    for (let [at, left] = [0, row.length]; left > 0; left = row.length - at) {
      const count = 2 ** Math.floor(Math.log2(left))
      peaks.push(perfectRoot(row.slice(at, at + count)))
      at += count
    }
  }
  return { size, peaks }
}

/** Adds records. @returns the edge after them, and every tile and bundle that changed */
export function grow({ size, entries, rows }: Edge, added: readonly Leaf[]): { edge: Edge; tiles: readonly Tile[] } {
  const tiles: Tile[] = []
  const bundles = [...entries, ...added.map(({ entry }) => entry)]
  for (const [at, part] of chunksOf(bundles).entries()) {
    const index = Math.floor(size / WIDTH) + at
    tiles.push({ name: { level: 'entries', index, width: part.length }, bytes: encodeBundle(part) })
  }
  const grown: (readonly Hash[])[] = []
  let [hashes, before]: [readonly Hash[], number] = [added.map(({ hash }) => hash), size]
  for (let level = 0; level < rows.length || hashes.length > 0; level += 1) {
    const row = [...(rows[level] ?? []), ...hashes]
    const above: Hash[] = []
    if (hashes.length > 0) {
      for (const [at, part] of chunksOf(row).entries()) {
        const index = Math.floor(before / WIDTH) + at
        tiles.push({ name: { level, index, width: part.length }, bytes: Buffer.concat(part) })
        if (part.length === WIDTH) above.push(perfectRoot(part))
      }
    }
    grown.push(row.slice(above.length * WIDTH))
    ;[hashes, before] = [above, Math.floor(before / WIDTH)]
  }
  const edge = {
    size: size + added.length,
    entries: bundles.slice(bundles.length - (bundles.length % WIDTH)),
    rows: grown,
  }
  return { edge, tiles }
}

function chunksOf<T>(all: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / WIDTH) }, (_, at) => all.slice(at * WIDTH, (at + 1) * WIDTH))
}
