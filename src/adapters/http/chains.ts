import { chainBody } from '../../api/bodies.js'
import { parseInput } from '../../api/shapes.js'
import { digestOf } from '../../encoding.js'
import { ProcuraError } from '../../errors.js'
import type { Verifier } from '../../verifier/verifier.js'
import { toProblem, toRefusal, type Problem } from './problem.js'

/** Where a resource server takes chains, with the digest of the leaf behind it (profile §5.2). */
export const CHAINS_PATH = '/.well-known/procura/chains/'
/** Bytes of an uploaded chain: eight credentials and their commas. */
export const MAX_UPLOAD = 66 * 1024

/** The digest that an upload names, or `null` for any other request. */
export function uploadOf(method: string, target: string): string | null {
  return method === 'PUT' && target.startsWith(CHAINS_PATH) ? target.slice(CHAINS_PATH.length) : null
}

/**
 * Takes an upload. Whoever uploads proved nothing, so it learns only the kind of a refusal.
 *
 * @param read - the body, as JSON
 * @returns `null` if the chain was kept
 */
export async function takeUpload(verifier: Verifier, digest: string, read: () => unknown): Promise<Problem | null> {
  try {
    await keepChain(verifier, digest, parseInput(chainBody, read(), 'body'))
    return null
  } catch (thrown) {
    return toProblem(toRefusal(thrown), false)
  }
}

/**
 * Keeps an uploaded chain if it is what its address says and its signatures and narrowing verify.
 *
 * @param digest - of the leaf, from the URL
 * @param tokens - root first
 * @throws SCHEMA, and what verifying the chain throws
 */
export async function keepChain(verifier: Verifier, digest: string, tokens: readonly string[]): Promise<void> {
  const leaf = tokens.at(-1) ?? ''
  if (digestOf(leaf.slice(0, leaf.lastIndexOf('.'))) !== digest) {
    throw new ProcuraError('SCHEMA', { at: 'path', why: 'is not the digest of the last token' })
  }
  await verifier.keepChain(tokens)
}
