import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { KeyStore } from '@veramo/data-store'
import { QueryFailedError } from 'typeorm'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { asStorageError } from '../../src/adapters/store/failure.js'
import { parsePostgresUrl } from '../../src/adapters/store/postgres-url.js'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import { cutConnections, hasPostgres, temporaryDatabases, withOption } from './postgres.js'
import type { Lease } from '../../src/ports/issuing.js'
import { NOW, alice, credentialOf, keyOf, later, refusal, together } from './store-fixtures.js'

const { freshDatabase, dropAll } = temporaryDatabases()
afterAll(dropAll)

const LEASE: Lease = { issuer: alice, count: 1, purpose: 'revocation', validUntil: NOW + 3600, now: NOW }

const unavailable = (why: string) =>
  expect.objectContaining({
    code: 'STORAGE_UNAVAILABLE',
    facts: { why: expect.stringMatching(why) as string },
  }) as unknown

async function open(url: string): Promise<Store> {
  const store = await openStore(url)
  onTestFinished(() => store.close())
  return store
}

/** Where a server takes connections and never says a word. */
async function mutePlace(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return `postgres://somebody:secret@127.0.0.1:${(server.address() as AddressInfo).port}/x`
}

const codeOf = (error: unknown): string => (error as { code: string }).code
const kept = async (store: Store, name: string): Promise<boolean> =>
  (await store.credentials.find(credentialOf(name).digest)) !== null

describe('PostgreSQL: where it is', () => {
  test.each([
    ['postgres://a:b@localhost/x', 'postgres://localhost/x', 'disable'],
    ['postgresql://127.0.0.1:5433/x', 'postgres://127.0.0.1:5433/x', 'disable'],
    ['postgres://a:b@[::1]/x', 'postgres://[::1]/x', 'disable'],
    ['postgres:///x?host=/run/postgresql', 'postgres:///run/postgresql/x', 'disable'],
    ['postgres://a:b@db.example/x?host=/run/postgresql', 'postgres:///run/postgresql/x', 'disable'],
    ['postgres://a:b@db.example/x', 'postgres://db.example/x', 'verify-full'],
    ['postgres://a:b@127.0.0.1.example/x', 'postgres://127.0.0.1.example/x', 'verify-full'],
    ['postgres://a:b@db.example/x?sslmode=require', 'postgres://db.example/x', 'verify-full'],
    ['postgres://a:b@db.example/x?sslmode=disable', 'postgres://db.example/x', 'disable'],
  ])('%s is %s with TLS %s', (text, name, tls) => {
    const place = parsePostgresUrl(text)
    expect(place.name).toBe(name)
    expect(new URL(place.url).searchParams.get('sslmode')).toBe(tls)
  })
})

describe('PostgreSQL: servers that are none', () => {
  test('nobody listens, and one says nothing', async () => {
    const closed = await refusal(() => openStore('postgres://somebody:secret@127.0.0.1:1/x'))
    expect(closed).toStrictEqual(unavailable('^postgres://127.0.0.1:1/x: connect ECONNREFUSED'))
    const mute = await mutePlace()
    const slow = await refusal(() => openStore(mute))
    expect(slow).toStrictEqual(unavailable('timeout'))
    for (const error of [closed, slow]) expect((error as Error).message).not.toMatch(/secret|somebody/)
  })

  test.each([
    ['08006', true],
    ['28P01', true],
    ['3D000', true],
    ['40001', true],
    ['53100', true],
    ['53300', true],
    ['57014', true],
    ['57P01', true],
    ['58030', true],
    ['25006', true],
    ['ECONNRESET', true],
    ['EAI_AGAIN', true],
    [undefined, true],
    ['23505', false],
    ['23503', false],
    ['42601', false],
    ['22021', false],
    ['SQLITE_CONSTRAINT', false],
  ])('%s: a failure of the storage? %s', (code, due) => {
    const driver = Object.assign(new Error('it says so'), code === undefined ? {} : { code })
    const error = new QueryFailedError('SELECT 1', [], driver)
    expect(asStorageError(error, 'there') === error).toBe(!due)
  })
})

describe.runIf(hasPostgres)('PostgreSQL: refusals', () => {
  test('a database that does not exist, one that is read-only', async () => {
    const url = await freshDatabase()
    await (await openStore(url)).close()
    const missing = Object.assign(new URL(url), { pathname: '/procura_nowhere' }).href
    expect(await refusal(() => openStore(missing))).toStrictEqual(unavailable('procura_nowhere'))
    const readOnly = withOption(url, 'default_transaction_read_only=on')
    expect(await refusal(() => openStore(readOnly))).toStrictEqual(unavailable('read-only transaction'))
  })

  test('six that open an empty database at once find the same tables', async () => {
    const url = await freshDatabase()
    const stores = await together(6, () => open(url))
    const won = await Promise.all(stores.map((store, n) => store.installation.insertIfAbsent('did', String(n))))
    expect(won.filter(Boolean)).toHaveLength(1)
    const names = await stores[0]!.dataSource.query<{ name: string }[]>('SELECT name FROM migrations')
    expect(new Set(names.map(({ name }) => name)).size).toBe(names.length)
  })

  test('connections cut in the middle of transactions: nothing half-done, and it goes on', async () => {
    const url = await freshDatabase()
    const store = await open(url)
    const keys = new KeyStore(store.dataSource)
    let cut: Promise<number> | undefined
    const errors = await together(10, n =>
      refusal(() =>
        store.transaction(async () => {
          await store.credentials.save(credentialOf(`cut-${n}`))
          await keys.importKey(keyOf(`cut-${n}`))
          await later(20)
          await (cut ??= cutConnections(url))
          await store.statusRows.lease(LEASE)
        }),
      ),
    )
    expect(await cut).toBeGreaterThan(1)
    for (const error of errors) expect(error).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(await together(10, n => kept(store, `cut-${n}`))).not.toContain(true)
    expect(await keys.listKeys()).toEqual([])
    await store.credentials.save(credentialOf('afterwards'))
    expect(await kept(store, 'afterwards')).toBe(true)
  })

  test('a server that becomes read-only, and writable again', async () => {
    const url = await freshDatabase()
    const store = await open(url)
    await store.credentials.save(credentialOf('before'))
    // each on a connection of its own
    await together(10, () =>
      store.dataSource.query(`SELECT set_config('default_transaction_read_only', 'on', false), pg_sleep(0.3)`),
    )
    const keys = new KeyStore(store.dataSource)
    for (const write of [
      () => store.credentials.save(credentialOf('refused')),
      () => store.statusRows.lease(LEASE),
      () => keys.importKey(keyOf('refused')),
    ]) {
      expect(await refusal(write)).toStrictEqual(unavailable('read-only transaction'))
    }
    expect([await kept(store, 'before'), await kept(store, 'refused')]).toEqual([true, false])
    // each connection that refused is used no more, and new ones are what the server now is
    await expect.poll(() => store.credentials.save(credentialOf('after')).then(() => 'kept', codeOf)).toBe('kept')
    expect(await kept(store, 'after')).toBe(true)
  })

  test('two that cannot both be true: one runs again, and sees the other', async () => {
    const store = await open(withOption(await freshDatabase(), 'default_transaction_isolation=serializable'))
    await store.credentials.save(credentialOf('start'))
    let runs = 0
    let ready = 0
    let release: () => void = () => undefined
    const both = new Promise<void>(resolve => (release = resolve))
    // each adds a value if the other one is not there
    const answers = await Promise.all(
      [
        ['left', 'right'],
        ['right', 'left'],
      ].map(([mine = '', other = '']) =>
        store.transaction(async () => {
          runs += 1
          const isFree = (await store.installation.get(other)) === null
          if ((ready += 1) === 2) release()
          await both
          if (isFree) await store.installation.set(mine, 'here')
          return isFree
        }),
      ),
    )
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(runs).toBe(3)
    const values = await Promise.all(['left', 'right'].map(name => store.installation.get(name)))
    expect(values.filter(value => value !== null)).toEqual(['here'])
  })

  test('two that wait for each other: one runs again', async () => {
    const store = await open(await freshDatabase())
    let runs = 0
    let ready = 0
    let release: () => void = () => undefined
    const both = new Promise<void>(resolve => (release = resolve))
    await Promise.all(
      [
        ['a', 'b'],
        ['b', 'a'],
      ].map(([first = '', second = '']) =>
        store.transaction(async () => {
          runs += 1
          await store.installation.lock(first)
          if ((ready += 1) === 2) release()
          await both
          await store.installation.lock(second)
          await store.installation.set(`${first} did`, 'both')
        }),
      ),
    )
    expect(runs).toBe(3)
    expect([await store.installation.get('a did'), await store.installation.get('b did')]).toEqual(['both', 'both'])
  })

  test('closing waits for what was begun, happens once, and stays', async () => {
    const url = await freshDatabase()
    const store = await openStore(url)
    const saves = together(50, n => store.credentials.save(credentialOf(`begun-${n}`)))
    const work = store.transaction(async () => {
      await store.credentials.save(credentialOf('slow'))
      await later(20)
      await store.credentials.save(credentialOf('slower'))
    })
    await later()
    await Promise.all([store.close(), store.close(), saves, work])
    await store.close()
    expect(await refusal(() => store.credentials.find(credentialOf('slow').digest))).toStrictEqual(
      unavailable('closed'),
    )
    expect(await refusal(() => store.transaction(() => Promise.resolve()))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => new KeyStore(store.dataSource).listKeys())).toStrictEqual(unavailable('closed'))
    const again = await open(url)
    for (const name of ['begun-0', 'begun-49', 'slow', 'slower']) expect(await kept(again, name)).toBe(true)
  })

  test('a defect in a statement stays a defect', async () => {
    const store = await open(await freshDatabase())
    const row = { ...credentialOf('bad'), id: null as unknown as string }
    expect(await refusal(() => store.credentials.save(row))).not.toHaveProperty('code', 'STORAGE_UNAVAILABLE')
  })
})
