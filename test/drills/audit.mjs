// Kills and starves a process that appends to an audit log, at every step: what was acknowledged is in the log, in its
// place once, and the log verifies against every checkpoint that was seen before.
//
//   node test/drills/audit.mjs [--kills 100] [--faults 200] [--seed 1]
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { readRecords } from '../../dist/adapters/audit/read.js'
import { verifyLog } from '../../dist/adapters/audit/verify.js'
import { openCheckpoint } from '../../dist/audit/checkpoint.js'
import { parseKey } from '../../dist/audit/note.js'

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '100' }, faults: { type: 'string', default: '200' } },
})
const DIST = join(import.meta.dirname, '../../dist')
const CHILD = join(import.meta.dirname, 'audit-child.mjs')
const FAULTS = ['EIO', 'ENOSPC']
/** The calls by which a log reaches the disk. Nothing else in the process makes them. */
const CALLS = /** @type {const} */ (['pwrite64', 'fdatasync', 'fsync', 'rename', 'ftruncate', 'unlink', 'mkdir'])
/** About how often a run makes each. */
const TIMES = { pwrite64: 40, fdatasync: 25, fsync: 15, rename: 6, ftruncate: 2, unlink: 2, mkdir: 3 }

const folder = mkdtempSync(join(tmpdir(), 'procura-audit-drill-'))
try {
  await kills(Number(values.kills))
  if (spawnSync('strace', ['-V']).status === 0) await faults(Number(values.faults))
  else {
    console.error('strace is missing: no faults were injected')
    process.exitCode = 1
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** kill -9 at any moment, a hundred times on one log. @param {number} times */
async function kills(times) {
  const log = join(folder, 'killed')
  const seen = newSeen()
  let next = 0
  for (let time = 0; time < times; time += 1) {
    const child = spawn(process.execPath, [CHILD, DIST, log, String(next)], { stdio: ['ignore', 'pipe', 'inherit'] })
    const told = lines(child)
    await Promise.race([once(child.stdout, 'data'), told])
    // every fourth one lives long enough to publish
    await setTimeout(Math.random() * (time % 4 === 0 ? 1600 : 200))
    child.kill('SIGKILL')
    next = note(seen, await told, next)
    keepCheckpoint(seen, log)
  }
  await judge(`${times} times kill -9`, log, seen)
}

/** One call of one kind fails, or every call from then on for a while. @param {number} times */
async function faults(times) {
  const seen = newSeen()
  const log = join(folder, 'starved')
  const hit = new Map()
  let next = 0
  for (let time = 0; time < times; time += 1) {
    const call = CALLS[time % CALLS.length] ?? 'fsync'
    const fault = FAULTS[Math.floor(time / CALLS.length) % FAULTS.length]
    const when = 1 + Math.floor(Math.random() * TIMES[call])
    const span = Math.random() < 0.5 ? '' : `..${when + 1 + Math.floor(Math.random() * 6)}`
    const inject = `inject=${call}:error=${fault}:when=${when}${span}`
    const trace = ['-f', '-qq', '-o', join(folder, 'trace'), '-e', `trace=${call}`, '-e', inject]
    const child = spawn('strace', [...trace, process.execPath, CHILD, DIST, log, String(next), '400'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const told = await lines(child)
    const injected = readFileSync(join(folder, 'trace'), 'utf8').split('(INJECTED)').length - 1
    hit.set(`${call} ${fault}`, (hit.get(`${call} ${fault}`) ?? 0) + injected)
    next = note(seen, told, next)
    keepCheckpoint(seen, log)
  }
  console.log('faults injected', Object.fromEntries(hit))
  await judge(`${times} runs with faults`, log, seen)
}

/** @typedef {{ acknowledged: Set<number>, refused: Set<number>, checkpoints: Map<number, Buffer>, opened: number }} Seen */

/** @returns {Seen} */
function newSeen() {
  return { acknowledged: new Set(), refused: new Set(), checkpoints: new Map(), opened: 0 }
}

/** @param {Seen} seen @param {readonly string[][]} told @param {number} from */
function note(seen, told, from) {
  let next = from
  for (const [word, n, code] of told) {
    if (word === 'opened') seen.opened += 1
    if (word === 'recorded') seen.acknowledged.add(Number(n))
    if (word === 'refused') seen.refused.add(Number(n))
    if (word === 'refused' && code !== 'AUDIT_UNAVAILABLE') throw new Error(`refused with ${code}`)
    if (word === 'recorded' || word === 'refused') next = Math.max(next, Number(n) + 1)
  }
  // what was under way when it was killed is not used again
  return next + 40
}

/** What an auditor would have kept. @param {Seen} seen @param {string} log */
function keepCheckpoint(seen, log) {
  try {
    const bytes = readFileSync(join(log, 'checkpoint'))
    seen.checkpoints.set(Number(bytes.toString().split('\n')[1]), bytes)
  } catch {
    return
  }
}

/** @param {import('node:child_process').ChildProcess} child @returns {Promise<string[][]>} */
function lines(child) {
  let text = ''
  child.stdout?.on('data', chunk => (text += String(chunk)))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    // what has no end of line was not told
    child.once('close', () =>
      resolve(
        text
          .split('\n')
          .slice(0, -1)
          .map(line => line.split(' ')),
      ),
    )
  })
}

/** @param {string} what @param {string} log @param {Seen} seen */
async function judge(what, log, seen) {
  const whole = await lines(
    spawn(process.execPath, [CHILD, DIST, log, '0', '0'], { stdio: ['ignore', 'pipe', 'inherit'] }),
  )
  if (!whole.some(([word]) => word === 'closed')) throw new Error('the log cannot be opened any more')
  const key = parseKey(readFileSync(join(log, 'key.pub'), 'utf8').trim())
  const earlier = [...seen.checkpoints.values()].map(bytes => openCheckpoint(bytes, key))
  const { findings, records } = await verifyLog(log, key, earlier)
  const there = new Map()
  for await (const { entry } of readRecords(log, key)) {
    const { n } = JSON.parse(Buffer.from(entry).toString())
    if (n !== undefined) there.set(n, (there.get(n) ?? 0) + 1)
  }
  const lost = [...seen.acknowledged].filter(n => !there.has(n)).length
  const twice = [...there.values()].filter(times => times > 1).length
  const result = { opened: seen.opened, records, acknowledged: seen.acknowledged.size, refused: seen.refused.size }
  console.log(what, { ...result, lost, twice, checkpoints: earlier.length, findings: findings.slice(0, 5) })
  if (lost + twice + findings.length > 0 || seen.acknowledged.size === 0) process.exitCode = 1
}
