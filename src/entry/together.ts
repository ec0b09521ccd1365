import { AsyncLocalStorage } from 'node:async_hooks'
import { LRUCache } from 'lru-cache'
import { didOf, type Did } from '../did/did.js'
import type { Keys, ListVersions } from '../ports/deciding.js'
import type { Verifier } from '../verifier/verifier.js'

/** A question, and how many decisions had begun when it was asked. */
interface Asked {
  readonly begun: number
  readonly answer: Promise<unknown>
}

/** Questions whose last answer is kept. */
const MAX_KEPT = 100

/**
 * Decisions that run side by side. What one of them asks is answered to all that had begun by then: any moment of a
 * decision is as good as another. Nobody gets an answer that is older than his decision.
 */
export class Together {
  readonly #own = new AsyncLocalStorage<{ begun: number }>()
  readonly #asked = new LRUCache<string, Asked>({ max: MAX_KEPT })
  #begun = 0

  /** The verifier, whose decisions are among them. */
  over<V extends Pick<Verifier, 'decide'>>(verifier: V): V {
    return {
      ...verifier,
      decide: async (...asked) => {
        const own = { begun: (this.#begun += 1) }
        try {
          return await this.#own.run(own, () => verifier.decide(...asked))
        } finally {
          own.begun = Infinity // what it left behind asks for itself
        }
      },
    }
  }

  /** Asks, or has the answer that came of it since this decision began; outside of one it asks. */
  ask<T>(question: string, ask: () => Promise<T>): Promise<T> {
    const before = this.#asked.get(question)
    if (before !== undefined && before.begun >= (this.#own.getStore()?.begun ?? Infinity))
      return before.answer as Promise<T>
    const answer = ask()
    this.#asked.set(question, { begun: this.#begun, answer })
    return answer
  }

  /** Keys, of which those of this DID are asked for together. */
  keys(keys: Keys, did: Did): Keys {
    const find: Keys['find'] = (kid, purpose) => keys.find(kid, purpose)
    return {
      ...keys,
      find: (kid, purpose) =>
        didOf(kid) === did ? this.ask(`${purpose} ${kid}`, () => find(kid, purpose)) : find(kid, purpose),
    }
  }

  /** Versions that are asked for together. */
  listVersions(versions: ListVersions): ListVersions {
    return {
      raise: (issuer, url, version) =>
        this.ask(`${version} ${issuer} ${url}`, () => versions.raise(issuer, url, version)),
    }
  }

  /** Nobody decides any more. */
  end(): void {
    // Node asks every storage that was used about every promise, for ever
    this.#own.disable()
  }
}
