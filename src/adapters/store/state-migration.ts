import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'

const TABLES = [
  'verifier_used',
  'verifier_spending',
  'verifier_rate',
  'verifier_call',
  'verifier_chain',
  'verifier_nonce',
  'list_version',
]

/** Makes the tables of a verifier's state. */
export class CreateVerifierState1793000000002 implements MigrationInterface {
  readonly name = 'CreateVerifierState1793000000002'

  /** Makes them. */
  async up(runner: QueryRunner): Promise<void> {
    const text = { type: 'text' }
    const whole = { type: 'bigint' }
    await runner.createTable(
      new Table({
        name: 'verifier_used',
        columns: [
          { name: 'key', ...text, isPrimary: true },
          { name: 'until', ...whole },
        ],
        indices: [{ name: 'verifier_used_until', columnNames: ['until'] }],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'verifier_spending',
        columns: [
          { name: 'account', ...text, isPrimary: true },
          { name: 'spent', ...whole },
          { name: 'until', ...whole },
        ],
        indices: [{ name: 'verifier_spending_until', columnNames: ['until'] }],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'verifier_rate',
        columns: [
          { name: 'account', ...text, isPrimary: true },
          { name: 'until', ...whole },
        ],
        indices: [{ name: 'verifier_rate_until', columnNames: ['until'] }],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'verifier_call',
        columns: [
          { name: 'account', ...text, isPrimary: true },
          { name: 'n', ...whole, isPrimary: true },
          { name: 'at', ...whole },
        ],
        indices: [
          { name: 'verifier_call_account', columnNames: ['account', 'at'] },
          { name: 'verifier_call_at', columnNames: ['at'] },
        ],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'verifier_chain',
        columns: [
          { name: 'leaf', ...text, isPrimary: true },
          { name: 'tokens', ...text },
          { name: 'until', ...whole },
        ],
        indices: [{ name: 'verifier_chain_until', columnNames: ['until'] }],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'verifier_nonce',
        columns: [
          { name: 'nonce', ...text, isPrimary: true },
          { name: 'until', ...whole },
        ],
        indices: [{ name: 'verifier_nonce_until', columnNames: ['until'] }],
      }),
    )
    await runner.createTable(
      new Table({
        name: 'list_version',
        columns: [
          { name: 'issuer', ...text, isPrimary: true },
          { name: 'url', ...text, isPrimary: true },
          { name: 'version', ...whole },
        ],
      }),
    )
  }

  /** Drops them, and what they remember with them. */
  async down(runner: QueryRunner): Promise<void> {
    for (const name of [...TABLES].reverse()) await runner.dropTable(name)
  }
}
