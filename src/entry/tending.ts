import { ProcuraError } from '../errors.js'
import type { Issuer } from '../issuer/issuer.js'

/** Milliseconds between two looks: a list is signed anew at most this much after it is due. */
const PERIOD = 10_000

/** After so many milliseconds without success lists are getting old. */
const LATE = 6 * PERIOD

/** Status lists that are looked after. */
export interface Tending {
  /** @throws STATUS_UNAVAILABLE - for a minute nothing could be signed */
  requireInTime(): Promise<void>
  /** Waits for the look under way, and ends. */
  end(): Promise<void>
}

/** Keeps the lists of an issuer signed and up to date, whether or not anybody asks for them. */
export function keepPublished(issuer: Pick<Issuer, 'tend'>, onDefect: (error: unknown) => void): Tending {
  let tending: Promise<unknown> | undefined
  let succeeded = performance.now()
  const timer = setInterval(() => {
    tending ??= issuer
      .tend()
      .then(() => (succeeded = performance.now()), onDefect)
      .finally(() => (tending = undefined))
  }, PERIOD)
  timer.unref()
  return {
    requireInTime() {
      if (performance.now() - succeeded <= LATE) return Promise.resolve()
      return Promise.reject(new ProcuraError('STATUS_UNAVAILABLE', { list: 'any', why: 'signing fails' }))
    },
    async end() {
      clearInterval(timer)
      await tending
    },
  }
}
