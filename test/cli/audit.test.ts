import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileAudit } from '../../src/entry/audit.js'
import { procura } from './run.js'

const run = async (...args: string[]): Promise<{ readonly code: number | null; readonly out: readonly string[] }> => {
  const { code, stdout } = await procura(args)
  return { code, out: stdout.trimEnd().split('\n') }
}
const ROOT = join(import.meta.dirname, '../..')
const POLICY = join(ROOT, 'data/policies/example.json')

let folder: string
let key: string
let log: string
let earlier: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'procura-audit-cli-'))
  ;[log, earlier] = [join(folder, 'log'), join(folder, 'earlier')]
  for (const [from, to] of [
    [0, 150],
    [150, 300],
  ] as const) {
    const audit = await fileAudit(log, 'id.example')
    key = audit.key
    await Promise.all(Array.from({ length: to - from }, (_, n) => audit.record({ type: 'decision', n: from + n })))
    await audit.close()
    if (to === 150) await copyFile(join(log, 'checkpoint'), earlier)
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('procura audit', () => {
  test('key prints the public key', async () => {
    expect(await run('audit', 'key', log)).toMatchObject({ code: 0, out: [key] })
  })

  test('verify says that all is well, and what is not', async () => {
    expect(await run('audit', 'verify', log, '--key', key, '--earlier', earlier)).toMatchObject({
      code: 0,
      out: [
        `log        ${key.split('+')[0] ?? ''}`,
        'records    300, 300 of them under the signed checkpoint',
        'everything is as it was put on record',
      ],
    })
    const bundle = join(log, 'tile/entries/000')
    const before = await readFile(bundle, 'latin1')
    await writeFile(bundle, before.replace('"n":77}', '"n":-7}'), 'latin1')
    expect(await run('audit', 'verify', log)).toMatchObject({
      code: 1,
      out: expect.arrayContaining(['wrong      record 77: was changed', '1 findings']) as string[],
    })
    expect(JSON.parse((await run('audit', 'verify', log, '-o', 'json')).out[0]!)).toMatchObject({
      records: 300,
      findings: [{ from: 77, to: 77, what: 'was changed' }],
    })
    await writeFile(bundle, before, 'latin1')
  })

  test('a log that is none, a key that is none, a checkpoint of another log', async () => {
    expect(await run('audit', 'verify', join(folder, 'nowhere'))).toMatchObject({ code: 66 })
    expect(await run('audit', 'verify', log, '--key', 'nonsense')).toMatchObject({ code: 65 })
    const other = key.replace(/\+[0-9a-f]{8}\+/, '+00000000+')
    expect(await run('audit', 'verify', log, '--key', other)).toMatchObject({ code: 65 })
  })
})

describe('procura audit query', () => {
  let asked: string
  const booking = (n: number, more: object = {}) => ({
    ...{
      type: 'decision',
      at: 1_795_255_500 + n,
      allow: true,
      code: null,
      holder: 'did:key:z6MkBooker',
      action: 'book',
    },
    ...{ root: 'did:web:root.example', path: ['did:key:z6MkBooker'], resource: `https://api.example/b/${n}` },
    ...{ digests: ['uEiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'], onBehalfOf: 'did:web:acme.example' },
    ...more,
  })
  beforeAll(async () => {
    asked = join(folder, 'asked')
    const audit = await fileAudit(asked)
    for (const n of [0, 1, 2]) await audit.record(booking(n, n === 2 ? { allow: false, code: 'DENIED_ARG' } : {}))
    await audit.close()
  })

  test.each<[readonly string[], readonly string[]]>([
    [
      ['--principal', 'did:web:acme.example', '--since', '2026-11-21T10:05:02Z'],
      ['2  2026-11-21T10:05:02Z  did:key:z6MkBooker  did:web:acme.example  book  https://api.example/b/2  DENIED_ARG'],
    ],
    [
      ['--agent', 'did:key:z6MkBooker', '-o', 'tree'],
      ['did:web:root.example', '└─ did:key:z6MkBooker  uEiAAAAAAAAAA…  2 allowed  1 denied (DENIED_ARG)'],
    ],
    [['--action', 'nothing', '-o', 'mermaid'], ['flowchart TD']],
  ])('%j', async (options, lines) => {
    expect(await run('audit', 'query', asked, ...options)).toEqual({ code: 0, out: lines })
  })

  test('as JSON, and no more than is asked for', async () => {
    const { stdout, stderr } = await procura(['audit', 'query', asked, '-o', 'json', '--limit', '1'])
    expect(JSON.parse(stdout)).toEqual({ index: 0, record: booking(0) })
    expect(stderr).toBe('the first 1; --limit for more\n')
  })

  test('a time or a number that is none', async () => {
    expect(await run('audit', 'query', asked, '--since', 'yesterday')).toMatchObject({ code: 65 })
    expect(await run('audit', 'query', asked, '--limit', '0')).toMatchObject({ code: 65 })
  })

  test('what was found can be taken away, each record with its proof', async () => {
    const { out } = await run('audit', 'export', asked, '--decision', 'deny')
    expect(out).toHaveLength(3)
    await writeFile(join(folder, 'bundle'), out.join('\n'))
    const program = join(ROOT, 'examples/audit-verifier.js')
    const key = (await run('audit', 'key', asked)).out[0]!
    const check = () => promisify(execFile)(process.execPath, [program, join(folder, 'bundle'), '--key', key])
    expect((await check()).stdout).toMatch(/^1 of 3 records of .* are as they were put on record\n$/)
    await writeFile(join(folder, 'bundle'), out.join('\n').replace('DENIED_ARG', 'DENIED_ACTION'))
    await expect(check()).rejects.toMatchObject({ stderr: 'the bundle does not hold: record 2 is not in the log\n' })
  })
})

test('procura audit prune takes content away, and everything proves what it proved before', async () => {
  const old = join(folder, 'old')
  const audit = await fileAudit(old)
  const at = (n: number) => 1_795_255_500 + n
  await Promise.all(Array.from({ length: 700 }, (_, n) => audit.record({ type: 'decision', at: at(n), n })))
  await audit.close()
  const busy = await fileAudit(old)
  expect(await run('audit', 'prune', old, '--before', String(at(600)))).toMatchObject({ code: 69 })
  await busy.close()
  const dry = await run('audit', 'prune', old, '--before', String(at(600)), '--dry-run')
  expect(dry.out).toEqual(['512 records would lose their content; their hashes stay'])
  await copyFile(join(old, 'checkpoint'), join(folder, 'before'))
  const { out } = await run('audit', 'prune', old, '--before', String(at(600)))
  expect(out).toEqual(['512 records lost their content; their hashes stay'])
  const verified = await run('audit', 'verify', old, '--earlier', join(folder, 'before'))
  expect([verified.code, verified.out[2]]).toEqual([0, 'pruned     512, of which the hashes are there'])
  expect((await run('audit', 'query', old, '--since', String(at(511)))).out[0]).toMatch(/^512 /)
  // whoever takes more away than the log says is found out
  await rm(join(old, 'tile/entries/002.p'), { recursive: true })
  expect((await run('audit', 'verify', old)).out).toContain('wrong      records 512 to 700: are missing')
})

describe('examples/audit-verifier.js', () => {
  const check = (text: string, ...more: string[]): Promise<string> =>
    writeFile(join(folder, 'bundle'), text)
      .then(() =>
        promisify(execFile)(process.execPath, [
          join(ROOT, 'examples/audit-verifier.js'),
          join(folder, 'bundle'),
          ...more,
        ]),
      )
      .then(({ stdout }) => stdout.trim())
      .catch((error: unknown) => (error as { stderr: string }).stderr.trim())
  const exported = async (...more: string[]): Promise<string> =>
    (await run('audit', 'export', log, '--policy', POLICY, ...more)).out.join('\n')

  test('shares no code with the package', async () => {
    const text = await readFile(join(ROOT, 'examples/audit-verifier.js'), 'utf8')
    const imports = [...text.matchAll(/(?:from|import\() ?'([^']+)'/g)].map(([, from]) => from)
    expect(imports.filter(from => !from?.startsWith('node:'))).toEqual([])
  })

  test('takes a bundle of the whole log, and shows that it goes on from an earlier checkpoint', async () => {
    const bundle = await exported('--earlier', earlier)
    const good = `300 of 300 records of ${key.split('+')[0] ?? ''} are as they were put on record`
    expect(await check(bundle, '--key', key, '--earlier', earlier)).toBe(good)
  })

  test.each<[string, (bundle: string[]) => string[], RegExp]>([
    ['a record that was changed', b => b.map(l => l.replace('\\"n\\":9}', '\\"n\\":8}')), /not those that were signed/],
    ['a record that was left out', b => b.toSpliced(5, 1), /record 4 is missing/],
    ['two records that changed places', b => b.with(3, b[4]!).with(4, b[3]!), /record 2 is missing/],
    ['a record that is there twice', b => b.toSpliced(5, 0, b[4]!), /record 3 is out of order/],
    ['no end', b => b.slice(0, -1), /its end is missing/],
    ['the last record left out', b => b.toSpliced(-2, 1), /should have 300/],
    [
      'the last record left out, and the end told so',
      b => [...b.slice(0, -2), '{"records":299}'],
      /records from 299 on/,
    ],
    ['another checkpoint', b => b.with(0, b[0]!.replace('\\n300\\n', '\\n299\\n')), /not signed/],
    ['another policy', b => b.with(0, b[0]!.replace('"v":', '"w":').replace('"self":"', '"self":"x')), /is another/],
    ['something behind the end', b => [...b, b[1]!], /follows its end/],
  ])('refuses %s', async (_name, change, said) => {
    expect(await check(change((await exported()).split('\n')).join('\n'), '--key', key)).toMatch(said)
  })

  test('refuses what another key signed, and an earlier checkpoint that nothing is shown about', async () => {
    const bundle = await exported()
    const other = await fileAudit(join(folder, 'other'))
    await other.close()
    expect(await check(bundle, '--key', other.key)).toMatch(/it is of the log/)
    expect(await check(bundle.replace(key, other.key), '--key', other.key)).toMatch(/not signed with the key/)
    expect(await check(bundle, '--key', key, '--earlier', earlier)).toMatch(/shows nothing about/)
  })
})
