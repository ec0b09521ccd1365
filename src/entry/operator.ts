import type { Store } from '../adapters/store/store.js'
import { isDid, type Did } from '../did/did.js'
import type { Config } from './config.js'
import { OPERATOR } from './issuer.js'
import { openWallet } from './wallet.js'

/**
 * The operator's DID. The first start makes it in a wallet of its own and remembers it as the first admin; from then on
 * the wallet is not needed here and may live on the operator's machine.
 */
export async function openOperator({ operator, origin }: Config, { installation }: Store): Promise<Did> {
  const known = await installation.get(OPERATOR)
  if (isDid(known)) return known
  const wallet = await openWallet({ storage: operator, roots: [], service: origin })
  try {
    const agent = await wallet.agent(OPERATOR).catch(() => wallet.createAgent({ name: OPERATOR }))
    await installation.insertIfAbsent(OPERATOR, agent.did)
    // of several processes that start at once, one was first
    const first = await installation.get(OPERATOR)
    return isDid(first) ? first : agent.did
  } finally {
    await wallet.close()
  }
}
