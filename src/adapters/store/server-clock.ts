import type { DataSource } from 'typeorm'
import type { Ledger, Settlement } from '../../ports/deciding.js'
import { SKEW, type UnixSeconds } from '../../time.js'
import { translate } from './ledger.js'

/** Milliseconds after which the server is asked for the time again. */
const TRUSTED_FOR = 60_000

/** What this machine's uptime is in the server's seconds: at least, and at most, for the answer took its time. */
interface Offset {
  readonly least: number
  readonly most: number
  /** uptime */
  readonly asked: number
}

/** A clock that was set tells another time than the server's. */
class OtherTime extends Error {
  readonly code = 'CLOCK'
}

/**
 * A ledger that takes no time that is more than {@link SKEW} off the database server's. What was used is forgotten by
 * the clocks of those who run right: to one that was set back, a presentation of then would be good again. Since it was
 * asked last, the server's time is told by the uptime, which nobody sets. A file has no clock of its own.
 *
 * @param uptime - milliseconds that never fall
 */
export function inTime(ledger: Ledger, dataSource: DataSource, uptime = (): number => performance.now()): Ledger {
  if (dataSource.options.type !== 'postgres') return ledger
  let known: Offset | null = null

  async function ask(): Promise<Offset> {
    const before = uptime()
    const rows = await dataSource.query<{ now: number }[]>(
      'SELECT extract(epoch FROM clock_timestamp())::float8 AS now',
    )
    const [now, after] = [rows[0]?.now ?? NaN, uptime()]
    return { least: now - after / 1000, most: now - before / 1000, asked: before }
  }
  const isSame = ({ least, most }: Offset, now: UnixSeconds): boolean => {
    const since = uptime() / 1000
    // a whole second has begun up to one second ago
    return least + since - 1 - SKEW <= now && now <= most + since + SKEW
  }
  const requireSame = (code: 'REPLAY_UNAVAILABLE' | 'LEDGER_UNAVAILABLE', now: UnixSeconds): Promise<void> =>
    translate(code, async () => {
      if (known !== null && uptime() - known.asked < TRUSTED_FOR && isSame(known, now)) return
      known = await ask()
      if (!isSame(known, now)) throw new OtherTime("this machine's clock is not the database's")
    })
  const codeFor = ({ uses }: Settlement) => (uses.length === 0 ? 'LEDGER_UNAVAILABLE' : 'REPLAY_UNAVAILABLE')
  return {
    async settle(settlement) {
      await requireSame(codeFor(settlement), settlement.now)
      return ledger.settle(settlement)
    },
    async probe(settlement) {
      await requireSame(codeFor(settlement), settlement.now)
      return ledger.probe(settlement)
    },
    async held(id, now) {
      await requireSame('LEDGER_UNAVAILABLE', now)
      return ledger.held(id, now)
    },
    async close(id, to, now) {
      await requireSame('LEDGER_UNAVAILABLE', now)
      return ledger.close(id, to, now)
    },
  }
}
