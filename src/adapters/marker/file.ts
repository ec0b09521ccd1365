import { mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ProcuraError } from '../../errors.js'
import type { Marker } from '../../ports/issuing.js'

/** How far a database and its audit log came. */
export interface Reached {
  readonly sequence: number
  /** records of the audit log */
  readonly auditSize: number
}

/** A marker that can be compared with what there is. */
export interface FileMarker extends Marker {
  /** Requires that neither the database nor the audit log is behind. @throws STORAGE_ROLLED_BACK */
  requireReached(now: Reached): void
}

const DIGITS = 16
const LINE = new RegExp(`^(\\d{${DIGITS}}) (\\d{${DIGITS}})$`, 'gm')
/** What is read of the end: processes that share the file write nearly in order. */
const TAIL = 64 * 1024

/**
 * A marker in a file, one line of fixed width for each step, so that processes that share it never undo each other's and
 * half a line is told from a whole one. Each line is on the disk before `raise` answers; those who raise at the same time
 * share one. `procura fsck` shortens it.
 *
 * @param path - made with its folder if missing; on another disk than the database it is worth more
 * @param auditSize - records of the audit log now
 * @throws STORAGE_UNAVAILABLE - also from `raise`
 */
export async function openMarker(path: string, auditSize: () => Promise<number>): Promise<FileMarker> {
  const before = await attempt(path, () => readMarker(path))
  let durable = before.sequence
  let asked = durable
  let last: Promise<unknown> = Promise.resolve()
  let next: Promise<void> | undefined
  const write = async (): Promise<void> => {
    next = undefined
    const sequence = asked
    await attempt(path, async () => append(path, { sequence, auditSize: await auditSize() }))
    durable = sequence
  }
  return {
    get reached() {
      return durable
    },
    async raise(sequence) {
      if (sequence <= durable) return
      asked = Math.max(asked, sequence)
      next ??= last.then(write)
      last = next.catch(() => undefined)
      await next
    },
    requireReached(now) {
      if (now.sequence < before.sequence) {
        throw new ProcuraError('STORAGE_ROLLED_BACK', {
          why: `it stands at ${now.sequence}, ${before.sequence} was reached`,
        })
      }
      if (now.auditSize < before.auditSize) {
        throw new ProcuraError('STORAGE_ROLLED_BACK', {
          why: `the audit log has ${now.auditSize} records, it had ${before.auditSize}`,
        })
      }
    },
  }
}

/** What a marker file remembers; zero where there is none. */
export async function readMarker(path: string): Promise<Reached> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  })
  if (file === null) return { sequence: 0, auditSize: 0 }
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL), 0, TAIL, Math.max(0, size - TAIL))
    let highest: Reached = { sequence: 0, auditSize: 0 }
    for (const [, sequence, auditSize] of buffer.toString('latin1', 0, bytesRead).matchAll(LINE)) {
      if (Number(sequence) >= highest.sequence) highest = { sequence: Number(sequence), auditSize: Number(auditSize) }
    }
    if (size > 0 && highest.sequence === 0) {
      throw new ProcuraError('STORAGE_UNAVAILABLE', { why: `${path} is not a marker` })
    }
    return highest
  } finally {
    await file.close()
  }
}

/** Starts a marker file anew with one line. For nobody but `fsck`: no service runs. @throws STORAGE_UNAVAILABLE */
export async function resetMarker(path: string, reached: Reached): Promise<void> {
  await attempt(path, async () => {
    await append(path, reached)
    const { size } = await stat(path)
    if (size > TAIL) {
      const file = await open(path, 'w', 0o600)
      await file.writeFile(lineOf(reached))
      await file.sync()
      await file.close()
    }
  })
}

async function append(path: string, reached: Reached): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(path, 'a', 0o600)
  try {
    const line = lineOf(reached)
    // half a line of a full disk ends here
    const { bytesWritten } = await file.write(line)
    if (bytesWritten < line.length) throw Object.assign(new Error('short write'), { code: 'ENOSPC' })
    await file.sync()
  } finally {
    await file.close()
  }
}

function lineOf({ sequence, auditSize }: Reached): string {
  const [first, second] = [sequence, auditSize].map(value => String(value).padStart(DIGITS, '0'))
  return `${first} ${second}\n`
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof ProcuraError) throw cause
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new ProcuraError('STORAGE_UNAVAILABLE', { why: `${path}: ${code}` }, { cause })
  }
}
