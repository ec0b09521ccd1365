import type { Did, DidUrl } from './did/did.js'

/** Makes signatures with one key that it does not give away. */
export interface Signer {
  readonly did: Did
  /** names the key in tokens */
  readonly kid: DidUrl
  /** Returns the 64-byte Ed25519 signature of `data`. */
  sign(data: Uint8Array): Promise<Uint8Array>
}
