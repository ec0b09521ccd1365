import { join } from 'node:path'
import { openCheckpoint } from '../../audit/checkpoint.js'
import { EMPTY_EDGE, treeOf, type Edge } from '../../audit/edge.js'
import { readJournal } from '../../audit/journal.js'
import type { NoteKey } from '../../audit/note.js'
import { decodeBundle, hashesOf, tilePath, WIDTH, type TileName } from '../../audit/tile.js'
import { isSame, leafHash, rootOf, type Hash, type Leaf, type Tree } from '../../audit/tree.js'
import { ProcuraError } from '../../errors.js'
import { CHECKPOINT, journalPath, listJournals, readIfThere, readTile } from './files.js'

/** How far a log came. */
export interface Recovered {
  /** what stands in tiles, under the checkpoint */
  readonly edge: Edge
  /** records of journals, after those */
  readonly written: readonly Leaf[]
  /** the log with them */
  readonly tree: Tree
  /** where the next record is written, and how many bytes of that count */
  readonly journal: string
  readonly whole: number
  /** bytes behind them, which a crash left torn */
  readonly torn: number
}

/** Reads how far a log came, and holds the end of it against its checkpoint. @throws AUDIT_BROKEN */
export async function recover(folder: string, key: NoteKey): Promise<Recovered> {
  const note = await readIfThere(join(folder, CHECKPOINT))
  const edge = note === null ? EMPTY_EDGE : await readEdge(folder, openCheckpoint(note, key))
  const written: Leaf[] = []
  let tree = treeOf(edge)
  let [journal, whole, torn] = [journalPath(folder, edge.size), 0, 0]
  for (const { start, path } of await listJournals(folder)) {
    if (start < edge.size) continue // its records are in tiles
    if (torn > 0) throw broken(`${journal} is torn, and not the last`)
    if (start !== tree.size) throw broken(`records ${tree.size} to ${start - 1} are missing`)
    const bytes = await readIfThere(path)
    if (bytes === null) throw broken(`${path} went away while it was read`)
    const read = readJournal(bytes, tree)
    for (const frame of read.frames) {
      written.push(...frame.leaves)
      tree = frame.tree
    }
    ;[journal, whole, torn] = [path, read.whole, bytes.length - read.whole]
  }
  return { edge, written, tree, journal, whole, torn }
}

async function readEdge(folder: string, { size, root }: { readonly size: number; readonly root: Hash }): Promise<Edge> {
  const rows: (readonly Hash[])[] = []
  for (let level = 0; WIDTH ** level <= size; level += 1) {
    const name = {
      level,
      index: Math.floor(size / WIDTH ** (level + 1)),
      width: Math.floor(size / WIDTH ** level) % WIDTH,
    }
    rows.push(hashesOf(await read(folder, name), tilePath(name)).slice(0, name.width))
  }
  const last = { level: 'entries', index: Math.floor(size / WIDTH), width: size % WIDTH } as const
  const entries = decodeBundle(await read(folder, last))?.slice(0, last.width) ?? []
  const edge = { size, entries, rows }
  const leaves = rows[0] ?? []
  const isWhole =
    entries.length === leaves.length && entries.every((entry, at) => isSame(leafHash(entry), leaves[at] ?? entry))
  if (!isWhole || !isSame(rootOf(treeOf(edge)), root)) throw broken('its last tiles are not what the checkpoint says')
  return edge
}

async function read(folder: string, name: TileName): Promise<Uint8Array> {
  if (name.width === 0) return new Uint8Array(0)
  const bytes = await readTile(folder, name)
  if (bytes === null) throw broken(`${tilePath(name)} is missing`)
  return bytes
}

function broken(why: string): ProcuraError {
  return new ProcuraError('AUDIT_BROKEN', { why })
}
