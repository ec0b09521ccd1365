// What decisions, grants and delegations cost, beside what signatures cost and beside others, in one run: all rows take
// turns, ratios count, not figures. bench/README.md says what is compared.
//   npm run bench [-- --quick] [--json FILE] [--write-readme]
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { GROUPS } from './suite/groups.js'
import { installPeers } from './suite/peers.js'
import { startGroup } from './suite/process.js'
import { reportOf, tablesOf } from './suite/report.js'
import { takeTurns } from './suite/rounds.js'
import { keep } from './suite/write.js'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    'write-readme': { type: 'boolean', default: false },
  },
})
/** Seconds: of all, of getting ready before others begin, of a group beforehand, of a row in its turn. */
const TIME = options.quick ? { all: 46, ready: 28, warm: 1.5, window: 0.04 } : { all: 300, ready: 60, warm: 10, window: 0.2 } // prettier-ignore

installPeers()
const started = performance.now()
const left = () => TIME.all * 1000 - (performance.now() - started)
const [{ model } = { model: 'unknown' }] = cpus()
const machine = { date: new Date().toISOString().slice(0, 10), node: process.version, cores: cpus().length, model, load: loadavg()[0] ?? NaN } // prettier-ignore

// theirs are in it, so that nothing is left of one that has to be killed
const folder = await mkdtemp(join(tmpdir(), 'procura-bench-'))
process.env['TMPDIR'] = folder
const groups = GROUPS.map(group => ({ group, one: startGroup(group, TIME.warm) }))
await Promise.race([Promise.all(groups.map(({ one }) => one.settled)), setTimeout(TIME.ready * 1000, null, { ref: false })]) // prettier-ignore
const turns = groups.flatMap(({ group: { rows, windows = 1 }, one }) =>
  rows.map(name => ({ name, state: one.state, rate: () => one.rate(name, TIME.window * windows) })),
)
const report = reportOf(await takeTurns(turns, left), machine)
await Promise.all(groups.map(({ one }) => one.close()))
await rm(folder, { recursive: true, force: true, maxRetries: 10 })

console.log(tablesOf(report))
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`)
if (options['write-readme']) await keep(report)
process.exit()
