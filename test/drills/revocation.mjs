// Kills processes that issue and revoke, 100 times at any moment; exits with 1 if anything acknowledged is lost.
//   node test/drills/revocation.mjs [--kills 100]   (PROCURA_DRILL_STORAGE=postgres://… for another database, a fresh one)
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { killed } from './killing.mjs'

const { values } = parseArgs({ options: { kills: { type: 'string', default: '100' } } })
const times = Number(values.kills)
const folder = await mkdtemp(join(tmpdir(), 'procura-drill-'))
const found = await killed(folder, times, process.env['PROCURA_DRILL_STORAGE'])
console.log(`killed ${times} times`, found)
await rm(folder, { recursive: true, force: true })
if (found.lost + found.twice + found.fell > 0 || found.revoked === 0) process.exitCode = 1
