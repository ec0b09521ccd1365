import { afterAll, describe } from 'vitest'
import { openStore } from '../../src/adapters/store/store.js'
import { migrationsContract } from './migrations-port.js'
import { outboxContract } from './outbox-port.js'
import { statusRowsContract } from './status-rows-port.js'
import { storeContract } from './store-contract.js'
import { transactionsContract } from './store-transactions.js'
import { hasPostgres, temporaryDatabases, withOption } from './postgres.js'

const { migratedDatabase, dropAll } = temporaryDatabases()
afterAll(dropAll)

describe.runIf(hasPostgres)('PostgreSQL', () => {
  const plain = { name: 'read committed', place: migratedDatabase, open: openStore, leases: 300 }
  storeContract(plain)
  migrationsContract(plain)

  const place = async () => withOption(await migratedDatabase(), 'default_transaction_isolation=serializable')
  const strict = { ...plain, name: 'serializable', place, leases: 40 }
  // those that write at once what others write
  statusRowsContract(strict)
  outboxContract(strict)
  transactionsContract(strict)
})
