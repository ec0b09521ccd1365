// What stands in the repository of a run: its figures, the charts and the README's tables. The rest follows from the
// figures, so nobody writes it by hand.
import { readFile, writeFile } from 'node:fs/promises'
import { barChart, lineChart } from './chart.js'
import { tablesOf } from './report.js'

/** @import { Report } from './report.js' */

export const RESULT = new URL('../result.json', import.meta.url)
const CHARTS = new URL('../charts/', import.meta.url)
const README = new URL('../../README.md', import.meta.url)
const MARKED = /(?<=<!-- bench -->\n).*?(?=<!-- \/bench -->)/s

/** Keeps a run, unless it lacks what the charts show: then nothing is written. @param {Report} report */
export async function keep(report) {
  const charts = Object.entries(chartsOf(report))
  await writeFile(RESULT, `${JSON.stringify(report, null, 2)}\n`)
  for (const [name, chart] of charts) await writeFile(new URL(name, CHARTS), chart)
  await writeFile(README, withTables(await readFile(README, 'utf8'), report))
}

/** The README with the tables of that run between the marks. @param {string} readme @param {Report} report */
export function withTables(readme, report) {
  if (!MARKED.test(readme)) throw new Error('the README has no place for the tables')
  return readme.replace(MARKED, () => `\n${tablesOf(report)}\n\n`)
}

/** By file name. Throws if a row is missing. @param {Report} report @returns {Record<string, string>} */
export function chartsOf({ rows, machine }) {
  const rate = (/** @type {string} */ name) => {
    const measured = rows.find(row => row.name === name)?.opsPerSecond ?? null
    if (measured === null) throw new Error(`${name} was not measured`)
    return measured
  }
  const cost = (/** @type {(depth: number) => number} */ micros) =>
    [1, 3, 5, 8].map(depth => /** @type {const} */ ([depth, micros(depth)]))
  const where = `${machine.date}, ${machine.cores} cores`
  return {
    'depth.svg': lineChart({
      title: `Cost of a decision by depth of the chain (${where})`,
      x: 'links in the chain',
      y: 'µs for one decision',
      lines: [
        { label: 'chain never seen', accent: true, points: cost(depth => 1e6 / rate(`decide-cold-${depth}`)) },
        { label: 'chain known', accent: true, dashed: true, points: cost(depth => 1e6 / rate(`decide-known-${depth}`)) }, // prettier-ignore
        { label: 'its signatures alone', points: cost(depth => (1e6 / rate('raw-verify-4') / 4) * (depth + 1)) },
      ],
    }),
    'processes.svg': barChart({
      title: `POST /v1/verify, a new chain of three each (${where})`,
      x: 'processes',
      y: 'requests a second',
      names: ['1', '2'],
      bars: [
        { label: 'the service', accent: true, values: [1, 2].map(n => rate(`http-verify-${n}proc`)) },
        { label: 'Fastify and signatures only', values: [1, 2].map(n => rate(`http-bare-${n}proc`)) },
      ],
    }),
  }
}
