import { ProcuraError } from '../../errors.js'

/** Entries held at once: at 120 s a presentation, about 8 000 accepted a second. */
export const CAPACITY = 1_000_000
/** Entries beyond which a look for those that ended pays. */
export const SPARE = 1000

/** What is held in memory. */
export interface Sized {
  /** uses or nonces held, those included that ended and were not looked for yet: never more than twice those that count, and a thousand */
  readonly size: number
}

/** What is full, or cannot know. */
export function unavailable(why: string): ProcuraError {
  return new ProcuraError('REPLAY_UNAVAILABLE', { why })
}
