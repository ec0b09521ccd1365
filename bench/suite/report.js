// From what was measured to figures, and from figures to tables.
import { COMPARISONS } from './targets.js'

/** @import { Samples } from './rounds.js' */
/** @typedef {{ median: number, low: number, high: number }} Summary */
/** @typedef {{ name: string, opsPerSecond: number | null, low?: number, high?: number, ratios: Record<string, number>, why?: string }} ReportRow */
/** @typedef {{ row: string, baseline: string, atLeast: number, reached: number | null, low?: number, high?: number }} Target */
/** @typedef {{ date: string, node: string, cores: number, model: string, load: number }} Machine */
/** @typedef {{ machine: Machine, rounds: number, rows: ReportRow[], targets: Target[] }} Report */

/**
 * Medians and ranges. A ratio is the median of the ratios of the rounds in which both rows had their turn: what slowed a
 * round slowed both. The first quarter of the rounds does not count: code is still being compiled in it.
 *
 * @param {readonly Samples[]} measured
 * @param {Machine} machine
 * @returns {Report}
 */
export function reportOf(measured, machine) {
  const rounds = Math.max(0, ...measured.map(({ rates }) => rates.length))
  const samples = measured.map(one => ({ ...one, rates: one.rates.slice(Math.floor(rounds / 4)) }))
  const found = new Map(samples.map(one => [one.name, one]))
  const compared = COMPARISONS.filter(([row]) => found.has(row)).map(([row, baseline, atLeast]) => {
    const below = found.get(baseline)?.rates ?? []
    const ratios = (found.get(row)?.rates ?? []).map((rate, round) => (rate ?? NaN) / (below[round] ?? NaN))
    return { row, baseline, atLeast, ratio: summaryOf(ratios) }
  })
  return {
    machine,
    rounds: rounds - Math.floor(rounds / 4),
    rows: samples.map(({ name, rates, why }) => {
      const { median = null, ...range } = summaryOf(rates) ?? {}
      /** @type {Record<string, number>} */
      const ratios = {}
      for (const { row, baseline, ratio } of compared)
        if (row === name && ratio !== null) ratios[baseline] = ratio.median
      return { name, opsPerSecond: median, ...range, ratios, ...(why === undefined ? {} : { why }) }
    }),
    targets: compared.flatMap(({ row, baseline, atLeast, ratio }) => {
      const { median: reached = null, ...range } = ratio ?? {}
      return atLeast === undefined ? [] : [{ row, baseline, atLeast, reached, ...range }]
    }),
  }
}

/** `null` if there is no figure. @param {readonly (number | undefined)[]} values @returns {Summary | null} */
export function summaryOf(values) {
  const sorted = values.flatMap(value => (value !== undefined && Number.isFinite(value) ? [value] : [])).sort((a, b) => a - b) // prettier-ignore
  const [low, high] = [sorted[0], sorted.at(-1)]
  if (low === undefined || high === undefined) return null
  const middle = (sorted.length - 1) / 2
  const median = ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2
  return { median: digits(median), low: digits(low), high: digits(high) }
}

/** Four digits: more would be noise. @param {number} value */
const digits = value => Number(value.toPrecision(4))

/** The tables, as Markdown. @param {Report} report */
export function tablesOf({ machine, rounds, rows, targets }) {
  const { date, node, cores, model, load } = machine
  return [
    `${date}, Node ${node}, ${cores} × ${model}, load ${load.toFixed(1)} at the start; medians of ${rounds} rounds, lowest to highest.`,
    'What only computes is counted per second of processor time; `grant-sqlite`, `veramo-issue-save` and `http-…` by the clock.',
    '',
    '| | per second | |',
    '|---|---|---|',
    ...rows.map(row => `| \`${row.name}\` | ${rateOf(row)} | ${ratiosOf(row)} |`),
    '',
    '| Target | at least | reached | |',
    '|---|---|---|---|',
    ...targets.map(({ row, baseline, atLeast, reached, low = NaN, high = NaN }) => {
      const cells = reached === null ? ['not measured', ''] : [`${short(reached)} (${short(low)}–${short(high)})`, reached >= atLeast ? 'yes' : 'no'] // prettier-ignore
      return `| \`${row}\` / \`${baseline}\` | ${atLeast} | ${cells.join(' | ')} |`
    }),
  ].join('\n')
}

/** @param {ReportRow} row */
function rateOf({ opsPerSecond, low = NaN, high = NaN, why }) {
  const failed = why === undefined ? '' : `not run: ${why.replaceAll('|', '/')}`
  return opsPerSecond === null ? failed : [`${whole(opsPerSecond)} (${whole(low)}–${whole(high)})`, ...(why === undefined ? [] : [failed])].join('; ') // prettier-ignore
}

/** @param {ReportRow} row */
const ratiosOf = ({ ratios }) =>
  Object.entries(ratios)
    .map(([baseline, ratio]) => `${short(ratio)} × \`${baseline}\``)
    .join(', ')

/** @param {number} value */
export const whole = value =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ' ')

/** @param {number} value */
const short = value => value.toFixed(value < 10 ? 2 : 1)
