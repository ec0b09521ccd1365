import { createCipheriv, createDecipheriv, createPrivateKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto'
import type { SealedKey } from '../../ports/keys.js'

/** A key-encryption key and its version. */
export interface VersionedKey {
  readonly version: number
  readonly key: KeyObject
}

/** An Ed25519 seed as PKCS #8 is this and its 32 bytes. @see https://www.rfc-editor.org/rfc/rfc8410#section-7 */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const SEED = 32
const SALT = 32
const NONCE = 12
const TAG = 16
const CIPHER = 'aes-256-gcm'
const PURPOSE = 'procura private key v1'

/**
 * Seals an Ed25519 key: salt ‖ nonce ‖ AES-256-GCM(seed) ‖ tag, under a data key of its own, which HKDF-SHA-256 makes of
 * the key-encryption key and the salt. Public key and version are authenticated along, so rows cannot be exchanged.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5869
 */
export function sealKey(kid: string, privateKey: KeyObject, { version, key }: VersionedKey): SealedKey {
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
  const salt = randomBytes(SALT)
  const nonce = randomBytes(NONCE)
  const dataKey = deriveKey(key, salt)
  try {
    const cipher = createCipheriv(CIPHER, dataKey, nonce).setAAD(bindingOf(kid, version))
    const parts = [salt, nonce, cipher.update(pkcs8.subarray(PKCS8.length)), cipher.final(), cipher.getAuthTag()]
    return { kid, version, sealed: Buffer.concat(parts).toString('base64url') }
  } finally {
    pkcs8.fill(0)
    dataKey.fill(0)
  }
}

/** Opens what {@link sealKey} made; `null` if it was sealed under another key, for another row, or was changed. */
export function unsealKey({ kid, version, sealed }: SealedKey, key: KeyObject): KeyObject | null {
  const bytes = Buffer.from(sealed, 'base64url')
  if (bytes.length !== SALT + NONCE + SEED + TAG) return null
  const dataKey = deriveKey(key, bytes.subarray(0, SALT))
  const decipher = createDecipheriv(CIPHER, dataKey, bytes.subarray(SALT, SALT + NONCE), { authTagLength: TAG })
  dataKey.fill(0)
  decipher.setAAD(bindingOf(kid, version)).setAuthTag(bytes.subarray(-TAG))
  const seed = decipher.update(bytes.subarray(SALT + NONCE, -TAG))
  try {
    decipher.final()
    return keyOfSeed(seed)
  } catch {
    return null
  } finally {
    seed.fill(0)
  }
}

/** The key of a 32-byte seed. */
export function keyOfSeed(seed: Uint8Array): KeyObject {
  const pkcs8 = Buffer.concat([PKCS8, seed])
  try {
    return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  } finally {
    pkcs8.fill(0)
  }
}

function deriveKey(key: KeyObject, salt: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, PURPOSE, 32))
}

function bindingOf(kid: string, version: number): Buffer {
  return Buffer.from(`${PURPOSE}\0${kid}\0${version}`)
}
