import { setTimeout as pause } from 'node:timers/promises'
import { isConflict } from './failure.js'

/** For how long after the first conflict a further attempt is begun, in milliseconds. */
const PATIENCE = 10_000
/** The longest pause after the first attempt, in milliseconds; doubled for each further one, up to the last. */
const FIRST_PAUSE = 10
const LAST_PAUSE = 320

/**
 * Runs `work` again while the database says that it was undone because of others at the same time (SQLSTATE 40001,
 * 40P01). The pauses are random, so that those who met do not meet again.
 *
 * @throws whatever `work` throws; after {@link PATIENCE} its last conflict too
 */
export async function retrying<T>(work: () => Promise<T>): Promise<T> {
  let end = Infinity
  for (let longest = FIRST_PAUSE; ; longest = Math.min(longest * 2, LAST_PAUSE)) {
    try {
      return await work()
    } catch (error) {
      if (!isConflict(error) || Date.now() >= end) throw error
      end = Math.min(end, Date.now() + PATIENCE)
      await pause(Math.random() * longest)
    }
  }
}
