import { mkdir, open, readdir, readFile, rename, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseTilePath, tilePath, WIDTH, type TileName } from '../../audit/tile.js'
import { isProcuraError, ProcuraError } from '../../errors.js'

/** Name of the file with the latest checkpoint. */
export const CHECKPOINT = 'checkpoint'
/** Name of the file with the public key of the log, for who verifies it. */
export const KEY = 'key.pub'
/** Folder of what is not in tiles yet: files named by the number of their first record. */
export const JOURNAL = 'journal'

/** Bytes of a file; `null` if there is none. */
export async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

/** Puts a file in its place whole, and on the disk: who reads it sees all of it, or what was there before. */
export async function place(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.draft`
  const file = await open(draft, 'w', 0o600)
  try {
    await writeAt(file, Buffer.from(bytes), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}

/** Writes all of the bytes at a place of a file. */
export async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  const { bytesWritten } = await file.write(bytes, 0, bytes.length, position)
  if (bytesWritten < bytes.length) throw shortWrite()
}

/** What a write that took only a part of the bytes means. */
export function shortWrite(): Error {
  return Object.assign(new Error('short write'), { code: 'ENOSPC' })
}

/** Makes names that were given or taken in a folder last. */
export async function settle(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}

/** The first `width` entries or hashes may stand in a wider tile, which took the place of the narrower. */
export async function readTile(folder: string, name: TileName): Promise<Buffer | null> {
  const exact = await readIfThere(join(folder, tilePath(name)))
  return exact ?? (name.width === WIDTH ? null : readIfThere(join(folder, tilePath({ ...name, width: WIDTH }))))
}

/** Paths of all files under `tile`, as a log names them. */
export async function listTiles(folder: string): Promise<readonly string[]> {
  const found = await readdir(join(folder, 'tile'), { recursive: true, withFileTypes: true }).catch(ifThere)
  return found
    .filter(one => !one.isDirectory())
    .map(one => join(one.parentPath, one.name).slice(folder.length + 1))
    .sort()
}

/** True for what a crash may leave of a tile that was not placed. */
export function isDraft(path: string): boolean {
  return path.endsWith('.draft') && parseTilePath(path.slice(0, -'.draft'.length)) !== null
}

/** The journals of a log, the earliest first. */
export async function listJournals(
  folder: string,
): Promise<readonly { readonly start: number; readonly path: string }[]> {
  const names = await readdir(join(folder, JOURNAL)).catch(ifThere)
  return names
    .filter(name => /^\d{16}$/.test(name))
    .sort()
    .map(name => ({ start: Number(name), path: join(folder, JOURNAL, name) }))
}

/** Path of the journal whose first record is the `start`th. */
export function journalPath(folder: string, start: number): string {
  return join(folder, JOURNAL, String(start).padStart(16, '0'))
}

/** Runs work; a fault of the file system is AUDIT_UNAVAILABLE. */
export async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (isProcuraError(cause)) throw cause
    throw new ProcuraError('AUDIT_UNAVAILABLE', { why: `${what}: ${codeOf(cause)}` }, { cause })
  }
}

function ifThere(error: unknown): never[] {
  if (codeOf(error) === 'ENOENT') return []
  throw error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
