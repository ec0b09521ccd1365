// The verifier with signatures by sodium-native, beside bare sodium-native, where it is installed.
import { createRequire } from 'node:module'
import { signatureBackend } from '../../dist/entry/signatures.js'
import * as decide from './decide.js'
import { verifying } from './raw.js'

/** @typedef {{ crypto_sign_verify_detached: (signature: Uint8Array, data: Uint8Array, key: Uint8Array) => boolean }} Sodium */

/** @returns {Promise<Record<string, import('./row.js').Row>>} */
export async function prepare() {
  /** @type {unknown} */
  const loaded = createRequire(import.meta.url)('sodium-native')
  const sodium = /** @type {Sodium} */ (loaded)
  const raw = await verifying(({ data, signature, key }) =>
    sodium.crypto_sign_verify_detached(signature, data, key.bytes),
  )
  const rows = { ...raw, ...(await decide.prepare()) }
  if (signatureBackend() !== 'sodium-native') throw new Error('the verifier does not use sodium-native')
  return Object.fromEntries(Object.entries(rows).map(([name, row]) => [`${name}-sodium`, row]))
}
