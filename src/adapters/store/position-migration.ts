import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'

/** Makes the table of how far each feed was followed. */
export class CreateFeedPositions1793000000031 implements MigrationInterface {
  readonly name = 'CreateFeedPositions1793000000031'

  /** Makes it. */
  async up(runner: QueryRunner): Promise<void> {
    await runner.createTable(
      new Table({
        name: 'feed_position',
        columns: [
          { name: 'feed', type: 'text', isPrimary: true },
          { name: 'seq', type: 'bigint' },
        ],
      }),
    )
  }

  /** Drops it; feeds are read from their beginning then. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('feed_position')
  }
}
