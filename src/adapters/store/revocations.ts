import { ProcuraError } from '../../errors.js'
import type { RevocationEvent, Revocations } from '../../ports/deciding.js'
import type { Database } from './database.js'
import { InstallationTable } from './entities.js'
import { filled, gathered } from './gathered.js'
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

  async function read(all: readonly Asked[]): Promise<readonly RevocationEvent[]> {
    const targets = filled([...new Set(all.flatMap(one => [...one.targets]))])
    const signers = filled([...new Set(all.flatMap(one => [...one.signers]))])
    if (targets.length * signers.length === 0) return []
    const [some, these] = [targets, signers].map(names => names.map(() => '?').join(', '))
    const sql = `SELECT target, signer FROM revocation_event WHERE target IN (${some}) AND signer IN (${these})`
    return readRows<RevocationEvent>(dataSource, sql, [...targets, ...signers])
  }
  const readTogether = gathered(read)

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
        const asked = { targets: new Set<string>(targets), signers: new Set<string>(signers) }
        if (!database.isOutside()) return await read([asked])
        const events = await readTogether(asked)
        return events.filter(({ target, signer }) => asked.targets.has(target) && asked.signers.has(signer))
      } catch (error) {
        return unavailable(error)
      }
    },
  }
}

interface Asked {
  readonly targets: ReadonlySet<string>
  readonly signers: ReadonlySet<string>
}
