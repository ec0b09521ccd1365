import type { Backend } from './store-fixtures.js'
import { outboxContract } from './store-outbox.js'
import { portsContract } from './store-ports.js'
import { transactionsContract } from './store-transactions.js'

/** What every store promises, on whichever engine. */
export function storeContract(backend: Backend): void {
  portsContract(backend)
  outboxContract(backend)
  transactionsContract(backend)
}
