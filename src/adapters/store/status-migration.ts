import { type MigrationInterface, type QueryRunner, Table, type TableColumnOptions } from 'typeorm'

const text = (name: string): TableColumnOptions => ({ name, type: 'text' })
const whole = (name: string): TableColumnOptions => ({ name, type: 'bigint' })
const key = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isPrimary: true })
const ofList = { columnNames: ['list'], referencedTableName: 'status_list', referencedColumnNames: ['name'] }

/** Makes the tables of status lists. */
export class CreateStatusLists1793000000041 implements MigrationInterface {
  readonly name = 'CreateStatusLists1793000000041'

  /** Makes them. */
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'status_list',
        columns: [
          key(text('name')),
          text('purpose'),
          whole('until'),
          { ...text('shard'), isNullable: true },
          whole('length'),
          text('key'),
          whole('taken'),
          whole('version'),
          { ...text('token'), isNullable: true },
          whole('signed_at'),
          whole('changes'),
          whole('signed_changes'),
        ],
        indices: [{ name: 'status_list_shard', columnNames: ['shard'], isUnique: true }],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'status_block',
        columns: [key(text('list')), key(whole('first')), whole('count'), text('issuer'), whole('at')],
        indices: [{ name: 'status_block_issuer', columnNames: ['issuer'] }],
        foreignKeys: [ofList],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'status_bit',
        columns: [key(text('list')), key(whole('index')), text('by'), whole('at')],
        foreignKeys: [ofList],
      }),
    )
    await runner.createTable(new Table({ name: 'status_sequence', columns: [key(whole('id')), whole('value')] }))
    await runner.query('INSERT INTO status_sequence (id, value) VALUES (1, 0)')
    await runner.createTable(
      new Table({
        name: 'leased_index',
        columns: [key(text('url')), key(whole('index')), text('holder'), whole('until')],
        indices: [{ name: 'leased_index_holder', columnNames: ['holder', 'until'] }],
      }),
    )
  }

  /** Drops them, with all they hold. */
  async down(runner: QueryRunner): Promise<void> {
    for (const name of ['leased_index', 'status_sequence', 'status_bit', 'status_block', 'status_list']) {
      await runner.dropTable(name)
    }
  }
}
