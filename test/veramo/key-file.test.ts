import { execFileSync } from 'node:child_process'
import { createSecretKey } from 'node:crypto'
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
import { openStore } from '../../src/adapters/store/store.js'
import { openKeyRing } from '../../src/adapters/veramo/key-ring.js'
import { fingerprintOf, keySource, type Keys } from '../../src/adapters/veramo/key-source.js'
import { folder, OTHER, SECRET } from './world.js'

const HEX = /^[0-9a-f]{64}$/
const hexOf = (keys: Keys | null) =>
  [...(keys ?? [])].map(([version, key]) => `${version} ${key.export().toString('hex')}`)

/** The secret of version 1, as a database reads it; `isNew`: one that has no keys yet. */
async function open(path: string, isNew = false): Promise<string> {
  const store = await openStore('sqlite::memory:')
  try {
    if (!isNew)
      await store.sealedKeys.addVersion({ version: 1, fingerprint: fingerprintOf(createSecretKey(SECRET, 'hex')) })
    const ring = await openKeyRing(keySource(path, {}), store.sealedKeys)
    return (await ring.key(1)).export().toString('hex')
  } finally {
    await store.close()
  }
}
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
    await expect(open(path)).rejects.toThrow(refused(path, /^does not belong to this database: its version 1 is anoth/))
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
    ['two lines', `${SECRET}\n${SECRET}\n`, /^has 129 characters/],
    ['two line ends', `${SECRET}\n\n`, /^has 65 characters/],
    ['a space', ` ${SECRET}`, /^has 65 characters/],
    ['other letters', `${SECRET.slice(1)}g`, /^has 64 characters, not one line of 64 hexadecimal/],
    ['a whole database', 'x'.repeat(100_000), /^has 100000 bytes/],
    ['version 0', `0 ${SECRET}`, /^has 66 characters/],
    ['a version with a zero before it', `01 ${SECRET}`, /^has 67 characters/],
    ['a version twice', `1 ${SECRET}\n1 ${OTHER}\n`, /^has versions that do not ascend/],
    ['versions that descend', `2 ${SECRET}\n1 ${OTHER}\n`, /^has versions that do not ascend/],
    ['one key twice', `1 ${SECRET}\n2 ${SECRET}\n`, /^has one key under two versions/],
    ['a known secret later', `1 ${SECRET}\n2 ${'0'.repeat(64)}\n`, /^holds a secret that everybody knows/],
    ['too many', Array.from({ length: 33 }, (_, n) => `${n + 1} ${SECRET}`).join('\n'), /^has 33 lines, at most 32/],
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

  test('several versions, the later ones below', async () => {
    const path = keyFile(`1 ${SECRET}\n7 ${OTHER}\n`)
    expect(hexOf(await keySource(path, {}).read())).toEqual([`1 ${SECRET}`, `7 ${OTHER}`])
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
  const read = async (name: string, env: Record<string, string>) => keySource(name, env).read()

  test('reads the variable', async () => {
    expect(hexOf(await read('env:KEY', { KEY: SECRET }))).toEqual([`1 ${SECRET}`])
    expect(hexOf(await read('env:KEY', { KEY: `1 ${SECRET},2 ${OTHER}` }))).toEqual([`1 ${SECRET}`, `2 ${OTHER}`])
    expect(keySource('env:KEY', {}).write).toBeNull()
  })

  test.each<[string, Record<string, string>]>([
    ['env:KEY', {}],
    ['env:KEY', { KEY: '' }],
    ['env:KEY', { KEY: 'short' }],
    ['env:KEY', { KEY: `${SECRET}\n` }],
    ['env:KEY', { KEY: 'ab'.repeat(32) }],
    ['env:constructor', {}],
    ['env:', {}],
  ])('%s of %j is refused', async (name, env) => {
    await expect(read(name, env)).rejects.toThrow(refused(name, /^has \d+ characters|^holds a secret/))
    expect(existsSync(name)).toBe(false)
  })
})

describe('command:', () => {
  const script = (body: string): string => {
    const path = join(folder(), 'kms')
    writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o700 })
    return path
  }
  const read = (line: string, env: Record<string, string> = {}) => keySource(`command:${line}`, env).read()

  test('what it prints is the keys; it gets its arguments and the environment, and no shell', async () => {
    const path = script(`[ "$#" = 2 ] && [ "$2" = '$(id);' ] && printf '1 %s\\n2 %s\\n' "$1" "$KEY"`)
    expect(hexOf(await read(`${path} ${SECRET} $(id);`, { KEY: OTHER }))).toEqual([`1 ${SECRET}`, `2 ${OTHER}`])
    expect(keySource(`command:${path}`, {}).write).toBeNull()
  })

  test.each<[string, string, RegExp]>([
    ['that fails', `echo ${SECRET}; echo ${SECRET} >&2; exit 3`, /^fails \(3\)$/],
    ['that says nothing', 'exit 0', /^has 0 characters/],
    [
      'that never stops talking',
      'while :; do echo 0123456789012345678901234567890123456789; done',
      /^fails \(ERR_CHILD/,
    ],
    ['that kills itself', 'kill -TERM $$', /^fails \(SIGTERM\)$/],
  ])('%s', async (_what, body, why) => {
    const path = script(body)
    const error: unknown = await read(`${path} secret-argument`).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'KEY_FILE', facts: { file: `command:${path}` } })
    expect(error).toMatchObject({ facts: { why: expect.stringMatching(why) as string } })
    expect(String(error)).not.toMatch(new RegExp(`${SECRET}|secret-argument`))
  })

  test.each(['', 'kms', './kms', 'sh -c /bin/true', '/nowhere/kms'])('%j cannot be run', async line => {
    await expect(read(line)).rejects.toMatchObject({
      code: 'KEY_FILE',
      facts: { why: expect.stringMatching(/^does not start with an absolute path$|^fails \(ENOENT\)$/) as string },
    })
  })
})
