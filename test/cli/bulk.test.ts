import { existsSync, readFileSync } from 'node:fs'
import { appendFile, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runBulk, type BulkReport, type BulkWork, type Task } from '../../src/adapters/cli/bulk.js'
import { rowsOf, type Read } from '../../src/adapters/cli/rows.js'
import { openStore } from '../../src/adapters/store/store.js'
import { toDidKey } from '../../src/did/key.js'
import { parsePublicKey } from '../../src/ed25519.js'
import { ProcuraError } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import { openTestHome, writeConfig, type Home } from '../http/home.js'
import { killedWhen, procura, procuraAtTerminal } from './run.js'

/** `node test/drills/bulk.mjs` does the same with 10 000. */
const ROWS = 300

let folder: string
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'procura-bulk-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

let count = 0
async function file(text: string | Uint8Array): Promise<string> {
  count += 1
  const path = join(folder, `rows-${count}.csv`)
  await writeFile(path, text)
  return path
}

describe('rows', () => {
  const known = (name: string): boolean => ['a', 'b'].includes(name)
  const all = async (text: string | Uint8Array, plain?: string): Promise<Read[]> => {
    const rows: Read[] = []
    for await (const row of rowsOf(await file(text), known, plain)) rows.push(row)
    return rows
  }
  const row = (line: number, a: string, b?: string) => ({ line, row: b === undefined ? { a } : { a, b } })

  test('CRLF, a byte order mark, quotes, empty lines and fields; a line is counted as an editor does', async () => {
    const text = '\uFEFFa,b\r\n1,2\r\n\r\n"x, ""y""\r\nz",3\r\n4,\r\n'
    expect(await all(text)).toEqual([row(2, '1', '2'), row(4, 'x, "y"\nz', '3'), row(6, '4')])
  })

  test('NDJSON', async () => {
    expect(await all('\uFEFF{"a":"1","b":["2","3"]}\r\n\n{"a":4}\n{"c":1}\n{"a":\n[1]\n{"a":{}}')).toEqual([
      { line: 1, row: { a: '1', b: ['2', '3'] } },
      row(3, '4'),
      { line: 4, why: 'has an unknown member "c"' },
      { line: 5, why: expect.any(String) as string },
      { line: 6, why: 'is not a JSON object' },
      { line: 7, why: 'a is not a text, a number or a list of texts' },
    ])
  })

  test('a list, one a line', async () => {
    expect(await all('# leaked\nuEi1\n\n uEi2 \n', 'a')).toEqual([row(2, 'uEi1'), row(4, 'uEi2')])
    expect(await all('b,a\n1,2\n', 'a')).toEqual([row(2, '2', '1')])
  })

  test.each<[string, string | Uint8Array, object[]]>([
    ['too few fields', 'a,b\n1\n2,3\n', [{ line: 2, why: expect.stringContaining('1 fields') as string }, row(3, '2', '3')]],
    ['no UTF-8', Buffer.from('a,b\n1,\xff\n2,3\n', 'latin1'), [{ line: 2, why: 'is not UTF-8', isEnd: true }]],
    ['a quote that is never closed', 'a,b\n1,2\n3,"4\n5,6\n', [row(2, '1', '2'), { line: 3, why: expect.stringContaining('never closed') as string, isEnd: true }]],
    ['a quote out of place', 'a,b\n1,2\n3,"4"5\n5,6\n', [row(2, '1', '2'), { line: 3, why: expect.stringContaining('out of place') as string, isEnd: true }]],
    ['a quote that goes on', `a,b\n1,2\n3,"${'x\n'.repeat(40_000)}`, [row(2, '1', '2'), { line: 3, why: expect.stringContaining('not closed within') as string, isEnd: true }]],
    ['a line without an end', `a,b\n1,2\n${'x'.repeat(10_000_000)}\n5,6`, [row(2, '1', '2'), { line: 3, why: expect.stringContaining('longer than') as string, isEnd: true }]],
  ]) // prettier-ignore
  ('%s', async (_name, text, rows) => {
    expect(await all(text)).toEqual(rows)
  })

  test.each(['a,c\n1,2\n', 'a,a\n1,2\n', 'a,\u202e\n1,2\n'])('a first line of %j', async text => {
    await expect(all(text)).rejects.toThrow(/line 1 names/)
  })
})

describe('a run', () => {
  const clock = { now: () => Math.floor(Date.now() / 1000) }
  const asked: Task[] = []
  const work = (act: (task: Task) => JsonObject | ProcuraError, more: Partial<BulkWork> = {}): BulkWork => ({
    what: 'test',
    rows: 500,
    calls: 2,
    isFree: false,
    columns: name => name === 'a',
    do: tasks => {
      asked.push(...tasks)
      return Promise.resolve(tasks.map(act))
    },
    ...more,
  })
  const run = (path: string, how: BulkWork, signal = new AbortController().signal): Promise<BulkReport> => {
    asked.length = 0
    return runBulk(path, how, { stream: { write: () => undefined }, clock, signal })
  }
  const ok = ({ row }: Task): JsonObject => ({ got: row['a'] as string })
  const lines = async (path: string): Promise<JsonObject[]> =>
    (await readFile(path, 'utf8')).trimEnd().split('\n').map(line => JSON.parse(line) as JsonObject) // prettier-ignore

  test('a bad line 70 000 is named, and nothing before it is lost; corrected, the run goes on there', async () => {
    const rows = Array.from({ length: 70_010 }, (_, n) => String(n + 2))
    const path = await file(`a\n${rows.map(one => (one === '70000' ? '"x"y' : one)).join('\n')}\n`)
    const first = await run(path, work(ok))
    expect(first).toMatchObject({ done: 69_998, failed: 1, ended: null })
    expect(await lines(first.failures)).toMatchObject([{ line: 70_000, code: 'SCHEMA' }])
    await writeFile(path, `a\n${rows.join('\n')}\n`)
    const second = await run(path, work(ok))
    expect([second.done, second.doneBefore, second.failed, asked.length]).toEqual([70_010, 69_998, 0, 12])
    const answers = await lines(second.answers)
    expect(new Set(answers.map(({ line }) => line)).size).toBe(70_010)
    expect(await readdir(folder)).not.toContain(`${path}.failed.ndjson`)
  })

  test('what failed is tried again, what was done is not; keys stay though the file changes', async () => {
    const path = await file('a\n1\n2\n3\n')
    const refuse = (task: Task) => (task.line === 3 ? new ProcuraError('NOT_FOUND', { what: 'x' }) : ok(task))
    expect(await run(path, work(refuse))).toMatchObject({ done: 2, failed: 1 })
    const keys = new Map(asked.map(({ line, key }) => [line, key]))
    await appendFile(path, '4\n')
    expect(await run(path, work(ok))).toMatchObject({ done: 4, doneBefore: 2, failed: 0 })
    expect(asked.map(({ line, key }) => [line, key === keys.get(line)])).toEqual([
      [3, true],
      [5, false],
    ])
  })

  test('a row that was done and says something else now is not done again', async () => {
    const path = await file('a\n1\n2\n')
    await run(path, work(ok))
    await writeFile(path, 'a\n1\n1.5\n2\n')
    const { failed, failures } = await run(path, work(ok))
    expect([failed, asked.map(({ line }) => line)]).toEqual([1, [4]])
    expect(await lines(failures)).toMatchObject([{ line: 3, why: 'was done before, and said something else then' }])
  })

  test('half an answer, as a crash leaves it, is asked for again', async () => {
    const path = await file('a\n1\n2\n')
    await run(path, work(ok))
    const answers = await readFile(`${path}.done.ndjson`, 'utf8')
    await writeFile(`${path}.done.ndjson`, answers.slice(0, -10))
    await run(path, work(ok))
    expect(asked.map(({ line }) => line)).toEqual([3])
    expect(await readFile(`${path}.done.ndjson`, 'utf8')).toBe(answers)
  })

  test('what was sent, never answered and is forgotten by now is not sent again', async () => {
    const path = await file('a\n1\n2\n3\n')
    const name = await run(path, work(() => new ProcuraError('SERVICE_UNAVAILABLE', { service: 'x', why: 'y' }), { do: () => Promise.reject(new ProcuraError('SERVICE_UNAVAILABLE', { service: 'x', why: 'y' })) })) // prettier-ignore
    expect(name.ended).toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    await appendFile(path, '4\n')
    const yesterday = new Date(Date.now() - 86_400_000)
    await utimes(`${path}.journal`, yesterday, yesterday)
    const { failures } = await run(path, work(ok))
    expect(asked.map(({ line }) => line)).toEqual([5])
    expect((await lines(failures)).map(({ line, code }) => [line, code])).toEqual(
      [2, 3, 4].map(line => [line, 'IDEMPOTENCY_CONFLICT']),
    )
  })

  test('ends when it is told to, with what is under way', async () => {
    const path = await file(`a\n${'1\n'.repeat(5000)}`)
    const stop = new AbortController()
    const once = (task: Task): JsonObject => (stop.abort(), ok(task))
    const { ended, done } = await run(path, work(once), stop.signal)
    expect(ended).toBe('interrupted')
    expect(done).toBeGreaterThan(0)
    expect(done).toBeLessThan(5000)
  })

  test('a file of something else beside it is refused, and left alone', async () => {
    const path = await file('a\n1\n')
    await writeFile(`${path}.done.ndjson`, '{"mine":true}\n')
    await expect(run(path, work(ok))).rejects.toThrow('is not the answers of such a run')
    await rm(`${path}.done.ndjson`)
    await run(path, work(ok))
    await expect(run(path, work(ok, { what: 'other' }))).rejects.toThrow('is not the journal of such a run')
    expect((await stat(`${path}.done.ndjson`)).mode & 0o777).toBe(0o600)
    await expect(run(join(folder, 'nowhere'), work(ok))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(run(folder, work(ok))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('bulk grant', () => {
  let home: Home
  let dids: string[]
  let path: string
  const args = (...more: string[]) => ['bulk', 'grant', path, '--config', home.config, ...more]
  const answers = (): JsonObject[] =>
    existsSync(`${path}.done.ndjson`)
      ? readFileSync(`${path}.done.ndjson`, 'utf8')
          .split('\n')
          .filter(line => line.endsWith('}'))
          .map(line => JSON.parse(line) as JsonObject)
      : []
  const size = (): number => (existsSync(`${path}.done.ndjson`) ? readFileSync(`${path}.done.ndjson`).length : 0)

  beforeAll(async () => {
    home = await openTestHome()
    await writeConfig(home.folder, {
      listen: { host: '127.0.0.1', port: Number(new URL(home.service.address).port) },
    })
    dids = Array.from({ length: ROWS }, () => {
      const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
      return toDidKey(parsePublicKey(Buffer.from(x, 'base64url'), 'x'))
    })
    for (let from = 0; from < ROWS; from += 16) {
      await Promise.all(
        dids.slice(from, from + 16).map((did, n) =>
          home.issuer.register({
            kind: 'agent',
            did: did as never,
            name: `agent ${from + n}`,
            agent: { operator: home.service.did, autonomy: 'L1', risk: 'low' },
          }),
        ),
      )
    }
    path = join(home.folder, 'agents.csv')
    const rows = dids.map((did, n) => `${n % 2 === 0 ? did : `agent ${n}`},range:0..${n + 1}`)
    await writeFile(
      path,
      ['to,arg.amount,resource,action,ttl', ...rows.map(one => `${one},https://api.acme.example/items,read,1h`)].join(
        '\r\n',
      ),
    )
  }, 120_000)
  afterAll(() => home.close())

  test(`${ROWS} agents, interrupted three times: as many grants, none twice`, async () => {
    const before = await stored()
    const past = (part: number) => () => size() > 2000 * ROWS * part
    const codes = [
      await killedWhen(args(), past(0.1), 'SIGINT'),
      await killedWhen(args(), past(0.3), 'SIGKILL'),
      await killedWhen(args(), past(0.5), 'SIGINT'),
    ]
    const { length: done } = answers()
    expect(codes).toEqual([75, null, 75])
    expect(done).toBeGreaterThan(ROWS * 0.2)
    expect(done).toBeLessThan(ROWS)
    const { code, stdout } = await procura(args('-o', 'json'))
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { done: ROWS, failed: 0, failures: null, ended: null }])
    const all = answers()
    expect(all).toHaveLength(ROWS)
    expect(new Set(all.map(({ line }) => line)).size).toBe(ROWS)
    expect(new Set(all.map(({ digest }) => digest)).size).toBe(ROWS)
    expect(new Set(all.map(({ to }) => to))).toEqual(new Set(dids))
    const after = await stored()
    const made = [...after].filter(digest => !before.has(digest))
    expect(new Set(made)).toEqual(new Set(all.map(({ digest }) => digest)))
    expect(await readdir(home.folder)).not.toContain('agents.csv.lock')
  }, 120_000)

  async function stored(): Promise<Set<string>> {
    const store = await openStore(`sqlite://${join(home.folder, 'acme.db')}`)
    const rows = await store.dataSource.query<{ digest: string }[]>('SELECT digest FROM stored_credential')
    await store.close()
    return new Set(rows.map(({ digest }) => digest))
  }

  test('again: nothing is left to do', async () => {
    const { code, stdout } = await procura(args())
    expect([code, stdout]).toEqual([0, `${ROWS} done, ${ROWS} of them before: ${path}.done.ndjson\n`])
  })

  test('rows that are refused are named with their line; nothing raw is shown', async () => {
    path = join(home.folder, 'bad.ndjson')
    const row = { resource: 'https://api.acme.example/items', action: 'read', ttl: '1h' }
    const rows = [
      { ...row, to: dids[0] },
      { ...row, to: '\u001b[2J\u202e' },
      { ...row, to: dids[0], ttl: '99h' },
      { ...row, to: dids[0], resource: 'http://x' },
      { ...row, to: 'did:web:stranger.example' },
      { ...row, to: dids[0], budget: ['5 calls'], rate: '10/min' },
      { ...row, to: dids[0], colour: 'red' },
      { to: dids[0], ttl: '1h' },
    ]
    await writeFile(path, rows.map(one => JSON.stringify(one)).join('\n'))
    const { code, stdout } = await procura(args())
    expect([code, stdout]).toEqual([77, `2 done: ${path}.done.ndjson\n6 failed: ${path}.failed.ndjson\n`])
    const report = await readFile(`${path}.failed.ndjson`, 'utf8')
    expect(report).not.toMatch(/[\u001b\u202e]/)
    const failures = report.trimEnd().split('\n').map(line => JSON.parse(line) as { line: number; code: string }) // prettier-ignore
    expect(failures.map(({ line, code: why }) => [line, why]).sort()).toEqual([
      [2, 'NOT_FOUND'],
      [3, 'SCHEMA'],
      [4, 'RESOURCE_SYNTAX'],
      [5, 'SUBJECT_UNKNOWN'],
      [7, 'SCHEMA'],
      [8, 'SCHEMA'],
    ])
  })

  test('one authority for all, from a file; a bar on a terminal', async () => {
    path = join(home.folder, 'same.csv')
    await writeFile(
      join(home.folder, 'grant.yaml'),
      'ttl: 30m\ngrants:\n  - resource: https://api.acme.example/items\n    actions: [read]\n',
    )
    await writeFile(path, `to\n${dids.slice(0, 40).join('\n')}\n`)
    const { code, stdout } = await procuraAtTerminal(args('--file', join(home.folder, 'grant.yaml')), '', '')
    expect(code).toBe(0)
    expect(stdout).toMatch(/\[#{20}\] 41 of 41 rows, \d+\/s/)
    expect(stdout).toContain('40 done: ')
  })

  test('two runs with one file: the second one is told who has it', async () => {
    const { takeLock } = await import('../../src/adapters/audit/lock.js')
    const unlock = await takeLock(`${path}.lock`, path, { now: () => 1 })
    const { code, stderr } = await procura(args())
    await unlock()
    expect([code, stderr]).toEqual([69, expect.stringContaining(`same.csv is held by process ${process.pid}`)])
  })

  test('no service: nothing is lost, the exit code says try again', async () => {
    path = join(home.folder, 'later.csv')
    await writeFile(path, `to,resource,action,ttl\n${dids[0]!},https://api.acme.example/items,read,1h\n`)
    const config = await writeConfig(home.folder, { listen: { host: '127.0.0.1', port: 1 } })
    const { code, stderr } = await procura(['bulk', 'grant', path, '--config', config])
    expect(code).toBe(69)
    expect(stderr).toContain('the same command goes on')
  })
})
