import type { KeyVersion, SealedKey } from '../../ports.js'
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

/** All tables of keys. */
export const KEY_ENTITIES = [KeyVersionTable, SealedKeyTable]
