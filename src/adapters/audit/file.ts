import { open, mkdir, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ProcuraError } from '../../errors.js'
import type { Audit } from '../../ports.js'

/** An audit sink that has to be closed. */
export interface FileAudit extends Audit {
  close(): Promise<void>
}

/**
 * Appends records to a file, one JSON object a line, mode 0600. A decision is answered only after its line was handed to
 * the system; lines of concurrent decisions never mix.
 *
 * @param path - made with its folder if missing
 * @throws AUDIT_UNAVAILABLE - also from `record`
 */
export async function fileAudit(path: string): Promise<FileAudit> {
  const file = await attempt(path, async () => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    return open(path, 'a', 0o600)
  })
  let last: Promise<unknown> = Promise.resolve()
  return {
    async record(entry) {
      const line = `${JSON.stringify(entry)}\n`
      const written = last.then(() => attempt(path, () => append(file, line)))
      last = written.catch(() => undefined)
      await written
    },
    async close() {
      await last
      await file.close()
    },
  }
}

async function append(file: FileHandle, line: string): Promise<void> {
  await file.appendFile(line)
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new ProcuraError('AUDIT_UNAVAILABLE', { why: `${path}: ${code}` }, { cause })
  }
}
