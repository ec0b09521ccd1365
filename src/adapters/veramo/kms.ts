import { createPublicKey, generateKeyPairSync, sign, type KeyObject, type KeyPairKeyObjectResult } from 'node:crypto'
import type { ManagedKeyInfo, MinimalImportableKey, TKeyType } from '@veramo/core-types'
import { AbstractKeyManagementSystem } from '@veramo/key-manager'
import { LRUCache } from 'lru-cache'
import { ProcuraError } from '../../errors.js'
import type { SealedKeys } from '../../ports/keys.js'
import { keyFileRefusal } from './key-file.js'
import type { KeyRing } from './key-ring.js'
import { isKnownSecret } from './known-secrets.js'
import { keyOfSeed, sealKey, unsealKey } from './seal.js'

/** Private keys held open at once; each weighs about 1.4 kB. */
const OPEN_KEYS = 1_000
const ALGORITHMS = ['EdDSA', 'Ed25519']
const PRIVATE_HEX = /^(?:[0-9a-f]{64}){1,2}$/i

/** What a call is refused with that asks for more than Ed25519 signatures. */
const refuse = (at: string, why: string): ProcuraError => new ProcuraError('SCHEMA', { at, why })

/**
 * Ed25519 keys that are stored sealed and sign with `node:crypto`. A key is called by its public key in hexadecimal
 * digits, so no name passes from one key to another. Nothing gives a private key out.
 *
 * Every method throws STORAGE_UNAVAILABLE, and KEY_FILE if the key-encryption key of a row cannot be had.
 */
export class ProcuraKeyManagementSystem extends AbstractKeyManagementSystem {
  readonly #rows: SealedKeys
  readonly #ring: KeyRing
  readonly #open = new LRUCache<string, KeyObject>({ max: OPEN_KEYS })

  constructor(rows: SealedKeys, ring: KeyRing) {
    super()
    this.#rows = rows
    this.#ring = ring
  }

  /** Makes a key. @throws SCHEMA - another type than Ed25519, or a name of one's own */
  override async createKey({ type, kid }: { type: TKeyType; kid?: string }): Promise<ManagedKeyInfo> {
    requireEd25519(type)
    return this.#keep(generateKeyPairSync('ed25519'), kid)
  }

  /**
   * Takes a key over: `privateKeyHex` is the 32-byte seed, or seed and public key as Veramo's own system writes it.
   *
   * @throws SCHEMA; KEY_EXISTS - the key is here, so it is or may be another agent's
   */
  override async importKey({ type, kid, privateKeyHex }: Omit<MinimalImportableKey, 'kms'>): Promise<ManagedKeyInfo> {
    requireEd25519(type)
    if (!PRIVATE_HEX.test(privateKeyHex)) throw refuse('privateKeyHex', 'is not 64 or 128 hexadecimal digits')
    if (isKnownSecret(privateKeyHex.slice(0, 64))) throw refuse('privateKeyHex', 'is a secret that everybody knows')
    const bytes = Buffer.from(privateKeyHex, 'hex')
    try {
      const key = keyOfSeed(bytes.subarray(0, 32))
      if (bytes.length > 32 && kidOf(createPublicKey(key)) !== bytes.toString('hex', 32)) {
        throw refuse('privateKeyHex', 'ends in the public key of another')
      }
      return await this.#keep({ privateKey: key, publicKey: createPublicKey(key) }, kid)
    } finally {
      bytes.fill(0)
    }
  }

  /** Signs with EdDSA. @returns base64url @throws SCHEMA - another algorithm; NOT_FOUND - no such key */
  override async sign({
    keyRef,
    algorithm,
    data,
  }: {
    keyRef: { readonly kid: string }
    algorithm?: string
    data: Uint8Array
  }): Promise<string> {
    if (algorithm !== undefined && !ALGORITHMS.includes(algorithm)) throw refuse('algorithm', 'is not EdDSA')
    const key = this.#open.get(keyRef.kid) ?? (await this.#unseal(keyRef.kid))
    return sign(null, data, key).toString('base64url')
  }

  /** Deletes a key, in storage and in memory. True if it stood. */
  override async deleteKey({ kid }: { readonly kid: string }): Promise<boolean> {
    const stood = await this.#rows.remove(kid)
    this.#open.delete(kid)
    return stood
  }

  /** Veramo keeps its own list of keys; this one is never asked for, and would open none. */
  override listKeys(): Promise<ManagedKeyInfo[]> {
    return Promise.reject(refuse('listKeys', 'is not answered here; ask the key store'))
  }

  /** Keys here sign and nothing else. @throws SCHEMA */
  override sharedSecret(): Promise<string> {
    return Promise.reject(refuse('sharedSecret', 'is not made here: keys sign and do nothing else'))
  }

  async #keep({ privateKey, publicKey }: KeyPairKeyObjectResult, name: string | undefined): Promise<ManagedKeyInfo> {
    const kid = kidOf(publicKey)
    if (name !== undefined && name !== kid) throw refuse('kid', 'is not the public key in hexadecimal digits')
    const sealed = sealKey(kid, privateKey, await this.#ring.newest())
    const inserted = await this.#rows.insert(sealed).catch((error: unknown) => {
      this.#ring.forget()
      throw error
    })
    if (!inserted) throw new ProcuraError('KEY_EXISTS', { did: `key ${kid}` })
    this.#open.set(kid, privateKey)
    return { kid, kms: '', type: 'Ed25519', publicKeyHex: kid, meta: { algorithms: ALGORITHMS } }
  }

  async #unseal(kid: string): Promise<KeyObject> {
    const row = await this.#rows.find(kid)
    if (row === null) throw new ProcuraError('NOT_FOUND', { what: `private key ${kid}` })
    const key = unsealKey(row, await this.#ring.key(row.version))
    if (key === null) throw keyFileRefusal(this.#ring.name, `does not open private key ${kid}: its row was changed`)
    this.#open.set(kid, key)
    return key
  }
}

function requireEd25519(type: string): void {
  if (type !== 'Ed25519') throw refuse('type', `is ${type}; only Ed25519 keys live here`)
}

/** The public key in hexadecimal digits. */
export function kidOf(publicKey: KeyObject): string {
  // SPKI would take as long as making the key
  return Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex')
}
