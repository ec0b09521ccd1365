import { LessThan, LessThanOrEqual, MoreThan, type Repository } from 'typeorm'
import { ProcuraError } from '../../errors.js'
import type { Json } from '../../json.js'
import type { Charge, HoldState, Ledger, Settlement, Throttle, Use } from '../../ports/deciding.js'
import type { Clock } from '../../ports/world.js'
import { SKEW, type UnixSeconds } from '../../time.js'
import type { Database } from './database.js'
import { insertMissing } from './insert.js'
import {
  CallTable,
  HoldTable,
  RateTable,
  SpendingTable,
  UsedTable,
  type CallRow,
  type HoldRow,
} from './state-entities.js'
import { usesOf } from './uses.js'

/** Uses between two clean-ups of what has ended. */
const SWEEP_EVERY = 1000
/** Seconds a closed hold is remembered, so that closing it again gets the same answer: no chain lives longer. */
const HOLD_MEMORY = 86_400
/** Seconds of the longest window of a rate: no call is counted after it. */
const LONGEST_RATE = 86_400

/** Ends a transaction so that nothing of it stays; carries the answer out. */
class Undone extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super('undone')
    this.answer = answer
  }
}

type Answer = null | 'used' | Throttle | Charge

/** Settles in one transaction; rows in the order of their names, so that two never wait for each other. */
export function ledgerOf(database: Database, clock: Clock): Ledger {
  const { dataSource } = database
  const calls = dataSource.getRepository(CallTable)
  const rates = dataSource.getRepository(RateTable)
  const spendings = dataSource.getRepository(SpendingTable)
  const holds = dataSource.getRepository(HoldTable)
  const together = usesOf(dataSource)
  let settled = 0

  const use = ({ key, until }: Use): Promise<boolean> => insertMissing(dataSource, UsedTable, { key, until })
  const count = async ({ account, max, per }: Throttle, now: UnixSeconds): Promise<boolean> => {
    // writing its row locks the account: nobody else counts its calls meanwhile
    await rates.upsert({ account, until: now + per }, ['account'])
    await calls.delete({ account, at: LessThan(now - per) })
    const { counted, last } = await countCalls(calls, account)
    if (counted >= max) return false
    await calls.insert({ account, n: last + 1, at: now })
    return true
  }
  const charge = async ({ account, amount, max, until }: Charge): Promise<boolean> => {
    await insertMissing(dataSource, SpendingTable, { account, spent: 0, until })
    const { affected } = await spendings
      .createQueryBuilder()
      .update()
      .set({ spent: () => 'spent + :amount' })
      .where('account = :account AND spent + :amount <= :max', { account, amount, max })
      .execute()
    return affected === 1
  }
  const sweep = async (): Promise<void> => {
    // the clock of another machine at the same store may be behind: what ended here is still in time there
    const now = clock.now() - SKEW
    await dataSource.getRepository(UsedTable).delete({ until: LessThan(now) })
    await spendings.delete({ until: LessThan(now) })
    await calls.delete({ at: LessThan(now - LONGEST_RATE) })
    await rates.delete({ until: LessThan(now) })
    await holds.delete({ until: LessThan(now - HOLD_MEMORY) })
  }

  /** Inside a transaction. @throws Undone */
  const takeAll = async ({ uses, throttles, charges, hold, now }: Settlement): Promise<void> => {
    const ordered = inOrder(charges, ({ account }) => account)
    for (const one of inOrder(uses, ({ key }) => key)) if (!(await use(one))) throw new Undone('used')
    for (const one of inOrder(throttles, ({ account }) => account)) if (!(await count(one, now))) throw new Undone(one)
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
        const take = database.isInTransaction() ? use(only) : together(only)
        return translate('REPLAY_UNAVAILABLE', async () => ((await take) ? null : 'used'))
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

async function countCalls(calls: Repository<CallRow>, account: string): Promise<{ counted: number; last: number }> {
  const row = await calls
    .createQueryBuilder('call')
    .select('COUNT(*)', 'counted')
    .addSelect('MAX(call.n)', 'last')
    .where('call.account = :account', { account })
    .getRawOne<{ counted: number | string; last: number | string | null }>()
  return { counted: Number(row?.counted), last: Number(row?.last ?? 0) }
}

function inOrder<T>(all: readonly T[], nameOf: (one: T) => string): readonly T[] {
  return [...all].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
}

/** Whatever keeps the store from answering is "do not know", under the port's own code. */
export async function translate<T>(
  code: 'REPLAY_UNAVAILABLE' | 'LEDGER_UNAVAILABLE',
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    // the sentence of a driver tells strangers how we are built; it stays in the cause
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'the database cannot be used'
    throw new ProcuraError(code, { why }, { cause })
  }
}
