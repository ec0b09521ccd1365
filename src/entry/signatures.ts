import { sodiumBackend } from '../adapters/sodium/backend.js'
import { NODE_CRYPTO, signatureBackend, useSignatures } from '../ed25519.js'
import { ProcuraError } from '../errors.js'

let isChosen = false

/**
 * Chooses what verifies signatures in this process, the first time it is called: `sodium-native` where it is installed,
 * loads and passes its test, else `node:crypto`.
 *
 * @param wanted - value of `PROCURA_SIGNATURES`: `node`, or `sodium` for no start without it
 * @throws CONFIG_INVALID
 */
export function chooseSignatures(wanted: string | undefined): void {
  if (isChosen) return
  if (wanted !== undefined && wanted !== '' && wanted !== 'node' && wanted !== 'sodium') {
    throw invalid('is neither node nor sodium')
  }
  const sodium = wanted === 'node' ? null : sodiumBackend()
  const isUsed = sodium !== null && useSignatures(sodium)
  if (wanted === 'sodium' && !isUsed) throw invalid('sodium-native is not installed, or does not work here')
  if (!isUsed) useSignatures(NODE_CRYPTO)
  isChosen = true
}

export { signatureBackend }

function invalid(why: string): ProcuraError {
  return new ProcuraError('CONFIG_INVALID', { at: 'PROCURA_SIGNATURES', why })
}
