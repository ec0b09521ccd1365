import { LRUCache } from 'lru-cache'
import { openChain, requireBound, type Chain, type ChainRules, type Opening } from '../delegation/chain.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { Digest } from '../encoding.js'
import type { Sealed } from '../jws/compact.js'
import type { UnixSeconds } from '../time.js'

/** Seconds for which a verdict is good (profile §5.2). */
const MAX_AGE = 300
/** Verdicts held at once, and the characters of the tokens they stand for. */
const CAPACITY = { entries: 10_000, characters: 32 * 1024 * 1024 }

interface Verdict {
  readonly chain: Chain
  /** a token is its digest and its signature: the digest leaves the signature out */
  readonly signatures: readonly string[]
  readonly rootKey: string
  readonly at: UnixSeconds
}

/**
 * Chains whose signatures and narrowing verified a moment ago, at this verifier and under its policy: nothing else, and
 * nothing that can change. Time, status, bindings to DID documents, replay, budgets and the request are asked on every call.
 */
export interface Verdicts {
  /** Opens a chain, or finds that these very tokens verified under this key before. @throws what opening a chain throws */
  open(
    sealed: readonly [Sealed, ...Sealed[]],
    rootKey: PublicKey,
    rules: ChainRules,
    now: UnixSeconds,
    progress: Opening,
  ): Promise<Chain>
  /** Drops every verdict on a chain that holds this credential or names this DID. */
  forget(name: Digest | Did): void
  /** verdicts held */
  readonly size: number
}

/** @param capacity - beyond either bound those used longest ago go */
export function createVerdicts({ entries, characters }: typeof CAPACITY = CAPACITY): Verdicts {
  const leavesOf = new Map<string, Set<Digest>>()
  const names = ({ chain }: Verdict): readonly string[] => chain.flatMap(({ digest, subject }) => [digest, subject])
  const cache = new LRUCache<Digest, Verdict>({
    // counting entries by size alone spares the room that `max` would set aside for all of them at once
    maxSize: characters,
    dispose(verdict, leaf) {
      for (const name of names(verdict)) {
        const leaves = leavesOf.get(name)
        leaves?.delete(leaf)
        if (leaves?.size === 0) leavesOf.delete(name)
      }
    },
  })

  function find(sealed: readonly Sealed[], rootKey: PublicKey, now: UnixSeconds): Chain | null {
    const verdict = cache.get(leafDigest(sealed))
    if (verdict?.rootKey !== rootKey.x || now < verdict.at || now >= verdict.at + MAX_AGE) return null
    const { chain, signatures } = verdict
    const isSame =
      chain.length === sealed.length &&
      sealed.every((one, index) => one.digest === chain[index]?.digest && signatureOf(one) === signatures[index])
    return isSame ? chain : null
  }

  function keep(chain: Chain, sealed: readonly Sealed[], rootKey: PublicKey, at: UnixSeconds): void {
    const leaf = leafDigest(sealed)
    const verdict = { chain, signatures: sealed.map(signatureOf), rootKey: rootKey.x, at }
    const length = sealed.reduce((sum, { token }) => sum + token.length, 0)
    cache.set(leaf, verdict, { size: Math.max(length, Math.ceil(characters / entries)) })
    if (!cache.has(leaf)) return
    for (const name of names(verdict)) leavesOf.set(name, (leavesOf.get(name) ?? new Set()).add(leaf))
  }

  return {
    async open(sealed, rootKey, rules, now, progress) {
      const known = find(sealed, rootKey, now)
      if (known !== null) {
        await requireBound(known, rules, progress)
        return known
      }
      const chain = await openChain(sealed, rootKey, rules, progress)
      keep(chain, sealed, rootKey, now)
      return chain
    },
    forget(name) {
      for (const leaf of [...(leavesOf.get(name) ?? [])]) cache.delete(leaf)
    },
    get size() {
      return cache.size
    },
  }
}

function leafDigest(sealed: readonly Sealed[]): Digest {
  const { digest } = sealed[sealed.length - 1] as Sealed
  return digest
}

function signatureOf({ token }: Sealed): string {
  return token.slice(token.lastIndexOf('.') + 1)
}
