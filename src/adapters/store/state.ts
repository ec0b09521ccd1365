import { LessThan, MoreThan, MoreThanOrEqual, type DataSource } from 'typeorm'
import { ProcuraError } from '../../errors.js'
import type {
  Chains,
  Charge,
  Clock,
  Ids,
  Ledger,
  ListVersions,
  Nonces,
  Replay,
  State,
  Throttle,
  Use,
} from '../../ports.js'
import type { Database } from './database.js'
import { deleteOne, insertMissing } from './insert.js'
import { CallTable, ChainTable, NonceTable, SpendingTable, UsedTable, VersionTable } from './state-entities.js'

/** Seconds a nonce is good for. */
const NONCE_TTL = 60
/** Uses between two clean-ups of what has ended. */
const SWEEP_EVERY = 1000

/** State in the tables of an open store: it survives a restart, and processes may share it. */
export function storeState(database: Database, clock: Clock, ids: Ids): State {
  return {
    replay: replayOf(database, clock),
    ledger: ledgerOf(database),
    listVersions: versionsOf(database),
    chains: chainsOf(database.dataSource, clock),
    nonces: noncesOf(database.dataSource, clock, ids),
    revocations: { revoked: () => Promise.resolve(null) },
  }
}

function replayOf(database: Database, clock: Clock): Replay {
  const { dataSource } = database
  let sinceSweep = 0
  const use = ({ key, until }: Use): Promise<boolean> => insertMissing(dataSource, UsedTable, { key, until })
  return {
    consume: uses =>
      translate('REPLAY_UNAVAILABLE', async () => {
        sinceSweep = (sinceSweep + 1) % SWEEP_EVERY
        if (sinceSweep === 0) {
          await dataSource.getRepository(UsedTable).delete({ until: LessThan(clock.now()) })
          await dataSource.getRepository(SpendingTable).delete({ until: LessThan(clock.now()) })
        }
        const [only, ...more] = uses
        if (only !== undefined && more.length === 0) return use(only)
        return allOrNone(database, uses, use)
      }),
  }
}

/** One that was used before undoes the others. */
async function allOrNone(
  database: Database,
  uses: readonly Use[],
  use: (one: Use) => Promise<boolean>,
): Promise<boolean> {
  const used = new ProcuraError('PRESENTATION_REPLAYED', {})
  try {
    await database.transaction(async () => {
      for (const one of uses) if (!(await use(one))) throw used
    })
    return true
  } catch (error) {
    if (error === used) return false
    throw error
  }
}

function noncesOf(dataSource: DataSource, clock: Clock, ids: Ids): Nonces {
  const nonces = dataSource.getRepository(NonceTable)
  return {
    issue: () =>
      translate('REPLAY_UNAVAILABLE', async () => {
        const [nonce, now] = [ids.token(), clock.now()]
        await nonces.delete({ until: LessThan(now) })
        await nonces.insert({ nonce, until: now + NONCE_TTL })
        return nonce
      }),
    consume: nonce =>
      translate('REPLAY_UNAVAILABLE', () =>
        deleteOne(dataSource, NonceTable, { nonce, until: MoreThanOrEqual(clock.now()) }),
      ),
  }
}

/** Charges in one transaction; accounts in the order of their names, so that two processes never wait for each other. */
function ledgerOf(database: Database): Ledger {
  const calls = database.dataSource.getRepository(CallTable)
  const spendings = database.dataSource.getRepository(SpendingTable)
  const isFull = async ({ account, max, per }: Throttle, now: number): Promise<boolean> =>
    (await calls.countBy({ account, at: MoreThanOrEqual(now - per) })) >= max
  const spentOn = async ({ account }: Charge): Promise<number> => (await spendings.findOneBy({ account }))?.spent ?? 0
  return {
    charge: (throttles, charges, now) =>
      translate('LEDGER_UNAVAILABLE', () =>
        database.transaction(async () => {
          for (const one of throttles) if (await isFull(one, now)) return one
          const ordered = [...charges].sort((a, b) => (a.account < b.account ? -1 : 1))
          const before = new Map<string, number>()
          for (const one of ordered) {
            const spent = await spentOn(one)
            if (spent + one.amount > one.max) return one
            before.set(one.account, spent)
          }
          for (const { account, amount, until } of ordered) {
            const spent = (before.get(account) ?? 0) + amount
            await spendings.upsert({ account, spent, until }, ['account'])
          }
          for (const { account, per } of throttles) {
            await calls.delete({ account, at: LessThan(now - per) })
            await calls.insert({ account, at: now })
          }
          return null
        }),
      ),
  }
}

function chainsOf(dataSource: DataSource, clock: Clock): Chains {
  const chains = dataSource.getRepository(ChainTable)
  return {
    async keep(leaf, tokens, until) {
      await chains.delete({ until: LessThan(clock.now()) })
      await insertMissing(dataSource, ChainTable, { leaf, tokens: JSON.stringify(tokens), until })
    },
    async find(leaf) {
      const row = await chains.findOneBy({ leaf, until: MoreThan(clock.now()) })
      return row === null ? null : (JSON.parse(row.tokens) as readonly string[])
    },
  }
}

function versionsOf(database: Database): ListVersions {
  const versions = database.dataSource.getRepository(VersionTable)
  return {
    async raise(issuer, url, version) {
      try {
        return await database.transaction(async () => {
          const seen = (await versions.findOneBy({ issuer, url }))?.version ?? -1
          if (version > seen) await versions.upsert({ issuer, url, version }, ['issuer', 'url'])
          return Math.max(version, seen)
        })
      } catch (cause) {
        throw new ProcuraError('STATUS_UNAVAILABLE', { list: url, why: 'its last version cannot be read' }, { cause })
      }
    },
  }
}

/** Whatever keeps the store from answering is "do not know", under the port's own code. */
async function translate<T>(code: 'REPLAY_UNAVAILABLE' | 'LEDGER_UNAVAILABLE', work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw new ProcuraError(code, { why: cause instanceof Error ? cause.message : 'unknown' }, { cause })
  }
}
