import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openKeyFile } from '../../src/adapters/veramo/key-file.js'
import { folder, SECRET } from './world.js'

const HEX = /^[0-9a-f]{64}$/
const open = (path: string, mayCreate = false) => openKeyFile(path, { mayCreate, env: {} })
const mode = (path: string) => statSync(path).mode & 0o777

function keyFile(content: string, permissions = 0o600): string {
  const path = join(folder(), 'procura.key')
  writeFileSync(path, content)
  chmodSync(path, permissions)
  return path
}

const refused = (file: string, why: RegExp) =>
  expect.objectContaining({ code: 'KEY_FILE', facts: { file, why: expect.stringMatching(why) as string } }) as Error

describe('a new key file', () => {
  test('is private, complete and read back', async () => {
    const path = join(folder(), 'var', 'deep', 'procura.key')
    const secret = await open(path, true)
    expect(secret).toMatch(HEX)
    expect(readFileSync(path, 'latin1')).toBe(`${secret}\n`)
    expect([mode(path), mode(join(path, '..')), mode(join(path, '../..'))]).toEqual([0o600, 0o700, 0o700])
    expect(readdirSync(join(path, '..'))).toEqual(['procura.key'])
    expect(await open(path, true)).toBe(secret)
    expect(await open(path)).toBe(secret)
  })

  test('is not made wider by the umask, nor narrower', async () => {
    const before = process.umask(0)
    try {
      const path = join(folder(), 'var', 'procura.key')
      await open(path, true)
      expect([mode(path), mode(join(path, '..'))]).toEqual([0o600, 0o700])
    } finally {
      process.umask(before)
    }
  })

  test('differs from every other', async () => {
    expect(await open(join(folder(), 'a'), true)).not.toBe(await open(join(folder(), 'b'), true))
  })

  test('of ten that start at once, all have the secret of the first', async () => {
    const path = join(folder(), 'procura.key')
    const secrets = await Promise.all(Array.from({ length: 10 }, () => open(path, true)))
    expect(new Set(secrets).size).toBe(1)
    expect(readdirSync(join(path, '..'))).toEqual(['procura.key'])
  })

  test('is not made when there is a database already', async () => {
    const path = join(folder(), 'procura.key')
    await expect(open(path)).rejects.toThrow(refused(path, /^is missing; restore the key file that belongs to this/))
    expect(existsSync(path)).toBe(false)
  })

  test('is not made where a file stands in the way', async () => {
    const path = join(keyFile('x'), 'procura.key')
    await expect(open(path, true)).rejects.toThrow(refused(path, /^cannot be used \(ENOTDIR\)$/))
  })
})

describe('an existing key file', () => {
  test.each([`${SECRET}\n`, SECRET, `${SECRET}\r\n`, SECRET.toUpperCase()])('%j', async content => {
    expect(await open(keyFile(content))).toBe(SECRET)
  })

  test.each<[string, string, RegExp]>([
    ['empty', '', /^has 0 characters, not one line/],
    ['half', SECRET.slice(1), /^has 63 characters/],
    ['more', `${SECRET}0`, /^has 65 characters/],
    ['two lines', `${SECRET}\n${SECRET}\n`, /^has 130 bytes|^has 129 characters|^has 130/],
    ['two line ends', `${SECRET}\n\n`, /^has 65 characters/],
    ['a space', ` ${SECRET}`, /^has 65 characters/],
    ['other letters', `${SECRET.slice(1)}g`, /^has 64 characters, not one line of 64 hexadecimal/],
    ['a whole database', 'x'.repeat(100_000), /^has 100000 bytes/],
    ['zeros', '0'.repeat(64), /^holds a secret that everybody knows/],
    [
      'the key of a template',
      '29739248cad1bd1a0fc4d9b75cd4d2990de535baf5caadfdf8d8f86664aa830c',
      /^holds a secret that/,
    ],
  ])('%s is refused, and kept', async (_what, content, why) => {
    const path = keyFile(content)
    await expect(open(path, true)).rejects.toThrow(refused(path, why))
    expect(readFileSync(path, 'latin1')).toBe(content)
  })

  test('no refusal repeats the content', async () => {
    const error: unknown = await open(keyFile(`${SECRET}0`)).catch((reason: unknown) => reason)
    expect(String(error)).not.toContain(SECRET)
  })

  test.each([0o640, 0o604, 0o620, 0o602, 0o644, 0o610, 0o666])('mode %o is refused', async permissions => {
    const path = keyFile(SECRET, permissions)
    const shown = `0${permissions.toString(8)}`
    await expect(open(path)).rejects.toThrow(
      refused(path, new RegExp(`^can be used by others \\(mode ${shown}\\); chmod 600`)),
    )
  })

  test('mode 0400 is fine', async () => {
    expect(await open(keyFile(SECRET, 0o400))).toBe(SECRET)
  })

  test('a link to elsewhere is fine, if what it names is private', async () => {
    const link = join(folder(), 'link')
    const target = keyFile(SECRET)
    symlinkSync(target, link)
    expect(await open(link)).toBe(SECRET)
    chmodSync(target, 0o644)
    await expect(open(link)).rejects.toThrow(refused(link, /^can be used by others/))
  })

  test('a link that leads nowhere is neither followed nor replaced', async () => {
    const link = join(folder(), 'link')
    symlinkSync(join(folder(), 'gone'), link)
    await expect(open(link, true)).rejects.toThrow(refused(link, /^is a symbolic link that leads nowhere$/))
    await expect(open(link)).rejects.toThrow(refused(link, /^is missing/))
  })

  test('a folder, or a pipe that nobody writes to', async () => {
    const path = join(folder(), 'procura.key')
    mkdirSync(path, { mode: 0o700 })
    await expect(open(path, true)).rejects.toThrow(refused(path, /^is a directory$/))
    const pipe = join(folder(), 'pipe')
    execFileSync('mkfifo', ['-m', '600', pipe])
    await expect(open(pipe)).rejects.toThrow(refused(pipe, /^is not a file$/))
  })
})

describe('env:NAME', () => {
  const fromEnv = (path: string, env: Record<string, string>) => openKeyFile(path, { mayCreate: true, env })

  test('reads the variable', async () => {
    expect(await fromEnv('env:KEY', { KEY: SECRET })).toBe(SECRET)
  })

  test.each<[string, Record<string, string>]>([
    ['env:KEY', {}],
    ['env:KEY', { KEY: '' }],
    ['env:KEY', { KEY: 'short' }],
    ['env:KEY', { KEY: `${SECRET}\n` }],
    ['env:KEY', { KEY: 'ab'.repeat(32) }],
    ['env:constructor', {}],
    ['env:', {}],
  ])('%s of %j is refused', async (path, env) => {
    await expect(fromEnv(path, env)).rejects.toThrow(refused(path, /^has \d+ characters|^holds a secret/))
    expect(existsSync(path)).toBe(false)
  })
})
