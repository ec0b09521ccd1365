import { afterAll, describe, expect, test } from 'vitest'
import { inTime } from '../../src/adapters/store/server-clock.js'
import { storeState } from '../../src/adapters/store/state.js'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import { systemClock, systemIds } from '../../src/adapters/system.js'
import type { Settlement } from '../../src/ports/deciding.js'
import { hasPostgres, temporaryDatabases } from './postgres.js'

const { migratedDatabase, dropAll } = temporaryDatabases()
const opened: Store[] = []
afterAll(async () => {
  for (const store of opened.splice(0)) await store.close()
  await dropAll()
})

/** A ledger on a database, its uptime ours. */
async function ledgerOn(url: string) {
  const store = await openStore(url)
  opened.push(store)
  const machine = { later: 0 }
  const { ledger } = storeState(store, systemClock, systemIds)
  return { machine, ledger: inTime(ledger, store.dataSource, () => performance.now() + machine.later) }
}
let uses = 0
const settlement = (off: number, key = `use ${(uses += 1)}`): Settlement => {
  const now = systemClock.now() + off
  return { uses: [{ key, issuedAt: now, until: now + 90 }], throttles: [], charges: [], hold: null, now }
}

describe.runIf(hasPostgres)('a clock beside that of the database server', () => {
  test('nothing is used, asked, held or closed by one that is more than 30 s off; it goes on when it is set right', async () => {
    const { ledger } = await ledgerOn(await migratedDatabase())
    for (const off of [-40, 40, -86_400, 86_400]) {
      const { now } = settlement(off)
      await expect(ledger.settle(settlement(off, 'one'))).rejects.toMatchObject({ code: 'REPLAY_UNAVAILABLE' })
      await expect(ledger.probe(settlement(off, 'one'))).rejects.toMatchObject({ code: 'REPLAY_UNAVAILABLE' })
      await expect(ledger.held('none', now)).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
      await expect(ledger.close('none', 'committed', now)).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
    }
    for (const off of [-25, 25]) expect(await ledger.settle(settlement(off))).toBeNull()
    expect(await ledger.settle(settlement(0, 'one'))).toBeNull()
    expect(await ledger.settle(settlement(0, 'one'))).toBe('used')
  })

  test('the time of a process that slept is asked for anew, and so is the time after a minute', async () => {
    const { machine, ledger } = await ledgerOn(await migratedDatabase())
    expect(await ledger.settle(settlement(0))).toBeNull()
    // the uptime stood still while the clock went on, and the other way round
    for (const later of [50_000, 0, 61_000]) {
      machine.later = later
      expect(await ledger.settle(settlement(0))).toBeNull()
    }
    await expect(ledger.settle(settlement(-40))).rejects.toMatchObject({ code: 'REPLAY_UNAVAILABLE' })
  })
})

test('a file has no clock beside the machine’s own', async () => {
  const { ledger } = await ledgerOn('sqlite::memory:')
  expect(await ledger.settle(settlement(-400))).toBeNull()
})
