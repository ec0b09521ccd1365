import { LRUCache } from 'lru-cache'
import { openChain, type Chain, type ChainRules, type Opening } from '../delegation/chain.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { Digest } from '../encoding.js'
import type { Sealed } from '../jws/compact.js'
import type { Recall } from '../presentation/presentation.js'
import type { UnixSeconds } from '../time.js'

/** Seconds for which a verdict is good (profile §5.2). */
const MAX_AGE = 300
/** Links remembered at once, and the characters of their tokens. */
const CAPACITY = { entries: 4000, characters: 8 * 1024 * 1024 }

/** A link that was opened, as the last one of a chain. */
interface Verdict {
  readonly sealed: Sealed
  readonly chain: Chain
  /** on the very link above; `null` for a root */
  readonly above: Verdict | null
  /** the key the chain's root verified under */
  readonly rootKey: string
  readonly at: UnixSeconds
}

/**
 * Links whose signatures and narrowing verified a moment ago, at this verifier and under its policy: nothing else, and
 * nothing that can change. Time, status, bindings to DID documents, replay, budgets and the request are asked on every call.
 *
 * A link is known only as the very text it was verified as, below the very links it was verified below.
 */
export interface Verdicts {
  /** What was read from a token, if its text is that of a link that is remembered. */
  readonly recall: Recall
  /** Opens a chain; of the links it begins with, those that are known are not verified again. @throws what opening a chain throws */
  open(
    sealed: readonly [Sealed, ...Sealed[]],
    rootKey: PublicKey,
    rules: ChainRules,
    now: UnixSeconds,
    progress: Opening,
  ): Promise<Chain>
  /** Drops the verdicts on links that are this credential or name this DID, and with them on all that stands below. */
  forget(name: Digest | Did): void
  /** links remembered */
  readonly size: number
}

/** @param capacity - beyond either bound those used longest ago go */
export function createVerdicts({ entries, characters }: typeof CAPACITY = CAPACITY): Verdicts {
  const placesOf = new Map<string, Set<string>>()
  // found by signature, because that is a short text to look up; taken only if the whole text is the same
  const verdicts = new LRUCache<string, Verdict>({
    // counting entries by size alone spares the room that `max` would set aside for all of them at once
    maxSize: characters,
    dispose(verdict, place) {
      for (const name of namesOf(verdict)) {
        const places = placesOf.get(name)
        places?.delete(place)
        if (places?.size === 0) placesOf.delete(name)
      }
    },
  })

  function known(sealed: readonly Sealed[], rootKey: PublicKey, now: UnixSeconds): readonly Verdict[] {
    const found: Verdict[] = []
    for (const { token } of sealed) {
      const verdict = verdicts.get(placeOf(token))
      const isFresh = verdict !== undefined && now >= verdict.at && now < verdict.at + MAX_AGE
      if (!isFresh || verdict.sealed.token !== token || verdict.rootKey !== rootKey.x) break
      if (verdict.above !== (found.at(-1) ?? null)) break
      found.push(verdict)
    }
    return found
  }

  function keep(verdict: Verdict): void {
    const { token } = verdict.sealed
    const place = placeOf(token)
    verdicts.set(place, verdict, { size: Math.max(token.length, Math.ceil(characters / entries)) })
    if (!verdicts.has(place)) return
    for (const name of namesOf(verdict)) placesOf.set(name, (placesOf.get(name) ?? new Set()).add(place))
  }

  return {
    recall(token) {
      const sealed = verdicts.get(placeOf(token))?.sealed
      return sealed?.token === token ? sealed : undefined
    },
    async open(sealed, rootKey, rules, now, progress) {
      const found = known(sealed, rootKey, now)
      let above = found.at(-1) ?? null
      const chain = await openChain(sealed, rootKey, rules, progress, above?.chain)
      if (found.length === sealed.length && above !== null) return above.chain
      for (const [index, one] of sealed.entries()) {
        if (index < found.length) continue
        const opened = chain.slice(0, index + 1) as unknown as Chain
        above = { sealed: one, chain: index === chain.length - 1 ? chain : opened, above, rootKey: rootKey.x, at: now }
        keep(above)
      }
      return chain
    },
    forget(name) {
      for (const place of [...(placesOf.get(name) ?? [])]) verdicts.delete(place)
    },
    get size() {
      return verdicts.size
    },
  }
}

function placeOf(token: string): string {
  return token.slice(token.lastIndexOf('.') + 1)
}

function namesOf({ chain }: Verdict): readonly string[] {
  const { digest, subject } = chain[chain.length - 1] ?? chain[0]
  return [digest, subject]
}
