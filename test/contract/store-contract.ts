import { checkContract } from './check-port.js'
import { newAgentsContract } from './new-agents-port.js'
import { holdingsContract } from './holdings-port.js'
import { hostedContract } from './hosted-port.js'
import { identifiersContract } from './identifiers-port.js'
import { outboxContract } from './outbox-port.js'
import { sealedKeysContract } from './sealed-keys.js'
import { severalContract } from './several-port.js'
import { signingKeysContract } from './signing-keys-port.js'
import { statusRowsContract } from './status-rows-port.js'
import type { Backend } from './store-fixtures.js'
import { portsContract } from './store-ports.js'
import { subjectsContract } from './store-subjects.js'
import { transactionsContract } from './store-transactions.js'

/** What every store promises, on whichever engine. */
export function storeContract(backend: Backend): void {
  portsContract(backend)
  statusRowsContract(backend)
  subjectsContract(backend)
  hostedContract(backend)
  identifiersContract(backend)
  newAgentsContract(backend)
  holdingsContract(backend)
  outboxContract(backend)
  sealedKeysContract(backend)
  signingKeysContract(backend)
  checkContract(backend)
  transactionsContract(backend)
  severalContract(backend)
}
