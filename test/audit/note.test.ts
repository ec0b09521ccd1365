import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openCheckpoint, parseCheckpoint, signCheckpoint } from '../../src/audit/checkpoint.js'
import { formatKey, formatSigner, openNote, parseKey, parseSigner, signNote } from '../../src/audit/note.js'
import { leafHash } from '../../src/audit/tree.js'
import { codeOf } from '../resolve/host.js'

interface Vectors {
  readonly notes: Readonly<Record<'signer' | 'key' | 'other' | 'text' | 'line' | 'otherLine', string>> & {
    readonly badKeys: readonly string[]
  }
  readonly tree: {
    readonly text: string
    readonly size: number
    readonly leaf: string
    readonly bad: readonly string[]
  }
}
const { notes, tree } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../vectors/third-party/tlog/vectors.json'), 'utf8'),
) as Vectors
const { text, line, otherLine } = notes
const peter = parseKey(notes.key)
const enoch = parseKey(notes.other)
const open = (note: string | Uint8Array, keys = [peter]) => openNote(Buffer.from(note), keys)

describe('keys', () => {
  test('come back as they were written', () => {
    expect([formatKey(peter), formatKey(enoch), formatKey(parseSigner(notes.signer))]).toEqual([
      notes.key,
      notes.other,
      notes.key,
    ])
    const seed = Buffer.from(notes.signer.split('+').slice(4).join('+'), 'base64').subarray(1)
    expect(formatSigner('PeterNeumann', seed)).toBe(notes.signer)
  })

  test.each(notes.badKeys)('%s is none', async key => {
    expect(await codeOf(() => parseKey(key))).not.toBeNull()
  })

  test('nor is one with another byte, or a part of one', async () => {
    for (const [whole, parse] of [
      [notes.key, parseKey],
      [notes.signer, parseSigner],
    ] as const) {
      for (let at = 0; at < whole.length; at += 1) {
        const other = `${whole.slice(0, at)}${String.fromCharCode(whole.charCodeAt(at) + 1)}${whole.slice(at + 1)}`
        for (const bad of [other, whole.slice(0, at), whole.slice(at + 1)])
          expect(await codeOf(() => parse(bad)), bad).toMatch(/^(SCHEMA|KEY_WEAK)$/)
      }
    }
  })
})

describe('notes', () => {
  test('are signed as others sign them', () => {
    expect(signNote(text, parseSigner(notes.signer))).toBe(`${text}\n${line}`)
  })

  test.each([
    ['one known key', `${text}\n${line}`, [peter]],
    ['one known key and one that is not', `${text}\n${line}${otherLine}`, [peter]],
    ['another order', `${text}\n${otherLine}${line}`, [peter]],
    ['both', `${text}\n${line}${otherLine}`, [enoch, peter]],
    ['an unknown signature of any length', `${text}\n${line}— Mallory c74f20a3AAAA\n`, [peter]],
    ['an empty line in the text', `${text}\n${text}\n${line}`, null],
  ] as const)('%s', async (_name, note, keys) => {
    if (keys === null) expect(await codeOf(() => open(note))).toBe('AUDIT_BROKEN')
    else expect(open(note, [...keys])).toBe(text)
  })

  test.each([
    ['no signature', text],
    ['a blank line and no signature', `${text}\n`],
    ['no key that is known', `${text}\n${otherLine}`],
    ['no end of line', `${text}\n${line.slice(0, -1)}`],
    ['a control character', `\u0001${text}\n${line}`],
    ['what is not UTF-8', Buffer.concat([Buffer.of(0xff), Buffer.from(`${text}\n${line}`)])],
    ['a name with a space', `${text}\n${line.replace('PeterNeumann', 'Bad Name')}`],
    ['another line', `${text}\n${line}Unexpected line.\n`],
    ['a signature of other bytes', `${text}\n${line.slice(0, 60)}ABCD${line.slice(60)}`],
    ['another text', `${text.replace('answer', 'problem')}\n${line}`],
    ['one bad signature of a known key beside a good one', `${text}\n${line}${line.replace('ZJku', 'ZJkv')}`],
    ['more than 100', `${text}\n${line.repeat(101)}`],
  ])('%s is refused', async (_name, note) => {
    expect(await codeOf(() => open(note))).toBe('AUDIT_BROKEN')
  })

  test('one changed bit anywhere is refused', async () => {
    const bytes = Buffer.from(`${text}\n${line}`)
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit % 8)
      expect(await codeOf(() => open(changed)), `bit ${bit}`).toBe('AUDIT_BROKEN')
    }
  })

  test('what is no text of a note is not signed', async () => {
    for (const bad of ['abc', 'a\u0007\n', '']) {
      expect(await codeOf(() => signNote(bad, parseSigner(notes.signer)))).toBe('AUDIT_BROKEN')
    }
  })
})

describe('checkpoints', () => {
  test('the text of the Go checksum database', () => {
    const { origin, size, root } = parseCheckpoint(tree.text)
    expect([origin, size]).toEqual(['go.sum database tree', tree.size])
    expect(Buffer.from(root).equals(leafHash(Buffer.from(tree.leaf)))).toBe(true)
  })

  test.each([...tree.bad, 'log\n01\nTszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=\n', 'log\n1\n', '\n1\nAA==\n'])(
    'not %j',
    async bad => {
      expect(await codeOf(() => parseCheckpoint(bad))).toBe('AUDIT_BROKEN')
    },
  )

  test('are signed by the log that they name', async () => {
    const signer = parseSigner(notes.signer)
    const root = leafHash(Buffer.from('x'))
    const good = signCheckpoint({ origin: signer.name, size: 1, root }, signer)
    expect(openCheckpoint(Buffer.from(good), peter)).toMatchObject({ origin: 'PeterNeumann', size: 1 })
    const foreign = signCheckpoint({ origin: 'another', size: 1, root }, signer)
    expect(await codeOf(() => openCheckpoint(Buffer.from(foreign), peter))).toBe('AUDIT_BROKEN')
    expect(await codeOf(() => openCheckpoint(Buffer.from(good), enoch))).toBe('AUDIT_BROKEN')
  })
})
