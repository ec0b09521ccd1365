import { join } from 'node:path'
import { LRUCache } from 'lru-cache'
import { openCheckpoint, type Checkpoint } from '../../audit/checkpoint.js'
import type { NoteKey } from '../../audit/note.js'
import { consistencyProof, inclusionProof } from '../../audit/proof.js'
import { decodeBundle, hashesOf, nodesIn, tilePath, WIDTH, widthIn } from '../../audit/tile.js'
import type { Hash } from '../../audit/tree.js'
import { ProcuraError } from '../../errors.js'
import { CHECKPOINT, readIfThere, readTile } from './files.js'

/** A log under one of its checkpoints, which proves what is in it. */
export interface ProvingLog {
  readonly checkpoint: Checkpoint
  /** the checkpoint as it was signed */
  readonly note: string
  /** The bytes of a record; `null` if its content was pruned. @throws NOT_FOUND, AUDIT_BROKEN */
  entry(index: number): Promise<Uint8Array | null>
  /** Hash of a record. */
  leaf(index: number): Promise<Hash>
  inclusion(index: number): Promise<readonly Hash[]>
  /** Shows that this log begins with the one of the first `earlier` records. @throws NOT_FOUND - it has fewer */
  consistency(earlier: number): Promise<readonly Hash[]>
}

/** Tiles and bundles kept while proofs are made. */
const KEPT = 64

/** The log as its checkpoint has it now. @throws NOT_FOUND - nothing is under a checkpoint yet; AUDIT_BROKEN */
export async function provingLog(folder: string, key: NoteKey): Promise<ProvingLog> {
  const note = await readIfThere(join(folder, CHECKPOINT))
  if (note === null) throw new ProcuraError('NOT_FOUND', { what: `checkpoint in ${folder}` })
  const checkpoint = openCheckpoint(note, key)
  const { size } = checkpoint
  const tiles = new LRUCache<string, readonly Hash[]>({ max: KEPT })
  const bundles = new LRUCache<number, { readonly entries: readonly Uint8Array[] | null }>({ max: KEPT })

  async function tile(level: number, index: number): Promise<readonly Hash[]> {
    const name = { level, index, width: widthIn(size, level, index) }
    const path = tilePath(name)
    const known = tiles.get(path)
    if (known !== undefined) return known
    const bytes = await readTile(folder, name)
    const hashes = bytes === null ? [] : hashesOf(bytes, path).slice(0, name.width)
    if (hashes.length < name.width) throw new ProcuraError('AUDIT_BROKEN', { why: `${path} is missing or torn` })
    tiles.set(path, hashes)
    return hashes
  }

  async function bundle(index: number): Promise<readonly Uint8Array[] | null> {
    const known = bundles.get(index)
    if (known !== undefined) return known.entries
    const bytes = await readTile(folder, { level: 'entries', index, width: widthIn(size, 'entries', index) })
    const entries = bytes === null ? null : decodeBundle(bytes)
    bundles.set(index, { entries })
    return entries
  }

  const read = nodesIn(tile)
  return {
    checkpoint,
    note: note.toString('utf8'),
    async entry(index) {
      if (index < 0 || index >= size)
        throw new ProcuraError('NOT_FOUND', { what: `record ${index} under the checkpoint` })
      return (await bundle(Math.floor(index / WIDTH)))?.[index % WIDTH] ?? null
    },
    leaf: index => read(0, index),
    inclusion: index => inclusionProof(index, size, read),
    async consistency(earlier) {
      if (earlier > size) throw new ProcuraError('NOT_FOUND', { what: `record ${earlier - 1} under the checkpoint` })
      return earlier === 0 ? [] : consistencyProof(earlier, size, read)
    },
  }
}
