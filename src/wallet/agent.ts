import { requireAllowed, type Call } from '../authority/grant.js'
import { isResource } from '../authority/resource.js'
import { MAX_CREDENTIAL, toCredentialJson } from '../credential/credential.js'
import { DELEGATION, leafOf, openChain, openOwnChain, requireInTime, type Chain } from '../delegation/chain.js'
import { MAX_ROOT_TTL, nearest } from '../delegation/narrowing.js'
import { storedChain, toStored, type StoredChain } from '../delegation/stored.js'
import { methodOf, type Did } from '../did/did.js'
import { fromDidKey } from '../did/key.js'
import { parsePublicKey, type PublicKey } from '../ed25519.js'
import { isProcuraError, ProcuraError, rankOf } from '../errors.js'
import { requireShallow, type JsonObject } from '../json.js'
import { readJws, signJws, type Sealed } from '../jws/compact.js'
import type { KeyHolder } from '../ports.js'
import { signApproval } from '../presentation/approval.js'
import { envelope, toPresentationJson, toReferenceJson, type Presentation } from '../presentation/presentation.js'
import { LIFETIME } from '../presentation/proof.js'
import { MAX_PARAMS_DEPTH, paramsDigest } from '../presentation/request.js'
import { MAX_UNLISTED, toStatusJson } from '../status/entry.js'
import type { Agent, Delegation, Held, PresentRequest, TrustedRoots, WalletPorts } from './wallet.js'

interface OpenHeld extends Held {
  readonly links: Chain
  readonly rootKey: PublicKey
}

function toHeld(links: Chain, chain: readonly string[], rootKey: PublicKey): OpenHeld {
  const { digest, id, subject, validUntil, claims } = leafOf(links)
  return { chain, links, rootKey, digest, id, subject, validUntil, authority: claims.authority }
}

function sealedOf(chain: readonly string[]): readonly Sealed[] {
  return chain.map((token, index) => readJws(token, 'vc+jwt', MAX_CREDENTIAL, `link ${index}`))
}

/** An agent over its key, the wallet's storage and the roots it trusts. */
export function createAgent(holder: KeyHolder, roots: TrustedRoots, ports: WalletPorts): Agent {
  const { clock, ids, credentials } = ports

  /** Opens a chain whose root verifies under the key; a did:web name is looked up only where a list of recipients asks. */
  async function open(chain: readonly string[], rootKey: PublicKey): Promise<OpenHeld> {
    return toHeld(await openOwnChain(sealedOf(chain), rootKey, ports.keys), chain, rootKey)
  }

  /** The root's key, once its issuer is known to be trusted. */
  async function rootKeyOf(chain: readonly string[]): Promise<PublicKey> {
    const [first] = sealedOf(chain)
    if (first === undefined) throw new ProcuraError('CHAIN_EMPTY', {})
    const root = roots.get(first.signer)
    if (root === undefined) throw new ProcuraError('ROOT_UNTRUSTED', { root: first.signer })
    const key = root.keys === null ? await ports.keys.find(first.kid, 'assertionMethod') : root.keys.get(first.kid)
    if (key !== null && key !== undefined) return key
    throw new ProcuraError('KEY_NOT_AUTHORIZED', { kid: first.kid, purpose: 'assertionMethod' })
  }

  /**
   * What is held under roots that are still trusted, each verified under the key it was taken in with. Nothing is looked
   * up, and a chain that does not open (its root's keys were replaced) is left out: it must not stand in the way of others.
   */
  async function held(): Promise<readonly OpenHeld[]> {
    const mine = await credentials.heldBy(holder.did, clock.now())
    const chains = await Promise.all(mine.map(leaf => storedChain(credentials, leaf)))
    const opened = await Promise.all(chains.filter(isTrusted).map(openKept))
    return opened.filter(one => one !== null)
  }

  function isTrusted([{ issuer, key }]: StoredChain): boolean {
    const root = roots.get(issuer)
    return root !== undefined && (root.keys === null || [...root.keys.values()].some(({ x }) => x === key))
  }

  async function openKept(chain: StoredChain): Promise<OpenHeld | null> {
    const tokens = chain.map(({ token }) => token)
    try {
      const rootKey = parsePublicKey(Buffer.from(chain[0].key, 'base64url'), 'stored root')
      const rules = { maxTtl: Infinity, binding: 'kept', keys: ports.keys } as const
      return toHeld(await openChain(sealedOf(tokens), rootKey, rules), tokens, rootKey)
    } catch (error) {
      if (isProcuraError(error)) return null
      throw error
    }
  }

  /** The first answer that is not a refusal, what lives longest first; else the refusal that got furthest. */
  async function firstOf<T>(attempt: (one: OpenHeld) => T | Promise<T>): Promise<T> {
    let refusal: ProcuraError | null = null
    for (const one of await held()) {
      try {
        return await attempt(one)
      } catch (error) {
        if (!isProcuraError(error)) throw error
        if (refusal === null || rankOf(error.code) > rankOf(refusal.code)) refusal = error
      }
    }
    throw refusal ?? new ProcuraError('NOT_FOUND', { what: `credential held by ${holder.did}` })
  }

  async function keep(one: OpenHeld): Promise<void> {
    await ports.transaction(async () => {
      for (const stored of toStored(one.links, one.chain, one.rootKey)) await credentials.save(stored)
    })
  }

  async function signUnder(parent: OpenHeld, request: Delegation): Promise<OpenHeld> {
    const now = clock.now()
    const above = parent.authority
    const { digest, id } = leafOf(parent.links)
    const { to, key = keyOf(to), ttl, recipients, audience = above.audience, more = 0, ...members } = request
    if (!Number.isSafeInteger(ttl) || ttl < 1 || ttl > MAX_ROOT_TTL) {
      throw new ProcuraError('SCHEMA', { at: 'ttl', why: `is not a number of seconds from 1 to ${MAX_ROOT_TTL}` })
    }
    const authority = {
      v: 1,
      hop: above.hop + 1,
      more,
      audience,
      ...members,
      ...(recipients === undefined ? {} : { to: recipients }),
      parent: { id, digest },
    } as unknown as JsonObject
    // what goes round has no end when it is written
    requireShallow(authority, 'delegation')
    const claims = (status?: ReturnType<typeof toStatusJson>) =>
      toCredentialJson({
        id: `urn:uuid:${ids.uuid()}`,
        type: DELEGATION,
        issuer: holder.did,
        subject: to,
        key,
        issuedAt: now,
        validFrom: now,
        validUntil: now + ttl,
        claims: { authority },
        ...(status === undefined ? {} : { status }),
      })
    const signed = await signJws(claims(), 'vc+jwt', holder)
    const draft = await open([...parent.chain, signed], parent.rootKey)
    if (ttl <= MAX_UNLISTED) return draft
    const inForce =
      nearest(
        parent.links.map(link => link.claims.authority),
        'statusIssuers',
      ) ?? []
    const bases = inForce.map(({ base }) => base)
    const { url, index } = await ports.leases.take({
      chain: parent.chain,
      bases,
      validUntil: now + ttl,
      signer: holder,
    })
    return open([...parent.chain, await signJws(claims(toStatusJson(url, index)), 'vc+jwt', holder)], parent.rootKey)
  }

  return {
    did: holder.did,
    holder,
    held,

    async chainOf(digest) {
      const leaf = await credentials.find(digest)
      if (leaf === null) throw new ProcuraError('NOT_FOUND', { what: `credential ${digest}` })
      return (await storedChain(credentials, leaf)).map(({ token }) => token)
    },

    async receive(chain) {
      const tokens = typeof chain === 'string' ? [chain] : chain
      const one = await open(tokens, await rootKeyOf(tokens))
      const { subject, key } = leafOf(one.links)
      if (subject !== holder.did || key.x !== holder.publicKey.x) {
        throw new ProcuraError('CALLER_FORBIDDEN', { caller: holder.did, what: `hold what was made for ${subject}` })
      }
      await keep(one)
      return one
    },

    async delegate(request) {
      const made = await firstOf(parent => signUnder(parent, request))
      await keep(made)
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

  /** Uses the first chain held that allows the call. */
  async function allowing<T>(request: PresentRequest, use: (one: OpenHeld) => Promise<T>): Promise<T> {
    const { action, resource, params, audience } = request
    if (!isResource(resource)) throw new ProcuraError('RESOURCE_SYNTAX', { at: 'resource' })
    requireShallow(params, 'params', MAX_PARAMS_DEPTH)
    const call: Call = { action, resource, params }
    return firstOf(one => {
      requireInTime(one.links, clock.now())
      for (const { claims } of one.links) {
        if (!claims.authority.audience.includes(audience)) {
          throw new ProcuraError('PRESENTATION_AUDIENCE', { at: 'audience', self: audience })
        }
        requireAllowed(claims.authority.grants, call)
      }
      return use(one)
    })
  }

  /** The claims that bind the holder to one request, now. */
  function bind({ links }: OpenHeld, request: PresentRequest): Presentation {
    const now = clock.now()
    const { method, url, bodyDigest, action, resource, params, nonce, provenance, identity } = request
    const stated = nearest(
      links.map(link => link.claims.authority),
      'purpose',
    )
    const purpose = request.purpose ?? stated?.s256
    return {
      holder: holder.did,
      iss: holder.did,
      aud: request.audience,
      iat: now,
      exp: now + LIFETIME,
      jti: ids.token(),
      ...(nonce === undefined ? {} : { nonce }),
      ...(identity === undefined ? {} : { identity: identity.map(envelope) }),
      request: {
        htm: method,
        htu: url,
        ...(bodyDigest === null ? {} : { bodyDigest }),
        action,
        resource,
        paramsDigest: paramsDigest(params),
        ...(purpose === undefined ? {} : { purpose }),
        ...(provenance === undefined ? {} : { provenance }),
      },
    }
  }
}

function keyOf(did: Did): PublicKey {
  if (methodOf(did) !== 'key') throw new ProcuraError('KEY_BINDING', { did, purpose: 'known' })
  return fromDidKey(did)
}
