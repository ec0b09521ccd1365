import { encodeFrame } from '../../audit/journal.js'
import type { Edge } from '../../audit/edge.js'
import { extend, type Leaf } from '../../audit/tree.js'
import { journalPath } from './files.js'
import { journalFile } from './journal-file.js'
import type { Recovered } from './recover.js'

/** A record that waits for its answer. */
export interface Waiting {
  readonly leaf: Leaf
  /** answered when it is written, before it is on the disk */
  readonly soon: boolean
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/** The end of a log: what is in journals and not in tiles. Its verbs are called one after the other. */
export interface Tail {
  /** records that are on the disk */
  readonly durable: number
  /** records that were answered and are not on the disk */
  readonly unsynced: number
  /** records that are not in tiles, and their bytes */
  readonly count: number
  readonly bytes: number
  /** Writes records and answers them. Those that it could not write have no answer yet when it throws. */
  write(batch: readonly Waiting[]): Promise<void>
  /** Everything that was answered is on the disk. */
  sync(): Promise<void>
  /** What stands in journals so far, which is on the disk; what is written from now on goes to the next journal. */
  turn(): Promise<{ readonly edge: Edge; readonly leaves: readonly Leaf[] }>
  /** What was there at the last `turn` stands in tiles now, up to this edge. */
  moved(edge: Edge): void
  close(): Promise<void>
}

/**
 * @param found - what is cut off behind it is gone for good
 */
export async function openTail(folder: string, found: Recovered): Promise<Tail> {
  let journal = journalFile(found.journal, found.whole)
  await journal.cut()
  let edge = found.edge
  /** all records after the edge that were answered, or are on the disk */
  let written = [...found.written]
  let tree = found.tree
  let durable = tree
  /** what follows the durable ones in the journal is not known, and has to be written again */
  let isDamaged = false

  /** A write or sync after which nobody knows what is on the disk, unless it succeeds. */
  async function risk(work: () => Promise<void>): Promise<void> {
    isDamaged = true
    await work()
    isDamaged = false
  }

  async function append(leaves: readonly Leaf[]): Promise<void> {
    if (leaves.length === 0) return
    const hashes = leaves.map(({ hash }) => hash)
    const grown = extend(tree, hashes)
    await risk(() => journal.append(encodeFrame({ leaves, tree: grown })))
    tree = grown
  }

  async function sync(): Promise<void> {
    if (isDamaged) {
      await journal.cut()
      tree = durable
      await append(written.slice(durable.size - edge.size))
    }
    if (tree.size === durable.size) return
    await risk(() => journal.sync())
    durable = tree
  }

  return {
    get durable() {
      return durable.size
    },
    get unsynced() {
      return edge.size + written.length - durable.size
    },
    get count() {
      return written.length
    },
    get bytes() {
      return written.reduce((sum, { entry }) => sum + entry.length, 0)
    },
    async write(batch) {
      if (isDamaged) await sync()
      await append(batch.map(({ leaf }) => leaf))
      const [early, late] = [batch.filter(({ soon }) => soon), batch.filter(({ soon }) => !soon)]
      written.push(...early.map(({ leaf }) => leaf))
      for (const { done } of early) done()
      if (late.length === 0) return
      await sync()
      // in the order in which they stand in the journal
      written.splice(written.length - early.length, early.length, ...batch.map(({ leaf }) => leaf))
      for (const { done } of late) done()
    },
    sync,
    async turn() {
      await sync()
      await journal.close()
      if (written.length > 0) journal = journalFile(journalPath(folder, tree.size), 0)
      return { edge, leaves: [...written] }
    },
    moved(to) {
      written = written.slice(to.size - edge.size)
      edge = to
    },
    close: () => journal.close(),
  }
}
