import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'

/** Makes the table of answers that are kept for who asks again. */
export class CreateAnswers1793000000051 implements MigrationInterface {
  readonly name = 'CreateAnswers1793000000051'

  /** Makes it. */
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'answer',
        columns: [
          { name: 'name', type: 'text', isPrimary: true },
          { name: 'request', type: 'text' },
          { name: 'until', type: 'bigint' },
          { name: 'answer', type: 'text', isNullable: true },
        ],
        indices: [{ name: 'answer_until', columnNames: ['until'] }],
      }),
    )
  }

  /** Drops it: who asks again is served again. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('answer')
  }
}
