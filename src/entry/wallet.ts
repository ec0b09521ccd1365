import { agentFetch, type AgentFetch } from '../adapters/client/agent-fetch.js'
import { createClient, type ServiceOptions } from '../adapters/client/api.js'
import { noLeases, serviceLeases } from '../adapters/client/service.js'
import { registerSubAgent, rotateTo, type Registration, type SubAgent } from '../adapters/client/subjects.js'
import { systemClock, systemIds } from '../adapters/system.js'
import type { VeramoAgent } from '../adapters/veramo/agent.js'
import type { VaultAgent } from '../adapters/veramo/vault.js'
import type { Did } from '../did/did.js'
import type { JsonObject } from '../json.js'
import { ProcuraError } from '../errors.js'
import { parseKeys, type KeySet } from '../policy/policy.js'
import type { ApprovalRequest } from '../presentation/approval.js'
import { createWallet, type Agent, type NewAgent, type TrustedRoots, type Wallet } from '../wallet/wallet.js'
import { openNetwork } from './parts.js'
import { openHomeOf } from './wallet-home.js'

export type { AgentFetch, AgentRequest } from '../adapters/client/agent-fetch.js'
export type { AgentResponse, Refusal } from '../adapters/client/refusal.js'
export type { SubAgent } from '../adapters/client/subjects.js'
export type { ApprovalRequest } from '../presentation/approval.js'
export type { InventoryEntry, InventoryFlag } from '../wallet/inventory.js'
export type { Agent, Delegation, Held, HeldQuery, NewAgent } from '../wallet/wallet.js'

/** Where a wallet lives and whom it trusts. */
export interface WalletOptions<A extends VaultAgent = VeramoAgent> {
  /**
   * `sqlite://path`, made if missing with a key file beside it; `sqlite::memory:`; or `postgres://…`. With `veramo` it holds what the
   * wallet knows beside that agent's keys, without a key file; in memory unless given.
   */
  readonly storage?: string
  /** an agent that is there: keys and DIDs stay with its own KMS and DID manager, and it outlives the wallet */
  readonly veramo?: A
  /** path of the key file, or `env:NAME`; a SQLite file's path with `.key` unless given */
  readonly keyFile?: string
  /**
   * issuers whose roots are taken; a root may bring its keys, then nothing is resolved. `received`: those of what the
   * wallet holds already, which were trusted when it was taken in
   */
  readonly roots: readonly (Did | { readonly issuer: Did; readonly jwks: KeySet })[] | 'received'
  /** https origin of the service that leases status indexes and takes revocations */
  readonly service?: string
  /** development only: https origin → address */
  readonly connect?: Readonly<Record<string, string>>
  /** the agent file; the package's own unless given */
  readonly agentFile?: string
  /** shows a person what would run and asks; what `approve` needs */
  readonly confirm?: Confirm
}

/** Shows what would run, and resolves to true only if a person said yes to exactly that. */
export type Confirm = (required: ApprovalRequest, approver: Did) => Promise<boolean>

/** An agent that can call guarded APIs and take back what it gave. */
export interface WalletAgent extends Agent {
  readonly fetch: AgentFetch
  /** Revokes a delegation this agent gave, and with it everything below. @throws NOT_FOUND, CALLER_FORBIDDEN, SERVICE_UNAVAILABLE */
  revoke(digest: string): Promise<JsonObject>
  /**
   * Registers another agent of this wallet as its sub-agent at the service. @returns the subject, and its identity credential
   *
   * @throws SUBJECT_UNKNOWN, SUBJECT_STATE, SUBJECT_LIMIT, SUBJECT_EXISTS, SERVICE_UNAVAILABLE
   */
  register(subAgent: Pick<Agent, 'holder'>, said: SubAgent): Promise<Registration>
  /**
   * Hands its registration over to another agent of this wallet, with everything it holds of the service, issued anew.
   * Its own credentials of the service are revoked.
   *
   * @returns a fresh identity credential, `null` for who is no agent; capabilities are received by `next`
   * @throws SUBJECT_UNKNOWN, SUBJECT_STATE, SUBJECT_EXISTS, SERVICE_UNAVAILABLE
   */
  rotateTo(next: Pick<Agent, 'holder' | 'receive'>): Promise<string | null>
}

/** An open wallet. Ephemeral agents whose time is over are ended when it opens, and about every 10 s while it is open. */
export interface OpenWallet<A extends VaultAgent = VeramoAgent> {
  /** A new agent with a key of its own; it never leaves the wallet. @throws KEY_EXISTS, SCHEMA */
  createAgent(options: NewAgent): Promise<WalletAgent>
  /** The agent by name or DID. @throws NOT_FOUND, SCHEMA */
  agent(name: string): Promise<WalletAgent>
  /** What is held, and what about it deserves a look: unused, over-scoped, expiring, orphaned. */
  inventory: Wallet['inventory']
  /**
   * Signs an approval of exactly what `confirm` showed, if a person said yes.
   *
   * @param as - name or DID of the approver; may be left out if the wallet has one agent
   * @throws CONFIG_INVALID - no `confirm`; CALLER_FORBIDDEN - the person said no; NOT_FOUND, SCHEMA, REQUEST_PARAMS
   */
  approve(required: ApprovalRequest, as?: string): Promise<string>
  /** The Veramo agent underneath. */
  readonly veramo: A
  close(): Promise<void>
}

/** Milliseconds between two looks for agents whose time is over. */
const SWEEP = 10_000

/**
 * Opens the wallet that an agent embeds.
 *
 * @throws CONFIG_INVALID, STORAGE_UNAVAILABLE, KEY_FILE
 */
export async function openWallet<A extends VaultAgent = VeramoAgent>(
  options: WalletOptions<A>,
): Promise<OpenWallet<A>> {
  const { roots, service, connect = {}, confirm } = options
  const network = openNetwork(connect)
  const { store, vault, agent: veramo, close } = await openHomeOf(options, network)
  const calls = service === undefined ? null : { service, reach: network.reach, clock: systemClock, ids: systemIds }
  const giveUp = async (error: unknown): Promise<never> => {
    await close()
    throw error
  }
  const received = async () => (await store.holdings.list(systemClock.now())).map(({ root }) => root)
  const trusted = rootsOf(roots === 'received' ? await received().catch(giveUp) : roots)
  const wallet = createWallet(trusted, {
    clock: systemClock,
    ids: systemIds,
    keys: network.keys,
    vault,
    credentials: store.credentials,
    holdings: store.holdings,
    lifetimes: store.lifetimes,
    transaction: work => store.transaction(work),
    adding: work => store.adding(work),
    leases:
      calls === null
        ? noLeases
        : serviceLeases(signer => createClient(signer, calls), systemClock, store.leasedIndexes),
  })
  const atService = (): ServiceOptions => {
    if (calls !== null) return calls
    throw new ProcuraError('CONFIG_INVALID', { at: 'openWallet', why: 'no service was named' })
  }
  const equip = (agent: Agent): WalletAgent => ({
    ...agent,
    fetch: agentFetch(agent, network.reach, systemClock),
    revoke: async digest =>
      createClient(agent.holder, atService()).revoke({ body: { chain: [...(await agent.chainOf(digest))] } }),
    register: async (subAgent, said) => registerSubAgent(agent.holder, subAgent.holder, said, atService()),
    async rotateTo(next) {
      const { credentials, identity } = await rotateTo(agent.holder, next.holder, atService())
      for (const token of credentials) await next.receive(token)
      return identity
    },
  })
  // what cannot be swept now is swept later; past its end an agent signs nothing either way
  let sweeping: Promise<unknown> = Promise.resolve()
  const sweep = (): void => {
    sweeping = sweeping.then(() => wallet.sweep()).catch(() => undefined)
  }
  sweep()
  await sweeping
  const sweeper = setInterval(sweep, SWEEP).unref()
  return {
    createAgent: async agent => equip(await wallet.createAgent(agent)),
    agent: async name => equip(await wallet.agent(name)),
    inventory: query => wallet.inventory(query),
    async approve(required, as) {
      if (confirm === undefined) {
        throw new ProcuraError('CONFIG_INVALID', {
          at: 'openWallet',
          why: 'no confirm to show a person what would run',
        })
      }
      const approver = await wallet.agent(as ?? onlyOne(await vault.list()))
      // whatever a program without types answers, only true is a yes
      const answer: unknown = await confirm(required, approver.did)
      if (answer === true) return approver.approve(required, 'wallet')
      throw new ProcuraError('CALLER_FORBIDDEN', { caller: approver.did, what: 'approve: the person said no' })
    },
    veramo,
    async close() {
      clearInterval(sweeper)
      await sweeping
      await wallet.settled()
      await close()
      await network.close()
    },
  }
}

function onlyOne(agents: readonly { readonly did: Did }[]): Did {
  const [first, ...others] = agents
  if (first !== undefined && others.length === 0) return first.did
  throw new ProcuraError('SCHEMA', { at: 'as', why: 'is due where a wallet has not exactly one agent' })
}

function rootsOf(roots: Exclude<WalletOptions['roots'], 'received'>): TrustedRoots {
  const trusted = new Map<Did, { readonly keys: ReturnType<typeof parseKeys> | null }>()
  for (const root of roots) {
    if (typeof root === 'string') trusted.set(root, { keys: null })
    else trusted.set(root.issuer, { keys: parseKeys(root.jwks, root.issuer) })
  }
  return trusted
}
