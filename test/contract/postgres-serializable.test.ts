import { afterAll, describe } from 'vitest'
import { openStore } from '../../src/adapters/store/store.js'
import { storeContract } from './store-contract.js'
import { hasPostgres, temporaryDatabases, withOption } from './postgres.js'

const { migratedDatabase, dropAll } = temporaryDatabases()
afterAll(dropAll)

describe.runIf(hasPostgres)('PostgreSQL', () => {
  const place = async () => withOption(await migratedDatabase(), 'default_transaction_isolation=serializable')
  // each conflict is run again, so fewer ask at once
  storeContract({ name: 'serializable', place, open: openStore, leases: 40 })
})
