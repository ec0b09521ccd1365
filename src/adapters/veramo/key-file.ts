import { randomBytes } from 'node:crypto'
import { constants, link, mkdir, open, unlink, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ProcuraError } from '../../errors.js'

/** How {@link openKeyFile} may go about it. */
export interface KeyFileOptions {
  /** true only while the database is new: a second key would leave the first one's rows unreadable */
  readonly mayCreate: boolean
  /** what `env:NAME` may name */
  readonly env: Readonly<Record<string, string | undefined>>
}

const SECRET = /^[0-9a-f]{64}$/i
const FROM_ENV = /^env:(.*)$/s
/** The file is one line; more than this is another file. */
const MAX_BYTES = 128
const OTHERS = 0o077

/** Printed in Veramo's template and tutorials, so they stand in many databases. */
const PUBLISHED = [
  '29739248cad1bd1a0fc4d9b75cd4d2990de535baf5caadfdf8d8f86664aa830c',
  '11b574d316903ced6cc3f4787bbcc3047d9c72d1da4d83e36fe714ef785d10c1',
]
const PUBLISHED_API_KEY = /(?<![a-z0-9])test123(?![a-z0-9])/i
/** 64 digits that repeat a short pattern, or count up. */
const TRIVIAL = /^(.{1,16})\1+$/s

/** True for a text that is, or contains, a secret printed in public templates, and for keys nobody drew at random. */
export function isKnownSecret(text: string): boolean {
  const lower = text.trim().toLowerCase()
  if (PUBLISHED.some(secret => lower.includes(secret)) || PUBLISHED_API_KEY.test(lower)) return true
  return SECRET.test(lower) && (TRIVIAL.test(lower) || lower.startsWith('000102030405060708'))
}

/**
 * The secret that encrypts the private keys of the database: 64 hexadecimal digits.
 *
 * A file that is made here is complete as soon as it has its name: of several programs that start at once, all get the
 * secret of the first. It has mode 0600, and is on the disk before the secret is used.
 *
 * @param path - of a file that holds the digits on one line, or `env:NAME` for an environment variable
 * @throws KEY_FILE - missing while it may not be made, readable by others, a directory, other content
 */
export async function openKeyFile(path: string, { mayCreate, env }: KeyFileOptions): Promise<string> {
  const variable = FROM_ENV.exec(path)?.[1]
  if (variable !== undefined) {
    return parseSecret((Object.hasOwn(env, variable) ? env[variable] : undefined) ?? '', path)
  }
  try {
    const found = await readSecret(path)
    if (found !== null) return found
    if (!mayCreate) throw refusal(path, 'is missing; restore the key file that belongs to this database')
    await create(path)
    const made = await readSecret(path)
    if (made === null) throw refusal(path, 'is a symbolic link that leads nowhere')
    return made
  } catch (cause) {
    if (cause instanceof ProcuraError) throw cause
    throw refusal(path, `cannot be used (${(cause as NodeJS.ErrnoException).code ?? 'unknown'})`, cause)
  }
}

async function readSecret(path: string): Promise<string | null> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const stat = await handle.stat()
    if (stat.isDirectory()) throw refusal(path, 'is a directory')
    if (!stat.isFile()) throw refusal(path, 'is not a file')
    if ((stat.mode & OTHERS) !== 0) {
      throw refusal(path, `can be used by others (mode 0${(stat.mode & 0o777).toString(8)}); chmod 600 it`)
    }
    if (stat.size > MAX_BYTES) throw refusal(path, `has ${stat.size} bytes, not one line of 64 hexadecimal digits`)
    return parseSecret((await handle.readFile('latin1')).replace(/\r?\n$/, ''), path)
  } finally {
    await handle.close()
  }
}

function parseSecret(text: string, file: string): string {
  if (!SECRET.test(text)) throw refusal(file, `has ${text.length} characters, not one line of 64 hexadecimal digits`)
  if (isKnownSecret(text)) throw refusal(file, 'holds a secret that everybody knows')
  return text.toLowerCase()
}

/** Written aside and linked into place: the name never stands for half a secret, and never replaces one. */
async function create(path: string): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const draft = join(folder, `.${basename(path)}.${randomBytes(8).toString('hex')}`)
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(`${randomBytes(32).toString('hex')}\n`)
    await handle.sync()
    await link(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await handle.close()
    await unlink(draft)
  }
  const parent = await open(folder, 'r')
  await parent.sync().finally(() => parent.close())
}

function refusal(file: string, why: string, cause?: unknown): ProcuraError<'KEY_FILE'> {
  return new ProcuraError('KEY_FILE', { file, why }, cause === undefined ? {} : { cause })
}
