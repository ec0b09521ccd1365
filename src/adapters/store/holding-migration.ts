import { type MigrationInterface, type QueryRunner, Table, type TableColumnOptions } from 'typeorm'

const text = (name: string): TableColumnOptions => ({ name, type: 'text' })
const whole = (name: string): TableColumnOptions => ({ name, type: 'bigint' })
const key = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isPrimary: true })
const optional = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isNullable: true })

/** Makes the tables of what a wallet's agents hold, and of when they end. */
export class CreateHoldings1793000000022 implements MigrationInterface {
  readonly name = 'CreateHoldings1793000000022'

  /** Makes them. */
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'holding',
        columns: [
          key(text('digest')),
          text('holder'),
          text('root'),
          text('root_key'),
          optional(text('principal')),
          whole('more'),
          whole('received_at'),
          whole('valid_until'),
          { name: 'given', type: 'boolean' },
        ],
        indices: [{ name: 'holding_holder', columnNames: ['holder', 'valid_until'] }],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'holding_grant',
        columns: [
          key(text('digest')),
          key(whole('grant_place')),
          key(text('action')),
          text('selector'),
          text('holder'),
          optional(text('principal')),
          whole('valid_until'),
          whole('uses'),
          optional(whole('last_used')),
        ],
        indices: [{ name: 'holding_grant_selector', columnNames: ['holder', 'selector', 'action', 'valid_until'] }],
        foreignKeys: [{ columnNames: ['digest'], referencedTableName: 'holding', referencedColumnNames: ['digest'] }],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'agent_lifetime',
        columns: [key(text('did')), whole('ends_at')],
        indices: [{ name: 'agent_lifetime_ends', columnNames: ['ends_at'] }],
      }),
    )
  }

  /** Drops them, with all they hold. */
  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['agent_lifetime', 'holding_grant', 'holding']) await runner.dropTable(table)
  }
}
