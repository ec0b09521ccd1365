import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { signCheckpoint, type Checkpoint } from '../../src/audit/checkpoint.js'
import { EMPTY_EDGE, grow, treeOf } from '../../src/audit/edge.js'
import { formatSigner, parseSigner } from '../../src/audit/note.js'
import { tilePath } from '../../src/audit/tile.js'
import { leafOf, rootOf } from '../../src/audit/tree.js'

/** A key that signs the logs of tests. */
export const signer = parseSigner(formatSigner('log.example/audit', Buffer.alloc(32, 7)))

/** Writes a log as if it was published at each of the sizes, and nothing of it was tidied up. Returns the checkpoints. */
export function writeLog(
  folder: string,
  entries: readonly Uint8Array[],
  sizes: readonly number[],
): readonly Checkpoint[] {
  rmSync(folder, { recursive: true, force: true })
  let edge = EMPTY_EDGE
  return sizes.map(size => {
    const grown = grow(edge, entries.slice(edge.size, size).map(leafOf))
    edge = grown.edge
    for (const { name, bytes } of grown.tiles) put(join(folder, tilePath(name)), bytes)
    const checkpoint = { origin: signer.name, size, root: rootOf(treeOf(edge)) }
    put(join(folder, 'checkpoint'), signCheckpoint(checkpoint, signer))
    return checkpoint
  })
}

export const recordAt = (n: number): Uint8Array =>
  Buffer.from(JSON.stringify({ type: 'decision', n, allow: n % 3 === 0 }))

function put(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
}
