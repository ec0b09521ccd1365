import { randomBytes } from 'node:crypto'
import { constants, link, mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isProcuraError, ProcuraError } from '../../errors.js'

/** More than this is another file. */
const MAX_BYTES = 4096
const OTHERS = 0o077

/**
 * The content of a private file; `null` if there is none.
 *
 * @throws KEY_FILE - readable by others, a directory, too long, unreadable
 */
export async function readKeyFile(path: string): Promise<string | null> {
  try {
    return await read(path)
  } catch (cause) {
    throw asRefusal(path, cause)
  }
}

/**
 * Makes the file, with mode 0600, on the disk before this returns. It is complete as soon as it has its name: of several
 * programs that make it at once, all read the content of the first.
 *
 * @throws KEY_FILE
 */
export async function makeKeyFile(path: string, content: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await writeAside(path, content, async draft => {
      await link(draft, path).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      })
      await unlink(draft)
    })
  } catch (cause) {
    throw asRefusal(path, cause)
  }
}

/**
 * Puts other content in the file's place: whoever reads it sees the one or the other, after a crash too.
 *
 * @throws KEY_FILE
 */
export async function replaceKeyFile(path: string, content: string): Promise<void> {
  try {
    await writeAside(path, content, draft => rename(draft, path))
  } catch (cause) {
    throw asRefusal(path, cause)
  }
}

/** A refusal of the file, or of what else the keys come from. */
export function keyFileRefusal(file: string, why: string, cause?: unknown): ProcuraError<'KEY_FILE'> {
  return new ProcuraError('KEY_FILE', { file, why }, cause === undefined ? {} : { cause })
}

async function read(path: string): Promise<string | null> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const stat = await handle.stat()
    if (stat.isDirectory()) throw keyFileRefusal(path, 'is a directory')
    if (!stat.isFile()) throw keyFileRefusal(path, 'is not a file')
    if ((stat.mode & OTHERS) !== 0) {
      throw keyFileRefusal(path, `can be used by others (mode 0${(stat.mode & 0o777).toString(8)}); chmod 600 it`)
    }
    if (stat.size > MAX_BYTES) throw keyFileRefusal(path, `has ${stat.size} bytes, at most ${MAX_BYTES} are read`)
    return await handle.readFile('latin1')
  } finally {
    await handle.close()
  }
}

async function writeAside(path: string, content: string, place: (draft: string) => Promise<void>): Promise<void> {
  const folder = dirname(path)
  const draft = join(folder, `.${basename(path)}.${randomBytes(8).toString('hex')}`)
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
    await place(draft)
  } catch (error) {
    await unlink(draft).catch(() => undefined)
    throw error
  } finally {
    await handle.close()
  }
  const parent = await open(folder, 'r')
  await parent.sync().finally(() => parent.close())
}

function asRefusal(path: string, cause: unknown): ProcuraError {
  if (isProcuraError(cause)) return cause
  return keyFileRefusal(path, `cannot be used (${(cause as NodeJS.ErrnoException).code ?? 'unknown'})`, cause)
}
