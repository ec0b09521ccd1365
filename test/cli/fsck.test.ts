import { chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../src/adapters/store/store.js'
import { API, openTestHome } from '../http/home.js'
import { procura } from './run.js'

/** A service that granted and revoked, and stopped. */
let whole: string
let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'procura-fsck-'))
  whole = join(root, 'whole')
  const home = await openTestHome()
  const { did } = await (await home.wallet()).createAgent({ name: 'booker' })
  for (const ttl of [3000, 3001]) {
    const grants = [{ resource: `${API}/**`, actions: ['read'] }]
    const { digest } = await home.grant({ to: did, ttl, authority: { audience: [API], grants } })
    if (ttl === 3000) await home.issuer.revoke(digest)
  }
  await home.service.close()
  await cp(home.folder, whole, { recursive: true })
  await home.close()
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** The same in a folder of its own, broken. */
async function fsck(breakIt: (folder: string) => Promise<unknown>): Promise<{ code: number | null; told: string[] }> {
  const folder = await mkdtemp(join(root, 'home-'))
  await cp(whole, folder, { recursive: true })
  const config = join(folder, 'agent.yml')
  const text = await readFile(config, 'utf8')
  await writeFile(config, text.replaceAll(/\/tmp\/procura-http-\w+/g, folder))
  await breakIt(folder)
  const { code, stdout, stderr } = await procura(['fsck', '-c', config, '-o', 'json'])
  expect(stderr).toBe('')
  const { findings } = JSON.parse(stdout) as { findings: { what: string; advice: string }[] }
  expect(findings.every(({ advice }) => advice.length > 10)).toBe(true)
  return { code, told: findings.map(({ what }) => what) }
}

const sql = (statement: string) => async (folder: string) => {
  const store = await openStore(`sqlite://${join(folder, 'acme.db')}`)
  await store.dataSource.query(statement)
  await store.close()
}

test('a service that stopped is whole, and says so', async () => {
  expect(await fsck(() => Promise.resolve())).toEqual({ code: 0, told: [] })
  const folder = await mkdtemp(join(root, 'home-'))
  await cp(whole, folder, { recursive: true })
  const text = await readFile(join(folder, 'agent.yml'), 'utf8')
  await writeFile(join(folder, 'agent.yml'), text.replaceAll(/\/tmp\/procura-http-\w+/g, folder))
  const { stdout } = await procura(['fsck', '-c', join(folder, 'agent.yml')])
  expect(stdout).toMatch(/^database .*\naudit log .*\nnothing {4}wrong with tables, keys and audit log\n$/)
})

describe('names', () => {
  test.each<[string, (folder: string) => Promise<unknown>, RegExp]>([
    ['a private key whose row was changed', sql("UPDATE sealed_key SET sealed = 'AAAA' || substr(sealed, 5)"), /^private key [0-9a-f]{64} does not open$/],
    ['the key file of another database', folder => writeFile(join(folder, 'acme.key'), `${'9f'.repeat(16)}${'3b7a'.repeat(8)}\n`), /^key file \S+acme\.key has another key as version 1$/],
    ['a key file that is gone', folder => rm(join(folder, 'acme.key')), /^key file \S+ is missing$/],
    ['a key file that others can read', folder => chmod(join(folder, 'acme.key'), 0o644), /^KEY_FILE: .*can be used by others/],
    ["the operator's key file that others can read", folder => chmod(join(folder, 'operator.db.key'), 0o640), /^KEY_FILE: .*operator\.db\.key.*can be used by others/],
    ['a revocation that was taken out of the tables', sql('DELETE FROM status_bit'), /^list \w+ shows \d+, which no row sets$/],
    ['a list whose version was set back', sql('UPDATE status_list SET version = version + 1 WHERE token IS NOT NULL'), /^list \w+ was published as version \d+, its row says \d+$/],
    ['a lease that is gone', sql('DELETE FROM status_block'), /^(credential uEi\S+ has index \d+ of list \w+, which its issuer did not lease|bit \d+ of list \w+ is nobody's)$/],
    ['a token that was changed', sql("UPDATE stored_credential SET token = 'x' || token WHERE parent IS NULL"), /^credential uEi\S+ is another token$/],
    ['a gap in the feed', sql('DELETE FROM outbox WHERE seq = 1'), /^the feed lacks announcements: it counts \d+ and has \d+$/],
  ]) // prettier-ignore
  ('%s', async (_name, breakIt, what) => {
    const { code, told } = await fsck(breakIt)
    expect(code).toBe(1)
    expect(told.length).toBeGreaterThan(0)
    expect(told.filter(one => !what.test(one))).toEqual([])
  })
})

test('an audit log whose end was changed is refused', async () => {
  const folder = await mkdtemp(join(root, 'home-'))
  await cp(whole, folder, { recursive: true })
  const text = await readFile(join(folder, 'agent.yml'), 'utf8')
  await writeFile(join(folder, 'agent.yml'), text.replaceAll(/\/tmp\/procura-http-\w+/g, folder))
  await flipTile(folder)
  const { code, stderr } = await procura(['fsck', '-c', join(folder, 'agent.yml')])
  expect([code, stderr]).toEqual([78, expect.stringContaining('AUDIT_BROKEN')])
})

/** One byte of the records of the log. */
async function flipTile(folder: string): Promise<void> {
  const tiles = join(folder, 'audit/tile/entries')
  const [name = ''] = (await readdir(tiles, { recursive: true })).filter(one => /\d$/.test(one))
  const bytes = await readFile(join(tiles, name))
  bytes[40] = (bytes[40] ?? 0) ^ 1
  await writeFile(join(tiles, name), bytes)
}
