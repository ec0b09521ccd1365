import type { Clock } from '../ports/world.js'
import type { UnixSeconds } from '../time.js'

/** What the clock says. @throws TypeError - it tells no time: `NaN` would pass every comparison */
export function readClock(clock: Clock): UnixSeconds {
  const now = clock.now()
  if (!Number.isSafeInteger(now)) throw new TypeError('the clock tells no time')
  return now
}
