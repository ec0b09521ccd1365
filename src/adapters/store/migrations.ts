import { type MigrationInterface, type QueryRunner, Table, type TableColumnOptions } from 'typeorm'
import { CreateNewAgents1793000000061 } from './agent-migration.js'
import { CreateAnswers1793000000051 } from './answer-migration.js'
import { CreateHoldsAndEvents1793000000003 } from './hold-migration.js'
import { CreateHoldings1793000000022 } from './holding-migration.js'
import { CreateHostedKeys1793000000021 } from './hosted-migration.js'
import { CreateOutbox1793000000006 } from './outbox-migration.js'
import { CreateSubjects1793000000007 } from './subject-migration.js'
import { CreateSealedKeys1793000000010 } from './key-migration.js'
import { CreateFeedPositions1793000000031 } from './position-migration.js'
import { CreateVerifierState1793000000002 } from './state-migration.js'
import { CreateStatusLists1793000000041 } from './status-migration.js'

const text = (name: string): TableColumnOptions => ({ name, type: 'text' })
const whole = (name: string): TableColumnOptions => ({ name, type: 'bigint' })
const key = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isPrimary: true })
const optional = (column: TableColumnOptions): TableColumnOptions => ({ ...column, isNullable: true })

const CREDENTIALS = 'stored_credential'
const INSTALLATION = 'installation'

/** Makes our tables; they stand beside Veramo's. */
export class CreateProcuraTables1793000000001 implements MigrationInterface {
  readonly name = 'CreateProcuraTables1793000000001'

  /** Makes them. */
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: CREDENTIALS,
        columns: [
          key(text('digest')),
          text('id'),
          text('issuer'),
          text('subject'),
          optional(text('parent')),
          whole('issued_at'),
          whole('valid_until'),
          text('token'),
          text('key'),
          optional(text('status_url')),
          optional(whole('status_index')),
          optional(text('suspension_url')),
          optional(whole('suspension_index')),
        ],
        indices: [
          { name: 'stored_credential_id', columnNames: ['id', 'issuer'] },
          { name: 'stored_credential_subject', columnNames: ['subject', 'valid_until'] },
          { name: 'stored_credential_parent', columnNames: ['parent'] },
          { name: 'stored_credential_issuer', columnNames: ['issuer', 'valid_until'] },
        ],
      }),
    )
    await runner.createTable(new Table({ name: INSTALLATION, columns: [key(text('name')), text('value')] }))
  }

  /** Drops them, with all they hold. */
  async down(runner: QueryRunner): Promise<void> {
    for (const table of [INSTALLATION, CREDENTIALS]) await runner.dropTable(table)
  }
}

/** All migrations of ours, oldest first. */
export const MIGRATIONS = [
  CreateProcuraTables1793000000001,
  CreateVerifierState1793000000002,
  CreateHoldsAndEvents1793000000003,
  CreateHostedKeys1793000000021,
  CreateHoldings1793000000022,
  CreateOutbox1793000000006,
  CreateSubjects1793000000007,
  CreateSealedKeys1793000000010,
  CreateFeedPositions1793000000031,
  CreateStatusLists1793000000041,
  CreateAnswers1793000000051,
  CreateNewAgents1793000000061,
]
