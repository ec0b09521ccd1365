import { digestOf } from '../../encoding.js'
import { ProcuraError } from '../../errors.js'
import type { Verifier } from '../../verifier/verifier.js'
import { chainBody } from '../../api/bodies.js'
import { parseInput } from '../../api/shapes.js'

/** Where a resource server takes chains, with the digest of the leaf behind it (profile §5.2). */
export const CHAINS_PATH = '/.well-known/procura/chains/'

/**
 * Keeps an uploaded chain if it is what its address says and its signatures and narrowing verify.
 *
 * @param digest - of the leaf, from the URL
 * @param body - array of tokens, root first
 * @throws SCHEMA, and what verifying the chain throws
 */
export async function keepChain(verifier: Verifier, digest: string, body: unknown): Promise<void> {
  const tokens = parseInput(chainBody, body, 'body')
  const leaf = tokens.at(-1) ?? ''
  if (digestOf(leaf.slice(0, leaf.lastIndexOf('.'))) !== digest) {
    throw new ProcuraError('SCHEMA', { at: 'path', why: 'is not the digest of the last token' })
  }
  await verifier.keepChain(tokens)
}
