import { chmod, mkdtemp, rm, symlink, writeFile, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Finding } from '../../src/adapters/cli/config-check.js'
import { AGENT_FILE } from '../../src/entry/parts.js'
import type { JsonObject } from '../../src/json.js'
import { API, POLICY, writeConfig } from '../http/home.js'
import { procura } from './run.js'

let root: string
beforeAll(async () => (root = await mkdtemp(join(tmpdir(), 'procura-config-'))))
afterAll(() => rm(root, { recursive: true, force: true }))

async function check(path: string, environment = {}): Promise<{ code: number | null; findings: Finding[] }> {
  const { code, stdout } = await procura(['config', 'check', '-c', path, '-o', 'json'], '', environment)
  return { code, findings: (JSON.parse(stdout) as { findings: Finding[] }).findings }
}
const fresh = (): Promise<string> => mkdtemp(join(root, 'home-'))
const shown = ({ level, path, why }: Finding): string => `${level} ${path}: ${why}`

const KEY = '0f'.repeat(20) + '9a3b77c1'.repeat(3)
const HASH = 'A'.repeat(43)

test('the agent file of the package has nothing wrong', async () => {
  expect(await check(AGENT_FILE)).toEqual({ code: 0, findings: [] })
})

describe('finds', () => {
  test.each<[string, JsonObject, string]>([
    [
      'a listener for strangers',
      { listen: { host: '0.0.0.0', port: 1 } },
      'error procura.listen.host: is not a loopback',
    ],
    [
      'a listener for strangers beside another fault there',
      { listen: { host: '0.0.0.0', port: 'x' } },
      'error procura.listen.host: is not a loopback',
    ],
    [
      'connect outside of development',
      {
        listen: { host: '127.0.0.1', port: 1, behindTls: true },
        connect: { 'https://a.example': 'http://127.0.0.1:1' },
      },
      'error procura.connect: sends requests elsewhere',
    ],
    ['connect to who knows', { connect: { 'https://a.example': 'http://10.0.0.1' } }, 'error procura.connect: connect'],
    [
      'nobody trusted before it',
      { listen: { host: '0.0.0.0', port: 1, behindTls: true } },
      'warning procura.listen: no trusted proxy',
    ],
    ['a database in memory', { storage: 'sqlite::memory:' }, 'error procura.storage: all keys'],
    ['a database of another kind', { storage: 'mysql://x/y' }, 'error procura.storage: mysql:'],
    ['a password in the file', { storage: 'postgres://u:secret@db/x' }, 'error procura.storage: holds a password'],
    [
      'processes that count by themselves',
      { storage: 'postgres://db/x' },
      'warning procura.storage: several processes',
    ],
    ['Redis in the clear', { state: 'redis://cache:6379' }, 'warning procura.state: Redis is asked'],
    ['a folder that is a file', { audit: AGENT_FILE }, 'error procura.audit: '],
    ['a folder in a file', { keyFile: `${AGENT_FILE}/key` }, 'error procura.keyFile: '],
    ['a variable that nobody set', { keyFile: 'env:NOBODY' }, 'error procura.keyFile: key file env:NOBODY'],
    ['an origin without a DID', { origin: 'https://x_y.example' }, 'error procura.origin: '],
    ['an unknown member', { storrage: 'x' }, 'error procura.storrage: is not known here'],
    [
      'an unknown member within',
      { listen: { host: '127.0.0.1', port: 1, tls: true } },
      'error procura.listen.tls: is not',
    ],
    ['an issuing policy that is none', { policy: join(import.meta.dirname, 'run.ts') }, 'error procura.policy: '],
  ])('%s', async (_name, block, told) => {
    const { code, findings } = await check(await writeConfig(await fresh(), block))
    const found = findings.map(shown).find(one => one.startsWith(told))
    expect(found, JSON.stringify(findings)).toBeDefined()
    expect(code).toBe(told.startsWith('error') ? 78 : 0)
    expect(findings.every(({ remedy, line }) => remedy.length > 2 && (line ?? 0) > 0)).toBe(true)
  })

  test.each<[string, string, RegExp]>([
    ['the API key of the template', 'x: {apiKey: test123}', /^error x\.apiKey: is a secret that everybody knows/],
    [
      'the database key of the template',
      "x: '29739248cad1bd1a0fc4d9b75cd4d2990de535baf5caadfdf8d8f86664aa830c'",
      /^error x: is a secret that everybody knows/,
    ],
    ['a key', `x: '${KEY}'`, /^error x: looks like a key/],
    ['what is called a secret', 'x: {clientSecret: abc}', /^error x\.clientSecret: is a secret by its name/],
    ['a variable that is missing', 'x: {$env: NOBODY_SET_IT}', /^error x: environment variable NOBODY_SET_IT/],
    ['code from anywhere', "x: {$require: 'child_process#exec'}", /^error x: \$require may load/],
    [
      'keys in the clear',
      "x: {$require: '@veramo/kms-local#MemoryPrivateKeyStore'}",
      /^error x: would keep private keys/,
    ],
  ])('%s elsewhere in the file', async (_name, line, told) => {
    const path = await writeConfig(await fresh())
    await writeFile(path, `${await readFile(path, 'utf8')}\n${line}\n`)
    const { code, findings } = await check(path)
    expect([code, findings.map(shown)]).toEqual([78, expect.arrayContaining([expect.stringMatching(told)])])
  })

  test('everything at once, with file, line and remedy', async () => {
    const home = await fresh()
    const path = join(home, 'agent.yml')
    await writeFile(join(home, 'test.key'), '11b574d316903ced6cc3f4787bbcc3047d9c72d1da4d83e36fe714ef785d10c1\n', {
      mode: 0o600,
    })
    await writeFile(
      path,
      `version: 3.0
procura:
  origin: http://id.acme.example
  storage: {$env: NO_STORAGE}
  keyFile: ${join(home, 'test.key')}
  operator: sqlite://${join(home, 'operator.db')}
  audit: ${join(home, 'audit')}
  listen: {host: 0.0.0.0, port: 8080}
  admins: [root]
other: {apiKey: test123}
`,
    )
    const { code, findings } = await check(path)
    expect(code).toBe(78)
    expect(findings.map(({ line, path: at }) => `${line} ${at}`)).toEqual(
      expect.arrayContaining([
        '3 procura.origin',
        '4 procura.storage',
        '5 procura.keyFile',
        '8 procura.listen.host',
        '9 procura.admins[0]',
        '10 other.apiKey',
      ]),
    )
    expect(findings.find(({ line }) => line === 5)?.why).toMatch(/everybody knows/)
    expect(findings.filter(({ line }) => line === 4)).toHaveLength(1)
  })

  test('YAML that is none, every place, and nothing else', async () => {
    const path = join(await fresh(), 'agent.yml')
    await writeFile(path, 'version: 3.0\na: 1\na: 2\nb: 1\nb: 2\n')
    const { code, findings } = await check(path)
    expect([code, findings.map(({ line }) => line)]).toEqual([78, [3, 5]])
  })
})

describe('files', () => {
  test('a key file that others can read; a database that others can; an agent file that others can write', async () => {
    const home = await fresh()
    const path = await writeConfig(home)
    await writeFile(join(home, 'acme.key'), `${KEY}\n`)
    await chmod(join(home, 'acme.key'), 0o644)
    await writeFile(join(home, 'operator.db.key'), `${KEY}\n`)
    await chmod(join(home, 'operator.db.key'), 0o640)
    await writeFile(join(home, 'acme.db'), '')
    await chmod(join(home, 'acme.db'), 0o644)
    await chmod(path, 0o666)
    const { code, findings } = await check(path)
    expect([code, findings.map(({ level, path: at, remedy }) => [level, at, remedy])]).toEqual([
      78,
      [
        ['error', '', 'chmod go-w it'],
        ['error', 'procura.keyFile', 'chmod 600 it'],
        ['error', 'procura.operator', 'chmod 600 it'],
        ['warning', 'procura.storage', 'chmod 600 it'],
      ].sort(),
    ])
  })

  test('a policy that cannot be read, and two resource servers with one audience', async () => {
    const home = await fresh()
    const server = (name: string, secret: string, policy: string) => ({
      name,
      secretHash: secret + HASH.slice(1),
      policy,
    })
    await writeFile(join(home, 'bad.json'), '{"self":"https://a.example","roots":[],"skipStatus":true}')
    const policy = join(home, 'policy.json')
    const path = await writeConfig(home, {
      resourceServers: [
        server('one', 'B', policy),
        server('two', 'C', policy),
        server('three', 'D', join(home, 'none.json')),
        server('four', 'E', join(home, 'bad.json')),
      ],
    })
    const { findings } = await check(path)
    expect(findings.map(shown)).toEqual([
      expect.stringContaining(`resourceServers[1].policy: ${policy} answers for ${API}, and so does the one of one`),
      expect.stringContaining('resourceServers[2].policy'),
      expect.stringContaining('resourceServers[3].policy'),
    ])
    expect(findings[2]?.why).toContain('skipStatus')
  })

  test('a policy that asks less than the issuing policy', async () => {
    const home = await fresh()
    const issuing = JSON.parse(
      await readFile(join(import.meta.dirname, '../../data/policies/issuing.json'), 'utf8'),
    ) as JsonObject
    await writeFile(join(home, 'issuing.json'), JSON.stringify({ ...issuing, risk: { write: 'critical' } }))
    const path = await writeConfig(home, { policy: join(home, 'issuing.json') }, POLICY)
    const { code, findings } = await check(path)
    expect([code, findings.map(shown)]).toEqual([
      78,
      [expect.stringContaining('takes write for low risk, the issuing policy for critical')],
    ])
  })
})

test('what a start would not run into keeps the service from starting too', async () => {
  const home = await fresh()
  const listen = { host: '127.0.0.1', port: 0, behindTls: true }
  const path = await writeConfig(home, { listen, connect: { 'https://a.example': 'http://127.0.0.1:1' } })
  const { code, stderr } = await procura(['serve', '-c', path])
  expect([code, stderr]).toEqual([78, expect.stringContaining('procura.connect: sends requests elsewhere')])
})

describe('resource servers', () => {
  test('comments, layout, mode and a link stay', async () => {
    const home = await fresh()
    const before = await readFile(AGENT_FILE, 'utf8')
    await writeFile(join(home, 'real.yml'), before)
    await chmod(join(home, 'real.yml'), 0o640)
    await symlink(join(home, 'real.yml'), join(home, 'agent.yml'))
    await writeFile(join(home, 'policy.json'), JSON.stringify(POLICY))
    const server = ['-c', join(home, 'agent.yml')]
    const policy = ['--policy', join(home, 'policy.json')]
    const secret = ['--secret-file', join(home, 'a.secret')]
    expect((await procura(['resource-server', 'add', 'a', ...policy, ...secret, ...server])).code).toBe(0)
    const after = (await readFile(join(home, 'real.yml'), 'utf8')).split('\n')
    const added = after.filter(line => !before.split('\n').includes(line))
    expect(added.map(line => line.trim().split(':')[0])).toEqual(['resourceServers', '- name', 'secretHash', 'policy'])
    expect((await procura(['resource-server', 'remove', 'a', ...server])).code).toBe(0)
    expect(await readFile(join(home, 'real.yml'), 'utf8')).toBe(before)
  })

  test('a secret file that is there is not written over, and a refused one is not left', async () => {
    const home = await fresh()
    const path = await writeConfig(home)
    const add = (policy: string) =>
      procura(['resource-server', 'add', 'b', '-p', policy, '--secret-file', join(home, 'b.secret'), '-c', path])
    await writeFile(join(home, 'other.json'), JSON.stringify({ ...POLICY, self: 'https://b.example' }))
    expect((await add(join(home, 'nowhere.json'))).code).toBe(78)
    expect((await add(join(home, 'other.json'))).code).toBe(0)
    const secret = await readFile(join(home, 'b.secret'), 'utf8')
    expect(secret).toMatch(/^[\w-]{43}\n$/)
    expect((await procura(['resource-server', 'remove', 'b', '-c', path])).code).toBe(0)
    expect((await add(join(home, 'other.json'))).code).toBe(73)
    expect(await readFile(join(home, 'b.secret'), 'utf8')).toBe(secret)
  })

  test('of several who edit at once nobody undoes another', async () => {
    const home = await fresh()
    const path = await writeConfig(home)
    const names = ['c', 'd', 'e', 'f']
    const codes = await Promise.all(
      names.map(async name => {
        await writeFile(join(home, `${name}.json`), JSON.stringify({ ...POLICY, self: `https://${name}.example` }))
        return (await procura(['resource-server', 'add', name, '-p', join(home, `${name}.json`), '-c', path])).code
      }),
    )
    const { stdout } = await procura(['resource-server', 'list', '-c', path, '-o', 'json'])
    const there = (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name)
    expect(there.sort()).toEqual(['api', ...names.filter((_, n) => codes[n] === 0)])
    expect(codes.filter(code => code === 0).length).toBeGreaterThan(0)
    expect(codes.every(code => code === 0 || code === 78)).toBe(true)
  })
})
