import { openChain, type Chain } from '../../src/delegation/chain.js'
import type { PublicKey } from '../../src/ed25519.js'
import { sodiumBackend } from '../../src/adapters/sodium/backend.js'
import { NODE_CRYPTO, signatureBackend, useSignatures } from '../../src/ed25519.js'
import { isProcuraError, ProcuraError, type Code, type Facts } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import type { Keys } from '../../src/ports/deciding.js'
import type { Audit } from '../../src/ports/world.js'
import { readTokens } from '../../src/presentation/presentation.js'
import { owner } from '../mint.js'

/** Knows no key of anybody. */
export const NO_KEYS: Keys = { find: () => Promise.resolve(null), all: () => Promise.resolve([]) }

/** A chain as a decision has it at step 11; names are not tied to documents. */
export function opened(chain: readonly { readonly token: string }[]): Promise<Chain> {
  const tokens = chain.map(({ token }) => token)
  return openChain(readTokens(tokens, 8), owner.publicKey, { maxTtl: 86_400, binding: 'cnf', keys: NO_KEYS })
}

/** A log that can be read. */
export function recorder(): { readonly audit: Audit; readonly records: JsonObject[] } {
  const records: JsonObject[] = []
  return { records, audit: { record: entry => Promise.resolve(void records.push(entry as JsonObject)) } }
}

/** The sentence of a refusal, its code first, or `ok`; a defect is none. */
export async function sentence(run: () => unknown): Promise<string> {
  try {
    await run()
    return 'ok'
  } catch (error) {
    return isProcuraError(error) ? error.message : `DEFECT ${String(error)}`
  }
}

/** A key that counts the signatures verified under it. */
export function counted(key: PublicKey): { readonly key: PublicKey; readonly count: () => number } {
  let count = 0
  const proxy = new Proxy(key, {
    get(target, name) {
      if (name === 'handle' || name === 'bytes') count += 1 // what a backend verifies under
      return Reflect.get(target, name) as unknown
    },
  })
  return { key: proxy, count: () => count }
}

/** Counts the signatures verified under some keys, until it is stopped. */
export function countSignatures(...keys: readonly PublicKey[]): {
  readonly count: () => number
  readonly stop: () => void
} {
  const before = signatureBackend() === NODE_CRYPTO.name ? NODE_CRYPTO : sodiumBackend()!
  let count = 0
  useSignatures({
    name: 'counted',
    verify(key, data, signature) {
      if (keys.some(({ x }) => x === key.x)) count += 1
      return NODE_CRYPTO.verify(key, data, signature)
    },
  })
  return { count: () => count, stop: () => void useSignatures(before) }
}

/** What a refusal with these facts says: tests hold the facts, not the words. */
export function says<C extends Code>(code: C, facts: Facts<C>): string {
  return new ProcuraError(code, facts).message
}
