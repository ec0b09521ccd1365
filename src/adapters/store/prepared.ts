import { LRUCache } from 'lru-cache'
import type { Database, Statement } from 'sqlite3'

type Handler = (this: Statement, error: Error | null, rows?: unknown[]) => void

/** Statements kept ready at once, a few kB each. */
const KEPT = 200
const OFTEN = /^(?:SELECT|INSERT|UPDATE|DELETE)\b/i

/**
 * A connection that prepares what it is asked often once, and then runs it in one step where the driver would take three.
 * It has the two verbs that TypeORM uses.
 */
export class PreparedConnection {
  readonly #database: Database
  readonly #kept = new LRUCache<string, Statement>({ max: KEPT, dispose: statement => void statement.finalize() })

  constructor(database: Database) {
    this.#database = database
  }

  /** Runs a statement that answers nothing. */
  run(sql: string, parameters: unknown[] | undefined, done: Handler): void {
    this.#do('run', sql, parameters, done)
  }

  /** Runs a statement for its rows. */
  all(sql: string, parameters: unknown[] | undefined, done: Handler): void {
    this.#do('all', sql, parameters, done)
  }

  /** SQLite does not close a database with statements that stand ready. */
  forget(): void {
    this.#kept.clear()
  }

  #do(verb: 'run' | 'all', sql: string, parameters: unknown[] = [], done: Handler): void {
    const ready = this.#kept.get(sql)
    if (ready !== undefined || !OFTEN.test(sql)) {
      if (ready === undefined) this.#database[verb](sql, parameters, done)
      else ready[verb](parameters, done)
      return
    }
    const statement = this.#database.prepare(sql, (error: Error | null) => {
      if (error !== null) {
        done.call(statement, error)
        return
      }
      this.#kept.set(sql, statement)
      statement[verb](parameters, done)
    })
  }
}
