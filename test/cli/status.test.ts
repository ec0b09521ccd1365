import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { revokeCommand, type RevokeOptions } from '../../src/adapters/cli/revoke.js'
import { openStore } from '../../src/adapters/store/store.js'
import { openIssuer } from '../../src/entry/issuer.js'
import { openService } from '../../src/entry/service.js'
import type { WalletAgent } from '../../src/entry/wallet.js'
import { bitAt, decodeList } from '../../src/status/bitstring.js'
import { API, openTestHome, writeConfig, type Home } from '../http/home.js'
import { killedWhen, procura, type Transcript } from './run.js'

const GRANTS = [{ resource: `${API}/**`, actions: ['read'] }]

let home: Home
let alice: WalletAgent
let count = 0
beforeAll(async () => {
  home = await openTestHome()
  alice = await (await home.wallet()).createAgent({ name: 'alice' })
  // the command line finds the service by its agent file
  await writeConfig(home.folder, { listen: { host: '127.0.0.1', port: Number(new URL(home.service.address).port) } })
})
afterAll(() => home.close())

const run = (...args: string[]): Promise<Transcript> => procura([...args, '--config', home.config])
/** The command without a process around it. */
async function revoke(targets: readonly string[], options: Omit<RevokeOptions, 'output'> = {}) {
  const lines: Record<string, unknown>[] = []
  const terminal = {
    read: async (file: string) => readFile(file),
    print: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
    tell: () => undefined,
    ask: () => Promise.resolve(null),
  }
  const world = { admin: home.issuer, terminal, stream: { write: () => undefined } }
  return { lines, code: await revokeCommand(targets, { ...options, output: 'json' }, world) }
}
const grant = async (to = alice.did): Promise<string> => {
  count += 1
  const { digest } = await home.grant({
    to,
    ttl: 3000 + count,
    authority: { more: 1, audience: [API], grants: GRANTS },
  })
  return digest
}

describe('revoke', () => {
  test('shows what it would end, and changes nothing', async () => {
    const digest = await grant()
    const blast = { credentials: [digest], descendants: 0, agents: [alice.did], reservations: [] }
    for (let time = 0; time < 2; time += 1)
      expect(await revoke([digest], { dryRun: true })).toEqual({ code: 0, lines: [blast] })
    const { code, stdout } = await run('revoke', digest, '--dry-run', '-o', 'json')
    expect([code, JSON.parse(stdout)]).toEqual([0, blast])
  })

  test('some that exist and one that does not: says which, and that not all was done', async () => {
    const digest = await grant()
    const { code, lines } = await revoke([digest, 'uEinone'])
    expect(code).toBe(77)
    expect(lines).toMatchObject([
      { target: digest, digest },
      { target: 'uEinone', code: 'NOT_FOUND' },
    ])
  })

  test('a list from a file goes on where it was interrupted', async () => {
    const digests = [await grant(), await grant(), await grant()]
    const list = join(home.folder, 'leaked.txt')
    await writeFile(list, `# leaked yesterday\n${digests.join('\n')}\n`)
    expect((await revoke([], { file: list })).lines).toHaveLength(3)
    expect(await readdir(home.folder)).not.toContain('leaked.txt.done')
    // as an interrupted run would have left it
    const what = createHash('sha256')
      .update(JSON.stringify(['revoke', digests]))
      .digest('base64url')
    await writeFile(`${list}.done`, `${what} 2\n`)
    expect((await revoke([], { file: list })).lines).toMatchObject([{ target: digests[2] }])
    // another list's journal counts for nothing
    await writeFile(`${list}.done`, 'another 3\n')
    expect((await revoke([], { file: list })).lines).toHaveLength(3)
  })

  test('killed in the middle of a list, the same command goes on there', async () => {
    const some = [await grant(), await grant()]
    const list = join(home.folder, 'many.txt')
    await writeFile(list, Array.from({ length: 1500 }, (_, n) => some[n % 2]).join('\n'))
    await killedWhen(['revoke', '--file', list, '--config', home.config], () => existsSync(`${list}.done`))
    const done = Number((await readFile(`${list}.done`, 'utf8')).trim().split(' ')[1])
    expect([500, 1000]).toContain(done)
    expect((await revoke([], { file: list })).lines).toHaveLength(1500 - done)
    expect(await readdir(home.folder)).not.toContain('many.txt.done')
  })

  test('an agent by its DID, suspended, resumed and stopped', async () => {
    const { did } = await (await home.wallet()).createAgent({ name: 'stopped' })
    await grant(did)
    const { lines: [suspended] } = await revoke([did], { suspend: true }) // prettier-ignore
    expect(suspended?.['changed']).toBeGreaterThan(0)
    expect((await revoke([did], { resume: true })).lines).toEqual([suspended])
    expect((await revoke([did])).lines).toMatchObject([{ agent: did }])
    const before = { before: '2020-01-01T00:00:00Z' }
    expect((await revoke([did], before)).lines).toEqual([{ issuer: did, changed: 0, unseen: 0 }])
  })

  test.each<[string[], Omit<RevokeOptions, 'output'>, string]>([
    [[], {}, 'are missing'],
    [['x'], { before: '2026-11-26T10:00:00Z' }, 'goes with DIDs'],
    [['did:web:x.example'], { before: 'yesterday' }, 'is no UTC time'],
  ])('%j %j is refused', async (targets, options, why) => {
    await expect(revoke(targets, options)).rejects.toThrow(why)
  })
})

test('status show and publish', async () => {
  const digest = await grant()
  const { list } = (await home.issuer.revoke(digest)) as { list: string }
  const { stdout } = await run('status', 'show', list, '-o', 'json')
  expect(JSON.parse(stdout)).toMatchObject({ list, purpose: 'revocation', bits: 131_072 })
  expect((JSON.parse(stdout) as { set: number }).set).toBeGreaterThan(0)
  expect(await home.issuer.api.publish({ body: {} })).toHaveProperty('lists')
  await expect(home.issuer.api.statusList({ params: { list: 'none' } })).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('fsck: a restored database is refused by the service, named, reconciled, and served again', async () => {
  const other = await openTestHome()
  const inOther = (...args: string[]): Promise<Transcript> => procura([...args, '--config', other.config])
  const give = () => other.grant({ to: alice.did, ttl: 3000, authority: { more: 1, audience: [API], grants: GRANTS } })
  const { digest } = await give()
  await other.service.close()
  await cp(join(other.folder, 'acme.db'), join(other.folder, 'yesterday.db'))
  const open = () => openService({ config: other.config, environment: {} })
  const again = await open()
  const issuer = await openIssuer({
    service: 'https://id.acme.example',
    storage: `sqlite://${join(other.folder, 'operator.db')}`,
    connect: { 'https://id.acme.example': again.address },
  })
  const revoked = (await issuer.revoke(digest)) as unknown as { list: string; index: number; version: number }
  await issuer.close()
  await again.close()

  for (const end of ['-wal', '-shm']) await rm(join(other.folder, `acme.db${end}`), { force: true })
  await cp(join(other.folder, 'yesterday.db'), join(other.folder, 'acme.db'))
  await expect(open()).rejects.toMatchObject({ code: 'STORAGE_ROLLED_BACK' })
  const refused = await inOther('fsck')
  expect([refused.code, refused.stderr]).toEqual([78, expect.stringContaining('STORAGE_ROLLED_BACK')])
  const reconciled = await inOther('fsck', '--reconcile', '-o', 'json')
  expect([reconciled.code, JSON.parse(reconciled.stdout)]).toMatchObject([
    0,
    { isBehind: true, reconciled: { unknown: 0 }, findings: [] },
  ])
  // of several processes each has a log: what another one tells is done again, too, although nothing is behind any more
  const once = await inOther('fsck', '--reconcile', '-o', 'json')
  expect([once.code, JSON.parse(once.stdout)]).toMatchObject([0, { isBehind: false, reconciled: { unknown: 0 } }])
  const served = await open()
  const token = await (await fetch(revoked.list.replace('https://id.acme.example', served.address))).text()
  const { credentialSubject } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as {
    credentialSubject: { encodedList: string; version: number }
  }
  expect(bitAt(decodeList(credentialSubject.encodedList, revoked.list), revoked.index)).toBe(true)
  expect(credentialSubject.version).toBeGreaterThan(revoked.version)
  await served.close()

  const store = await openStore(`sqlite://${join(other.folder, 'acme.db')}`)
  await store.dataSource.query('DELETE FROM sealed_key')
  await store.close()
  const torn = await inOther('fsck')
  expect([torn.code, torn.stdout]).toEqual([
    1,
    expect.stringMatching(/\nwrong {6}key [0-9a-f]{64} has no private key\n/),
  ])
  await other.close()
})
