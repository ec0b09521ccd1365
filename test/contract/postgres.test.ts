import { afterAll, describe } from 'vitest'
import { openStore } from '../../src/adapters/store/store.js'
import { migrationsContract } from './migrations-port.js'
import { storeContract } from './store-contract.js'
import { hasPostgres, temporaryDatabases } from './postgres.js'

const { migratedDatabase, dropAll } = temporaryDatabases()
afterAll(dropAll)

describe.runIf(hasPostgres)('PostgreSQL', () => {
  const plain = { name: 'read committed', place: migratedDatabase, open: openStore, leases: 300 }
  storeContract(plain)
  migrationsContract(plain)
})
