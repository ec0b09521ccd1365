import { AsyncResource } from 'node:async_hooks'
import { Identifier, Key } from '@veramo/data-store'
import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm'
import { isConstraint } from './failure.js'
import type { Rows } from './gathering.js'
import { LifetimeTable } from './holding-entities.js'
import { SealedKeyTable } from './key-entities.js'

/** All that is kept of a new agent, by the names of the columns: its private key, its key, its DID, and its end if it has one. */
type NewAgent = Readonly<Record<string, unknown>>

interface Waiting {
  readonly agent: NewAgent
  readonly resolve: (isAdded: boolean) => void
  readonly reject: (error: unknown) => void
}

/** Written by one statement at most; a power of two, as every group here is, so that few statements are prepared. */
const MOST = 64
const PARTS: readonly EntityTarget<ObjectLiteral>[] = [SealedKeyTable, Key, Identifier]
const TEXTS = ['did', 'provider', 'alias', 'controllerKeyId', 'kid', 'kms', 'type', 'publicKeyHex', 'meta', 'sealed']
const COLUMNS = [...TEXTS, 'version', 'ends_at', 'saveDate', 'updateDate']
const NAMES = COLUMNS.map(name => `"${name}"`).join(', ')

/**
 * Adds agents, each whole or not at all, by one statement for all that are asked for while the one before is at work: a
 * commit is dearer than a row.
 */
export class NewAgents {
  readonly #dataSource: DataSource
  readonly #waiting: Waiting[] = []
  #isWriting = false
  /** in nobody's context: what one left behind would be the others' */
  readonly #begin = AsyncResource.bind(() => void this.#writeAll())

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
  }

  /** The rows of one agent, made into one; `null` if they are not that. */
  rowOf(rows: Rows): NewAgent | null {
    const tables = [...rows.keys()]
    if (!PARTS.every(part => rows.has(part)) || !tables.every(one => one === LifetimeTable || PARTS.includes(one))) {
      return null
    }
    const agent: Record<string, unknown> = {}
    for (const [table, row] of rows) {
      for (const column of this.#dataSource.getMetadata(table).columns) {
        const given = column.getEntityValue(row) as unknown
        if (given === undefined) continue
        const value: unknown = this.#dataSource.driver.preparePersistentValue(given, column)
        // what two tables call the same is the same
        if ((agent[column.databaseName] ??= value) !== value) return null
      }
    }
    return agent['controllerKeyId'] === agent['kid'] ? agent : null
  }

  /** Adds an agent. False if its name or its key is taken. @throws STORAGE_UNAVAILABLE */
  insert(agent: NewAgent): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ agent, resolve, reject })
      if (!this.#isWriting) this.#begin()
    })
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true
    while (this.#waiting.length > 0) {
      await this.#write(this.#waiting.splice(0, Math.min(2 ** Math.floor(Math.log2(this.#waiting.length)), MOST)))
    }
    this.#isWriting = false
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    try {
      const added = await this.#statement(group.map(({ agent }) => agent))
      for (const { agent, resolve } of group) resolve(added.has(agent['did']))
    } catch (error) {
      if (!isConstraint(error)) {
        for (const { reject } of group) reject(error)
      } else if (group.length === 1) {
        group[0]?.resolve(false)
      } else {
        // one of them fails all: found by halves
        await this.#write(group.slice(0, group.length / 2))
        await this.#write(group.slice(group.length / 2))
      }
    }
  }

  /** The DIDs that were added. */
  async #statement(agents: readonly NewAgent[]): Promise<ReadonlySet<unknown>> {
    const values = agents.flatMap(agent => COLUMNS.map(name => agent[name] ?? null))
    if (this.#dataSource.options.type === 'sqlite') {
      const places = agents.map(() => `(${COLUMNS.map(() => '?').join(', ')})`).join(', ')
      await this.#dataSource.query(`INSERT INTO new_agent(${NAMES}) VALUES ${places}`, values)
      return new Set(agents.map(({ did }) => did))
    }
    const places = agents.map(
      (_, row) => `(${COLUMNS.map((name, at) => `$${row * COLUMNS.length + at + 1}::${typeOf(name)}`).join(', ')})`,
    )
    const rows = await this.#dataSource.query<readonly { readonly did: string }[]>(inOne(places), values)
    return new Set(rows.map(({ did }) => did))
  }
}

function typeOf(column: string): string {
  if (TEXTS.includes(column)) return 'varchar'
  return column.endsWith('Date') ? 'timestamp' : 'bigint'
}

/** As the trigger on `new_agent` in SQLite, which knows no statement that writes several tables. */
function inOne(places: readonly string[]): string {
  return `WITH given(${NAMES}) AS (VALUES ${places.join(', ')}),
    agent AS (SELECT * FROM given WHERE NOT EXISTS (SELECT 1 FROM identifier i WHERE i.alias = given.alias)),
    sealed AS (INSERT INTO sealed_key(kid, version, sealed) SELECT kid, version, sealed FROM agent),
    keys AS (INSERT INTO "key"(kid, kms, type, "publicKeyHex", meta, "identifierDid")
      SELECT kid, kms, type, "publicKeyHex", meta, did FROM agent),
    ends AS (INSERT INTO agent_lifetime(did, ends_at) SELECT did, ends_at FROM agent WHERE ends_at IS NOT NULL)
    INSERT INTO identifier(did, provider, alias, "saveDate", "updateDate", "controllerKeyId")
      SELECT did, provider, alias, "saveDate", "updateDate", "controllerKeyId" FROM agent RETURNING did`
}
