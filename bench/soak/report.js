// What bench/soak.js tells: a table, figures, a chart.
import { cpus } from 'node:os'
import { growthOf, median, WATCHED } from './growth.js'

/** @import { Point } from './growth.js' */
/** @import { Held } from './probe.js' */
/** @typedef {Point & Held & { leftOut: number, unanswered: number, database: number, audit: number, load: number }} Sample */
/** @typedef {ReadonlyMap<string, { begun: number, took: number[] }>} Counts */

/** @param {number} bytes */
export function mib(bytes) {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}

/** One line while it runs. @param {Sample} one */
export function lineOf({ seconds, requests, heap, rss, descriptors, lag50, lag99, load }) {
  return `${String(Math.round(seconds)).padStart(5)} s ${String(requests).padStart(7)} works  heap ${mib(heap)}  rss ${mib(rss)}  descriptors ${descriptors}  lag ${lag50.toFixed(1)} / ${lag99.toFixed(1)} ms  load ${load.toFixed(1)}`
}

/**
 * Everything of a run, as JSON has it.
 *
 * @param {readonly Sample[]} samples @param {Counts} counts @param {ReadonlyMap<string, number>} wrong answers other than due
 */
export function figuresOf(samples, counts, wrong) {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) throw new Error('nothing was sampled')
  const works = last.requests - first.requests
  const of = (/** @type {keyof Sample} */ what) => samples.map(sample => sample[what])
  return {
    machine: {
      ...{ date: new Date().toISOString().slice(0, 10), node: process.version, cores: cpus().length },
      ...{ model: cpus()[0]?.model ?? 'unknown', load: median(of('load')) },
    },
    works,
    seconds: last.seconds - first.seconds,
    leftOut: last.leftOut,
    unanswered: last.unanswered,
    /** milliseconds of processor time each */
    processor: (last.cpu - first.cpu) / works,
    lag: { p50: median(of('lag50')), p99: median(of('lag99')), max: Math.max(...of('lagMax')) },
    bytesPerWork: { database: (last.database - first.database) / works, audit: (last.audit - first.audit) / works },
    growth: WATCHED.map(what => ({ what, ...growthOf(samples, what) })),
    latency: [...counts].map(([name, { begun, took }]) => {
      const sorted = [...took].sort((a, b) => a - b)
      const at = (/** @type {number} */ part) => sorted[Math.ceil(sorted.length * part) - 1] ?? NaN
      return { name, begun, p50: at(0.5), p99: at(0.99) }
    }),
    wrong: Object.fromEntries(wrong),
    samples,
  }
}

/** @param {ReturnType<typeof figuresOf>} figures @param {string} backends */
export function tableOf(
  { machine, works, seconds, leftOut, unanswered, processor, lag, bytesPerWork, growth, latency, wrong },
  backends,
) {
  const rows = growth.map(({ what, first, last, perHour, perRequest, grows }) => {
    const isBytes = what !== 'descriptors' && what !== 'handles'
    const show = (/** @type {number} */ value) => (isBytes ? mib(value) : value.toFixed(0))
    const each = isBytes ? `${perRequest.toFixed(0)} bytes` : perRequest.toFixed(4)
    return `| ${what} | ${show(first)} | ${show(last)} | ${show(perHour)} | ${each} | ${grows ? 'GROWS' : 'holds'} |`
  })
  return [
    `${machine.date}, Node ${machine.node}, ${machine.cores} × ${machine.model}, load ${machine.load.toFixed(1)}; ${backends}`,
    `${(seconds / 60).toFixed(0)} min, ${works} works (${leftOut} left out, ${unanswered} without an answer), ${processor.toFixed(2)} ms of processor each`,
    `event loop late ${lag.p50.toFixed(1)} ms p50, ${lag.p99.toFixed(1)} ms p99 (medians), ${lag.max.toFixed(0)} ms at worst`,
    `${bytesPerWork.database.toFixed(0)} bytes of database and ${bytesPerWork.audit.toFixed(0)} of audit log a work`,
    '',
    '| | first quarter, low | last quarter, low | an hour | a work | |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    '| work | times | p50 ms | p99 ms |',
    '|---|---|---|---|',
    ...latency.map(one => `| ${one.name} | ${one.begun} | ${one.p50.toFixed(1)} | ${one.p99.toFixed(1)} |`),
    ...Object.entries(wrong).map(([what, times]) => `\nother than due, ${times} times: ${what}`),
  ].join('\n')
}

/** Heap after collections and resident memory over time, as SVG. @param {readonly Sample[]} samples */
export function chartOf(samples) {
  const [width, height, left] = [640, 220, 56]
  const end = samples.at(-1)?.seconds ?? 1
  const top = Math.max(...samples.map(({ rss }) => rss))
  const x = (/** @type {number} */ seconds) => (left + ((width - left - 8) * seconds) / end).toFixed(1)
  const y = (/** @type {number} */ bytes) => (height - 24 - ((height - 44) * bytes) / top).toFixed(1)
  const line = (/** @type {'heap' | 'rss'} */ what, /** @type {string} */ colour) =>
    `<polyline fill="none" stroke="${colour}" points="${samples.map(one => `${x(one.seconds)},${y(one[what])}`).join(' ')}"/>`
  const text = (/** @type {string} */ at, /** @type {string} */ down, /** @type {string} */ said) =>
    `<text x="${at}" y="${down}">${said}</text>`
  const bytes = [0, 0.5, 1].map(part => text('2', y(top * part), mib(top * part)))
  const minutes = [0, 0.5, 1].map(part =>
    text(x(end * part * 0.94), String(height - 6), `${Math.round((end * part) / 60)} min`),
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="10" fill="#777">
${line('rss', '#999')}
${line('heap', '#27c')}
${[...bytes, ...minutes].join('\n')}
<text x="${left}" y="12">resident memory <tspan fill="#27c">heap after a collection</tspan></text>
</svg>
`
}
