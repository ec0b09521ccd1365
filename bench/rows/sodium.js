// The same with signatures by sodium-native, where it is installed.
import { createRequire } from 'node:module'
import { verifying } from './raw.js'

/** @typedef {{ crypto_sign_verify_detached: (signature: Uint8Array, data: Uint8Array, key: Uint8Array) => boolean }} Sodium */

/** @returns {Promise<Record<string, import('./row.js').Row>>} */
export async function prepare() {
  /** @type {unknown} */
  const loaded = createRequire(import.meta.url)('sodium-native')
  const sodium = /** @type {Sodium} */ (loaded)
  const rows = await verifying(({ data, signature, key }) =>
    sodium.crypto_sign_verify_detached(signature, data, key.bytes),
  )
  return Object.fromEntries(Object.entries(rows).map(([name, row]) => [`${name}-sodium`, row]))
}
