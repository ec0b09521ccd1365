import { execFile } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { fileAudit } from '../../src/adapters/audit/file.js'
import type { Audit } from '../../src/ports.js'
import { codeOf } from '../resolve/host.js'

let folder: string
let files = 0
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'procura-audit-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))
const freshFile = () => join(folder, `${(files += 1)}`, 'audit.ndjson')

/** Opens two handles on one new log, as two processes would; `read` asks the medium, not the handles. */
interface Backend {
  readonly name: string
  readonly open: () => Promise<{
    readonly first: Audit
    readonly second: Audit
    readonly read: () => Promise<readonly unknown[]>
    /** makes the first handle unable to write */
    readonly breakIt: () => Promise<void>
  }>
}

/** Another adapter joins with one more row. */
const backends: readonly Backend[] = [
  {
    name: 'file',
    async open() {
      const path = freshFile()
      const [first, second] = [await fileAudit(path), await fileAudit(path)]
      onTestFinished(() => second.close())
      let open = true
      const breakIt = async (): Promise<void> => {
        if (open) await first.close()
        open = false
      }
      onTestFinished(breakIt)
      return { first, second, read: () => recordsIn(path), breakIt }
    },
  },
]

/** Every line of the file but what follows the last line feed; throws if one is no JSON. */
async function recordsIn(path: string): Promise<readonly unknown[]> {
  const lines = (await readFile(path, 'utf8')).split('\n')
  expect(lines.pop()).toBe('')
  return lines.map(line => JSON.parse(line) as unknown)
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

describe.each(backends)('$name', ({ open }) => {
  test('a record is there when its promise is kept, and comes back as it was', async () => {
    const { first, read } = await open()
    const entries = [{ code: null, text: 'two\nlines, "quotes", \u2028, é, 🗝' }, { nested: { list: [1, [2], {}] } }, {}]
    for (const [n, entry] of entries.entries()) {
      await first.record(entry)
      expect(await read()).toEqual(entries.slice(0, n + 1))
    }
  })

  test('a record is what it was when it was handed over', async () => {
    const { first, read } = await open()
    const entry = { n: 1 }
    const before = first.record(entry)
    entry.n = 2
    await before
    expect(await read()).toEqual([{ n: 1 }])
  })

  test('many at once: each is one record, in the order in which they were handed over', async () => {
    const { first, read } = await open()
    // short ones could overtake long ones
    const entries = numbers(3000).map(n => ({ n, text: 'x'.repeat(n % 2 === 0 ? 2_000 : 0) }))
    await Promise.all(entries.map(entry => first.record(entry)))
    expect(await read()).toEqual(entries)
  })

  test('two handles: nothing is lost or torn, and each keeps its order', async () => {
    const { first, second, read } = await open()
    // long enough that a writer who goes in pieces would be interrupted
    const text = 'x'.repeat(700_000)
    const write = (audit: Audit, by: string) =>
      Promise.all(numbers(10).map(n => audit.record({ by, n, text: n % 2 === 0 ? text : '' })))
    await Promise.all([write(first, 'first'), write(second, 'second')])
    const records = (await read()) as { by: string; n: number }[]
    expect(records).toHaveLength(20)
    for (const by of ['first', 'second']) {
      expect(records.filter(one => one.by === by).map(({ n }) => n)).toEqual(numbers(10))
    }
  })

  test('what cannot be written is AUDIT_UNAVAILABLE, for each who asks, and others write on', async () => {
    const { first, second, read, breakIt } = await open()
    await first.record({ n: 1 })
    await breakIt()
    const codes = await Promise.all([2, 3].map(n => codeOf(() => first.record({ n }))))
    expect(codes).toEqual(['AUDIT_UNAVAILABLE', 'AUDIT_UNAVAILABLE'])
    await second.record({ n: 4 })
    expect(await read()).toEqual([{ n: 1 }, { n: 4 }])
  })
})

describe('the file', () => {
  test('is made private, in a private folder, and is continued', async () => {
    const path = freshFile()
    for (const n of [1, 2]) {
      const audit = await fileAudit(path)
      await audit.record({ n })
      await audit.close()
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(path, '..'))).mode & 0o777).toBe(0o700)
    expect(await recordsIn(path)).toEqual([{ n: 1 }, { n: 2 }])
  })

  test('cannot be a folder, nor lie in a file', async () => {
    const path = freshFile()
    await mkdir(path, { recursive: true })
    expect(await codeOf(() => fileAudit(path))).toBe('AUDIT_UNAVAILABLE')
    await appendFile(join(path, 'file'), '')
    expect(await codeOf(() => fileAudit(join(path, 'file', 'audit.ndjson')))).toBe('AUDIT_UNAVAILABLE')
  })

  test('what a crash left of a line stays alone on its line', async () => {
    const path = freshFile()
    await mkdir(join(path, '..'))
    await appendFile(path, '{"n":1}\n{"n":')
    const audit = await fileAudit(path)
    await audit.record({ n: 2 })
    // another process dies in the middle of a line, later
    await appendFile(path, '{"n":')
    await audit.record({ n: 3 })
    await audit.close()
    expect(await readFile(path, 'utf8')).toBe('{"n":1}\n{"n":\n{"n":2}\n{"n":\n{"n":3}\n')
  })

  test.runIf(process.platform === 'linux')('a disk that is full, from the first byte on', async () => {
    const audit = await fileAudit('/dev/full')
    const refused = audit.record({ n: 1 })
    await expect(refused).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
      message: 'AUDIT_UNAVAILABLE: the decision cannot be recorded: the file: ENOSPC',
    })
    await audit.close()
  })

  test.runIf(process.platform === 'linux')(
    'a disk that is full in the middle of a line, and has room later',
    async () => {
      const path = freshFile()
      const program = `
      import { execFileSync } from 'node:child_process'
      import { fileAudit } from ${JSON.stringify(join(import.meta.dirname, '../../dist/adapters/audit/file.js'))}
      const audit = await fileAudit(${JSON.stringify(path)})
      const record = n => audit.record({ n, text: 'x'.repeat(700) }).then(() => 'ok', error => error.code)
      const before = [await record(1), await record(2), await record(3)]
      execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited:'])
      console.log(JSON.stringify([...before, await record(4), await record(5)]))
    `
      // the limit, in blocks of 1024 bytes, stands for the size of the disk
      const limited = `ulimit -S -f 1 && exec "$0" --input-type=module --eval "$1"`
      const { stdout } = await promisify(execFile)('bash', ['-c', limited, process.execPath, program])
      expect(JSON.parse(stdout)).toEqual(['ok', 'AUDIT_UNAVAILABLE', 'AUDIT_UNAVAILABLE', 'ok', 'ok'])
      const lines = (await readFile(path, 'utf8')).split('\n')
      const found = lines.map(line => (line.endsWith('}') ? (JSON.parse(line) as { n: number }).n : line.slice(0, 6)))
      expect(found).toEqual([1, '{"n":2', 4, 5, ''])
    },
  )
})
