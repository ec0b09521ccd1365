import { execFile } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { listJournals, listTiles } from '../../src/adapters/audit/files.js'
import { anyOf } from '../../src/adapters/audit/several.js'
import { fileAudit } from '../../src/entry/audit.js'
import { recordsOf } from '../audit/records.js'
import { codeOf } from '../resolve/host.js'

let folder: string
let logs = 0
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'procura-audit-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))
const fresh = () => join(folder, `${(logs += 1)}`, 'audit')
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

async function open(path: string) {
  const log = await fileAudit(path)
  onTestFinished(() => log.close())
  return log
}

describe('a record', () => {
  test('is there when its promise is kept, and comes back as it was', async () => {
    const path = fresh()
    const log = await open(path)
    const entries = [{ code: null, text: 'two\nlines, "quotes", \u2028, é, 🗝' }, { nested: { list: [1, [2], {}] } }, {}]
    for (const [n, entry] of entries.entries()) {
      await log.record(entry, n === 1)
      expect(await recordsOf(path)).toEqual(entries.slice(0, n + 1))
    }
  })

  test('is what it was when it was handed over', async () => {
    const path = fresh()
    const log = await open(path)
    const entry = { n: 1 }
    const before = log.record(entry)
    entry.n = 2
    await before
    expect(await recordsOf(path)).toEqual([{ n: 1 }])
  })

  test.each([
    ['on the disk', () => false],
    ['soon', () => true],
    ['some so, some so', (n: number) => n % 3 === 0],
  ])('many at once, %s: each is there, in the order in which they were handed over', async (_name, soon) => {
    const path = fresh()
    const log = await open(path)
    // short ones could overtake long ones
    const entries = numbers(3000).map(n => ({ n, text: 'x'.repeat(n % 2 === 0 ? 2_000 : 0) }))
    await Promise.all(entries.map((entry, n) => log.record(entry, soon(n))))
    expect(await recordsOf(path)).toEqual(entries)
    await log.close()
    expect(await recordsOf(path)).toEqual(entries)
    expect(await listJournals(path)).toEqual([])
  })

  test('that is longer than a bundle can hold is refused, and others are not', async () => {
    const path = fresh()
    const log = await open(path)
    const most = 65_535 - '{"text":""}'.length
    expect(await codeOf(() => log.record({ text: 'x'.repeat(most + 1) }))).toBe('AUDIT_UNAVAILABLE')
    await log.record({ text: 'x'.repeat(most) })
    expect(await log.size()).toBe(1)
  })

  test('after the end is refused', async () => {
    const log = await fileAudit(fresh())
    await log.close()
    await log.close()
    expect(await codeOf(() => log.record({}))).toBe('AUDIT_UNAVAILABLE')
  })
})

describe('several logs', () => {
  test('what one of them takes is on record; what none takes is refused', async () => {
    const [one, two] = [fresh(), fresh()]
    const [first, second] = [await fileAudit(one), await fileAudit(two)]
    const logs = anyOf([first, second])
    await logs.record({ n: 1 })
    await first.close()
    await logs.record({ n: 2 }, true)
    await logs.requireWritable()
    await second.close()
    expect(await codeOf(() => logs.record({ n: 3 }))).toBe('AUDIT_UNAVAILABLE')
    expect(await codeOf(() => logs.requireWritable())).toBe('AUDIT_UNAVAILABLE')
    expect([await recordsOf(one), await recordsOf(two)]).toEqual([[{ n: 1 }], [{ n: 1 }, { n: 2 }]])
  })
})

describe('the folder', () => {
  test('is made private, with its key beside it, and is continued', async () => {
    const path = fresh()
    const keys: string[] = []
    for (const n of [1, 2]) {
      const log = await fileAudit(path, 'id.example')
      await log.record({ n })
      keys.push(log.key)
      await log.close()
    }
    expect((await stat(path)).mode & 0o777).toBe(0o700)
    for (const file of [
      `${path}.key`,
      join(path, 'checkpoint'),
      join(path, 'tile/entries/000.p/1'),
      join(path, 'lock'),
    ])
      expect((await stat(file)).mode & 0o777, file).toBe(0o600)
    expect(await recordsOf(path)).toEqual([{ n: 1 }, { n: 2 }])
    expect(keys[1]).toBe(keys[0])
    expect(keys[0]).toMatch(/^id\.example\/audit\/[0-9a-f]{8}\+/)
  })

  test('has the tiles of its tree, and of full ones no part', async () => {
    const path = fresh()
    const log = await fileAudit(path)
    await Promise.all(numbers(100).map(n => log.record({ n })))
    await log.close()
    const again = await fileAudit(path)
    await Promise.all(numbers(500).map(n => again.record({ n })))
    await again.close()
    expect(await listTiles(path)).toEqual([
      'tile/0/000',
      'tile/0/001',
      'tile/0/002.p/88',
      'tile/1/000.p/2',
      'tile/entries/000',
      'tile/entries/001',
      'tile/entries/002.p/88',
    ])
    expect((await readFile(join(path, 'checkpoint'), 'utf8')).split('\n')[1]).toBe('600')
  })

  test('cannot be a file, nor lie in one', async () => {
    const path = fresh()
    await mkdir(join(path, '..'))
    await writeFile(path, '')
    expect(await codeOf(() => fileAudit(path))).toBe('AUDIT_UNAVAILABLE')
    expect(await codeOf(() => fileAudit(join(path, 'audit')))).toBe('KEY_FILE')
  })

  test('is one process’s at a time', async () => {
    const path = fresh()
    const log = await open(path)
    await expect(fileAudit(path)).rejects.toMatchObject({
      code: 'STORAGE_HELD',
      message: expect.stringContaining(`held by process ${process.pid} on `) as string,
    })
    await log.record({ n: 1 })
    await log.close()
    await (await open(path)).record({ n: 2 })
  })

  test('without its key is not continued with another', async () => {
    const path = fresh()
    await (await fileAudit(path)).close()
    await rm(`${path}.key`)
    expect(await codeOf(() => fileAudit(path))).toBe('KEY_FILE')
    await writeFile(`${path}.key`, 'PRIVATE+KEY+nonsense', { mode: 0o600 })
    expect(await codeOf(() => fileAudit(path))).toBe('KEY_FILE')
  })

  test('of which the end was changed is not continued', async () => {
    for (const file of ['checkpoint', 'tile/0/000.p/3', 'tile/entries/000.p/3']) {
      const path = fresh()
      const log = await fileAudit(path)
      for (const n of numbers(3)) await log.record({ n })
      await log.close()
      const bytes = await readFile(join(path, file))
      bytes[20]! ^= 1
      await writeFile(join(path, file), bytes)
      expect(await codeOf(() => fileAudit(path)), file).toBe('AUDIT_BROKEN')
      await rm(join(path, file))
      if (file !== 'checkpoint') expect(await codeOf(() => fileAudit(path)), file).toBe('AUDIT_BROKEN')
    }
  })
})

describe('after a crash', () => {
  /** A process that ends without a word, after `before` records were on the disk. */
  async function crashed(path: string, before: number): Promise<void> {
    const program = `
      import { fileAudit } from ${JSON.stringify(join(import.meta.dirname, '../../dist/entry/audit.js'))}
      const log = await fileAudit(${JSON.stringify(path)})
      for (let n = 0; n < ${before}; n += 1) await log.record({ n })
      process.kill(process.pid, 'SIGKILL')
    `
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]).catch(() => undefined)
  }

  test('the journal is read again, and what is torn of it is cut off and told', async () => {
    const path = fresh()
    await crashed(path, 3)
    const [journal] = await listJournals(path)
    await appendFile(journal!.path, Buffer.from('00000020aabb', 'hex'))
    expect(await recordsOf(path)).toHaveLength(3)
    const log = await fileAudit(path)
    await log.record({ n: 3 })
    await log.close()
    const at = expect.any(Number) as number
    const torn = { type: 'recovered', at, torn: 6 }
    expect(await recordsOf(path)).toEqual([...numbers(3).map(n => ({ n })), torn, { n: 3 }])
    expect(await listJournals(path)).toEqual([])
  })

  test('a journal that is missing is missed', async () => {
    const path = fresh()
    await crashed(path, 2)
    const [journal] = await listJournals(path)
    await writeFile(join(path, 'journal/0000000000000005'), await readFile(journal!.path))
    expect(await codeOf(() => fileAudit(path))).toBe('AUDIT_BROKEN')
  })
})

test.runIf(process.platform === 'linux')('a disk that is full, and has room later', async () => {
  const path = fresh()
  const program = `
    import { execFileSync } from 'node:child_process'
    import { fileAudit } from ${JSON.stringify(join(import.meta.dirname, '../../dist/entry/audit.js'))}
    const log = await fileAudit(${JSON.stringify(path)})
    const record = (n, soon) => log.record({ n, text: 'x'.repeat(700) }, soon).then(() => 'ok', error => error.code)
    const before = [await record(1), await record(2), await record(3, true)]
    execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited:'])
    console.log(JSON.stringify([...before, await record(4, true), await record(5)]))
    await log.close()
  `
  // the limit, in blocks of 1024 bytes, stands for the size of the disk
  const limited = `ulimit -S -f 1 && exec "$0" --input-type=module --eval "$1"`
  const { stdout } = await promisify(execFile)('bash', ['-c', limited, process.execPath, program])
  expect(JSON.parse(stdout)).toEqual(['ok', 'AUDIT_UNAVAILABLE', 'AUDIT_UNAVAILABLE', 'ok', 'ok'])
  expect((await recordsOf(path)).map(({ n }) => n)).toEqual([1, 4, 5])
})
