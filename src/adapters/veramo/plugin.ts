import type { IAgentPlugin, IAgentPluginSchema, IPluginMethodMap } from '@veramo/core-types'
import { parsePublicKey, type PublicKey } from '../../ed25519.js'
import { ProcuraError } from '../../errors.js'
import { requireShallow, type Json } from '../../json.js'
import type { ReceivedRequest } from '../../presentation/request.js'
import type { Commitment, Decision, Explanation, LocalVerifier, Shown, Verifier } from '../../verifier/verifier.js'
import type { Agent, Delegation, Held, PresentRequest } from '../../wallet/wallet.js'
import {
  decideArgs,
  decisionArgs,
  delegateArgs,
  pluginSchema,
  presentArgs,
  readArgs,
  receiveArgs,
} from './plugin-schema.js'

/** What an agent verifies with, what it holds authority with, or both. */
export interface ProcuraPluginOptions {
  /** in this process or at a service; only the former explains */
  readonly verifier?: PluginVerifier
  /** whoever may call the agent's methods acts as any agent of this wallet */
  readonly wallet?: PluginWallet
}

/** A {@link Verifier}, or a {@link LocalVerifier}. */
export type PluginVerifier = Pick<Verifier, 'decide' | 'commit' | 'release'> & Partial<Pick<LocalVerifier, 'explain'>>

/** A wallet of this project, as `openWallet` or `createWallet` make it. */
export interface PluginWallet {
  agent(name: string): Promise<Pick<Agent, 'receive' | 'delegate' | 'present'>>
}

/** What is shown for a request, and the request as the resource server received it. */
export interface DecideArgs {
  readonly shown: Shown
  readonly request: ReceivedRequest
  /** true: what is charged is held for 60 s, until `procuraCommit` or `procuraRelease` */
  readonly reserve?: boolean
}

/** What an agent of the wallet hands on. Members of the authority that are left out are inherited. */
export interface DelegateArgs extends Omit<Delegation, 'key'> {
  /** alias or DID */
  readonly as: string
  /** the recipient's key as base64url, as in a JWK's `x`; may be left out for did:key */
  readonly key?: string
}

/** The request that an agent of the wallet is about to send. */
export interface PresentArgs extends Omit<PresentRequest, 'bodyDigest'> {
  /** alias or DID */
  readonly as: string
  /** base64url SHA-256 of the raw body; left out or `null` exactly when it is empty */
  readonly bodyDigest?: string | null
}

/** A chain, and whose it is. */
export interface ReceiveArgs {
  /** alias or DID */
  readonly as: string
  /** tokens, root first */
  readonly chain: readonly string[]
}

/** Agent methods of {@link ProcuraPlugin}, for `createAgent<ProcuraMethods>`. Arguments and results are plain JSON. */
export interface ProcuraMethods extends IPluginMethodMap {
  /** Decides one request. A refusal is a value. @throws SCHEMA */
  procuraDecide(args: DecideArgs): Promise<Decision>
  /** What `procuraDecide` would answer now, and why; changes nothing. @throws SCHEMA */
  procuraExplain(args: DecideArgs): Promise<Explanation>
  /** The commit point of a decision taken with `reserve`. A refusal is a value. @throws SCHEMA */
  procuraCommit(args: Pick<Decision, 'decisionId'>): Promise<Commitment>
  /** Gives a reserved charge back. A refusal is a value. @throws SCHEMA */
  procuraRelease(args: Pick<Decision, 'decisionId'>): Promise<Commitment>
  /** Keeps a chain. @throws SCHEMA, NOT_FOUND - no such agent; and as `Agent.receive` */
  procuraReceive(args: ReceiveArgs): Promise<Pick<Held, 'digest' | 'id' | 'validUntil'>>
  /** Signs a delegation. @throws SCHEMA, NOT_FOUND - no such agent, or it holds nothing; and as `Agent.delegate` */
  procuraDelegate(args: DelegateArgs): Promise<Pick<Held, 'chain' | 'digest' | 'id' | 'validUntil'>>
  /** Signs a presentation. @throws SCHEMA, NOT_FOUND - no such agent, or it holds nothing; and as `Agent.present` */
  procuraPresent(args: PresentArgs): Promise<{ readonly presentation: string }>
}

/** Parameters may nest 64 levels; around them are the arguments. */
const MAX_SIGNED_DEPTH = 65

/**
 * Gives a Veramo agent the verbs of this project as agent methods, with schemas.
 *
 * Only what its parts can do is exposed: without a wallet there is no `procuraDelegate`. `authorizedMethods` of the
 * agent narrows that further.
 *
 * @throws CONFIG_INVALID - neither part is given, or one that is none
 */
export class ProcuraPlugin implements IAgentPlugin {
  readonly methods: IPluginMethodMap
  readonly schema: IAgentPluginSchema

  constructor({ verifier, wallet }: ProcuraPluginOptions = {}) {
    if (verifier === undefined && wallet === undefined) throw unusable('neither verifier nor wallet is given')
    this.methods = {
      ...(verifier === undefined ? {} : deciding(verifier)),
      ...(wallet === undefined ? {} : holding(wallet)),
    }
    this.schema = pluginSchema(Object.keys(this.methods))
  }
}

function deciding(verifier: PluginVerifier): IPluginMethodMap {
  if (!isFunction(verifier, 'decide')) throw unusable('verifier does not decide; was its promise awaited?')
  const methods: Pick<ProcuraMethods, 'procuraDecide' | 'procuraCommit' | 'procuraRelease'> = {
    async procuraDecide(args) {
      const { shown, request, reserve = false } = readArgs(decideArgs, args)
      return verifier.decide(shown, request, { reserve })
    },
    procuraCommit: async args => verifier.commit(readArgs(decisionArgs, args).decisionId),
    procuraRelease: async args => verifier.release(readArgs(decisionArgs, args).decisionId),
  }
  return explains(verifier) ? { ...methods, ...explaining(verifier) } : methods
}

function explaining(verifier: Pick<LocalVerifier, 'explain'>): Pick<ProcuraMethods, 'procuraExplain'> {
  return {
    async procuraExplain(args) {
      const { shown, request, reserve = false } = readArgs(decideArgs, args)
      return verifier.explain(shown, request, { reserve })
    },
  }
}

function holding(wallet: PluginWallet): Pick<ProcuraMethods, 'procuraReceive' | 'procuraDelegate' | 'procuraPresent'> {
  if (!isFunction(wallet, 'agent')) throw unusable('wallet has no agents; was its promise awaited?')
  return {
    async procuraReceive(args) {
      const { as, chain } = readArgs(receiveArgs, args)
      const agent = await wallet.agent(as)
      const { digest, id, validUntil } = await agent.receive(chain)
      return { digest, id, validUntil }
    },
    async procuraDelegate(args) {
      const { as, key, ...asked } = readArgs(delegateArgs, signable(args))
      const request = { ...asked, ...(key === undefined ? {} : { key: keyOf(key) }) } as unknown as Delegation
      const agent = await wallet.agent(as)
      const { chain, digest, id, validUntil } = await agent.delegate(request)
      return { chain, digest, id, validUntil }
    },
    async procuraPresent(args) {
      const { as, bodyDigest = null, ...request } = readArgs(presentArgs, signable(args))
      const agent = await wallet.agent(as)
      return { presentation: await agent.present({ ...request, bodyDigest }) }
    },
  }
}

function explains(verifier: PluginVerifier): verifier is PluginVerifier & Pick<LocalVerifier, 'explain'> {
  return isFunction(verifier, 'explain')
}

/** Callers without types hand over anything; a promise is the likeliest. */
function isFunction(part: object | null, verb: string): boolean {
  return typeof (part as Readonly<Record<string, unknown>> | null)?.[verb] === 'function'
}

/** What is signed is written down first, and a cycle in it would have no end. @throws JSON_DEPTH */
function signable(args: unknown): unknown {
  requireShallow(args as Json, 'arguments', MAX_SIGNED_DEPTH)
  return args
}

function keyOf(text: string): PublicKey {
  return parsePublicKey(Buffer.from(text, 'base64url'), 'arguments.key')
}

function unusable(why: string): ProcuraError {
  return new ProcuraError('CONFIG_INVALID', { at: 'ProcuraPlugin', why })
}
