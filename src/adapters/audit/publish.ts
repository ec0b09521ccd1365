import { rm, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { signCheckpoint } from '../../audit/checkpoint.js'
import { grow, treeOf, type Edge } from '../../audit/edge.js'
import type { NoteSigner } from '../../audit/note.js'
import { tilePath, WIDTH } from '../../audit/tile.js'
import { rootOf, type Leaf } from '../../audit/tree.js'
import { CHECKPOINT, listJournals, place, settle } from './files.js'

/**
 * Moves records from journals into tiles, under a new checkpoint. Everything is on the disk in this order: tiles, their
 * checkpoint, and then the journals go; so whatever a crash leaves, one of the two has each record.
 *
 * @param written - all records after the edge that are in journals, whose files end with the last of them
 * @returns the edge with them
 */
export async function publish(
  folder: string,
  before: Edge,
  written: readonly Leaf[],
  signer: NoteSigner,
): Promise<Edge> {
  const { edge, tiles } = grow(before, written)
  const folders = new Set<string>()
  for (const { name, bytes } of tiles) {
    const path = tilePath(name)
    await place(join(folder, path), bytes)
    for (let above = dirname(path); above !== '.'; above = dirname(above)) folders.add(above)
  }
  for (const one of folders) await settle(join(folder, one))
  const checkpoint = { origin: signer.name, size: edge.size, root: rootOf(treeOf(edge)) }
  await place(join(folder, CHECKPOINT), signCheckpoint(checkpoint, signer))
  await settle(folder)
  for (const { start, path } of await listJournals(folder)) if (start < edge.size) await unlink(path)
  for (const { name } of tiles) {
    // narrower ones of a full tile say nothing more
    if (name.width === WIDTH) await rm(join(folder, `${tilePath(name)}.p`), { recursive: true, force: true })
  }
  return edge
}
