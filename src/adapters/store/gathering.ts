import { AsyncLocalStorage } from 'node:async_hooks'
import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm'

/** A table, and the row that is added to it. */
export type Rows = ReadonlyMap<EntityTarget<ObjectLiteral>, ObjectLiteral>

/** What work adds to a database, held back until the work ends: one row for each table. */
export class Gathering {
  readonly dataSource: DataSource
  readonly #rows = new Map<EntityTarget<ObjectLiteral>, ObjectLiteral>()
  #isMore = false
  #isOver = false

  constructor(dataSource: DataSource) {
    this.dataSource = dataSource
  }

  /** Runs `work`, whose rows are gathered here. */
  async of<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await current.run(this, work)
    } finally {
      this.#isOver = true
    }
  }

  /** Takes a row that is not in the database: whoever writes it finds out. */
  add(table: EntityTarget<ObjectLiteral>, row: ObjectLiteral): void {
    if (this.#isOver || this.#rows.has(table)) this.refuse()
    this.#rows.set(table, row)
  }

  /** Refuses what is more than adding; the work has to be run in a transaction. */
  refuse(): never {
    this.#isMore = true
    throw new Error(this.#isOver ? 'rows were added after the work had ended' : 'this needs a transaction')
  }

  /** What was added; `null` if something was refused, also if the work went on after it. */
  get rows(): Rows | null {
    return this.#isMore ? null : this.#rows
  }
}

const current = new AsyncLocalStorage<Gathering>()

/** Where the rows go that are added to this database now; `undefined` if they are written at once. */
export function gatheringOn(dataSource: DataSource): Gathering | undefined {
  const gathering = current.getStore()
  return gathering?.dataSource === dataSource ? gathering : undefined
}

/** Runs `work`, which is no part of what is gathered. */
export function aside<T>(work: () => T): T {
  return current.exit(work)
}
