import { createRequire } from 'node:module'
import type { SignatureBackend } from '../../ed25519.js'

/** The one function of `sodium-native` that is used; the package has no types. */
interface Sodium {
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
}

/**
 * libsodium, where the optional dependency `sodium-native` is installed and loads on this machine; else `null`.
 * Beside an R of small order, which is refused before it is asked, it says what OpenSSL says.
 */
export function sodiumBackend(): SignatureBackend | null {
  let sodium: Sodium
  try {
    sodium = createRequire(import.meta.url)('sodium-native') as Sodium
  } catch {
    return null
  }
  return {
    name: 'sodium-native',
    verify: ({ bytes }, data, signature) => sodium.crypto_sign_verify_detached(signature, data, bytes),
  }
}
