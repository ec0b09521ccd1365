import { unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { keysOf } from '../../audit/question.js'
import type { NoteKey } from '../../audit/note.js'
import { PRUNE } from '../../audit/pruning.js'
import { tilePath, WIDTH } from '../../audit/tile.js'
import type { Clock } from '../../ports/world.js'
import type { UnixSeconds } from '../../time.js'
import { attempt, settle } from './files.js'
import type { AuditLog } from './log.js'
import { look, readRecords, sayingOf } from './read.js'

/** Number of the record before which every one is older than an instant, in whole bundles that a checkpoint covers. */
export async function prunable(folder: string, key: NoteKey, before: UnixSeconds): Promise<number> {
  const { edge } = await look(folder, key)
  const end = edge.size - (edge.size % WIDTH)
  for await (const record of readRecords(folder, key)) {
    if (record.index >= end || keysOf(sayingOf(record) ?? {}).at >= before) return record.index - (record.index % WIDTH)
  }
  return end
}

/**
 * Takes the content of the first `count` records away, and says so in a record first. Their hashes stay, so everything
 * proves what it proved before.
 *
 * @throws AUDIT_UNAVAILABLE
 */
export async function prune(folder: string, log: AuditLog, count: number, clock: Clock): Promise<void> {
  await log.record({ type: PRUNE, at: clock.now(), before: count })
  await attempt(folder, async () => {
    const folders = new Set<string>()
    for (let index = 0; index < count / WIDTH; index += 1) {
      const path = join(folder, tilePath({ level: 'entries', index, width: WIDTH }))
      folders.add(dirname(path))
      await unlink(path).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      })
    }
    for (const one of folders) await settle(one)
  })
}
