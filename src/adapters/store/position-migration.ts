import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'

/** Makes the table of how far each feed was followed, and the row by which events and effects take turns. */
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
    // what events and commit points lock
    await runner.query("INSERT INTO installation (name, value) VALUES ('lock events', '')")
  }

  /** Drops it; feeds are read from their beginning then. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query("DELETE FROM installation WHERE name = 'lock events'")
    await runner.dropTable('feed_position')
  }
}
