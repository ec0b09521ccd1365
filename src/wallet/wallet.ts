import type { Authority, AuthorityDraft } from '../authority/authority.js'
import type { PublicKey } from '../ed25519.js'
import { isAlias, isDid, type Did } from '../did/did.js'
import { ProcuraError } from '../errors.js'
import type { Root } from '../policy/policy.js'
import type { Keys } from '../ports/deciding.js'
import type { Holdings, Lifetimes, StatusLeases } from '../ports/holding.js'
import type { Credentials } from '../ports/issuing.js'
import type { KeyHolder, Vault } from '../ports/keys.js'
import type { Additions, Clock, Ids, Transactions } from '../ports/world.js'
import type { ApprovalRequest } from '../presentation/approval.js'
import type { SignedRequest } from '../presentation/presentation.js'
import type { ReceivedRequest } from '../presentation/request.js'
import { toSeconds, type Duration, type UnixSeconds } from '../time.js'
import { createAgent } from './agent.js'
import { takeInventory, type InventoryEntry } from './inventory.js'
import { createLife, endAgent } from './life.js'
import { createUses } from './uses.js'

/** What a wallet needs of the world. */
export interface WalletPorts extends Transactions, Additions {
  readonly clock: Clock
  readonly ids: Ids
  readonly keys: Keys
  readonly vault: Vault
  readonly credentials: Credentials
  readonly holdings: Holdings
  readonly lifetimes: Lifetimes
  readonly leases: StatusLeases
}

/** Whose roots a wallet takes credentials from. Nothing of any other root is looked up or kept. */
export type TrustedRoots = ReadonlyMap<Did, Pick<Root, 'keys'>>

/** Authority as it is handed on: tokens, root → leaf. */
export interface Held {
  readonly chain: readonly string[]
  readonly digest: string
  readonly id: string
  readonly subject: Did
  readonly validUntil: number
  /** the leaf's authority */
  readonly authority: Authority
}

/** Which of the chains held are considered; of several the one that ends last. */
export interface Chosen {
  /** the digest of what is held */
  readonly chain?: string | undefined
  /** chains of this principal only */
  readonly onBehalfOf?: string | undefined
}

/** What is looked for among what is held. */
export interface HeldQuery {
  /** a resource or selector that one of its grants covers, together with the action */
  readonly resource?: string | undefined
  readonly action?: string | undefined
  /** ends before, in whole seconds since 1970 */
  readonly before?: UnixSeconds | undefined
}

/** What an agent hands on. Members of the authority that are left out are inherited. */
export interface Delegation extends Omit<AuthorityDraft, 'audience' | 'onBehalfOf' | 'to'>, Chosen {
  readonly to: Did
  /** the recipient's key; may be left out for did:key */
  readonly key?: PublicKey
  /** seconds, or a text such as `10m`; above 300 s a status index is leased */
  readonly ttl: Duration
  /** the parent's, if left out */
  readonly audience?: readonly string[]
  /** who may receive it further down */
  readonly recipients?: readonly string[]
}

/** What a holder signs: a request, and for whom. */
export interface PresentRequest extends Omit<ReceivedRequest, 'approval'>, Chosen {
  readonly audience: string
  readonly purpose?: string
  readonly nonce?: string
  /** what told the agent to make this call, oldest first: 1 to 8 */
  readonly provenance?: SignedRequest['provenance']
  /** identity credentials to show along: tokens, at most one for each link */
  readonly identity?: readonly string[]
}

/** A proof, and the chain it names. */
export interface Proven {
  readonly proof: string
  /** tokens root → leaf, to be uploaded where the leaf is not known */
  readonly chain: readonly string[]
  readonly leaf: string
}

/** One agent: a DID, its key in the vault, and what it holds. */
export interface Agent {
  readonly did: Did
  /** when an ephemeral agent ends; `null` for others */
  readonly endsAt: UnixSeconds | null
  readonly holder: KeyHolder
  /**
   * Ends the agent: its key is destroyed, what it holds is forgotten, and nothing signs for it any more, also where a
   * program still has this object (`AGENT_ENDED`). Ending twice is the same as once.
   *
   * @throws STORAGE_UNAVAILABLE
   */
  end(): Promise<void>
  /**
   * Keeps a chain that ends in this agent, after verifying every signature and every narrowing.
   *
   * @throws ROOT_UNTRUSTED - before anything is looked up; CALLER_FORBIDDEN - another agent's; steps 1–3 and 7–10
   */
  receive(chain: string | readonly string[]): Promise<Held>
  /** What is held and has not ended, the latest end first. @throws RESOURCE_SYNTAX, SCHEMA */
  held(query?: HeldQuery): Promise<readonly Held[]>
  /** The tokens from the root to a credential this wallet keeps. @throws NOT_FOUND */
  chainOf(digest: string): Promise<readonly string[]>
  /**
   * Signs a delegation under the first credential held that covers it. Refuses at once what would widen.
   *
   * @throws NOT_FOUND - nothing held; WIDENED_*, DEPTH_EXCEEDED, DELEGATE_NOT_ALLOWED, DELEGATION_TO_SELF, BUDGET_*, …
   */
  delegate(request: Delegation): Promise<Held>
  /**
   * Signs a presentation of the first chain held that allows the call.
   *
   * @throws NOT_FOUND - nothing held; PRESENTATION_AUDIENCE, DENIED_* - what is held does not cover the call
   */
  present(request: PresentRequest): Promise<string>
  /**
   * The same with a proof that names the chain by its leaf: small, where the verifier was given the chain before.
   *
   * @throws as `present`
   */
  prove(request: PresentRequest): Promise<Proven>
  /**
   * Signs an approval of exactly what is displayed; show it to a person first.
   *
   * @param method - how the person approved, `terminal` for example
   * @throws REQUEST_PARAMS - what is displayed is not what would be approved
   */
  approve(required: ApprovalRequest, method: string): Promise<string>
}

/** A new agent. */
export interface NewAgent {
  /** 1 to 128 characters, none of them invisible; unique in the wallet */
  readonly name: string
  /**
   * a did:web for a long-lived agent, whose document somebody publishes with `holder.kid` and `holder.publicKey`; a
   * did:key of its own unless given
   */
  readonly did?: Did
  /** it ends with its task: after `ttl`, or when `end` is called */
  readonly ephemeral?: boolean
  /** how long an ephemeral agent lives, at most 7 days: seconds, or `30m` */
  readonly ttl?: Duration
}

/** Holds keys and credentials of agents. */
export interface Wallet {
  /** A new agent with a key of its own. @throws KEY_EXISTS, SCHEMA */
  createAgent(options: NewAgent): Promise<Agent>
  /** The agent by name or DID. @throws NOT_FOUND, SCHEMA */
  agent(name: string): Promise<Agent>
  /** What is held, and what about it deserves a look. @throws NOT_FOUND, SCHEMA - as `agent` */
  inventory(query?: { readonly agent?: string; readonly unusedAfter?: Duration }): Promise<readonly InventoryEntry[]>
  /** Ends ephemeral agents whose time is over, at most 100 at once. Returns how many. @throws STORAGE_UNAVAILABLE */
  sweep(): Promise<number>
  /** Resolves when all uses that were counted are stored, or were tried. */
  settled(): Promise<void>
}

const MAX_LIFE = 7 * 86_400
const MAX_SWEPT = 100

/** A wallet over a vault and storage. */
export function createWallet(roots: TrustedRoots, ports: WalletPorts): Wallet {
  const { clock, vault, lifetimes } = ports
  const uses = createUses(ports.holdings)
  const agentOf = (key: KeyHolder, endsAt: UnixSeconds | null): Agent =>
    createAgent(createLife(key, endsAt, ports), roots, uses, ports)

  /** A key and its end, or neither. */
  async function createMortal(create: () => Promise<KeyHolder>, endsAt: UnixSeconds): Promise<KeyHolder> {
    const made: Did[] = []
    try {
      return await ports.adding(async () => {
        const key = await create()
        made.push(key.did)
        await lifetimes.set(key.did, endsAt)
        return key
      })
    } catch (error) {
      // a vault with storage of its own is not undone with ours
      for (const did of made) await vault.destroy(did).catch(() => undefined)
      throw error
    }
  }

  async function find(name: string): Promise<{ readonly key: KeyHolder; readonly endsAt: UnixSeconds | null }> {
    if (!isAlias(name) && !isDid(name)) throw new ProcuraError('SCHEMA', { at: 'name', why: NO_NAME })
    const key = await vault.find(name)
    const endsAt = key === null ? null : await lifetimes.endOf(key.did)
    if (key !== null && (endsAt === null || clock.now() < endsAt)) return { key, endsAt }
    if (key !== null) await endAgent(key.did, ports)
    throw new ProcuraError('NOT_FOUND', { what: `agent ${name}` })
  }

  return {
    async createAgent({ name, did, ephemeral = false, ttl }) {
      if (!isAlias(name)) throw new ProcuraError('SCHEMA', { at: 'name', why: NO_NAME })
      const seconds = ephemeral ? toSeconds(ttl) : null
      if (ephemeral === (seconds === null) || (!ephemeral && ttl !== undefined) || (seconds ?? 0) > MAX_LIFE) {
        throw new ProcuraError('SCHEMA', { at: 'ttl', why: 'is due for an ephemeral agent only, and at most 7 days' })
      }
      const create = (): Promise<KeyHolder> => (did === undefined ? vault.create(name) : vault.createWebDid(did, name))
      if (seconds === null) return agentOf(await create(), null)
      const endsAt = clock.now() + seconds
      return agentOf(await createMortal(create, endsAt), endsAt)
    },

    async agent(name) {
      const { key, endsAt } = await find(name)
      return agentOf(key, endsAt)
    },

    async inventory({ agent, unusedAfter } = {}) {
      const seconds = unusedAfter === undefined ? undefined : toSeconds(unusedAfter)
      if (seconds === null) throw new ProcuraError('SCHEMA', { at: 'unusedAfter', why: 'is not a time' })
      const query = {
        ...(agent === undefined ? {} : { agent: (await find(agent)).key.did }),
        ...(seconds === undefined ? {} : { unusedAfter: seconds }),
      }
      await uses.settled()
      return takeInventory(query, roots, ports)
    },

    async sweep() {
      const due = await lifetimes.due(clock.now(), MAX_SWEPT)
      const ends = await Promise.allSettled(due.map(did => endAgent(did, ports)))
      const failed = ends.find(end => end.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      return due.length
    },

    settled: () => uses.settled(),
  }
}

const NO_NAME = 'is not 1 to 128 characters without invisible ones, or starts with did: and is no DID'
