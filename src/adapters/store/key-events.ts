import { Like } from 'typeorm'
import type { JsonObject } from '../../json.js'
import type { Database } from './database.js'
import { deleteOne } from './insert.js'
import { InstallationTable } from './entities.js'
import type { Installation } from './installation.js'

/** What was done to keys beside the service, until it stands in the service's audit log. */
export interface KeyEvents {
  /** Keeps a record of it, after those kept before: inside a transaction, if and only if that takes effect. */
  add(event: KeyEvent): Promise<void>
  /**
   * Hands what is kept to `record`, oldest first, and forgets what that took; by one process at a time. What ends in
   * between is handed over again, under the same id.
   */
  hand(record: (event: KeyEvent) => Promise<void>): Promise<void>
}

/** A record of type `key`. */
export interface KeyEvent extends JsonObject {
  readonly type: 'key'
  readonly id: string
  readonly at: number
}

/** Names of the rows: this and a number, so that their order is that of the events. */
const NAME = 'key event '
const DIGITS = 12
const LOCK = 'key events'

/** Key events in rows of the installation. */
export function keyEventsOf({
  dataSource,
  installation,
  transaction,
}: Pick<Database, 'dataSource' | 'transaction'> & { readonly installation: Installation }): KeyEvents {
  const rows = dataSource.getRepository(InstallationTable)
  const where = { name: Like(`${NAME}%`) }
  return {
    add: event =>
      transaction(async () => {
        await installation.lock(LOCK)
        const last = await rows.findOne({ where, order: { name: 'DESC' } })
        const number = last === null ? 1 : Number(last.name.slice(NAME.length)) + 1
        await installation.set(`${NAME}${String(number).padStart(DIGITS, '0')}`, JSON.stringify(event))
      }),
    async hand(record) {
      if (!(await rows.existsBy(where))) return
      await transaction(async () => {
        await installation.lock(LOCK)
        for (const { name, value } of await rows.find({ where, order: { name: 'ASC' } })) {
          await record(JSON.parse(value) as KeyEvent)
          await deleteOne(dataSource, InstallationTable, { name })
        }
      })
    },
  }
}
