import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KeyStore } from '@veramo/data-store'
import sqlite3 from 'sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CredentialTable } from '../../src/adapters/store/entities.js'
import { openDatabase } from '../../src/adapters/store/database.js'
import { MIGRATIONS } from '../../src/adapters/store/migrations.js'
import { openStore } from '../../src/adapters/store/store.js'
import { Turns } from '../../src/adapters/store/turns.js'
import { type Backend, NOW, alice, credentialOf, keyOf, later, refusal, together } from './store-fixtures.js'
import { portsContract } from './store-ports.js'
import { compileSources, runChild } from './store-process.js'
import { transactionsContract } from './store-transactions.js'

let folder: string
let files = 0
const freshFile = (): string => join(folder, `${(files += 1)}`, 'store.db')
const unavailable = (why: string | RegExp) =>
  expect.objectContaining({
    code: 'STORAGE_UNAVAILABLE',
    facts: { why: expect.stringMatching(why) as string },
  }) as unknown

beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'procura-store-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

const sqlite: Backend = {
  name: 'SQLite',
  place: () => Promise.resolve(`sqlite://${freshFile()}`),
  open: openStore,
}
portsContract(sqlite)
transactionsContract(sqlite)

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
    expect(await store.credentials.find(credentialOf('one').id)).not.toBeNull()
    await store.close()
  })

  test('the migrations make what the entities say, and can be undone', async () => {
    const store = await openStore(await sqlite.place())
    const { dataSource } = store
    const drift = (await dataSource.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query)
    expect(drift.filter(query => /stored_credential|status_|installation/.test(query))).toStrictEqual([])
    for (let n = 0; n < MIGRATIONS.length; n += 1) await dataSource.undoLastMigration()
    const tables = await dataSource.query<{ name: string }[]>(`SELECT name FROM sqlite_master WHERE type = 'table'`)
    expect(tables.map(({ name }) => name)).not.toContain('status_list')
    expect(tables.map(({ name }) => name)).toContain('identifier')
    expect(await dataSource.runMigrations()).toHaveLength(MIGRATIONS.length)
    await store.close()
  })

  test('times come back as numbers beyond 2038', async () => {
    const store = await openStore(await sqlite.place())
    await store.credentials.save(credentialOf('far', { validUntil: 2 ** 40 }))
    expect((await store.credentials.find(credentialOf('far').id))?.validUntil).toBe(2 ** 40)
    await store.close()
  })
})

describe('SQLite: refusals', () => {
  test.each(['postgres://u:secret@h/db', 'sqlite:', 'sqlite://', 'sqlite::memory', './file.db', 'sqlite:////x', ''])(
    '%j is not a database URL',
    async url => {
      const error = await refusal(() => openDatabase(url))
      expect(error).toMatchObject({ code: 'CONFIG_INVALID', facts: { at: 'database' } })
      expect((error as Error).message).not.toContain('secret')
    },
  )

  test.each([0, 1000, 1024, 3000, 2 ** 21])('a list of %i bits', async length => {
    expect(await refusal(() => openStore('sqlite::memory:', length))).toMatchObject({ code: 'CONFIG_INVALID' })
  })

  test('a directory, a path below a file, a text file, a truncated database', async () => {
    const directory = join(folder, 'directory')
    await mkdir(directory)
    const text = join(folder, 'text.db')
    await writeFile(text, 'this is no database '.repeat(500))
    const whole = freshFile()
    await (await openStore(`sqlite://${whole}`)).close()
    const cut = join(folder, 'cut.db')
    await writeFile(cut, (await readFile(whole)).subarray(0, 9000))
    for (const [file, reason] of [
      [directory, 'EISDIR'],
      [join(text, 'below.db'), 'ENOTDIR|EEXIST'],
      [text, 'SQLITE_NOTADB: file is not a database'],
      [cut, 'SQLITE_CORRUPT'],
    ] as const) {
      const error = await refusal(() => openStore(`sqlite://${file}`))
      expect(error).toStrictEqual(unavailable(`^${file}: (${reason})`))
      expect((error as Error).cause).toBeInstanceOf(Error)
    }
  })

  test('a database that belongs to another program is left as it was', async () => {
    const file = join(folder, 'foreign.db')
    await new Promise<void>((resolve, reject) => {
      const foreign = new sqlite3.Database(file)
      foreign.exec('CREATE TABLE status_list (a); INSERT INTO status_list VALUES (1)', error =>
        error ? reject(error) : foreign.close(() => resolve()),
      )
    })
    expect(await refusal(() => openStore(`sqlite://${file}`))).toStrictEqual(unavailable('status_list'))
    const tables = await new Promise<unknown>(resolve => {
      const foreign = new sqlite3.Database(file)
      foreign.all('SELECT name FROM sqlite_master', (_, rows) => foreign.close(() => resolve(rows)))
    })
    expect(tables).toStrictEqual([{ name: 'status_list' }])
  })

  test('a disk that is full undoes the transaction, and the store works again when there is room', async () => {
    const store = await openStore(await sqlite.place())
    const [{ page_count: pages }] = await store.dataSource.query<[{ page_count: number }]>('PRAGMA page_count')
    await store.dataSource.query(`PRAGMA max_page_count = ${pages + 2}`)
    const big = (n: number) => store.credentials.save(credentialOf(`big-${n}`, { token: 'x'.repeat(20_000) }))
    const error = await refusal(() =>
      store.transaction(async () => {
        await store.credentials.save(credentialOf('small'))
        await big(1).catch(() => undefined)
        await store.credentials.save(credentialOf('after')).catch(() => undefined)
      }),
    )
    expect(error).toStrictEqual(unavailable('SQLITE_FULL'))
    await store.dataSource.query('PRAGMA max_page_count = 100000')
    const names = ['small', 'big-1', 'after']
    expect(await Promise.all(names.map(name => store.credentials.find(credentialOf(name).id)))).toStrictEqual([
      null,
      null,
      null,
    ])
    await big(2)
    expect(await store.credentials.find(credentialOf('big-2').id)).not.toBeNull()
    await store.close()
  })

  test('a store made read-only refuses writes of ours and of Veramo, and answers reads', async () => {
    const store = await openStore(await sqlite.place())
    await store.credentials.save(credentialOf('one'))
    await store.dataSource.query('PRAGMA query_only = ON')
    expect(await refusal(() => store.credentials.save(credentialOf('two')))).toStrictEqual(
      unavailable('SQLITE_READONLY'),
    )
    expect(await refusal(() => store.statusRows.lease(alice, 1))).toStrictEqual(unavailable('SQLITE_READONLY'))
    expect(await refusal(() => new KeyStore(store.dataSource).importKey(keyOf('two')))).toStrictEqual(
      unavailable('SQLITE_READONLY'),
    )
    expect(await store.credentials.find(credentialOf('one').id)).not.toBeNull()
    await store.close()
  })

  test('closing waits for what was begun, happens once, and stays', async () => {
    const place = await sqlite.place()
    const store = await openStore(place)
    const saves = together(50, n => store.credentials.save(credentialOf(`begun-${n}`)))
    const work = store.transaction(async () => {
      await store.credentials.save(credentialOf('slow'))
      await later(20)
      await store.credentials.save(credentialOf('slower'))
    })
    await later()
    await Promise.all([store.close(), store.close(), saves, work])
    await store.close()

    expect(await refusal(() => store.credentials.save(credentialOf('x')))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => store.credentials.find('x'))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => store.statusRows.lease(alice, 1))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => store.statusRows.publish('1', 'x', 1, NOW, 0))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => store.installation.get('x'))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => store.transaction(() => Promise.resolve()))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => new KeyStore(store.dataSource).listKeys())).toStrictEqual(unavailable('closed'))
    expect(store.dataSource.isInitialized).toBe(false)

    const again = await openStore(place)
    for (const name of ['begun-0', 'begun-49', 'slow', 'slower']) {
      expect(await again.credentials.find(credentialOf(name).id)).not.toBeNull()
    }
    await again.close()
  })

  test('closing inside a transaction is a defect, not a deadlock', async () => {
    const store = await openStore(await sqlite.place())
    expect(await refusal(() => store.transaction(() => store.close()))).toMatchObject({ message: /inside one of its/ })
    await store.close()
  })

  test('a defect in a statement stays a defect', async () => {
    const store = await openStore('sqlite::memory:')
    const row = { ...credentialOf('bad'), id: null as unknown as string }
    expect(await refusal(() => store.credentials.save(row))).not.toHaveProperty('code', 'STORAGE_UNAVAILABLE')
    await store.close()
  })

  test('two that wait for each other are told so', async () => {
    const turns = new Turns('test.db', 30)
    const end = await turns.take()
    expect(await refusal(() => turns.take())).toStrictEqual(unavailable('test.db: busy'))
    end()
    const next = await turns.take()
    const waiting = turns.take()
    next()
    ;(await waiting)()
  })
})

describe('SQLite: several on one file', () => {
  test('two stores in one process: no write is lost, no lease repeats, one publisher wins', async () => {
    const place = await sqlite.place()
    const stores = await Promise.all([openStore(place, 4096), openStore(place, 4096)])
    const leases = await together(200, n => stores[n % 2]!.statusRows.lease(alice, 5))
    expect(new Set(leases.flatMap(({ list, indexes }) => indexes.map(index => `${list}#${index}`))).size).toBe(1000)
    await together(200, n =>
      stores[n % 2]!.transaction(() => stores[n % 2]!.credentials.save(credentialOf(`both-${n}`))),
    )
    expect(await stores[0].dataSource.getRepository(CredentialTable).count()).toBe(200)
    for (let version = 1; version <= 10; version += 1) {
      const won = await Promise.all(stores.map(store => store.statusRows.publish('1', 'x', version, NOW, 0)))
      expect(won.filter(Boolean)).toHaveLength(1)
    }
    await Promise.all(stores.map(store => store.close()))
  })

  test('four processes that open a new file at once: no SQLITE_BUSY, no lease twice', async () => {
    const compiled = await compileSources(folder)
    const file = freshFile()
    await mkdir(join(file, '..'))
    const reports = await together(4, n => runChild(compiled, file, `child-${n}`))
    const leased = reports.flatMap(report => report.leased)
    expect(leased).toHaveLength(4 * 60 * 3)
    expect(new Set(leased).size).toBe(leased.length)
    expect(reports.map(report => report.won).reduce((sum, won) => sum + won)).toBe(1)
    const store = await openStore(`sqlite://${file}`)
    expect(await store.dataSource.getRepository(CredentialTable).count()).toBe(4 * 60)
    expect(await new KeyStore(store.dataSource).listKeys()).toHaveLength(4 * 60)
    await store.close()
  })
})
