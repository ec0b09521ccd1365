import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { openStore } from '../../src/adapters/store/store.js'
import { storeState } from '../../src/adapters/store/state.js'
import { systemClock, systemIds } from '../../src/adapters/system.js'
import type { Lease } from '../../src/ports/issuing.js'
import { hasPostgres, temporaryDatabases } from './postgres.js'
import { alice, credentialOf, later, NOW, temporaryFiles } from './store-fixtures.js'

const { freshFile, clean } = temporaryFiles()
const { migratedDatabase, dropAll } = temporaryDatabases()
afterAll(async () => {
  await clean()
  await dropAll()
})

const LEASE: Lease = { issuer: alice, count: 2, purpose: 'revocation', validUntil: NOW + 3600, now: NOW }

/** What a migration may do beside processes of the version before: add what they do not know. */
const ADDS = [
  'ALTER TABLE verifier_used ADD COLUMN "by" text',
  'ALTER TABLE stored_credential ADD COLUMN note text',
  "ALTER TABLE installation ADD COLUMN kind text NOT NULL DEFAULT 'plain'",
  'CREATE TABLE later_version (name text PRIMARY KEY)',
  'CREATE INDEX later_index ON verifier_hold (state)',
  `INSERT INTO migrations("timestamp", name) VALUES (1999000000001, 'OfALaterVersion1999000000001')`,
]

const backends = [
  { name: 'SQLite', place: () => Promise.resolve(`sqlite://${freshFile()}`) },
  ...(hasPostgres ? [{ name: 'PostgreSQL', place: migratedDatabase }] : []),
]

describe.each(backends)('$name: the next version adds to the tables', ({ place }) => {
  test('a process that runs goes on, and one that starts again starts', async () => {
    const url = await place()
    const old = await openStore(url)
    const { ledger } = storeState(old, systemClock, systemIds)
    let isOver = false
    let done = 0
    const use = (key: string) =>
      ledger.settle({
        uses: [{ key, issuedAt: NOW, until: NOW + 60 }],
        throttles: [],
        charges: [{ account: 'a', amount: 1, max: 10 ** 9, unit: 'USD', until: NOW + 60 }],
        hold: { id: `hold of ${key}`, until: NOW + 60, facts: null },
        now: NOW,
      })
    const working = Promise.all(
      [0, 1, 2].map(async n => {
        for (let i = 0; !isOver; i += 1) {
          const name = `${n} ${i}`
          expect(await use(name)).toBeNull()
          await old.credentials.save(credentialOf(name))
          await old.statusRows.lease(LEASE)
          await old.installation.set('name', name)
          expect(await ledger.close(`hold of ${name}`, 'committed', NOW)).toBe('committed')
          done += 1
        }
      }),
    )
    const next = await openStore(url)
    onTestFinished(() => next.close())
    for (const sql of ADDS) {
      await next.transaction(() => next.dataSource.query(sql))
      const before = done
      for (; done < before + 3;) await Promise.race([later(5), working])
    }
    isOver = true
    await working
    await old.close()

    const again = await openStore(url)
    onTestFinished(() => again.close())
    expect(await storeState(again, systemClock, systemIds).ledger.held('hold of 0 0', NOW)).toMatchObject({
      state: 'committed',
    })
    await again.credentials.save(credentialOf('afterwards'))
    expect(await again.credentials.find(credentialOf('afterwards').digest)).not.toBeNull()
    const check = await again.check()
    expect(check.filter(({ what }) => !/^(key |credential )/.test(what))).toEqual([])
  })
})
