import type { Clock } from '../../ports/world.js'
import type { UnixSeconds } from '../../time.js'

/** A moment on both clocks. */
export interface Moment {
  readonly wall: UnixSeconds
  /** milliseconds since the process started */
  readonly uptime: number
}

/** Tells how old things are. */
export interface Watch {
  mark(): Moment
  /** Whole seconds since the moment by whichever clock says more; `Infinity` if the wall clock was set back. */
  age(since: Moment): number
}

/**
 * A watch that a step of the wall clock cannot make anything look younger on.
 *
 * @param uptime - milliseconds, never falls
 */
export function createWatch(clock: Clock, uptime: () => number = () => performance.now()): Watch {
  return {
    mark: () => ({ wall: clock.now(), uptime: uptime() }),
    age(since) {
      const wall = Math.floor(clock.now() - since.wall)
      return wall < 0 ? Infinity : Math.max(wall, Math.floor((uptime() - since.uptime) / 1000))
    },
  }
}
