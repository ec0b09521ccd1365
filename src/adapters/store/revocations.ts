import { ProcuraError } from '../../errors.js'
import type { RevocationEvent, Revocations } from '../../ports/deciding.js'
import type { Database } from './database.js'
import { InstallationTable } from './entities.js'
import { insertMissing } from './insert.js'
import { readRows } from './reading.js'
import { EventTable } from './state-entities.js'

/** Name of the row that events and commit points lock; the migration made it. */
const TURN = 'lock events'

/**
 * Events in a table. Who asks inside a transaction shares a lock that an event has to itself: either the event was
 * there before the question, and the answer tells, or it waits until the transaction has ended. So an effect in this
 * database and a revocation have an order (profile §7). A SQLite file has one writer anyway.
 */
export function revocationsOf(database: Database): Revocations {
  const { dataSource } = database
  const canLock = dataSource.options.type === 'postgres'
  const unavailable = (cause: unknown): never => {
    throw new ProcuraError('STATUS_UNAVAILABLE', { list: 'events', why: 'they cannot be read' }, { cause })
  }

  async function lock(mode: 'pessimistic_read' | 'pessimistic_write'): Promise<void> {
    if (!canLock) return
    const query = dataSource.getRepository(InstallationTable).createQueryBuilder('row').where({ name: TURN })
    await query.setLock(mode).getOneOrFail()
  }

  return {
    async learn({ target, signer }) {
      const work = async (): Promise<void> => {
        await lock('pessimistic_write')
        await insertMissing(dataSource, EventTable, { target, signer })
      }
      await database.transaction(work).catch(unavailable)
    },
    async about(targets, signers) {
      try {
        if (database.isInTransaction()) await lock('pessimistic_read')
        if (targets.length === 0 || signers.length === 0) return []
        const [some, these] = [targets, signers].map(all => all.map(() => '?').join(', '))
        const sql = `SELECT target, signer FROM revocation_event WHERE target IN (${some}) AND signer IN (${these})`
        return await readRows<RevocationEvent>(dataSource, sql, [...targets, ...signers])
      } catch (error) {
        return unavailable(error)
      }
    },
  }
}
