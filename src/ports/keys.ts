import type { Did, DidUrl } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { Signer } from '../signer.js'
import type { UnixSeconds } from '../time.js'

/** A private key as it stands in storage: sealed under a key that is not in the database. */
export interface SealedKey {
  /** its public key, 64 lower-case hexadecimal digits */
  readonly kid: string
  /** of the key-encryption key */
  readonly version: number
  /** base64url; what it holds is the sealer's business */
  readonly sealed: string
}

/** A key-encryption key that sealed keys may name. The highest version is the one to seal under. */
export interface KeyVersion {
  /** 1 or more */
  readonly version: number
  /** tells keys apart and gives nothing away */
  readonly fingerprint: string
}

/** Private keys, sealed, and the versions they are sealed under. Every method throws STORAGE_UNAVAILABLE. */
export interface SealedKeys {
  /** Keeps a key under a version that stands. False if a key of this kid stands already; it stays as it is. */
  insert(key: SealedKey): Promise<boolean>
  /** The key, or `null`. */
  find(kid: string): Promise<SealedKey | null>
  /** Deletes a key. True if it stood. */
  remove(kid: string): Promise<boolean>
  /** Up to `count` keys whose version is lower and whose kid comes after the one given, by kid. */
  olderThan(version: number, after: string, count: number): Promise<readonly SealedKey[]>
  /** Puts `next` in place of `before` if that still stands as it was. */
  replace(before: SealedKey, next: SealedKey): Promise<boolean>
  /** All versions, ascending. */
  versions(): Promise<readonly KeyVersion[]>
  /** How many keys are sealed under each version that has any. */
  counts(): Promise<ReadonlyMap<number, number>>
  /** Adds a version. False if it stands already. */
  addVersion(version: KeyVersion): Promise<boolean>
  /** Deletes a version. False, and nothing is done, while a key is sealed under it. */
  dropVersion(version: number): Promise<boolean>
  /** Runs `work` in a transaction that no other `alone` on this database overlaps, in any process. */
  alone<T>(work: () => Promise<T>): Promise<T>
}

/** A key that signs as a did:web, or did: listed, then current, then retiring, then dropped. Times only fill up. */
export interface SigningKey {
  readonly did: Did
  /** the public key, 64 lower-case hexadecimal digits */
  readonly kid: string
  /** since when the document lists it; 0: since before anybody wrote it down */
  readonly listedAt: UnixSeconds
  /** since when it signs; `null`: not yet, or never */
  readonly currentAt: UnixSeconds | null
  /** since when another signs */
  readonly retiredAt: UnixSeconds | null
  /** since when the document does not list it; its private key is gone */
  readonly droppedAt: UnixSeconds | null
}

/** How the keys of did:web names come and go. Every method throws STORAGE_UNAVAILABLE. */
export interface SigningKeys {
  /** All keys of the DID that were ever replaced or are a replacement, dropped ones too, in the order of listing. */
  of(did: Did): Promise<readonly SigningKey[]>
  /** Puts the row in place, over the one of its `kid`. */
  save(key: SigningKey): Promise<void>
  /** Has the DID sign with a key that it holds. */
  control(did: Did, kid: string): Promise<void>
}

/** The keys of a DID that issues. Every method throws STORAGE_UNAVAILABLE. */
export interface IssuingKeys {
  readonly did: Did
  /** Who signs now. Asked for each signature: another process may have changed it. */
  signer(): Promise<Omit<KeyHolder, 'alias'>>
  /** The keys of its document, the one that signs first. */
  listed(): Promise<readonly { readonly kid: DidUrl; readonly key: PublicKey }[]>
  /** The key that `kid` names, of all that ever signed; `null` for others. `isListed`: the document still lists it. */
  find(kid: DidUrl): Promise<{ readonly key: PublicKey; readonly isListed: boolean } | null>
}

/** Makes and keeps DIDs and keys. No key ever leaves it: it signs. */
export interface Vault {
  /**
   * Makes a did:key with a fresh Ed25519 key under a name of its own.
   *
   * @param alias - 1 to 128 characters, unique in the vault
   * @throws KEY_EXISTS, SCHEMA, STORAGE_UNAVAILABLE
   */
  create(alias: string): Promise<KeyHolder>
  /** Takes a did:web into use with a fresh Ed25519 key; publishing its document is the caller's part. @throws as `create` */
  createWebDid(did: Did, alias: string): Promise<KeyHolder>
  /** The holder by DID or alias, or `null`. */
  find(name: string): Promise<KeyHolder | null>
  /** All holders, by alias. */
  list(): Promise<readonly Pick<KeyHolder, 'did' | 'alias'>[]>
  /**
   * Deletes a DID with its keys, all or nothing: what it signed stays, it signs no more, and its alias is free again.
   *
   * @returns true if it was held
   * @throws STORAGE_UNAVAILABLE
   */
  destroy(did: Did): Promise<boolean>
}

/** A DID with its current key, able to sign. */
export interface KeyHolder extends Signer {
  readonly alias: string
  readonly publicKey: PublicKey
}
