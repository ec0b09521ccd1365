/** Whole seconds since 1970-01-01T00:00:00Z. */
export type UnixSeconds = number

/** Clocks may differ by this many seconds; never on the end of a credential. */
export const SKEW = 30

/**
 * Seconds by which what was used before a moment may have been issued after it: the clock of its signer may be ahead of
 * the verifier's, and the clock that tells the moment behind that.
 */
export const MARGIN = 2 * SKEW

const DATE = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/

/**
 * Reads a date of the one form the profile uses, `YYYY-MM-DDTHH:MM:SSZ`.
 *
 * @returns the instant, or `null` for another form or a date that no calendar has
 */
export function fromDate(text: string): UnixSeconds | null {
  if (!DATE.test(text)) return null
  const milliseconds = Date.parse(text)
  // `Date` takes the 31st of each month and the hour 24, and goes on to the next day
  const isSameDay = new Date(milliseconds).getUTCDate() === Number(text.slice(8, 10))
  return isSameDay ? milliseconds / 1000 : null
}

/** Writes an instant as `YYYY-MM-DDTHH:MM:SSZ`. @param at - whole seconds, years 0000 to 9999 */
export function toDate(at: UnixSeconds): string {
  return `${new Date(at * 1000).toISOString().slice(0, 19)}Z`
}

/** Seconds, or a text such as `90s`, `10m`, `2h`, `1d`. */
export type Duration = number | string

const DURATION = /^([1-9][0-9]{0,8})([smhd])$/
const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** Reads a duration. @returns whole seconds, at least 1; `null` for anything else */
export function toSeconds(duration: unknown): number | null {
  if (typeof duration === 'number') return Number.isSafeInteger(duration) && duration > 0 ? duration : null
  const [, count, unit] = (typeof duration === 'string' ? DURATION.exec(duration) : null) ?? []
  return count === undefined ? null : Number(count) * SECONDS[unit as keyof typeof SECONDS]
}
