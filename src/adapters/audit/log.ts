import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { formatKey, type NoteSigner } from '../../audit/note.js'
import { MAX_ENTRY } from '../../audit/tile.js'
import { leafOf } from '../../audit/tree.js'
import { ProcuraError } from '../../errors.js'
import type { Audit, Clock } from '../../ports/world.js'
import { attempt, JOURNAL, KEY, place, readIfThere, settle } from './files.js'
import { takeLock } from './lock.js'
import { publish } from './publish.js'
import { recover } from './recover.js'
import { openTail, type Waiting } from './tail.js'

/** An audit log that has to be closed. */
export interface AuditLog extends Audit {
  /** public key that its checkpoints verify with, as text */
  readonly key: string
  /** records that are on the disk */
  size(): Promise<number>
  /** Resolves if something could be put on record now, as far as anybody knows. @throws AUDIT_UNAVAILABLE */
  requireWritable(): Promise<void>
  /** Puts what is in journals under a checkpoint, and lets go of the folder. @throws AUDIT_UNAVAILABLE - see `record` */
  close(): Promise<void>
}

/** Milliseconds after which what was answered before is on the disk. */
const SYNC_AFTER = 50
/** What waits longer than so many milliseconds, or is more than so many records, comes into tiles. */
const PUBLISH_AFTER = 1000
const PUBLISH_ABOVE = 1024
/** Records written in one go. */
const AT_ONCE = 512
/** Bytes that may wait for tiles that cannot be written. */
const MAX_WAITING = 64 * 1024 * 1024

/**
 * A tamper-evident log in a folder: a Merkle tree of all records (RFC 9162), as tiles with signed checkpoints. Records
 * are first appended to a journal, many in one write and one sync, and come into tiles within a second. One process
 * appends at a time; who comes after a crash goes on where it ended.
 *
 * A write that fails is AUDIT_UNAVAILABLE for those whose record was in it; the next one repairs what it left.
 *
 * @param folder - made if missing, mode 0700
 * @throws AUDIT_UNAVAILABLE - also from `record`; STORAGE_HELD - another process appends to it;
 *   AUDIT_BROKEN - its end is not what the checkpoint says
 */
export async function openLog(folder: string, signer: NoteSigner, clock: Clock): Promise<AuditLog> {
  const unlock = await attempt(folder, async () => {
    await mkdir(join(folder, JOURNAL), { recursive: true, mode: 0o700 })
    const file = join(folder, 'lock')
    await (await open(file, 'a', 0o600)).close()
    return takeLock(file, `storage with the audit log ${folder}`, clock)
  })
  try {
    const log = await attempt(folder, () => start(folder, signer, clock))
    return { ...log, close: () => log.close().finally(unlock) }
  } catch (error) {
    await unlock()
    throw error
  }
}

async function start(folder: string, signer: NoteSigner, clock: Clock): Promise<AuditLog> {
  const key = formatKey(signer)
  const found = await recover(folder, signer)
  if ((await readIfThere(join(folder, KEY))) === null) await place(join(folder, KEY), `${key}\n`)
  await settle(folder)
  const tail = await openTail(folder, found)
  const queue: Waiting[] = []
  let last: Promise<unknown> = Promise.resolve()
  let draining: Promise<void> | null = null
  let publishing: Promise<void> | null = null
  /** why tiles could not be written the last time */
  let fault: Error | null = null
  let isClosed = false

  /** What touches the journal goes one after the other. */
  function inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    const mine = last.then(work)
    last = mine.catch(() => undefined)
    return mine
  }

  async function drain(): Promise<void> {
    draining = null
    const batch = queue.splice(0, AT_ONCE)
    if (queue.length > 0) draining = inTurn(drain)
    try {
      await attempt('the log', () => tail.write(batch))
    } catch (error) {
      // who was answered already does not hear it
      for (const { failed } of batch) failed(error)
    }
    if (tail.unsynced > 0) syncing.soon()
    if (tail.count > PUBLISH_ABOVE && fault === null) void publishAll()
    else if (tail.count > 0) publication.soon()
  }

  const syncing = timer(SYNC_AFTER, () => {
    void inTurn(() => tail.sync()).catch(() => {
      syncing.soon()
    })
  })
  const publication = timer(PUBLISH_AFTER, () => {
    void publishAll()
  })

  /** What is in journals comes into tiles, while further records are written to the next journal. */
  function publishAll(): Promise<void> {
    publication.stop()
    publishing ??= (async () => {
      try {
        const { edge, leaves } = await inTurn(() => tail.turn())
        if (leaves.length > 0) {
          const grown = await publish(folder, edge, leaves, signer)
          await inTurn(() => {
            tail.moved(grown)
          })
        }
        fault = null
      } catch (error) {
        fault = error instanceof Error ? error : new Error(String(error))
      }
      publishing = null
      if (tail.count > 0 && !isClosed) publication.soon()
    })()
    return publishing
  }

  const log: AuditLog = {
    key,
    async record(record, soon = false) {
      const entry = Buffer.from(JSON.stringify(record))
      if (isClosed) throw unavailable('the log is closed')
      if (entry.length > MAX_ENTRY) throw unavailable(`it has ${entry.length} bytes, at most ${MAX_ENTRY} fit`)
      const cause = fault
      if (cause !== null && tail.bytes > MAX_WAITING) await attempt('its tiles', () => Promise.reject(cause))
      const recorded = new Promise<void>((done, failed) => {
        queue.push({ leaf: leafOf(entry), soon, done, failed })
      })
      draining ??= inTurn(drain)
      await recorded
    },
    async size() {
      await last
      return tail.durable
    },
    async requireWritable() {
      if (isClosed) throw unavailable('the log is closed')
      await attempt('the log', () => inTurn(() => tail.sync()))
    },
    async close() {
      if (isClosed) return
      isClosed = true
      while (draining !== null) await draining
      await publishing
      await publishAll()
      syncing.stop()
      publication.stop()
      await attempt('the log', () => inTurn(() => tail.sync())).finally(() => inTurn(() => tail.close()))
    },
  }
  if (found.torn > 0) await log.record({ type: 'recovered', at: clock.now(), torn: found.torn })
  if (tail.count > 0) await publishAll()
  return log
}

/** Work that is done some time after it was asked for, however often that is; the process does not wait for it. */
function timer(milliseconds: number, work: () => void): { soon(): void; stop(): void } {
  let running: NodeJS.Timeout | null = null
  const stop = (): void => {
    if (running !== null) clearTimeout(running)
    running = null
  }
  return {
    stop,
    soon() {
      running ??= setTimeout(() => {
        running = null
        work()
      }, milliseconds).unref()
    },
  }
}

function unavailable(why: string): ProcuraError {
  return new ProcuraError('AUDIT_UNAVAILABLE', { why })
}
