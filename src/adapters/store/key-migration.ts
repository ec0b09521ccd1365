import { type MigrationInterface, type QueryRunner, Table, TableIndex } from 'typeorm'

const text = { type: 'text' }
const VERSIONS = 'key_version'
const KEYS = 'sealed_key'
const SIGNING = 'signing_key'
/** Veramo finds the keys and services of a DID by these columns, and has no index on them. */
const OF_A_DID = ['key', 'service'].map(
  table => [table, new TableIndex({ name: `${table}_identifier`, columnNames: ['identifierDid'] })] as const,
)

/** Makes the tables of private keys, their versions and their replacement, and indexes for Veramo's own. */
export class CreateSealedKeys1793000000010 implements MigrationInterface {
  readonly name = 'CreateSealedKeys1793000000010'

  /** Makes them. */
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: VERSIONS,
        columns: [
          { name: 'version', type: 'bigint', isPrimary: true },
          { name: 'fingerprint', ...text },
        ],
      }),
    )
    await runner.createTable(
      new Table({
        name: KEYS,
        columns: [
          { name: 'kid', ...text, isPrimary: true },
          { name: 'version', type: 'bigint' },
          { name: 'sealed', ...text },
        ],
        indices: [{ name: 'sealed_key_version', columnNames: ['version', 'kid'] }],
        foreignKeys: [{ columnNames: ['version'], referencedTableName: VERSIONS, referencedColumnNames: ['version'] }],
      }),
    )
    const since = (name: string) => ({ name, type: 'bigint', isNullable: true })
    await runner.createTable(
      new Table({
        name: SIGNING,
        columns: [
          { name: 'kid', ...text, isPrimary: true },
          { name: 'did', ...text },
          { name: 'listed_at', type: 'bigint' },
          since('current_at'),
          since('retired_at'),
          since('dropped_at'),
        ],
        indices: [{ name: 'signing_key_did', columnNames: ['did'] }],
      }),
    )
    for (const [name, index] of OF_A_DID) await runner.createIndex(name, index)
  }

  /** Drops them, and every private key with them. */
  async down(runner: QueryRunner): Promise<void> {
    for (const [name, index] of OF_A_DID) await runner.dropIndex(name, index)
    await runner.dropTable(SIGNING)
    await runner.dropTable(KEYS)
    await runner.dropTable(VERSIONS)
  }
}
