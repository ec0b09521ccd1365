/**
 * A row that takes its turn.
 *
 * @typedef {object} Turn
 * @property {string} name
 * @property {() => boolean | string} state - false: not yet; a text: why it never will
 * @property {() => Promise<number>} rate - calls per second
 */
/** Calls per second by round; a round in which a row had no turn has no figure. @typedef {{ name: string, rates: (number | undefined)[], why?: string }} Samples */

/**
 * Lets all rows take turns until the time is up: in every round each row once, and who is first changes. A row that
 * fails is left out from then on.
 *
 * @param {readonly Turn[]} turns
 * @param {() => number} left - milliseconds that are left
 * @param {number} [most] - rounds
 * @returns {Promise<Samples[]>}
 */
export async function takeTurns(turns, left, most = Infinity) {
  /** @type {Samples[]} */
  const samples = turns.map(({ name }) => ({ name, rates: [] }))
  for (let round = 0; round < most && left() > 0; round += 1) {
    for (let n = 0; n < turns.length && left() > 0; n += 1) {
      const place = (n + round) % turns.length
      const [turn, found] = [turns[place], samples[place]]
      if (turn === undefined || found?.why !== undefined || turn.state() !== true) continue
      try {
        const rate = await inTime(turn.rate(), left())
        if (rate !== null && found !== undefined) found.rates[round] = rate
      } catch (error) {
        if (found !== undefined) found.why = error instanceof Error ? error.message : String(error)
      }
    }
  }
  return samples.map((found, place) => {
    const state = turns[place]?.state()
    const why = found.why ?? (typeof state === 'string' ? state : 'there was no time for it')
    return found.rates.length > 0 ? found : { ...found, why }
  })
}

/** What `work` gives, or `null` if the time is up before. @template T @param {Promise<T>} work @param {number} milliseconds */
async function inTime(work, milliseconds) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const late = new Promise((/** @type {(late: null) => void} */ resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
