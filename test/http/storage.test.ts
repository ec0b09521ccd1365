import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openService } from '../../src/entry/service.js'
import { openWallet, type WalletAgent } from '../../src/entry/wallet.js'
import { cutConnections, hasPostgres, temporaryDatabases } from '../contract/postgres.js'
import { codeOf } from '../resolve/host.js'
import { API, openTestHome, SECRET, type Home } from './home.js'

const { freshDatabase, dropAll } = temporaryDatabases()
afterAll(dropAll)

const GRANTS = [{ resource: `${API}/**`, actions: ['read'] }]
const ROOM = { method: 'GET', url: `${API}/rooms/1`, action: 'read', resource: `${API}/rooms/1`, params: {} }

async function ask(home: Home, agent: WalletAgent): Promise<{ status: number; code: unknown }> {
  const presentation = await agent.present({ ...ROOM, audience: API, bodyDigest: null })
  const response = await fetch(`${home.service.address}/v1/verify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${SECRET}` },
    body: JSON.stringify({ presentation, request: ROOM }),
  })
  return { status: response.status, code: ((await response.json()) as { code: unknown }).code }
}

describe.runIf(hasPostgres)('a service with PROCURA_STORAGE=postgres://…', () => {
  let url: string
  let home: Home
  beforeAll(async () => {
    url = await freshDatabase()
    home = await openTestHome(undefined, { PROCURA_STORAGE: url })
  })
  afterAll(() => home.close())

  test('grants, verifies, revokes, and refuses from then on', async () => {
    const wallet = await home.wallet()
    const [alice, booker] = [await wallet.createAgent({ name: 'alice' }), await wallet.createAgent({ name: 'booker' })]
    const authority = { more: 1, audience: [API], grants: GRANTS }
    const { credential, digest } = await home.grant({ to: alice.did, ttl: 3600, authority })
    await alice.receive(credential)
    await booker.receive((await alice.delegate({ to: booker.did, grants: GRANTS, ttl: 300 })).chain)
    expect(await ask(home, booker)).toEqual({ status: 200, code: null })
    expect(await home.issuer.revoke(digest)).toMatchObject({ digest })
    expect(await ask(home, booker)).toEqual({ status: 200, code: 'STATUS_REVOKED' })
    expect(home.defects).toEqual([])
  })

  test('its connections are cut in the middle: 503 or an answer, and it goes on without restart', async () => {
    const wallet = await home.wallet()
    const alice = await wallet.createAgent({ name: 'alice' })
    const authority = { audience: [API], grants: GRANTS }
    const grant = () => codeOf(() => home.grant({ to: alice.did, ttl: 3600, authority }))
    const codes = Promise.all(Array.from({ length: 20 }, grant))
    expect(await cutConnections(url)).toBeGreaterThan(0)
    for (const code of await codes) expect([null, 'STORAGE_UNAVAILABLE', 'REPLAY_UNAVAILABLE']).toContain(code)
    await expect.poll(grant).toBeNull()
    expect(home.defects).toEqual([])
  })

  test('a second process takes the same identity, and one that starts with another key is refused', async () => {
    const { config } = home
    // each has a log of its own
    const environment = { PROCURA_STORAGE: url, PROCURA_AUDIT: join(home.folder, 'audit-2') }
    const second = await openService({ config, environment })
    onTestFinished(() => second.close())
    expect([second.did, second.operator]).toEqual([home.service.did, home.service.operator])
    const other = {
      ...environment,
      PROCURA_AUDIT: join(home.folder, 'audit-3'),
      PROCURA_KEY_FILE: `${home.folder}/other.key`,
    }
    expect(await codeOf(() => openService({ config, environment: other }))).toBe('KEY_FILE')
  })

  test('says where it keeps its data, without the password', () => {
    expect(home.service.storage).toBe(`postgres://${new URL(url).host}${new URL(url).pathname}`)
  })
})

test('its database file is gone: 503, nothing half-done, and it goes on without restart', async () => {
  const home = await openTestHome()
  onTestFinished(() => home.close())
  const alice = await (await home.wallet()).createAgent({ name: 'alice' })
  const grant = () => home.grant({ to: alice.did, ttl: 3600, authority: { audience: [API], grants: GRANTS } })
  await grant()
  const file = join(home.folder, 'acme.db')
  await rename(file, `${file}.away`)
  // what the client throws is the code of a problem; that it came as a 503 its kind says
  await expect(grant()).rejects.toMatchObject({
    kind: 'unavailable',
    code: expect.stringMatching(/^(STORAGE|REPLAY)_UNAVAILABLE$/) as string,
  })
  await rename(`${file}.away`, file)
  expect(await codeOf(grant)).toBeNull()
  expect(home.defects).toEqual([])
})

test('a wallet on PostgreSQL needs to be told its key file', async () => {
  const storage = 'postgres://u:secret@127.0.0.1:1/x'
  expect(await codeOf(() => openWallet({ storage, roots: [] }))).toBe('CONFIG_INVALID')
})
