import { LessThan, MoreThanOrEqual, type DataSource } from 'typeorm'
import { ProcuraError } from '../../errors.js'
import type { Chains, ListVersions, Nonces, State } from '../../ports/deciding.js'
import type { Clock, Ids } from '../../ports/world.js'
import type { Database } from './database.js'
import { feedPositionsOf } from './feed-positions.js'
import { deleteOne, insertMissing } from './insert.js'
import { ledgerOf, translate } from './ledger.js'
import { readRows, readShared } from './reading.js'
import { revocationsOf } from './revocations.js'
import { ChainTable, NonceTable, VersionTable } from './state-entities.js'

/** Seconds a nonce is good for. */
const NONCE_TTL = 60

/** Chains kept at once, of at most 64 KiB each. */
const MAX_CHAINS = 20_000

/** State in the tables of an open store: it survives a restart, and processes may share it. */
export function storeState(database: Database, clock: Clock, ids: Ids, maxChains = MAX_CHAINS): State {
  return {
    ledger: ledgerOf(database, clock),
    listVersions: versionsOf(database.dataSource),
    chains: chainsOf(database.dataSource, clock, maxChains),
    nonces: noncesOf(database.dataSource, clock, ids),
    revocations: revocationsOf(database),
    feedPositions: feedPositionsOf(database.dataSource),
  }
}

function noncesOf(dataSource: DataSource, clock: Clock, ids: Ids): Nonces {
  const nonces = dataSource.getRepository(NonceTable)
  return {
    issue: self =>
      translate('REPLAY_UNAVAILABLE', async () => {
        const [nonce, now] = [ids.token(), clock.now()]
        await nonces.delete({ until: LessThan(now) })
        await nonces.insert({ nonce: `${self} ${nonce}`, until: now + NONCE_TTL })
        return nonce
      }),
    consume: (self, nonce) =>
      translate('REPLAY_UNAVAILABLE', () =>
        deleteOne(dataSource, NonceTable, { nonce: `${self} ${nonce}`, until: MoreThanOrEqual(clock.now()) }),
      ),
    isOpen: (self, nonce) =>
      translate('REPLAY_UNAVAILABLE', () =>
        nonces.existsBy({ nonce: `${self} ${nonce}`, until: MoreThanOrEqual(clock.now()) }),
      ),
  }
}

/** What is kept stays: one that uploads without end keeps others from uploading, and nobody from being served. */
function chainsOf(dataSource: DataSource, clock: Clock, max: number): Chains {
  const chains = dataSource.getRepository(ChainTable)
  return {
    async keep(leaf, tokens, until) {
      const isFull = await translate('REPLAY_UNAVAILABLE', async () => {
        await chains.delete({ until: LessThan(clock.now()) })
        if ((await chains.count()) >= max && !(await chains.existsBy({ leaf }))) return true
        // what was verified last stands: the same content can come with another signature
        await chains.upsert({ leaf, tokens: JSON.stringify(tokens), until }, ['leaf'])
        return false
      })
      if (isFull) throw new ProcuraError('CHAINS_FULL', { max })
    },
    find: leaf =>
      translate('REPLAY_UNAVAILABLE', async () => {
        const sql = 'SELECT tokens FROM verifier_chain WHERE leaf = ? AND "until" > ?'
        const [row] = await readRows<{ readonly tokens: string }>(dataSource, sql, [leaf, clock.now()])
        return row === undefined ? null : (JSON.parse(row.tokens) as readonly string[])
      }),
  }
}

const HIGHEST = 'SELECT version FROM list_version WHERE issuer = ? AND url = ?'

function versionsOf(dataSource: DataSource): ListVersions {
  const versions = dataSource.getRepository(VersionTable)
  return {
    async raise(issuer, url, version) {
      try {
        const highest = async (): Promise<number> => {
          const [row] = await readShared<{ readonly version: number | string }>(dataSource, HIGHEST, [issuer, url])
          return Number(row?.version ?? -1)
        }
        const known = await highest()
        // it only rises, so who is not above it needs no turn to write
        if (version <= known) return known
        await insertMissing(dataSource, VersionTable, { issuer, url, version })
        await versions.update({ issuer, url, version: LessThan(version) }, { version })
        return await highest()
      } catch (cause) {
        throw new ProcuraError('STATUS_UNAVAILABLE', { list: url, why: 'its last version cannot be read' }, { cause })
      }
    },
  }
}
