import type { Holdings, LeasedIndexes, Lifetimes } from '../../ports/holding.js'
import type { Credentials, Outbox, Reservations, StatusRows } from '../../ports/issuing.js'
import type { SealedKeys, SigningKeys } from '../../ports/keys.js'
import type { HostedDids, Subjects } from '../../ports/register.js'
import type { Additions, Answers, Commits } from '../../ports/world.js'
import { Adding } from './adding.js'
import { AnswerRows } from './answers.js'
import { checkDatabase } from './check.js'
import { HookedTransactions } from './commits.js'
import { CredentialRows } from './credentials.js'
import { type Database, openDatabase } from './database.js'
import type { Flaw } from './flaw.js'
import { HoldingRows } from './holdings.js'
import { HostedRows } from './hosted-dids.js'
import { Installation } from './installation.js'
import { LeasedRows } from './leased-indexes.js'
import { LifetimeRows } from './lifetimes.js'
import { OutboxRows } from './outbox.js'
import { ReservationRows } from './reservations.js'
import { StatusRepair } from './status-repair.js'
import { SubjectRows } from './subjects.js'
import { SealedKeyRows } from './sealed-keys.js'
import { SigningKeyRows } from './signing-keys.js'
import { LIST_LENGTH, StatusTables } from './status-rows.js'

/** A database and the ports it serves. Whatever is called inside `transaction` takes part in it, Veramo's stores too. */
export interface Store extends Database, Additions {
  readonly credentials: Credentials
  readonly commits: Commits
  readonly statusRows: StatusRows
  readonly statusRepair: StatusRepair
  readonly leasedIndexes: LeasedIndexes
  readonly reservations: Reservations
  readonly answers: Answers
  readonly outbox: Outbox
  readonly subjects: Subjects
  readonly installation: Installation
  readonly hostedDids: HostedDids
  readonly sealedKeys: SealedKeys
  readonly signingKeys: SigningKeys
  readonly holdings: Holdings
  readonly lifetimes: Lifetimes
  /** What does not hold of the database; empty if all is well. @throws STORAGE_UNAVAILABLE */
  check(onDone?: (done: number, total: number) => void): Promise<readonly Flaw[]>
}

/**
 * Opens the store and brings its tables up to date.
 *
 * @param url - see {@link openDatabase}
 * @param listLength - bits of the status lists opened from now on: a power of two, 2048 to 2^20
 * @throws CONFIG_INVALID, STORAGE_UNAVAILABLE
 */
export async function openStore(url: string, listLength = LIST_LENGTH): Promise<Store> {
  const database = await openDatabase(url)
  const { dataSource } = database
  const commits = new HookedTransactions(database)
  const additions = new Adding(database, commits)
  try {
    const statusRows = new StatusTables(dataSource, database, listLength)
    const statusRepair = new StatusRepair(dataSource, database)
    return {
      ...database,
      credentials: new CredentialRows(dataSource),
      commits,
      transaction: work => commits.transaction(work),
      adding: work => additions.adding(work),
      statusRows,
      statusRepair,
      leasedIndexes: new LeasedRows(dataSource),
      reservations: new ReservationRows(dataSource),
      answers: new AnswerRows(dataSource),
      outbox: new OutboxRows(dataSource, database),
      subjects: new SubjectRows(dataSource, database),
      installation: new Installation(dataSource),
      hostedDids: new HostedRows(dataSource, database),
      sealedKeys: new SealedKeyRows(dataSource, database),
      signingKeys: new SigningKeyRows(dataSource),
      holdings: new HoldingRows(dataSource, database),
      lifetimes: new LifetimeRows(dataSource),
      check: onDone => checkDatabase(dataSource, statusRows, statusRepair, onDone),
      async close() {
        await database.close()
        commits.end()
      },
    }
  } catch (error) {
    await database.close()
    throw error
  }
}
