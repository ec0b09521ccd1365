import { type MigrationInterface, type QueryRunner, Table, type TableColumnOptions } from 'typeorm'

const whole = (name: string): TableColumnOptions => ({ name, type: 'bigint' })
const text = (name: string): TableColumnOptions => ({ name, type: 'text' })

/** Makes the outbox of the feed, with nothing in it. */
export class CreateOutbox1793000000006 implements MigrationInterface {
  readonly name = 'CreateOutbox1793000000006'

  /** Makes it. */
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'outbox',
        columns: [
          { ...whole('seq'), isPrimary: true },
          text('type'),
          text('target'),
          { ...text('url'), isNullable: true },
          { ...whole('index'), isNullable: true },
          { ...whole('version'), isNullable: true },
          whole('at'),
        ],
        indices: [{ name: 'outbox_at', columnNames: ['at'] }],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'outbox_span',
        columns: [{ ...whole('id'), isPrimary: true }, whole('first'), whole('last')],
      }),
    )
    await runner.query('INSERT INTO outbox_span (id, first, last) VALUES (1, 1, 0)')
  }

  /** Drops it, with all that was announced. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('outbox_span')
    await runner.dropTable('outbox')
  }
}
