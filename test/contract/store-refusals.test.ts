import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KeyStore } from '@veramo/data-store'
import sqlite3, { type Database } from 'sqlite3'
import { afterAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/adapters/store/database.js'
import { PreparedConnection } from '../../src/adapters/store/prepared.js'
import { SqliteTurnRunner } from '../../src/adapters/store/sqlite-runner.js'
import { openSqlite } from '../../src/adapters/store/sqlite.js'
import { openStore } from '../../src/adapters/store/store.js'
import { Turns } from '../../src/adapters/store/turns.js'
import { NOW, alice, credentialOf, keyOf, later, leaseOf, refusal, temporaryFiles, together } from './store-fixtures.js'

const { folder, freshFile, clean } = temporaryFiles()
afterAll(clean)

const unavailable = (why: string) =>
  expect.objectContaining({
    code: 'STORAGE_UNAVAILABLE',
    facts: { why: expect.stringMatching(why) as string },
  }) as unknown

describe('SQLite: refusals', () => {
  test.each([
    'sqlite:',
    'sqlite://',
    'sqlite::memory',
    './file.db',
    'sqlite:////x',
    '',
    'mysql://u:secret@h/db',
    'postgres://u:secret@h',
    'postgres://u:secret@/db',
    'postgres://u:secret@a,b/db',
    'postgres://u:secret@h:x/db',
    'postgres://u:secret@h/db?sslmode=prefer',
    'postgres://u:secret@h/db?sslmode=no-verify',
    'postgres://u:secret@h/db?sslmode=disable&sslmode=require',
    'postgres://u:secret@h/db?ssl=0',
    'postgres://u:secret@h/db?uselibpqcompat=true',
    'postgres:///db?host=relative',
  ])('%j is not a database URL', async url => {
    const error = await refusal(() => openDatabase(url))
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', facts: { at: 'database' } })
    expect((error as Error).message).not.toContain('secret')
  })

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
    const store = await openStore(`sqlite://${freshFile()}`)
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
    expect(
      await Promise.all(names.map(name => store.credentials.findRoot('did:key:z6MkOwner', credentialOf(name).id))),
    ).toStrictEqual([null, null, null])
    await big(2)
    expect(await store.credentials.findRoot('did:key:z6MkOwner', credentialOf('big-2').id)).not.toBeNull()
    await store.close()
  })

  test('a store made read-only refuses writes of ours and of Veramo, and answers reads', async () => {
    const store = await openStore(`sqlite://${freshFile()}`)
    await store.credentials.save(credentialOf('one'))
    await store.dataSource.query('PRAGMA query_only = ON')
    expect(await refusal(() => store.credentials.save(credentialOf('two')))).toStrictEqual(
      unavailable('SQLITE_READONLY'),
    )
    expect(await refusal(() => store.statusRows.lease(leaseOf(alice, 1)))).toStrictEqual(unavailable('SQLITE_READONLY'))
    expect(await refusal(() => new KeyStore(store.dataSource).importKey(keyOf('two')))).toStrictEqual(
      unavailable('SQLITE_READONLY'),
    )
    expect(await store.credentials.findRoot('did:key:z6MkOwner', credentialOf('one').id)).not.toBeNull()
    await store.close()
  })

  test('a file that is moved away, and one put in its place, are not written to; brought back, it goes on', async () => {
    const file = freshFile()
    const store = await openStore(`sqlite://${file}`)
    await store.credentials.save(credentialOf('before'))
    await rename(file, `${file}.away`)
    const gone = unavailable('not the file that was opened')
    const write = (): Promise<void> => store.credentials.save(credentialOf('gone'))
    expect(await refusal(write)).toStrictEqual(gone)
    expect(await refusal(() => new KeyStore(store.dataSource).importKey(keyOf('gone')))).toStrictEqual(gone)
    expect(await refusal(() => store.transaction(write))).toStrictEqual(gone)
    expect(await refusal(() => store.credentials.find(credentialOf('before').digest))).toStrictEqual(gone)
    await writeFile(file, '')
    expect(await refusal(write)).toStrictEqual(gone)
    await rename(`${file}.away`, file)
    const half = store.transaction(async () => {
      await write()
      await rename(file, `${file}.away`)
    })
    expect(await refusal(() => half)).toStrictEqual(gone)
    await rename(`${file}.away`, file)
    expect(await store.credentials.find(credentialOf('gone').digest)).toBeNull()
    await store.credentials.save(credentialOf('after'))
    await store.close()
    const again = await openStore(`sqlite://${file}`)
    for (const name of ['before', 'after']) {
      expect(await again.credentials.find(credentialOf(name).digest)).not.toBeNull()
    }
    await again.close()
  })

  test('closing waits for what was begun, happens once, and stays', async () => {
    const place = `sqlite://${freshFile()}`
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
    expect(await refusal(() => store.credentials.find(credentialOf('x').digest))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => store.statusRows.lease(leaseOf(alice, 1)))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => store.statusRows.publish('1', 'x', 1, NOW, 0))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => store.installation.get('x'))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => store.transaction(() => Promise.resolve()))).toStrictEqual(unavailable('closed'))
    expect(await refusal(() => new KeyStore(store.dataSource).listKeys())).toStrictEqual(unavailable('closed'))
    expect(store.dataSource.isInitialized).toBe(false)

    const again = await openStore(place)
    for (const name of ['begun-0', 'begun-49', 'slow', 'slower']) {
      expect(await again.credentials.findRoot('did:key:z6MkOwner', credentialOf(name).id)).not.toBeNull()
    }
    await again.close()
  })

  test('closing inside a transaction is a defect, not a deadlock', async () => {
    const store = await openStore(`sqlite://${freshFile()}`)
    expect(await refusal(() => store.transaction(() => store.close()))).toMatchObject({ message: /inside one of its/ })
    await store.close()
  })

  test('a defect in a statement stays a defect', async () => {
    const store = await openStore('sqlite::memory:')
    const row = { ...credentialOf('bad'), id: null as unknown as string }
    expect(await refusal(() => store.credentials.save(row))).not.toHaveProperty('code', 'STORAGE_UNAVAILABLE')
    await store.close()
  })

  test('a transaction that waited too long to begin is no harm to the others', async () => {
    const dataSource = await openSqlite(':memory:')
    const turns = new Turns('test.db', 1, 20)
    const end = await turns.take()
    const connection = () => new PreparedConnection(dataSource.driver.databaseConnection as Database)
    const runner = new SqliteTurnRunner(dataSource.driver, turns, 'test.db', () => undefined, connection)
    expect(await refusal(() => runner.startTransaction())).toStrictEqual(unavailable('test.db: busy'))
    expect(runner.isTransactionActive).toBe(false)
    await runner.release()
    end()
    ;(await turns.take())()
    await dataSource.destroy()
  })

  test('a transaction that is let go without an end is undone', async () => {
    const store = await openStore('sqlite::memory:')
    const runner = store.dataSource.createQueryRunner()
    await runner.startTransaction()
    await runner.query(`INSERT INTO installation VALUES ('a', 'b')`)
    await runner.release()
    expect(await store.installation.get('a')).toBeNull()
    await store.close()
  })

  test('statements under way when the work fails are undone with it', async () => {
    const store = await openStore(`sqlite://${freshFile()}`)
    for (let round = 0; round < 30; round += 1) {
      await refusal(() =>
        store.transaction(async () => {
          const insert = (n: number) => store.dataSource.query(`INSERT INTO installation VALUES ('${round}-${n}', 'x')`)
          void together(30, insert).catch(() => undefined)
          for (let tick = 0; tick < round; tick += 1) await Promise.resolve()
          throw new Error('undo')
        }),
      )
    }
    const [row] = await store.dataSource.query<[{ rows: number }]>(
      "SELECT COUNT(*) AS rows FROM installation WHERE value = 'x'",
    )
    expect(row.rows).toBe(0)
    await store.close()
  })

  test('two that wait for each other are told so', async () => {
    const turns = new Turns('test.db', 1, 30)
    const end = await turns.take()
    expect(await refusal(() => turns.take())).toStrictEqual(unavailable('test.db: busy'))
    end()
    const next = await turns.take()
    const waiting = turns.take()
    next()
    ;(await waiting)()
  })
})
