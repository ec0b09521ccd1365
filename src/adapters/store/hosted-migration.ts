import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'

/** Makes the table of hosted DID documents. */
export class CreateHostedKeys1793000000021 implements MigrationInterface {
  readonly name = 'CreateHostedKeys1793000000021'

  /** Makes it. */
  async up(runner: QueryRunner): Promise<void> {
    const text = { type: 'text' }
    await runner.createTable(
      new Table({
        name: 'hosted_key',
        columns: [
          { name: 'kid', ...text, isPrimary: true },
          { name: 'did', ...text },
          { name: 'key', ...text },
          { name: 'relationships', ...text },
        ],
        indices: [{ name: 'hosted_key_did', columnNames: ['did'] }],
      }),
    )
  }

  /** Drops it: what was hosted is gone. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('hosted_key')
  }
}
