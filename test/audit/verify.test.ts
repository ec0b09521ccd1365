import { mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { verifyLog } from '../../src/adapters/audit/verify.js'
import { formatFinding } from '../../src/audit/compare.js'
import { formatSigner, parseKey, parseSigner } from '../../src/audit/note.js'
import { decodeBundle, encodeBundle } from '../../src/audit/tile.js'
import { fileAudit } from '../../src/entry/audit.js'
import { recordAt, signer, writeLog } from './log-on-disk.js'

let folder: string
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'procura-verify-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const entries = Array.from({ length: 600 }, (_, n) => recordAt(n))
const path = (name: string) => join(folder, 'log', name)
const findings = async (...earlier: Parameters<typeof verifyLog>[2]) =>
  (await verifyLog(join(folder, 'log'), signer, earlier)).findings.map(formatFinding)

/** Rewrites the records of a bundle, and nothing else. */
function rebundle(name: string, change: (records: Uint8Array[]) => unknown): void {
  const records = [...decodeBundle(readFileSync(path(name)))!]
  change(records)
  writeFileSync(path(name), encodeBundle(records))
}

describe('names what was done', () => {
  test.each<[string, () => void, readonly string[]]>([
    ['nothing', () => undefined, []],
    [
      'a record was changed',
      () => rebundle('tile/entries/001', records => (records[4] = recordAt(9))),
      ['record 260: was changed'],
    ],
    [
      'a record was removed',
      () => rebundle('tile/entries/001', records => records.splice(4, 1)),
      ['record 260: is missing', 'records 256 to 511: tile/entries/001 is not what it should be'],
    ],
    [
      'a record was inserted',
      () => rebundle('tile/entries/000', records => records.splice(7, 0, recordAt(9999))),
      ['record 7: was inserted', 'records 0 to 255: tile/entries/000 is not what it should be'],
    ],
    [
      'the last record was removed',
      () => rebundle('tile/entries/002.p/88', records => records.pop()),
      ['record 599: is missing', 'records 512 to 767: tile/entries/002.p/88 is not what it should be'],
    ],
    [
      'two records changed places',
      () => rebundle('tile/entries/000', records => ([records[3], records[9]] = [records[9]!, records[3]!])),
      ['record 3: holds record 9 instead', 'record 9: holds record 3 instead'],
    ],
    [
      'a hash was changed',
      () => {
        const bytes = readFileSync(path('tile/1/000.p/2'))
        bytes[40]! ^= 1
        writeFileSync(path('tile/1/000.p/2'), bytes)
      },
      ['records 256 to 511: tile/1/000.p/2 is not what it should be'],
    ],
    ['a bundle is gone', () => unlinkSync(path('tile/entries/001')), ['records 256 to 511: are missing']],
    ['a tile is gone', () => unlinkSync(path('tile/1/000.p/2')), ['records 0 to 65535: tile/1/000.p/2 is missing']],
    [
      'a file was put there',
      () => writeFileSync(path('tile/0/notes.txt'), 'hello'),
      ['record 0: tile/0/notes.txt is no part of a log'],
    ],
    [
      'a bundle was put behind the end',
      () => writeFileSync(path('tile/entries/003'), encodeBundle(entries.slice(0, 256))),
      ['records 768 to 1023: tile/entries/003 does not belong to the log'],
    ],
  ])('%s', async (_name, change, said) => {
    writeLog(path(''), entries, [600])
    change()
    const found = await findings()
    // a bundle that is wrong as a whole is said once more
    expect(found).toEqual(said)
  })

  test('a record that was rewritten with all its hashes, but for the signature', async () => {
    const [checkpoint] = writeLog(path(''), entries, [600])
    const note = readFileSync(path('checkpoint'))
    writeLog(path(''), entries.with(5, recordAt(7777)), [600])
    writeFileSync(path('checkpoint'), note)
    expect(await findings()).toEqual(['records 0 to 599: do not hash to the root that was signed'])
    expect(checkpoint?.size).toBe(600)
  })
})

describe('an earlier checkpoint', () => {
  test('finds a cut and a fork that the keeper of the key signed', async () => {
    const [early, late] = writeLog(path(''), entries, [300, 600])
    expect(await findings(early!, late!)).toEqual([])
    writeLog(path(''), entries, [400])
    expect(await findings()).toEqual([])
    expect(await findings(early!)).toEqual([])
    expect(await findings(late!)).toEqual([
      'records 400 to 599: were there when the earlier checkpoint was taken, and are gone',
    ])
    writeLog(path(''), entries.with(299, recordAt(7777)), [600])
    expect(await findings()).toEqual([])
    const forked = (size: number) =>
      `records 0 to ${size - 1}: are not the ones of the earlier checkpoint: the log was forked`
    expect(await findings(early!, late!)).toEqual([forked(300), forked(600)])
  })

  test('of another key is none', async () => {
    writeLog(path(''), entries, [10])
    const other = parseSigner(formatSigner(signer.name, Buffer.alloc(32, 8)))
    const { checkpoint, findings: found } = await verifyLog(path(''), other, [])
    expect(checkpoint).toBeNull()
    expect(found[0]?.what).toMatch(/^AUDIT_BROKEN: .*nobody who is known signed it/)
  })
})

describe('a log in use', () => {
  test('is verified with what is in its journal, and what is torn of that is told', async () => {
    const live = join(folder, 'live')
    const log = await fileAudit(live)
    onTestFinished(() => log.close())
    const key = parseKey(log.key)
    for (let n = 0; n < 3; n += 1) await log.record({ n })
    expect(await verifyLog(live, key, [])).toMatchObject({ records: 3, findings: [] })
    await Promise.all(Array.from({ length: 2000 }, (_, n) => log.record({ n }, n % 2 === 0)))
    for (let size = 0; size === 0;) {
      const whole = await verifyLog(live, key, [])
      expect([whole.records, whole.findings]).toEqual([2003, []])
      size = whole.checkpoint?.size ?? 0
    }
  })

  test('a journal that was changed', async () => {
    const live = join(folder, 'journal')
    const log = await fileAudit(live)
    onTestFinished(() => log.close())
    for (let n = 0; n < 3; n += 1) await log.record({ n })
    const journal = join(live, 'journal/0000000000000000')
    const bytes = readFileSync(journal)
    bytes[bytes.length - 2]! ^= 1
    writeFileSync(`${journal}.other`, bytes)
    renameSync(`${journal}.other`, journal)
    const found = (await verifyLog(live, parseKey(log.key), [])).findings
    expect(found).toMatchObject([{ from: 2, to: 2, what: expect.stringContaining('torn or changed') as string }])
  })
})
