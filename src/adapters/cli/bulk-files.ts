import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { ProcuraError } from '../../errors.js'
import { isObject, parseJson } from '../../json.js'
import type { UnixSeconds } from '../../time.js'

/** A file to which lines are added, one after the other. */
export interface Lines {
  /** Resolves when the line is written. After one that could not be, none is. @throws STORAGE_UNAVAILABLE */
  add(line: string): Promise<void>
  /** Puts all on the disk, and closes. */
  close(): Promise<void>
}

/**
 * Opens a file for adding lines, mode 0600.
 *
 * @param isFresh - what stands there goes; else half a line at its end does, which an interruption left
 * @throws STORAGE_UNAVAILABLE
 */
export async function openLines(path: string, isFresh: boolean): Promise<Lines> {
  const handle = await attempt(path, () => open(path, isFresh ? 'w' : 'a', 0o600))
  if (!isFresh) await attempt(path, () => cutHalf(path, handle))
  let last: Promise<unknown> = Promise.resolve()
  return {
    add(line) {
      const mine = last.then(() => attempt(path, () => handle.appendFile(`${line}\n`)))
      last = mine
      // whoever adds hears of it
      mine.catch(() => undefined)
      return mine
    },
    async close() {
      await last.catch(() => undefined)
      await handle.sync().catch(() => undefined)
      await handle.close()
    },
  }
}

async function cutHalf(path: string, handle: FileHandle): Promise<void> {
  const { size } = await handle.stat()
  const reader = await open(path, 'r')
  try {
    const piece = Buffer.alloc(64 * 1024)
    for (let end = size; end > 0;) {
      const from = Math.max(0, end - piece.length)
      const { bytesRead } = await reader.read(piece, 0, end - from, from)
      const at = piece.subarray(0, bytesRead).lastIndexOf(10)
      if (at !== -1) {
        if (from + at + 1 < size) await handle.truncate(from + at + 1)
        return
      }
      end = from
    }
    await handle.truncate(0)
  } finally {
    await reader.close()
  }
}

/** Which lines of a file were done, and as what. */
export class Done {
  #marks = new Uint32Array(1024)
  /** how many */
  count = 0

  /** What a line was done as; 0 if it was not. */
  markOf(line: number): number {
    return this.#marks[line] ?? 0
  }

  /** Notes what a line was done as. @param mark - not 0 */
  add(line: number, mark: number): void {
    if (line >= this.#marks.length) {
      const wider = new Uint32Array(Math.max(line + 1, this.#marks.length * 2))
      wider.set(this.#marks)
      this.#marks = wider
    }
    if (this.markOf(line) === 0) this.count += 1
    this.#marks[line] = mark
  }
}

/** Reads what earlier runs did from the file with their answers. @throws SCHEMA - it is another file */
export async function readDone(path: string): Promise<Done> {
  const done = new Done()
  if (!(await isThere(path))) return done
  const take = (text: string): void => {
    const [, line, mark] = /^\{"line":(\d{1,9}),"row":"([0-9a-f]{8})",/.exec(text) ?? []
    if (line === undefined || mark === undefined) {
      throw new ProcuraError('SCHEMA', { at: path, why: 'is not the answers of such a run' })
    }
    done.add(Number(line), parseInt(mark, 16))
  }
  let last: string | null = null
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    if (last !== null) take(last)
    last = text
  }
  // half a line is not an answer
  if (last !== null && (await endsLine(path))) take(last)
  return done
}

async function endsLine(path: string): Promise<boolean> {
  const reader = await open(path, 'r')
  try {
    const { size } = await reader.stat()
    const { buffer } = await reader.read(Buffer.alloc(1), 0, 1, size - 1)
    return buffer[0] === 10
  } finally {
    await reader.close()
  }
}

/** What was begun with a file: the name its keys are made of, and what was sent and never answered. */
export interface Journal extends Lines {
  /** base64url SHA-256 of the file when it was first given */
  readonly name: string
  /** lines that earlier runs sent, and that were neither refused nor answered */
  readonly sent: ReadonlySet<number>
  /** when the last run wrote to it */
  readonly at: UnixSeconds
}

/**
 * Opens the journal beside a file, and begins one if there is none.
 *
 * @param name - of the file now; what the journal says goes before it
 * @param done - lines whose answers are known
 * @throws SCHEMA - it is another file; STORAGE_UNAVAILABLE
 */
export async function openJournal(path: string, name: string, what: string, done: Done): Promise<Journal> {
  const isNew = !(await isThere(path)) || (await stat(path)).size === 0
  const at = isNew ? 0 : Math.floor((await stat(path)).mtimeMs / 1000)
  const lines = await openLines(path, false)
  if (isNew) {
    await lines.add(JSON.stringify({ what, name }))
    return { ...lines, name, sent: new Set(), at }
  }
  const sent = new Set<number>()
  let begun: ReturnType<typeof readHead> = null
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    const line = Number(text.slice(1))
    if (begun === null) {
      begun = readHead(text)
      if (begun === null || begun.what !== what) {
        await lines.close()
        throw new ProcuraError('SCHEMA', { at: path, why: 'is not the journal of such a run; move it away' })
      }
    } else if (text.startsWith('-')) sent.delete(line)
    else if (done.markOf(line) === 0) sent.add(line)
  }
  return { ...lines, name: begun?.name ?? name, sent, at }
}

function readHead(text: string): { readonly what: string; readonly name: string } | null {
  try {
    const { value } = parseJson(Buffer.from(text), 'journal')
    if (!isObject(value)) return null
    const { what, name } = value
    return typeof what === 'string' && typeof name === 'string' ? { what, name } : null
  } catch {
    return null
  }
}

/** Name of a file's content, and how many lines it has. @throws NOT_FOUND */
export async function measure(path: string): Promise<{ readonly name: string; readonly lines: number }> {
  const hash = createHash('sha256')
  let [lines, last] = [0, 10]
  try {
    if (!(await stat(path)).isFile()) throw Object.assign(new Error('no file'), { code: 'not a file' })
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk)
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1
      last = chunk.at(-1) ?? last
    }
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new ProcuraError('NOT_FOUND', { what: `readable file ${path} (${code})` }, { cause })
  }
  return { name: hash.digest('base64url'), lines: lines + (last === 10 ? 0 : 1) }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new ProcuraError('STORAGE_UNAVAILABLE', { why: `${path}: ${code}` }, { cause })
  }
}
