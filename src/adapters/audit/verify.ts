import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openCheckpoint, type Checkpoint } from '../../audit/checkpoint.js'
import { compare, type Finding } from '../../audit/compare.js'
import { readJournal } from '../../audit/journal.js'
import type { NoteKey } from '../../audit/note.js'
import { prunedBefore } from '../../audit/pruning.js'
import { decodeBundle, encodeBundle, hashesOf, perfectRoot, WIDTH } from '../../audit/tile.js'
import {
  EMPTY,
  EMPTY_ROOT,
  extend,
  HASH_BYTES,
  isSame,
  leafHash,
  rootOf,
  type Hash,
  type Tree,
} from '../../audit/tree.js'
import { isProcuraError } from '../../errors.js'
import { CHECKPOINT, listJournals, readIfThere, readTile } from './files.js'
import { tileFiles } from './tile-files.js'

/** What verifying a log found. */
export interface VerifiedLog {
  /** the log's checkpoint; `null` if it has none, or none that verifies */
  readonly checkpoint: Checkpoint | null
  /** records in tiles and journals */
  readonly records: number
  /** records whose content was pruned; their hashes are there */
  readonly pruned: number
  readonly findings: readonly Finding[]
}

/** A checkpoint that was taken before. */
export type Earlier = Pick<Checkpoint, 'size' | 'root'>

/** Told how many records of how many were read. */
export type OnDone = (done: number, all: number) => void

/**
 * Reads a whole log and holds everything in it against everything else: each record against its tile, each tile against
 * those above, the root against the signed checkpoint, journals against the tree, every file against what should be in
 * it. Given checkpoints that were taken before, it finds cuts and forks too, which who has the log's key could sign anew.
 */
export async function verifyLog(
  folder: string,
  key: NoteKey,
  earlier: readonly Earlier[],
  onDone: OnDone = () => undefined,
): Promise<VerifiedLog> {
  for (let left = 3; ; left -= 1) {
    const before = await readIfThere(join(folder, CHECKPOINT))
    const found = await verifyOnce(folder, key, earlier, onDone)
    const after = await readIfThere(join(folder, CHECKPOINT))
    // somebody appends: what came meanwhile may look as if it did not belong
    if (found.findings.length === 0 || before?.toString() === after?.toString() || left === 0) return found
  }
}

async function verifyOnce(
  folder: string,
  key: NoteKey,
  earlier: readonly Earlier[],
  onDone: OnDone,
): Promise<VerifiedLog> {
  const files = await tileFiles(folder)
  const findings: Finding[] = [...files.strange]
  const checkpoint = await readCheckpoint(folder, key, findings)
  const size = checkpoint?.size ?? 0
  const walked = new Walked([size, ...earlier.map(one => one.size)])
  const missing: number[] = []
  let mayLack = 0

  /** Looks at all files that hold a part of one bundle. */
  async function take(index: number, entries: readonly Uint8Array[] | null, leaves: readonly Hash[]): Promise<void> {
    for (const entry of entries ?? []) mayLack = Math.max(mayLack, prunedBefore(entry))
    const bundled = (count: number) => (entries === null ? null : encodeBundle(entries.slice(0, count)))
    findings.push(...(await files.check('entries', index, entries?.length ?? 0, bundled)))
    findings.push(...(await files.check(0, index, leaves.length, count => Buffer.concat(leaves.slice(0, count)))))
    walked.add(leaves)
  }

  let [rest, open]: [readonly Uint8Array[], readonly Hash[]] = [[], []]
  for (let index = 0; index * WIDTH < size; index += 1) {
    const width = Math.min(WIDTH, size - index * WIDTH)
    const { entries, leaves } = await readBundle(folder, index, width, findings)
    if (entries === undefined) missing.push(index)
    // what does not fill a bundle is looked at together with what follows in journals
    if (width < WIDTH && entries) [rest, open] = [entries, leaves]
    else await take(index, entries ?? null, leaves)
    onDone(index * WIDTH + width, size)
  }
  const first = walked.tree.size
  const after = await entriesOfJournals(folder, extend(walked.tree, open), findings)
  const [entries, leaves] = [
    [...rest, ...after],
    [...open, ...after.map(leafHash)],
  ]
  for (let at = 0; at < entries.length; at += WIDTH) {
    await take((first + at) / WIDTH, entries.slice(at, at + WIDTH), leaves.slice(at, at + WIDTH))
  }
  for (let level = 1, row = walked.row; row.length > 0; level += 1)
    row = await files.checkRow(level, row, size, findings)
  findings.push(...files.left())

  const root = walked.roots.get(size)
  if (checkpoint !== null && (root === undefined || !isSame(root, checkpoint.root))) {
    findings.push({ from: 0, to: Math.max(0, size - 1), what: 'do not hash to the root that was signed' })
  }
  for (const one of earlier) findings.push(...sinceThen(one, walked))
  for (const index of missing) {
    const [from, to] = [index * WIDTH, Math.min((index + 1) * WIDTH, size) - 1]
    if (to >= mayLack) findings.push({ from, to, what: 'are missing' })
  }
  const pruned = missing.reduce((sum, index) => sum + Math.min(WIDTH, size - index * WIDTH), 0)
  return { checkpoint, records: walked.tree.size, pruned, findings }
}

/** The tree of what was read, and its roots at the sizes that are asked for. */
class Walked {
  tree: Tree = EMPTY
  /** roots of full tiles of level 0 */
  readonly row: Hash[] = []
  readonly roots = new Map<number, Hash>([[0, EMPTY_ROOT]])
  readonly #asked: ReadonlySet<number>

  constructor(asked: readonly number[]) {
    this.#asked = new Set(asked)
  }

  add(leaves: readonly Hash[]): void {
    const [from, to] = [this.tree.size, this.tree.size + leaves.length]
    for (const size of [...this.#asked].filter(one => one > from && one <= to)) {
      this.roots.set(size, rootOf(extend(this.tree, leaves.slice(0, size - from))))
    }
    if (leaves.length === WIDTH) this.row.push(perfectRoot(leaves))
    this.tree = extend(this.tree, leaves)
  }
}

async function readCheckpoint(folder: string, key: NoteKey, findings: Finding[]): Promise<Checkpoint | null> {
  const note = await readIfThere(join(folder, CHECKPOINT))
  try {
    return note === null ? null : openCheckpoint(note, key)
  } catch (error) {
    if (!isProcuraError(error)) throw error
    findings.push({ from: 0, to: 0, what: error.message })
    return null
  }
}

/** @returns `entries`: undefined if there is no bundle, `null` if it is torn; `leaves`: as the tile has them */
async function readBundle(
  folder: string,
  index: number,
  width: number,
  findings: Finding[],
): Promise<{ readonly entries: readonly Uint8Array[] | null | undefined; readonly leaves: readonly Hash[] }> {
  const [from, to] = [index * WIDTH, index * WIDTH + width - 1]
  const tile = await readTile(folder, { level: 0, index, width })
  const hashes = (tile === null || tile.length % HASH_BYTES > 0 ? [] : hashesOf(tile, 'a tile')).slice(0, width)
  const isWhole = hashes.length === width
  if (!isWhole) findings.push({ from, to, what: 'their hashes are missing or torn' })
  const bytes = await readTile(folder, { level: 'entries', index, width })
  if (bytes === null) return { entries: undefined, leaves: hashes }
  const read = decodeBundle(bytes)
  if (read === null) findings.push({ from, to, what: 'their bundle is torn' })
  if (read === null) return { entries: null, leaves: hashes }
  // a full bundle takes the narrower's place before a checkpoint says so
  const entries = read.length === WIDTH ? read.slice(0, width) : read
  if (isWhole) findings.push(...compare(from, entries, hashes))
  return { entries, leaves: isWhole ? hashes : entries.map(leafHash) }
}

async function entriesOfJournals(folder: string, from: Tree, findings: Finding[]): Promise<readonly Uint8Array[]> {
  const entries: Uint8Array[] = []
  let tree = from
  for (const { start, path } of await listJournals(folder)) {
    if (start < from.size) continue // its records are in tiles
    if (start !== tree.size) {
      findings.push({ from: tree.size, to: Math.max(tree.size, start - 1), what: 'are missing between journals' })
      break
    }
    const bytes = await readFile(path)
    const { frames, whole } = readJournal(bytes, tree)
    entries.push(...frames.flatMap(({ leaves }) => leaves.map(({ entry }) => entry)))
    tree = frames.at(-1)?.tree ?? tree
    if (whole < bytes.length) {
      findings.push({ from: tree.size, to: tree.size, what: `and what follows is torn or changed in ${path}` })
      break
    }
  }
  return entries
}

function sinceThen({ size, root }: Earlier, { tree, roots }: Walked): readonly Finding[] {
  if (size > tree.size) {
    return [{ from: tree.size, to: size - 1, what: 'were there when the earlier checkpoint was taken, and are gone' }]
  }
  const now = roots.get(size)
  if (now !== undefined && isSame(now, root)) return []
  return [
    { from: 0, to: Math.max(0, size - 1), what: 'are not the ones of the earlier checkpoint: the log was forked' },
  ]
}
