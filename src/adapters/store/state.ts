import { In, LessThan, LessThanOrEqual, MoreThan, MoreThanOrEqual, type DataSource } from 'typeorm'
import { ProcuraError } from '../../errors.js'
import type { Json } from '../../json.js'
import type {
  Chains,
  Charge,
  Clock,
  HoldState,
  Ids,
  Ledger,
  ListVersions,
  Nonces,
  Revocations,
  Settlement,
  State,
  Throttle,
  Use,
} from '../../ports.js'
import type { UnixSeconds } from '../../time.js'
import type { Database } from './database.js'
import { deleteOne, insertMissing } from './insert.js'
import {
  CallTable,
  ChainTable,
  EventTable,
  HoldTable,
  NonceTable,
  SpendingTable,
  UsedTable,
  VersionTable,
  type HoldRow,
} from './state-entities.js'

/** Seconds a nonce is good for. */
const NONCE_TTL = 60
/** Uses between two clean-ups of what has ended. */
const SWEEP_EVERY = 1000
/** Seconds a closed hold is remembered, so that closing it again gets the same answer: no chain lives longer. */
const HOLD_MEMORY = 86_400
/** Seconds of the longest window of a rate: no call is counted after it. */
const LONGEST_RATE = 86_400

/** State in the tables of an open store: it survives a restart, and processes may share it. */
export function storeState(database: Database, clock: Clock, ids: Ids): State {
  return {
    ledger: ledgerOf(database, clock),
    listVersions: versionsOf(database),
    chains: chainsOf(database.dataSource, clock),
    nonces: noncesOf(database.dataSource, clock, ids),
    revocations: revocationsOf(database.dataSource),
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

/** Ends a transaction so that nothing of it stays; carries the answer out. */
class Undone extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super('undone')
    this.answer = answer
  }
}

type Answer = null | 'used' | Throttle | Charge

/** Settles in one transaction; accounts in the order of their names, so that two processes never wait for each other. */
function ledgerOf(database: Database, clock: Clock): Ledger {
  const { dataSource } = database
  const calls = dataSource.getRepository(CallTable)
  const spendings = dataSource.getRepository(SpendingTable)
  const holds = dataSource.getRepository(HoldTable)
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
    const now = clock.now()
    await dataSource.getRepository(UsedTable).delete({ until: LessThan(now) })
    await spendings.delete({ until: LessThan(now) })
    await calls.delete({ at: LessThan(now - LONGEST_RATE) })
    await holds.delete({ until: LessThan(now - HOLD_MEMORY) })
  }

  /** Inside a transaction. @throws Undone */
  const takeAll = async ({ uses, throttles, charges, hold, now }: Settlement): Promise<void> => {
    const ordered = [...charges].sort((a, b) => (a.account < b.account ? -1 : 1))
    for (const one of uses) if (!(await use(one))) throw new Undone('used')
    for (const one of throttles) if (!(await count(one, now))) throw new Undone(one)
    for (const one of ordered) if (!(await charge(one))) throw new Undone(one)
    if (hold === null) return
    const { id, until, facts } = hold
    await holds.insert({ id, until, facts: JSON.stringify(facts), charges: JSON.stringify(ordered), state: 'open' })
  }
  const settle = (settlement: Settlement, afterwards: () => void): Promise<Answer> => {
    const isBounded = settlement.throttles.length + settlement.charges.length > 0
    return translate(isBounded ? 'LEDGER_UNAVAILABLE' : 'REPLAY_UNAVAILABLE', async () => {
      try {
        await database.transaction(async () => {
          await takeAll(settlement)
          afterwards()
        })
        return null
      } catch (error) {
        if (error instanceof Undone) return error.answer
        throw error
      }
    })
  }

  return {
    async settle(settlement) {
      settled = (settled + 1) % SWEEP_EVERY
      if (settled === 0) await translate('REPLAY_UNAVAILABLE', sweep)
      const { uses, throttles, charges, hold } = settlement
      const [only] = uses
      // the common case, and atomic by itself
      if (only !== undefined && uses.length === 1 && throttles.length + charges.length === 0 && hold === null) {
        return translate('REPLAY_UNAVAILABLE', async () => ((await use(only)) ? null : 'used'))
      }
      return settle(settlement, () => undefined)
    },

    probe: settlement =>
      settle(settlement, () => {
        throw new Undone(null)
      }),

    held: (id, now) =>
      translate('LEDGER_UNAVAILABLE', async () => {
        const row = await holds.findOneBy({ id })
        if (row === null) return null
        return { id, until: row.until, facts: JSON.parse(row.facts) as Json, state: standing(row, now) }
      }),

    close: (id, to, now) =>
      translate('LEDGER_UNAVAILABLE', () =>
        database.transaction(async () => {
          const { affected } = await holds.update({ id, state: 'open', until: MoreThan(now) }, { state: to })
          // a clock that is set back must not open it again
          await holds.update({ id, state: 'open', until: LessThanOrEqual(now) }, { state: 'expired' })
          const row = await holds.findOneBy({ id })
          if (row === null) return null
          const charges = affected === 1 && to === 'released' ? (JSON.parse(row.charges) as readonly Charge[]) : []
          for (const { account, amount } of charges) await spendings.decrement({ account }, 'spent', amount)
          return standing(row, now)
        }),
      ),
  }
}

function standing({ state, until }: HoldRow, now: UnixSeconds): HoldState {
  return state === 'open' && until <= now ? 'expired' : state
}

function revocationsOf(dataSource: DataSource): Revocations {
  const events = dataSource.getRepository(EventTable)
  const unavailable = (cause: unknown): never => {
    throw new ProcuraError('STATUS_UNAVAILABLE', { list: 'events', why: 'they cannot be read' }, { cause })
  }
  return {
    async learn({ target, signer }) {
      await insertMissing(dataSource, EventTable, { target, signer }).catch(unavailable)
    },
    about: (targets, signers) =>
      events.findBy({ target: In([...targets]), signer: In([...signers]) }).catch(unavailable),
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
        const highest = async (): Promise<number> => (await versions.findOneBy({ issuer, url }))?.version ?? -1
        const known = await highest()
        // it only rises, so who is not above it needs no turn to write
        if (version <= known) return known
        return await database.transaction(async () => {
          const seen = await highest()
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
    // the sentence of a driver tells strangers how we are built; it stays in the cause
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'the database cannot be used'
    throw new ProcuraError(code, { why }, { cause })
  }
}
