import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'

/** Makes the tables of the register. */
export class CreateSubjects1793000000007 implements MigrationInterface {
  readonly name = 'CreateSubjects1793000000007'

  /** Makes them. */
  async up(runner: QueryRunner): Promise<void> {
    const text = { type: 'text' }
    await runner.createTable(
      new Table({
        name: 'subject',
        columns: [
          { name: 'id', ...text, isPrimary: true },
          { name: 'did', ...text },
          { name: 'key', ...text },
          { name: 'kind', ...text },
          { name: 'name', ...text },
          { name: 'state', ...text },
          { name: 'owner', ...text, isNullable: true },
          { name: 'agent', ...text, isNullable: true },
          { name: 'registered_at', type: 'bigint' },
          { name: 'expires_at', type: 'bigint', isNullable: true },
        ],
        indices: [
          { name: 'subject_did', columnNames: ['did'], isUnique: true },
          { name: 'subject_owner', columnNames: ['owner', 'id'] },
        ],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'subject_name',
        columns: [
          { name: 'name', ...text, isPrimary: true },
          { name: 'subject', ...text },
        ],
      }),
    )
  }

  /** Drops them, with all they hold. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('subject_name')
    await runner.dropTable('subject')
  }
}
