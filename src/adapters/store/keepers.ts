import { randomUUID } from 'node:crypto'
import { Like, MoreThanOrEqual, type DataSource, type Repository } from 'typeorm'
import { isProcuraError, ProcuraError } from '../../errors.js'
import type { Ledger, Settlement } from '../../ports/deciding.js'
import type { Clock } from '../../ports/world.js'
import { MARGIN, SKEW, type UnixSeconds } from '../../time.js'
import { type InstallationRow, InstallationTable } from './entities.js'
import { Installation } from './installation.js'
import { CallTable, UsedTable } from './state-entities.js'

/** Seconds without a sign after which a process counts as gone; clocks differ. */
const GONE = 30 + SKEW
/** Milliseconds without a sign of its own after which a process no longer relies on its place. */
const PATIENCE = 25_000

const STATE = 'state'
const PROCESS = 'state of '

/** Where the uses of a database are kept when they are in its own tables. */
export const IN_DATABASE = 'database'

interface Kept {
  readonly by: string
  /** what was issued up to then may have been used elsewhere */
  readonly since: UnixSeconds
}

/**
 * The processes on one database, and where they keep what was used: all of them in one place, or the same presentation
 * would be good once in each. Every method throws STORAGE_UNAVAILABLE if the database cannot be used.
 */
export class Keepers {
  readonly #rows: Repository<InstallationRow>
  readonly #installation: Installation
  readonly #dataSource: DataSource
  readonly #clock: Clock
  readonly #own = `${PROCESS}${randomUUID()}`
  #heard = -Infinity
  #elsewhere: string | null = null

  constructor(dataSource: DataSource, clock: Clock) {
    this.#dataSource = dataSource
    this.#clock = clock
    this.#installation = new Installation(dataSource)
    this.#rows = dataSource.getRepository(InstallationTable)
  }

  /** Names this database; made when it is first asked for. */
  async installation(): Promise<string> {
    await this.#installation.insertIfAbsent('id', randomUUID())
    return (await this.#installation.get('id')) ?? ''
  }

  /** Where a process that lives keeps its uses; `null` if none does. */
  async living(): Promise<string | null> {
    const now = this.#clock.now()
    const others = await this.#others()
    return others.find(({ at }) => at >= now - GONE)?.by ?? null
  }

  /**
   * Takes a place among them.
   *
   * @param by - where this process keeps what was used
   * @returns up to when what was issued may have been used elsewhere, and whether that was said anew
   * @throws CONFIG_INVALID - others keep it elsewhere
   */
  async join(by: string): Promise<{ readonly since: UnixSeconds; readonly isMoved: boolean }> {
    // its own row first: of two that come at once, at least one sees the other
    await this.beat(by)
    if (this.#elsewhere !== null) {
      await this.leave()
      const why = `another process on this database keeps what was used elsewhere (${this.#elsewhere}, not ${by}): give all of them the same state, or stop them`
      throw new ProcuraError('CONFIG_INVALID', { at: STATE, why })
    }
    const known = await this.#installation.get(STATE)
    const before = known === null ? null : (JSON.parse(known) as Kept)
    if (before?.by === by) return { since: before.since, isMoved: false }
    const isNew = before === null && (by === IN_DATABASE || !(await this.#wasUsed()))
    const since = isNew ? 0 : this.#clock.now() + MARGIN
    await this.#installation.set(STATE, JSON.stringify({ by, since }))
    return { since, isMoved: true }
  }

  /** Says that this process lives, and looks at the others. */
  async beat(by: string): Promise<void> {
    const now = this.#clock.now()
    await this.#installation.set(this.#own, JSON.stringify({ by, at: now }))
    const others = await this.#others()
    this.#elsewhere = others.find(one => one.by !== by && one.at >= now - GONE)?.by ?? null
    for (const { name, at } of others) if (at < now - GONE) await this.#rows.delete({ name })
    this.#heard = performance.now()
  }

  /** @throws REPLAY_UNAVAILABLE - others may keep what was used elsewhere by now */
  requirePlace(): void {
    if (this.#elsewhere !== null) throw unavailable('another process keeps what was used elsewhere')
    if (performance.now() - this.#heard > PATIENCE) throw unavailable('the database was not heard of for long')
  }

  /** Gives the place up. */
  async leave(): Promise<void> {
    await this.#rows.delete({ name: this.#own })
  }

  async #others(): Promise<readonly { readonly name: string; readonly by: string; readonly at: UnixSeconds }[]> {
    const rows = await this.#rows.findBy({ name: Like(`${PROCESS}%`) })
    return rows
      .filter(({ name }) => name !== this.#own)
      .map(({ name, value }) => ({ name, ...(JSON.parse(value) as { readonly by: string; readonly at: UnixSeconds }) }))
  }

  /** Whether something may have been used or counted that still matters. */
  async #wasUsed(): Promise<boolean> {
    const now = this.#clock.now()
    const used = await this.#dataSource.getRepository(UsedTable).existsBy({ until: MoreThanOrEqual(now - SKEW) })
    return used || (await this.#dataSource.getRepository(CallTable).exists())
  }
}

/** What of a ledger may have been kept elsewhere before. */
export interface Elsewhere {
  /** what was issued up to then */
  readonly since: UnixSeconds
  /** calls in windows up to so many seconds */
  readonly window: number
}

/** A ledger that answers only while its process has its place, and for what cannot have been kept elsewhere. */
export function inPlace(ledger: Ledger, keepers: Keepers, { since, window }: Elsewhere): Ledger {
  const requireKnown = ({ uses, throttles, now }: Settlement): void => {
    keepers.requirePlace()
    if (uses.some(({ issuedAt }) => issuedAt <= since)) throw unavailable('issued before this state began')
    if (throttles.some(({ per }) => per <= window && now - per < since))
      throw unavailable('calls may have been counted elsewhere')
  }
  const asked = async <T>(settlement: Settlement, work: () => Promise<T>): Promise<T> => {
    try {
      requireKnown(settlement)
      return await work()
    } catch (error) {
      // where nothing is used up, it is the count that is not known
      if (settlement.uses.length > 0 || !isProcuraError(error) || error.code !== 'REPLAY_UNAVAILABLE') throw error
      throw new ProcuraError('LEDGER_UNAVAILABLE', { why: String(error.facts['why']) }, { cause: error })
    }
  }
  return {
    settle: settlement => asked(settlement, () => ledger.settle(settlement)),
    probe: settlement => asked(settlement, () => ledger.probe(settlement)),
    held: (id, now) => ledger.held(id, now),
    close: (id, to, now) => ledger.close(id, to, now),
  }
}

function unavailable(why: string): ProcuraError {
  return new ProcuraError('REPLAY_UNAVAILABLE', { why })
}
