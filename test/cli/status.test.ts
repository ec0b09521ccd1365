import { existsSync, statSync } from 'node:fs'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runBulk, type BulkWork, type Task } from '../../src/adapters/cli/bulk.js'
import { revokeCommand, type RevokeOptions } from '../../src/adapters/cli/revoke.js'
import { treeLines } from '../../src/adapters/cli/revoke-tree.js'
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
/** The command, what it prints as JSON, and of a file what was answered. */
async function revoke(targets: readonly string[], options: Omit<RevokeOptions, 'output' | 'workThrough'> = {}) {
  const lines: Record<string, unknown>[] = []
  const terminal = {
    read: async (file: string) => readFile(file),
    print: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
    tell: () => undefined,
    ask: () => Promise.resolve(null),
  }
  const stream = { write: () => undefined }
  const clock = { now: () => 1_800_000_000 }
  const workThrough = async (file: string, work: BulkWork): Promise<number> => {
    const answers = async (tasks: readonly Task[]) => {
      const results = await work.do(tasks)
      lines.push(...tasks.map(({ row }, n) => Object.assign({}, row, results[n])))
      return results
    }
    const { failed } = await runBulk(file, { ...work, do: answers }, { stream, clock, signal: AbortSignal.any([]) })
    return failed === 0 ? 0 : 77
  }
  const world = { admin: home.issuer, terminal, workThrough }
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
    const tree = [{ digest, parent: null, issuer: 'did:web:id.acme.example', agent: alice.did, grants: GRANTS }]
    const blast = { credentials: [digest], descendants: 0, agents: [alice.did], reservations: [], tree }
    for (let time = 0; time < 2; time += 1)
      expect(await revoke([digest], { dryRun: true })).toMatchObject({ code: 0, lines: [blast] })
    const { code, stdout } = await run('revoke', digest, '--dry-run', '-o', 'json')
    expect([code, JSON.parse(stdout)]).toMatchObject([0, blast])
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

  test('a list from a file, as lines, CSV or answers of bulk grant; of those that are refused it says which line', async () => {
    const digests = [await grant(), await grant(), await grant()]
    const list = join(home.folder, 'leaked.txt')
    await writeFile(list, `# leaked yesterday\n${digests.join('\n')}\nuEinone\n`)
    const { lines, code } = await revoke([], { file: list })
    expect([code, lines.map(({ target }) => target)]).toEqual([77, [...digests, 'uEinone']])
    expect(JSON.parse(await readFile(`${list}.failed.ndjson`, 'utf8'))).toMatchObject({ line: 5, code: 'NOT_FOUND' })
    // what came to its end is forgotten: again does no harm
    expect((await readdir(home.folder)).filter(name => name.startsWith('leaked'))).toEqual([
      'leaked.txt',
      'leaked.txt.failed.ndjson',
    ])
    const csv = join(home.folder, 'leaked.csv')
    await writeFile(csv, `to,digest\r\n${digests.map(digest => `did:web:x.example,${digest}`).join('\r\n')}`)
    expect(await revoke([], { file: csv })).toMatchObject({ code: 0, lines: digests.map(digest => ({ digest })) })
    const { stdout } = await run('revoke', '--file', csv, '-o', 'json')
    expect(JSON.parse(stdout)).toMatchObject({ done: 3, failed: 0, ended: null })
  })

  test('killed in the middle of a list, the same command goes on there', async () => {
    const some = [await grant(), await grant()]
    const list = join(home.folder, 'many.txt')
    await writeFile(list, Array.from({ length: 1500 }, (_, n) => some[n % 2]).join('\n'))
    const answers = `${list}.done.ndjson`
    await killedWhen(['revoke', '--file', list, '--config', home.config], () => existsSync(answers) && statSync(answers).size > 0) // prettier-ignore
    const done = (await readFile(answers, 'utf8')).split('\n').length - 1
    expect([500, 1000]).toContain(done)
    expect((await revoke([], { file: list })).lines).toHaveLength(1500 - done)
    expect(await readdir(home.folder)).not.toContain('many.txt.done.ndjson')
  })

  test('the tree that would end: who holds what, and below what', () => {
    const node = (digest: string, parent: string | null, agent: string, actions: string[]) => ({
      ...{ digest, parent, agent, validUntil: 1_800_000_000 },
      grants: actions.length === 0 ? [] : [{ resource: API, actions }],
    })
    const tree = [
      node('one', null, 'planner', ['read', 'write']),
      node('four', 'three', 'mal\u202elory\u001b[2J', ['read']),
      node('two', 'one', 'booker', ['read']),
      node('three', 'one', 'alice', ['write']),
      node('five', null, 'planner', []),
    ]
    const blast = {
      credentials: tree.map(({ digest }) => digest),
      descendants: 3,
      agents: ['a', 'b'],
      reservations: ['r'],
    }
    expect(treeLines({ ...blast, tree })).toEqual([
      'would end 5 credentials of 2 holders, 3 of them below those named; open reservations: r',
      `planner  read, write on ${API}  until 2027-01-15T08:00:00Z  one`,
      `├─ booker  read on ${API}  until 2027-01-15T08:00:00Z  two`,
      `└─ alice  write on ${API}  until 2027-01-15T08:00:00Z  three`,
      `   └─ mal\ufffdlory\ufffd[2J  read on ${API}  until 2027-01-15T08:00:00Z  four`,
      'planner  identity  until 2027-01-15T08:00:00Z  five',
    ])
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
