import type { DataSource } from 'typeorm'
import { ProcuraError } from '../../errors.js'
import type { FeedPositions } from '../../ports/deciding.js'
import { PositionTable } from './state-entities.js'

/** Places in feeds, in a table. */
export function feedPositionsOf(dataSource: DataSource): FeedPositions {
  const positions = dataSource.getRepository(PositionTable)
  const unavailable = (cause: unknown): never => {
    throw new ProcuraError('STATUS_UNAVAILABLE', { list: 'events', why: 'their place cannot be kept' }, { cause })
  }
  return {
    read: async feed => (await positions.findOneBy({ feed }).catch(unavailable))?.seq ?? 0,
    async write(feed, seq) {
      await positions.upsert({ feed, seq }, ['feed']).catch(unavailable)
    },
  }
}
