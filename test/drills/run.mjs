// Runs the drills one after the other: npm run drill (the short set), npm run drill -- --long. Ends with 1 if one fails.
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { long: { type: 'boolean', default: false } } })
const RACES = 'cluster.mjs --work grant,race,race,race,race,spend,spend --pace 5 --calm'
const SHORT = [
  'revocation.mjs --kills 8',
  'agents.mjs --kills 5',
  'restarts.mjs --times 2',
  'audit.mjs --kills 10 --faults 14',
  'cluster.mjs --state redis --brief --together 2',
  `${RACES} 10`,
  'restore.mjs --processes 2 --seconds 5',
]
const LONG = [
  'revocation.mjs --kills 100',
  'agents.mjs --kills 50',
  'restarts.mjs --times 20',
  'audit.mjs --kills 100 --faults 200',
  'cluster.mjs --rounds 3',
  'cluster.mjs --state redis --rounds 3',
  'cluster.mjs --state redis --rounds 5 --together 3',
  `${RACES} 60`,
  `${RACES} 60 --state redis`,
  'restore.mjs --processes 4 --seconds 30',
]
const drills = (values.long ? LONG : SHORT).map(drill => `node test/drills/${drill}`)
const mutations =
  'PROCURA_AUDIT_MUTATIONS=10000 npx vitest run --config test/vitest.config.ts test/audit/mutations.test.ts'
const started = performance.now()
const seconds = () => `${Math.round((performance.now() - started) / 1000)} s`
/** @type {string[]} */
const failed = []
for (const command of values.long ? [...drills, mutations] : drills) {
  console.log(`\n— ${command} (${seconds()})`)
  const { status, signal } = spawnSync(command, { shell: true, stdio: 'inherit' })
  if (signal !== null || status === 130) process.exit(130)
  if (status !== 0) failed.push(command)
}
console.log(`\n${failed.length === 0 ? '✓ all drills hold' : '✗ failed:'} (${seconds()})`)
for (const command of failed) console.log(`  ${command}`)
if (failed.length > 0) process.exitCode = 1
