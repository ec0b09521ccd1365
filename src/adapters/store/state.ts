import { LessThan, MoreThan, MoreThanOrEqual, type DataSource } from 'typeorm'
import { ProcuraError } from '../../errors.js'
import type { Chains, Charge, Clock, Ids, Ledger, ListVersions, Nonces, State, Throttle, Use } from '../../ports.js'
import type { UnixSeconds } from '../../time.js'
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
    ledger: ledgerOf(database, clock),
    listVersions: versionsOf(database),
    chains: chainsOf(database.dataSource, clock),
    nonces: noncesOf(database.dataSource, clock, ids),
    revocations: { revoked: () => Promise.resolve(null) },
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
  }
}

/** A refusal inside a transaction, which undoes what was done before it. */
class Refused extends Error {
  readonly bound: 'used' | Throttle | Charge

  constructor(bound: 'used' | Throttle | Charge) {
    super('refused')
    this.bound = bound
  }
}

/** Settles in one transaction; accounts in the order of their names, so that two processes never wait for each other. */
function ledgerOf(database: Database, clock: Clock): Ledger {
  const { dataSource } = database
  const calls = dataSource.getRepository(CallTable)
  const spendings = dataSource.getRepository(SpendingTable)
  let settled = 0

  const use = ({ key, until }: Use): Promise<boolean> => insertMissing(dataSource, UsedTable, { key, until })
  const count = async ({ account, max, per }: Throttle, now: UnixSeconds): Promise<boolean> => {
    await calls.delete({ account, at: LessThan(now - per) })
    if ((await calls.countBy({ account, at: MoreThanOrEqual(now - per) })) >= max) return false
    await calls.insert({ account, at: now })
    return true
  }
  const charge = async ({ account, amount, max, until }: Charge): Promise<boolean> => {
    const spent = ((await spendings.findOneBy({ account }))?.spent ?? 0) + amount
    if (spent > max) return false
    await spendings.upsert({ account, spent, until }, ['account'])
    return true
  }
  const sweep = async (): Promise<void> => {
    await dataSource.getRepository(UsedTable).delete({ until: LessThan(clock.now()) })
    await spendings.delete({ until: LessThan(clock.now()) })
  }

  return {
    async settle(uses, throttles, charges, now) {
      const bounds = throttles.length + charges.length
      return translate(bounds === 0 ? 'REPLAY_UNAVAILABLE' : 'LEDGER_UNAVAILABLE', async () => {
        settled = (settled + 1) % SWEEP_EVERY
        if (settled === 0) await sweep()
        const [only] = uses
        // the common case, and atomic by itself
        if (only !== undefined && uses.length === 1 && bounds === 0) return (await use(only)) ? null : 'used'
        try {
          await database.transaction(async () => {
            for (const one of uses) if (!(await use(one))) throw new Refused('used')
            for (const one of throttles) if (!(await count(one, now))) throw new Refused(one)
            const ordered = [...charges].sort((a, b) => (a.account < b.account ? -1 : 1))
            for (const one of ordered) if (!(await charge(one))) throw new Refused(one)
          })
          return null
        } catch (error) {
          if (error instanceof Refused) return error.bound
          throw error
        }
      })
    },
  }
}

function chainsOf(dataSource: DataSource, clock: Clock): Chains {
  const chains = dataSource.getRepository(ChainTable)
  return {
    keep: (leaf, tokens, until) =>
      translate('REPLAY_UNAVAILABLE', async () => {
        await chains.delete({ until: LessThan(clock.now()) })
        // what was verified last stands: the same content can come with another signature
        await chains.upsert({ leaf, tokens: JSON.stringify(tokens), until }, ['leaf'])
      }),
    find: leaf =>
      translate('REPLAY_UNAVAILABLE', async () => {
        const row = await chains.findOneBy({ leaf, until: MoreThan(clock.now()) })
        return row === null ? null : (JSON.parse(row.tokens) as readonly string[])
      }),
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
