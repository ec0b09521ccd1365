import { openStore, type Store } from '../adapters/store/store.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import type { VeramoAgent } from '../adapters/veramo/agent.js'
import { veramoVault, type VaultAgent, type VeramoVault } from '../adapters/veramo/vault.js'
import { ProcuraError } from '../errors.js'
import type { Additions, Transactions } from '../ports/world.js'
import { AGENT_FILE, openHome, type Network } from './parts.js'
import type { WalletOptions } from './wallet.js'

/** Storage of a wallet, and the agent that holds its keys. */
export interface WalletHome<A> {
  readonly store: Store
  readonly vault: VeramoVault
  readonly agent: A
  readonly close: () => Promise<void>
}

/** The database of an agent that is there is not ours: what fails half-way cannot be undone from here. */
const ELSEWHERE: Transactions & Additions = { transaction: work => work(), adding: work => work() }
const NEEDED = [
  'didManagerCreate',
  'didManagerDelete',
  'didManagerFind',
  'didManagerGet',
  'keyManagerSign',
] as const satisfies readonly (keyof VaultAgent)[]

/** Opens storage with an agent over it, or beside one that is there. @throws CONFIG_INVALID, STORAGE_UNAVAILABLE, KEY_FILE */
export async function openHomeOf<A extends VaultAgent>(
  { storage, veramo, keyFile, agentFile }: WalletOptions<A>,
  network: Network,
): Promise<WalletHome<A>> {
  if (veramo !== undefined) {
    if (keyFile !== undefined || agentFile !== undefined) {
      throw invalid('an agent that is there has its own keys: leave keyFile and agentFile out')
    }
    const missing = NEEDED.filter(name => typeof veramo[name] !== 'function')
    if (missing.length > 0) throw invalid(`the agent given has no ${missing.join(', ')}`)
    const store = await openStore(storage ?? 'sqlite::memory:')
    return { store, agent: veramo, vault: veramoVault(veramo, ELSEWHERE), close: () => store.close() }
  }
  if (storage === undefined) throw invalid('neither storage nor veramo is given')
  const home = await openHome({
    file: await readAgentFile(agentFile ?? AGENT_FILE, process.env),
    storage,
    keyFile: keyFile ?? keyFileBeside(storage),
    environment: process.env,
    network,
  })
  // without `veramo`, A is what it is unless the caller says: our own agent
  return { ...home, agent: home.agent as VeramoAgent & A }
}

function keyFileBeside(storage: string): string {
  const path = /^sqlite:(?:\/\/)?(.+)$/s.exec(storage)?.[1]
  if (path === undefined) throw invalid('keyFile is needed: there is no database file to put it beside')
  return `${path}.key`
}

function invalid(why: string): ProcuraError {
  return new ProcuraError('CONFIG_INVALID', { at: 'openWallet', why })
}
