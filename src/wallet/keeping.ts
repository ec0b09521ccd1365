import { LRUCache } from 'lru-cache'
import { MAX_CREDENTIAL } from '../credential/credential.js'
import { leafOf, openChain, openOwnChain, type Chain } from '../delegation/chain.js'
import { storedChain, toStored, toStoredLeaf, type StoredChain } from '../delegation/stored.js'
import type { Did } from '../did/did.js'
import { parsePublicKey, type PublicKey } from '../ed25519.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import { readJws, type Sealed } from '../jws/compact.js'
import type { HoldingQuery } from '../ports/holding.js'
import type { Held, TrustedRoots, WalletPorts } from './wallet.js'

/** What is held, opened. */
export interface OpenHeld extends Held {
  readonly links: Chain
  readonly rootKey: PublicKey
}

/** Chains on their way into the wallet's storage, and out of it. */
export interface Keeping {
  /** Opens a chain whose root verifies under the key; a did:web name is looked up only where a list of recipients asks. */
  open(chain: readonly string[], rootKey: PublicKey): Promise<OpenHeld>
  /** The root's key, once its issuer is known to be trusted. @throws ROOT_UNTRUSTED, KEY_NOT_AUTHORIZED */
  rootKeyOf(chain: readonly string[]): Promise<PublicKey>
  /**
   * Saves all links, or the leaf alone of what was handed on: those above were read from here. Files the leaf under its
   * subject if it is an agent of this wallet.
   */
  save(one: OpenHeld, how: { readonly given: boolean }): Promise<void>
  /**
   * What is held under roots that are still trusted, the latest end first, each opened when its turn comes under the key
   * it was taken in with. Nothing is looked up, and a chain that does not open (its root's keys were replaced) is left
   * out: it must not stand in the way of others.
   */
  find(query: HoldingQuery, limit?: number): AsyncGenerator<OpenHeld, void>
}

/** Chains kept open for one agent. */
const OPENED = 100

/** True if a root with this key is still trusted. */
export function isTrusted(roots: TrustedRoots, issuer: Did, key: string): boolean {
  const root = roots.get(issuer)
  return root !== undefined && (root.keys === null || [...root.keys.values()].some(({ x }) => x === key))
}

/** Keeping over storage and the roots that are trusted. */
export function createKeeping(roots: TrustedRoots, ports: WalletPorts): Keeping {
  const { clock, credentials, holdings } = ports
  const opened = new LRUCache<string, OpenHeld>({ max: OPENED })

  async function openKept(chain: StoredChain): Promise<OpenHeld | null> {
    const tokens = chain.map(({ token }) => token)
    const before = opened.get(leafDigest(chain))
    // the same texts under the same key say the same, for ever: nothing is looked up here
    if (before?.rootKey.x === chain[0].key && isSame(before.chain, tokens)) return before
    try {
      const rootKey = parsePublicKey(Buffer.from(chain[0].key, 'base64url'), 'stored root')
      const rules = { maxTtl: Infinity, binding: 'kept', keys: ports.keys } as const
      const one = toHeld(await openChain(sealedOf(tokens), rootKey, rules), tokens, rootKey)
      opened.set(one.digest, one)
      return one
    } catch (error) {
      if (isProcuraError(error)) return null
      throw error
    }
  }

  return {
    async open(chain, rootKey) {
      return toHeld(await openOwnChain(sealedOf(chain), rootKey, ports.keys), chain, rootKey)
    },

    async rootKeyOf(chain) {
      const [first] = sealedOf(chain)
      if (first === undefined) throw new ProcuraError('CHAIN_EMPTY', {})
      const root = roots.get(first.signer)
      if (root === undefined) throw new ProcuraError('ROOT_UNTRUSTED', { root: first.signer })
      const key = root.keys === null ? await ports.keys.find(first.kid, 'assertionMethod') : root.keys.get(first.kid)
      if (key !== null && key !== undefined) return key
      throw new ProcuraError('KEY_NOT_AUTHORIZED', { kid: first.kid, purpose: 'assertionMethod' })
    },

    async save(one, { given }) {
      const [root] = one.links
      const { digest, subject, validUntil, claims } = leafOf(one.links)
      const { grants, more } = claims.authority
      const kept = [one.links, one.chain, one.rootKey] as const
      const links = given ? [toStoredLeaf(...kept)] : toStored(...kept)
      await ports.transaction(async () => {
        for (const stored of links) await credentials.save(stored)
        if ((await ports.vault.find(subject)) === null) return
        await holdings.add({
          ...{ digest, holder: subject, root: root.issuer, rootKey: one.rootKey.x, more, validUntil, given, grants },
          principal: root.claims.authority.onBehalfOf ?? null,
          receivedAt: clock.now(),
        })
      })
    },

    async *find(query, limit) {
      for (const digest of await holdings.find(query, clock.now(), limit)) {
        const leaf = await credentials.find(digest)
        if (leaf === null) continue
        const chain = await storedChain(credentials, leaf)
        const one = isTrusted(roots, chain[0].issuer, chain[0].key) ? await openKept(chain) : null
        if (one !== null) yield one
      }
    },
  }
}

/** A chain with what is asked of it most. */
export function toHeld(links: Chain, chain: readonly string[], rootKey: PublicKey): OpenHeld {
  const { digest, id, subject, validUntil, claims } = leafOf(links)
  return { chain, links, rootKey, digest, id, subject, validUntil, authority: claims.authority }
}

function leafDigest(chain: StoredChain): string {
  return (chain.at(-1) ?? chain[0]).digest
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((token, n) => token === other[n])
}

function sealedOf(chain: readonly string[]): readonly Sealed[] {
  return chain.map((token, index) => readJws(token, 'vc+jwt', MAX_CREDENTIAL, `link ${index}`))
}
