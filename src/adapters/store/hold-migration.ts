import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'

/** Makes the tables of reservations and of revocation events. */
export class CreateHoldsAndEvents1793000000003 implements MigrationInterface {
  readonly name = 'CreateHoldsAndEvents1793000000003'

  /** Makes them. */
  async up(runner: QueryRunner): Promise<void> {
    const text = { type: 'text' }
    await runner.createTable(
      new Table({
        name: 'verifier_hold',
        columns: [
          { name: 'id', ...text, isPrimary: true },
          { name: 'state', ...text },
          { name: 'until', type: 'bigint' },
          { name: 'facts', ...text },
          { name: 'charges', ...text },
        ],
        indices: [{ name: 'verifier_hold_until', columnNames: ['until'] }],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'revocation_event',
        columns: [
          { name: 'target', ...text, isPrimary: true },
          { name: 'signer', ...text, isPrimary: true },
        ],
      }),
    )
  }

  /** Drops them, and what they remember with them. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('revocation_event')
    await runner.dropTable('verifier_hold')
  }
}
