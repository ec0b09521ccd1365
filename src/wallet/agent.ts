import { requireAllowed, type Call } from '../authority/grant.js'
import { isResource, isSelector } from '../authority/resource.js'
import { leafOf, requireInTime } from '../delegation/chain.js'
import { storedChain } from '../delegation/stored.js'
import { isDigest } from '../encoding.js'
import { isProcuraError, ProcuraError, rankOf } from '../errors.js'
import { requireShallow } from '../json.js'
import { signJws } from '../jws/compact.js'
import type { HoldingQuery } from '../ports/holding.js'
import { signApproval } from '../presentation/approval.js'
import { toPresentationJson, toReferenceJson } from '../presentation/presentation.js'
import { MAX_PARAMS_DEPTH } from '../presentation/request.js'
import { bindRequest } from './binding.js'
import { queryOf, signUnder, usesOf } from './delegating.js'
import { createKeeping, type OpenHeld } from './keeping.js'
import type { Life } from './life.js'
import type { Uses } from './uses.js'
import type { Agent, Chosen, HeldQuery, PresentRequest, TrustedRoots, WalletPorts } from './wallet.js'

/** Of a wallet that holds nothing fitting, this many are asked why. */
const MAX_ASKED = 16

/** An agent over its life, the wallet's storage and the roots it trusts. */
export function createAgent(life: Life, roots: TrustedRoots, uses: Uses, ports: WalletPorts): Agent {
  const { clock, ids, credentials } = ports
  const { holder } = life
  const keeping = createKeeping(roots, ports)

  /**
   * The first answer that is not a refusal, what lives longest first; else the refusal that got furthest. Where the index
   * knows nothing that fits, those that live longest say why they do not.
   */
  async function firstOf<T>(
    { chain, onBehalfOf }: Chosen,
    due: Pick<HoldingQuery, 'resource' | 'action'>,
    attempt: (one: OpenHeld) => Promise<T>,
  ): Promise<T> {
    if (chain !== undefined && !isDigest(chain)) {
      throw new ProcuraError('SCHEMA', { at: 'chain', why: 'is not the digest of a credential' })
    }
    const chosen = { holder: holder.did, digest: chain, principal: onBehalfOf }
    let refusal: ProcuraError | null = null
    for (const [query, limit] of [[{ ...chosen, ...due }], [chosen, MAX_ASKED]] as const) {
      for await (const one of keeping.find(query, limit)) {
        try {
          return await attempt(one)
        } catch (error) {
          if (!isProcuraError(error)) throw error
          if (refusal === null || rankOf(error.code) > rankOf(refusal.code)) refusal = error
        }
      }
      if (refusal !== null) throw refusal
    }
    throw new ProcuraError('NOT_FOUND', { what: `credential held by ${holder.did}` })
  }

  /** Uses the first chain held that allows the call. */
  async function allowing<T>(request: PresentRequest, use: (one: OpenHeld) => Promise<T>): Promise<T> {
    const { action, resource, params, audience } = request
    if (!isResource(resource)) throw new ProcuraError('RESOURCE_SYNTAX', { at: 'resource' })
    requireShallow(params, 'params', MAX_PARAMS_DEPTH)
    const call: Call = { action, resource, params }
    return firstOf(request, { resource, action }, async one => {
      requireInTime(one.links, clock.now())
      for (const { claims } of one.links) {
        if (!claims.authority.audience.includes(audience)) {
          throw new ProcuraError('PRESENTATION_AUDIENCE', { at: 'audience', self: audience })
        }
        requireAllowed(claims.authority.grants, call)
      }
      const { digest, claims } = leafOf(one.links)
      const [allows] = requireAllowed(claims.authority.grants, call)
      const used = await use(one)
      const grant = claims.authority.grants.findIndex(granted => granted === allows)
      uses.note(digest, [{ grant, action }], clock.now())
      return used
    })
  }

  const bind = ({ links }: OpenHeld, request: PresentRequest) =>
    bindRequest(holder.did, links, request, ids.token(), clock.now())

  return {
    did: holder.did,
    endsAt: life.endsAt,
    holder,
    end: life.end,

    async held(query = {}) {
      const found: OpenHeld[] = []
      for await (const one of keeping.find({ ...readQuery(query), holder: holder.did })) found.push(one)
      return found
    },

    async chainOf(digest) {
      const leaf = await credentials.find(digest)
      if (leaf === null) throw new ProcuraError('NOT_FOUND', { what: `credential ${digest}` })
      return (await storedChain(credentials, leaf)).map(({ token }) => token)
    },

    async receive(chain) {
      const tokens = readTokens(chain)
      const one = await keeping.open(tokens, await keeping.rootKeyOf(tokens))
      const { subject, key } = leafOf(one.links)
      if (subject !== holder.did || key.x !== holder.publicKey.x) {
        throw new ProcuraError('CALLER_FORBIDDEN', { caller: holder.did, what: `hold what was made for ${subject}` })
      }
      await ports.transaction(async () => {
        await life.requireAlive()
        await keeping.save(one, { given: false })
      })
      return one
    },

    async delegate(request) {
      const { parent, made } = await firstOf(request, queryOf(request), async one => ({
        parent: one,
        made: await signUnder(one, request, holder, ports),
      }))
      await keeping.save(made, { given: true })
      uses.note(leafOf(parent.links).digest, usesOf(made.authority.grants, parent.authority.grants), clock.now())
      return made
    },

    approve: (required, method) => signApproval(holder, required, method, ids.token(), clock.now()),

    present: request =>
      allowing(request, one => signJws(toPresentationJson(bind(one, request), one.chain), 'vp+jwt', holder)),

    prove: request =>
      allowing(request, async one => {
        const { digest: leaf } = leafOf(one.links)
        const proof = await signJws(toReferenceJson(bind(one, request), leaf), 'agent-proof+jwt', holder)
        return { proof, chain: one.chain, leaf }
      }),
  }
}

function readTokens(chain: unknown): readonly string[] {
  if (typeof chain === 'string') return [chain]
  if (Array.isArray(chain)) return chain as readonly string[]
  throw new ProcuraError('SCHEMA', { at: 'chain', why: 'is neither a token nor a list of tokens' })
}

function readQuery({ resource, action, before }: HeldQuery): HeldQuery {
  if (resource !== undefined && !isSelector(resource)) throw new ProcuraError('RESOURCE_SYNTAX', { at: 'resource' })
  if (action !== undefined && typeof action !== 'string') {
    throw new ProcuraError('SCHEMA', { at: 'action', why: 'is not an action' })
  }
  if (before !== undefined && !Number.isSafeInteger(before)) {
    throw new ProcuraError('SCHEMA', { at: 'before', why: 'is not a time in whole seconds' })
  }
  return { resource, action, before }
}
