import { agentFetch, type AgentFetch } from '../adapters/client/agent-fetch.js'
import { noLeases, postAs, serviceLeases } from '../adapters/client/service.js'
import { systemClock, systemIds } from '../adapters/system.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import type { VeramoAgent } from '../adapters/veramo/agent.js'
import type { Did } from '../did/did.js'
import type { JsonObject } from '../json.js'
import { ProcuraError } from '../errors.js'
import { parseKeys, type KeySet } from '../policy/policy.js'
import { createWallet, type Agent, type TrustedRoots } from '../wallet/wallet.js'
import { AGENT_FILE, openHome, openNetwork } from './parts.js'

export type { AgentFetch, AgentRequest } from '../adapters/client/agent-fetch.js'
export type { ApprovalRequest } from '../presentation/approval.js'
export type { Agent, Delegation, Held } from '../wallet/wallet.js'

/** Where a wallet lives and whom it trusts. */
export interface WalletOptions {
  /** `sqlite://path`, made if missing with a key file beside it; or `sqlite::memory:` */
  readonly storage: string
  /** path of the key file, or `env:NAME`; the database's path with `.key` unless given */
  readonly keyFile?: string
  /** issuers whose roots are taken; a root may bring its keys, then nothing is resolved */
  readonly roots: readonly (Did | { readonly issuer: Did; readonly jwks: KeySet })[]
  /** https origin of the service that leases status indexes and takes revocations */
  readonly service?: string
  /** development only: https origin → address */
  readonly connect?: Readonly<Record<string, string>>
  /** the agent file; the package's own unless given */
  readonly agentFile?: string
}

/** An agent that can call guarded APIs and take back what it gave. */
export interface WalletAgent extends Agent {
  readonly fetch: AgentFetch
  /** Revokes a delegation this agent gave, and with it everything below. @throws NOT_FOUND, CALLER_FORBIDDEN, SERVICE_UNAVAILABLE */
  revoke(digest: string): Promise<JsonObject>
}

/** An open wallet. */
export interface OpenWallet {
  /** A new agent with a did:key of its own; its key never leaves the wallet. */
  createAgent(options: { readonly name: string }): Promise<WalletAgent>
  /** The agent by name or DID. @throws NOT_FOUND */
  agent(name: string): Promise<WalletAgent>
  /** The Veramo agent underneath. */
  readonly veramo: VeramoAgent
  close(): Promise<void>
}

/**
 * Opens the wallet that an agent embeds.
 *
 * @throws CONFIG_INVALID, STORAGE_UNAVAILABLE, KEY_FILE
 */
export async function openWallet(options: WalletOptions): Promise<OpenWallet> {
  const { storage, roots, service, connect = {} } = options
  const network = openNetwork(connect)
  const home = await openHome({
    file: await readAgentFile(options.agentFile ?? AGENT_FILE, process.env),
    storage,
    keyFile: options.keyFile ?? `${storage.replace(/^sqlite:\/\//, '')}.key`,
    environment: process.env,
    network,
  })
  const { store, vault } = home
  const calls = service === undefined ? null : { service, reach: network.reach, clock: systemClock, ids: systemIds }
  const wallet = createWallet(rootsOf(roots), {
    clock: systemClock,
    ids: systemIds,
    keys: network.keys,
    vault,
    credentials: store.credentials,
    transaction: work => store.transaction(work),
    leases: calls === null ? noLeases : serviceLeases(calls, store.leasedIndexes),
  })
  const equip = (agent: Agent): WalletAgent => ({
    ...agent,
    fetch: agentFetch(agent, network.reach),
    async revoke(digest) {
      if (calls === null) throw new ProcuraError('CONFIG_INVALID', { at: 'openWallet', why: 'no service to revoke at' })
      return postAs(agent.holder, '/v1/revocations', { chain: await agent.chainOf(digest) }, calls)
    },
  })
  return {
    createAgent: async agent => equip(await wallet.createAgent(agent)),
    agent: async name => equip(await wallet.agent(name)),
    veramo: home.agent,
    async close() {
      await home.close()
      await network.close()
    },
  }
}

function rootsOf(roots: WalletOptions['roots']): TrustedRoots {
  const trusted = new Map<Did, { readonly keys: ReturnType<typeof parseKeys> | null }>()
  for (const root of roots) {
    if (typeof root === 'string') trusted.set(root, { keys: null })
    else trusted.set(root.issuer, { keys: parseKeys(root.jwks, root.issuer) })
  }
  return trusted
}
