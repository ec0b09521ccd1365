import { IsNull, Not } from 'typeorm'
import type { UnixSeconds } from '../../time.js'
import type { Database } from './database.js'
import { UsedTable } from './state-entities.js'
import { ListTable } from './status-entities.js'

/** What can be told of an open store in figures. Every one throws if the database cannot be used. */
export interface Figures {
  /** Presentations and proofs that are remembered, so that none is taken twice. */
  replays(): Promise<number>
  /** When the oldest of the status lists that are served was signed; `null` if none is. */
  oldestSignature(): Promise<UnixSeconds | null>
}

/** Asks the tables each time. */
export function figuresOf({ dataSource }: Pick<Database, 'dataSource'>): Figures {
  return {
    replays: () => dataSource.getRepository(UsedTable).count(),
    oldestSignature: () => dataSource.getRepository(ListTable).minimum('signedAt', { token: Not(IsNull()) }),
  }
}
