import { open, mkdir, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ProcuraError } from '../../errors.js'
import type { Audit } from '../../ports.js'

/** An audit sink that has to be closed. */
export interface FileAudit extends Audit {
  /** bytes of the file */
  size(): Promise<number>
  close(): Promise<void>
}

const NEWLINE = 0x0a

/**
 * Appends records to a file, one JSON object a line, mode 0600. A decision is answered only after its line was handed to
 * the system; lines never mix, whoever else appends to the file. Half a line, left behind by a full disk or a crash, stays
 * alone on its line.
 *
 * @param path - made with its folder if missing
 * @throws AUDIT_UNAVAILABLE - also from `record`
 */
export async function fileAudit(path: string): Promise<FileAudit> {
  const file = await attempt(path, async () => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    return open(path, 'a+', 0o600)
  })
  const append = async (line: string): Promise<void> => {
    // another process may have died in the middle of a line
    const bytes = Buffer.from((await endsTorn(file)) ? `\n${line}` : line)
    // one write: the system keeps it in one piece among those of other processes
    const { bytesWritten } = await file.write(bytes)
    if (bytesWritten < bytes.length) throw Object.assign(new Error('short write'), { code: 'ENOSPC' })
  }
  let last: Promise<unknown> = Promise.resolve()
  return {
    async record(entry) {
      const line = `${JSON.stringify(entry)}\n`
      const written = last.then(() => attempt('the file', () => append(line)))
      last = written.catch(() => undefined)
      await written
    },
    async size() {
      await last
      return attempt('the file', async () => (await file.stat()).size)
    },
    async close() {
      await last
      await file.close()
    },
  }
}

/** True if the last line has no end, and gets none: who is still writing it is given a moment. */
async function endsTorn(file: FileHandle): Promise<boolean> {
  for (const wait of [1, 5, 20, 0]) {
    if (await endsWhole(file)) return false
    await setTimeout(wait)
  }
  return true
}

async function endsWhole(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat()
  if (size === 0) return true
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] === NEWLINE
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new ProcuraError('AUDIT_UNAVAILABLE', { why: `${path}: ${code}` }, { cause })
  }
}
