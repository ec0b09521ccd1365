import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openService } from '../../src/entry/service.js'
import type { JsonObject } from '../../src/json.js'
import { writeConfig } from './home.js'

let folder: string
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'procura-start-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

async function fresh(): Promise<string> {
  return mkdtemp(join(folder, 'home-'))
}

const start = (config: string, environment: Record<string, string> = {}) => openService({ config, environment })

describe('a start that cannot succeed stops, says where, and listens nowhere', () => {
  test('no agent.yml', async () => {
    await expect(start(join(folder, 'none.yml'))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('does not exist') as string,
    })
  })

  test('YAML that does not parse names the line', async () => {
    const path = join(await fresh(), 'agent.yml')
    await writeFile(path, 'version: 3.0\nprocura:\n  origin: a\n  origin: b\n')
    await expect(start(path)).rejects.toThrow(/agent\.yml:4/)
  })

  test.each<[string, JsonObject, RegExp]>([
    ['an origin that is not https', { origin: 'http://id.acme.example' }, /procura\.origin.*https origin/],
    ['an unknown member', { storrage: 'x' }, /procura\.storrage/],
    ['a listener for strangers without TLS', { listen: { host: '0.0.0.0', port: 0 } }, /procura\.listen\.host.*TLS/],
    [
      'a policy file that is missing',
      { resourceServers: [{ name: 'a', secretHash: 'A'.repeat(43), policy: '/nowhere.json' }] },
      /nowhere\.json.*ENOENT/,
    ],
    ['a database of another kind', { storage: 'mysql://localhost/x' }, /mysql/],
    [
      'connect to a foreign host by http',
      { connect: { 'https://a.example': 'http://10.0.0.1:1' } },
      /connect.*loopback/,
    ],
    ['an admin that is no DID', { admins: ['root'] }, /procura\.admins\.0|procura\.admins/],
  ])('%s', async (_name, block, message) => {
    const home = await fresh()
    await expect(start(await writeConfig(home, block))).rejects.toThrow(message)
  })

  test('a policy that is wrong names each member', async () => {
    const home = await fresh()
    const config = await writeConfig(home)
    await writeFile(
      join(home, 'policy.json'),
      '{"self":"https://a.example","roots":[{"issuer":"x","grants":[]}],"skipStatus":true}',
    )
    await expect(start(config)).rejects.toThrow(
      /policy\.json\.roots\[0\]\.issuer.*policy\.json\.skipStatus|policy\.json\.skipStatus.*policy\.json\.roots/s,
    )
  })

  test('the key file is gone: nothing is made in its place', async () => {
    const home = await fresh()
    const config = await writeConfig(home)
    await (await start(config)).close()
    await rm(join(home, 'acme.key'))
    await expect(start(config)).rejects.toMatchObject({
      code: 'KEY_FILE',
      message: expect.stringContaining('restore the key file') as string,
    })
    expect(await readdir(home)).not.toContain('acme.key')
  })

  test('the key file of another database', async () => {
    const home = await fresh()
    const config = await writeConfig(home)
    await (await start(config)).close()
    await writeFile(join(home, 'acme.key'), `${'9f'.repeat(16)}${'3b7a'.repeat(8)}\n`, { mode: 0o600 })
    await expect(start(config)).rejects.toMatchObject({
      code: 'KEY_FILE',
      message: expect.stringContaining('does not belong') as string,
    })
  })

  test('a key file that others can read', async () => {
    const home = await fresh()
    const config = await writeConfig(home)
    await (await start(config)).close()
    await chmod(join(home, 'acme.key'), 0o644)
    await expect(start(config)).rejects.toMatchObject({
      code: 'KEY_FILE',
      message: expect.stringContaining('chmod 600') as string,
    })
  })

  test('a database that is none', async () => {
    const home = await fresh()
    await writeFile(join(home, 'acme.db'), 'this is not a database, whatever its name says'.repeat(200))
    await expect(start(await writeConfig(home))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringContaining('acme.db') as string,
    })
  })

  test('an audit log that cannot be written', async () => {
    const home = await fresh()
    await writeFile(join(home, 'audit'), 'not a folder')
    await expect(start(await writeConfig(home))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' })
  })

  test('a port that is taken', async () => {
    const other = createServer()
    const port = await new Promise<number>(resolve => {
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port))
    })
    const config = await writeConfig(await fresh(), { listen: { host: '127.0.0.1', port } })
    await expect(start(config)).rejects.toThrow(/EADDRINUSE/)
    other.close()
  })
})

test('the operator may take the wallet away: its DID stays the first admin', async () => {
  const home = await fresh()
  const config = await writeConfig(home)
  const first = await start(config)
  await first.close()
  for (const name of await readdir(home)) if (name.startsWith('operator.db')) await rm(join(home, name))
  const second = await start(config)
  expect(second.operator).toBe(first.operator)
  expect((await readdir(home)).filter(name => name.startsWith('operator.db'))).toEqual([])
  await second.close()
})

test('a second start finds the same issuer and operator; the environment overrides the file', async () => {
  const home = await fresh()
  const config = await writeConfig(home)
  const first = await start(config)
  await first.close()
  const second = await start(config, { PROCURA_STORAGE: `sqlite://${join(home, 'acme.db')}`, PROCURA_PORT: '0' })
  expect([second.did, second.operator]).toEqual([first.did, first.operator])
  await second.close()
  await expect(start(config, { PROCURA_PORT: 'eighty' })).rejects.toThrow(/procura\.listen\.port/)
})
