import type { KeyVersion, SealedKey, SigningKey } from '../../ports/keys.js'
import { table, text, whole } from './entities.js'

/** Versions of the key-encryption key. */
export const KeyVersionTable = table<KeyVersion>({
  name: 'KeyVersion',
  tableName: 'key_version',
  columns: { version: { ...whole, primary: true }, fingerprint: text },
})

/** Private keys, sealed. The foreign key keeps a row from being written under a version that was dropped. */
export const SealedKeyTable = table<SealedKey>({
  name: 'SealedKey',
  tableName: 'sealed_key',
  columns: { kid: { ...text, primary: true }, version: whole, sealed: text },
  indices: [{ name: 'sealed_key_version', columns: ['version', 'kid'] }],
  foreignKeys: [{ target: 'KeyVersion', columnNames: ['version'], referencedColumnNames: ['version'] }],
})

const sinceOrNull = { ...whole, nullable: true }

/** Keys of did:web names that come and go. */
export const SigningKeyTable = table<SigningKey>({
  name: 'SigningKey',
  tableName: 'signing_key',
  columns: {
    kid: { ...text, primary: true },
    did: text,
    listedAt: { ...whole, name: 'listed_at' },
    currentAt: { ...sinceOrNull, name: 'current_at' },
    retiredAt: { ...sinceOrNull, name: 'retired_at' },
    droppedAt: { ...sinceOrNull, name: 'dropped_at' },
  },
  indices: [{ name: 'signing_key_did', columns: ['did'] }],
})

/** All tables of keys. */
export const KEY_ENTITIES = [KeyVersionTable, SealedKeyTable, SigningKeyTable]
