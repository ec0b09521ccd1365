import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { GROUPS } from '../../bench/suite/groups.js'
import { reportOf, summaryOf, tablesOf, type Report } from '../../bench/suite/report.js'
import { takeTurns } from '../../bench/suite/rounds.js'
import { COMPARISONS } from '../../bench/suite/targets.js'
import { chartsOf, withTables } from '../../bench/suite/write.js'

const ROOT = join(import.meta.dirname, '../..')
const MACHINE = { date: '2026-01-02', node: 'v20.0.0', cores: 2, model: 'a processor', load: 0.04 }

test('medians and ranges; where there is no figure, none', () => {
  expect(summaryOf([5, undefined, 1, 3])).toEqual({ median: 3, low: 1, high: 5 })
  expect(summaryOf([4, 1, 2, 3])).toEqual({ median: 2.5, low: 1, high: 4 })
  expect(summaryOf([12345.678])).toEqual({ median: 12350, low: 12350, high: 12350 })
  expect(summaryOf([undefined, NaN])).toBeNull()
})

test('a ratio compares within rounds, and names its baseline', () => {
  // the second round was ten times as slow, for both
  const samples = [
    { name: 'decide-cold-3', rates: [1000, 100, 900] },
    { name: 'raw-verify-4', rates: [2000, 200, undefined] },
    { name: 'veramo-3', rates: [50, 5, 50] },
    { name: 'credo-3', rates: [], why: 'Cannot find package' },
  ]
  const { rows, targets, rounds } = reportOf(samples, MACHINE)
  expect(rounds).toBe(3)
  expect(rows[0]).toEqual({
    name: 'decide-cold-3',
    opsPerSecond: 900,
    low: 100,
    high: 1000,
    ratios: { 'raw-verify-4': 0.5, 'veramo-3': 20 },
  })
  expect(rows[3]).toEqual({ name: 'credo-3', opsPerSecond: null, ratios: {}, why: 'Cannot find package' })
  expect(targets).toEqual([
    { row: 'decide-cold-3', baseline: 'raw-verify-4', atLeast: 0.85, reached: 0.5, low: 0.5, high: 0.5 },
    { row: 'decide-cold-3', baseline: 'veramo-3', atLeast: 15, reached: 20, low: 18, high: 20 },
    { row: 'decide-cold-3', baseline: 'credo-3', atLeast: 4, reached: null },
    { row: 'decide-cold-3', baseline: 'ucanto-3', atLeast: 10, reached: null },
  ])
  const tables = tablesOf(reportOf(samples, MACHINE))
  expect(tables).toContain('| `decide-cold-3` | 900 (100–1 000) | 0.50 × `raw-verify-4`, 20.0 × `veramo-3` |')
  expect(tables).toContain('| `credo-3` | not run: Cannot find package |  |')
  expect(tables).toContain('| `decide-cold-3` / `raw-verify-4` | 0.85 | 0.50 (0.50–0.50) | no |')
  expect(tables).toContain('| `decide-cold-3` / `credo-3` | 4 | not measured |  |')
})

test('the first quarter of the rounds does not count', () => {
  const { rows, rounds } = reportOf([{ name: 'raw-sign', rates: [1, 50, 60, 70] }], MACHINE)
  expect(rounds).toBe(3)
  expect(rows).toEqual([{ name: 'raw-sign', opsPerSecond: 60, low: 50, high: 70, ratios: {} }])
})

test('all that is compared is measured', () => {
  const measured = new Set(GROUPS.flatMap(({ rows }) => rows))
  expect(COMPARISONS.flatMap(([row, baseline]) => [row, baseline]).filter(name => !measured.has(name))).toEqual([])
})

test('all take turns until the time is up; who is first changes, and who fails or is late takes nobody with it', async () => {
  let time = 0
  const order: string[] = []
  const row = (name: string, state: () => boolean | string = () => true) => ({
    name,
    state,
    rate() {
      time += 10
      order.push(name)
      return name === 'fails' && time > 30 ? Promise.reject(new Error('no more')) : Promise.resolve(time)
    },
  })
  const turns = [
    row('a'),
    row('fails'),
    row('late', () => time >= 50),
    row('never', () => 'is not installed'),
    row('b'),
  ]
  const samples = await takeTurns(turns, () => 105 - time)
  expect(order.join(' ')).toBe('a fails b fails b a late b a b a')
  expect(samples).toEqual([
    { name: 'a', rates: [10, 60, 90, 110] },
    { name: 'fails', rates: [20], why: 'no more' },
    { name: 'late', rates: [undefined, undefined, 70] },
    { name: 'never', rates: [], why: 'is not installed' },
    { name: 'b', rates: [30, 50, 80, 100] },
  ])
})

test('one that hangs is not waited for', async () => {
  const hangs = { name: 'hangs', state: () => true, rate: () => new Promise<number>(() => undefined) }
  const until = performance.now() + 20
  expect(await takeTurns([hangs], () => until - performance.now())).toEqual([
    { name: 'hangs', rates: [], why: 'there was no time for it' },
  ])
})

test('README and charts are those of the run that is kept', async () => {
  const report = JSON.parse(await readFile(join(ROOT, 'bench/result.json'), 'utf8')) as Report
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
  expect(readme).toBe(withTables(readme, report))
  expect(() => withTables('nothing marked', report)).toThrow()
  expect(() => chartsOf({ ...report, rows: report.rows.filter(({ name }) => name !== 'decide-cold-5') })).toThrow(
    'decide-cold-5',
  )
  for (const [name, chart] of Object.entries(chartsOf(report))) {
    expect(await readFile(join(ROOT, 'bench/charts', name), 'utf8')).toBe(chart)
    expect(chart).not.toMatch(/NaN|Infinity|undefined/)
  }
})
