import { execFile } from 'node:child_process'
import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { s256 } from '../../encoding.js'
import { keyFileRefusal, makeKeyFile, readKeyFile, replaceKeyFile } from './key-file.js'
import { isKnownSecret } from './known-secrets.js'

/** Key-encryption keys by version, ascending; 32 bytes each. */
export type Keys = ReadonlyMap<number, KeyObject>

/** Where key-encryption keys come from. */
export interface KeySource {
  /** names it in messages */
  readonly name: string
  /** The keys it holds now; `null` if it is a file that is missing. @throws KEY_FILE */
  read(): Promise<Keys | null>
  /** Puts keys in place; `null` where only its operator can. */
  readonly write: ((keys: Keys, isNew: boolean) => Promise<void>) | null
}

type Environment = Readonly<Record<string, string | undefined>>

const KEY = /^[0-9a-f]{64}$/i
const LINE = /^([1-9][0-9]{0,8}) ([0-9a-f]{64})$/i
/** Most versions at once. */
export const MAX_KEYS = 32
/** A command that asks a key service over the network, in milliseconds. */
const PATIENCE = 15_000
const MAX_OUTPUT = 4096

/**
 * The keys that private keys are sealed under: 64 hexadecimal digits, which is version 1, or up to 32 lines of a version,
 * a space and 64 digits, ascending. An entry of several lines may be written with commas instead of line ends.
 *
 * @param name - path of a file with mode 0600; `env:NAME` for an environment variable; or `command:` with an absolute
 *   path and arguments, separated by single spaces, which is run without a shell and prints the keys
 */
export function keySource(name: string, env: Environment): KeySource {
  const [, kind, rest = ''] = /^(env|command):(.*)$/s.exec(name) ?? []
  if (kind === 'env') {
    const text = (Object.hasOwn(env, rest) ? env[rest] : undefined) ?? ''
    return { name, read: () => Promise.resolve().then(() => parseKeys(text, name)), write: null }
  }
  if (kind === 'command') {
    // arguments may be secret
    const shown = `command:${rest.split(' ')[0] ?? ''}`
    return { name: shown, read: async () => parseKeys(await run(rest, shown, env), shown), write: null }
  }
  return {
    name,
    async read() {
      const text = await readKeyFile(name)
      return text === null ? null : parseKeys(text.replace(/\r?\n$/, ''), name)
    },
    async write(keys, isNew) {
      if (isNew) await makeKeyFile(name, formatKeys(keys))
      else await replaceKeyFile(name, formatKeys(keys))
    },
  }
}

/** A key nobody else has. */
export function drawKey(): KeyObject {
  const bytes = randomBytes(32)
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

/** What tells a key from others and may be known to all. */
export function fingerprintOf(key: KeyObject): string {
  return s256(`procura key-encryption key ${key.export().toString('hex')}`)
}

function parseKeys(text: string, name: string): Keys {
  if (KEY.test(text)) return new Map([[1, parseKey(text, name)]])
  const keys = new Map<number, KeyObject>()
  const lines = text.split(/\r?\n|,/)
  const form = 'not one line of 64 hexadecimal digits, nor lines of a version and 64 digits'
  if (lines.length > MAX_KEYS) throw keyFileRefusal(name, `has ${lines.length} lines, at most ${MAX_KEYS} are read`)
  for (const line of lines) {
    const [, version, digits] = LINE.exec(line) ?? []
    if (version === undefined || digits === undefined) {
      throw keyFileRefusal(name, `has ${text.length} characters, ${form}`)
    }
    if (Number(version) <= Math.max(0, ...keys.keys())) throw keyFileRefusal(name, 'has versions that do not ascend')
    keys.set(Number(version), parseKey(digits, name))
  }
  if (new Set([...keys.values()].map(fingerprintOf)).size < keys.size) {
    throw keyFileRefusal(name, 'has one key under two versions')
  }
  return keys
}

function parseKey(digits: string, name: string): KeyObject {
  if (isKnownSecret(digits)) throw keyFileRefusal(name, 'holds a secret that everybody knows')
  return createSecretKey(digits, 'hex')
}

function formatKeys(keys: Keys): string {
  const [[first, only]] = [...keys] as [[number, KeyObject]]
  if (keys.size === 1 && first === 1) return `${only.export().toString('hex')}\n`
  return [...keys].map(([version, key]) => `${version} ${key.export().toString('hex')}\n`).join('')
}

/** Nothing of its output or its arguments is repeated: they may hold the keys, or what opens the service. */
async function run(line: string, name: string, env: Environment): Promise<string> {
  const [path = '', ...args] = line.split(' ')
  if (!path.startsWith('/')) throw keyFileRefusal(name, 'does not start with an absolute path')
  return new Promise((resolve, reject) => {
    const limits = { timeout: PATIENCE, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT, encoding: 'latin1' } as const
    const child = execFile(path, args, { ...limits, env: { ...env } }, (error, stdout) => {
      if (error === null) resolve(stdout.replace(/\r?\n$/, ''))
      else reject(keyFileRefusal(name, `fails (${String(error.code ?? error.signal ?? 'unknown')})`))
    })
    child.stdin?.end()
  })
}
