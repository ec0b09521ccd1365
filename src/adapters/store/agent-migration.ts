import type { MigrationInterface, QueryRunner } from 'typeorm'

const VIEW = `CREATE VIEW new_agent AS
  SELECT i.did, i.provider, i.alias, i."saveDate", i."updateDate", i."controllerKeyId",
    k.kid, k.kms, k.type, k."publicKeyHex", k.meta, s.version, s.sealed, l.ends_at
  FROM identifier i
  JOIN "key" k ON k.kid = i."controllerKeyId"
  JOIN sealed_key s ON s.kid = k.kid
  LEFT JOIN agent_lifetime l ON l.did = i.did`

/** Veramo's index tells aliases apart within a provider only. */
const TRIGGER = `CREATE TRIGGER new_agent_rows INSTEAD OF INSERT ON new_agent BEGIN
  SELECT RAISE(ABORT, 'alias is taken') WHERE EXISTS (SELECT 1 FROM identifier WHERE alias = NEW.alias);
  INSERT INTO sealed_key(kid, version, sealed) VALUES (NEW.kid, NEW.version, NEW.sealed);
  INSERT INTO identifier(did, provider, alias, "saveDate", "updateDate", "controllerKeyId")
    VALUES (NEW.did, NEW.provider, NEW.alias, NEW."saveDate", NEW."updateDate", NEW."controllerKeyId");
  INSERT INTO "key"(kid, kms, type, "publicKeyHex", meta, "identifierDid")
    VALUES (NEW.kid, NEW.kms, NEW.type, NEW."publicKeyHex", NEW.meta, NEW.did);
  INSERT INTO agent_lifetime(did, ends_at) SELECT NEW.did, NEW.ends_at WHERE NEW.ends_at IS NOT NULL;
END`

/**
 * In SQLite an agent is a row of a view: what is inserted there stands in four tables, or in none, after one statement.
 * PostgreSQL writes several tables in one statement without.
 */
export class CreateNewAgents1793000000061 implements MigrationInterface {
  readonly name = 'CreateNewAgents1793000000061'

  /** Makes the view. */
  async up(runner: QueryRunner): Promise<void> {
    if (runner.connection.options.type !== 'sqlite') return
    await runner.query(VIEW)
    await runner.query(TRIGGER)
  }

  /** Drops it; the agents stay. */
  async down(runner: QueryRunner): Promise<void> {
    if (runner.connection.options.type === 'sqlite') await runner.query('DROP VIEW new_agent')
  }
}
