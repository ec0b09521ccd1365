import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { CredentialTable } from '../../src/adapters/store/entities.js'
import { openStore } from '../../src/adapters/store/store.js'
import { migrationsContract } from './migrations-port.js'
import { storeContract } from './store-contract.js'
import { type Backend, NOW, alice, credentialOf, leaseOf, temporaryFiles, together } from './store-fixtures.js'

const { freshFile, clean } = temporaryFiles()
afterAll(clean)

const sqlite: Backend = {
  name: 'SQLite',
  place: () => Promise.resolve(`sqlite://${freshFile()}`),
  open: openStore,
  leases: 2000,
}
storeContract(sqlite)
migrationsContract(sqlite)

describe('SQLite: the file', () => {
  test('is made private, in a private folder, durable, with constraints', async () => {
    const file = freshFile()
    const store = await openStore(`sqlite://${file}`)
    await store.credentials.save(credentialOf('one'))
    for (const name of [file, `${file}-wal`, `${file}-shm`]) expect((await stat(name)).mode & 0o777).toBe(0o600)
    expect((await stat(join(file, '..'))).mode & 0o777).toBe(0o700)
    const pragma = async (name: string): Promise<unknown> =>
      Object.values((await store.dataSource.query<[object]>(`PRAGMA ${name}`))[0])[0]
    expect(await pragma('journal_mode')).toBe('wal')
    expect(await pragma('synchronous')).toBe(2)
    expect(await pragma('foreign_keys')).toBe(1)
    expect(await pragma('busy_timeout')).toBe(5000)
    await store.close()
  })

  test('in memory there is none', async () => {
    const store = await openStore('sqlite::memory:')
    await store.credentials.save(credentialOf('one'))
    expect(await store.credentials.findRoot('did:key:z6MkOwner', credentialOf('one').id)).not.toBeNull()
    await store.close()
  })

  test('times come back as numbers beyond 2038', async () => {
    const store = await openStore(await sqlite.place())
    await store.credentials.save(credentialOf('far', { validUntil: 2 ** 40 }))
    expect((await store.credentials.findRoot('did:key:z6MkOwner', credentialOf('far').id))?.validUntil).toBe(2 ** 40)
    await store.close()
  })
})

describe('SQLite: several on one file', () => {
  test('two stores in one process: no write is lost, no lease repeats, one publisher wins', async () => {
    const place = await sqlite.place()
    const stores = await Promise.all([openStore(place, 4096), openStore(place, 4096)])
    const leases = await together(200, n => stores[n % 2]!.statusRows.lease(leaseOf(alice, 5)))
    expect(new Set(leases.flatMap(({ list, indexes }) => indexes.map(index => `${list}#${index}`))).size).toBe(1000)
    await together(200, n =>
      stores[n % 2]!.transaction(() => stores[n % 2]!.credentials.save(credentialOf(`both-${n}`))),
    )
    expect(await stores[0].dataSource.getRepository(CredentialTable).count()).toBe(200)
    for (let version = 1; version <= 10; version += 1) {
      const won = await Promise.all(
        stores.map(store => store.statusRows.publish(leases[0]!.list, 'x', version, NOW, 0)),
      )
      expect(won.filter(Boolean)).toHaveLength(1)
    }
    await Promise.all(stores.map(store => store.close()))
  })
})
