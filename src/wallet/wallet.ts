import type { Authority, AuthorityDraft } from '../authority/authority.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { ProcuraError } from '../errors.js'
import type { Root } from '../policy/policy.js'
import type { Clock, Credentials, Ids, KeyHolder, Keys, StatusLeases, Transactions, Vault } from '../ports.js'
import type { ApprovalRequest } from '../presentation/approval.js'
import type { SignedRequest } from '../presentation/presentation.js'
import type { ReceivedRequest } from '../presentation/request.js'
import { createAgent } from './agent.js'

/** What a wallet needs of the world. */
export interface WalletPorts extends Transactions {
  readonly clock: Clock
  readonly ids: Ids
  readonly keys: Keys
  readonly vault: Vault
  readonly credentials: Credentials
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

/** What an agent hands on. Members of the authority that are left out are inherited. */
export interface Delegation extends Omit<AuthorityDraft, 'audience' | 'onBehalfOf' | 'to'> {
  readonly to: Did
  /** the recipient's key; may be left out for did:key */
  readonly key?: PublicKey
  /** seconds; above 300 a status index is leased */
  readonly ttl: number
  /** the parent's, if left out */
  readonly audience?: readonly string[]
  /** who may receive it further down */
  readonly recipients?: readonly string[]
}

/** What a holder signs: a request, and for whom. */
export interface PresentRequest extends Omit<ReceivedRequest, 'approval'> {
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
  readonly holder: KeyHolder
  /**
   * Keeps a chain that ends in this agent, after verifying every signature and every narrowing.
   *
   * @throws ROOT_UNTRUSTED - before anything is looked up; CALLER_FORBIDDEN - another agent's; steps 1–3 and 7–10
   */
  receive(chain: string | readonly string[]): Promise<Held>
  /** What is held and has not ended, the latest end first. */
  held(): Promise<readonly Held[]>
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

/** Holds keys and credentials of agents. */
export interface Wallet {
  /** A new agent with a did:key of its own. @throws KEY_EXISTS, SCHEMA */
  createAgent(options: { readonly name: string }): Promise<Agent>
  /** The agent by name or DID. @throws NOT_FOUND */
  agent(name: string): Promise<Agent>
}

/** A wallet over a vault and storage. */
export function createWallet(roots: TrustedRoots, ports: WalletPorts): Wallet {
  return {
    createAgent: async ({ name }) => createAgent(await ports.vault.create(name), roots, ports),
    async agent(name) {
      const holder = await ports.vault.find(name)
      if (holder === null) throw new ProcuraError('NOT_FOUND', { what: `agent ${name}` })
      return createAgent(holder, roots, ports)
    },
  }
}
