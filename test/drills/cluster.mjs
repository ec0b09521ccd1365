// Four issuers and four verifiers behind a proxy, under load, while everything they stand on dies, freezes, fills up or
// is cut off. What they acknowledged is held against databases, audit logs and what others saw, by a program of its own.
//   node test/drills/cluster.mjs [--state postgres|redis] [--rounds 1] [--together 1] [--brief] [--only SIGSTOP]
//   node test/drills/cluster.mjs --calm 20 --work grant,race,race,spend --pace 5    races, and nothing fails
import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startCluster, ORIGIN } from './cluster/cluster.mjs'
import { faultsOf } from './cluster/faults.mjs'
import { openJournal } from './cluster/journal.mjs'
import { startLoad } from './cluster/load.mjs'
import { instant, isolate, until } from './cluster/machine.mjs'

const { values } = parseArgs({
  options: {
    state: { type: 'string', default: 'postgres' },
    rounds: { type: 'string', default: '1' },
    /** faults at a time */
    together: { type: 'string', default: '1' },
    /** each as short as may be */
    brief: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    /** seconds without any fault */
    calm: { type: 'string' },
    work: { type: 'string' },
    /** milliseconds between two calls of one worker */
    pace: { type: 'string', default: '60' },
    /** where to keep what was written down */
    keep: { type: 'string' },
  },
})
const state = values.state === 'redis' ? 'redis' : 'postgres'
await isolate(state === 'redis' ? ['redis-server'] : [])

const cluster = await startCluster({ state })
const { folder, issuers, verifiers, addresses, tell } = cluster
const members = [...issuers, ...verifiers]
const observer = fork(join(import.meta.dirname, 'cluster/observer.mjs'), [join(folder, 'lists.jsonl'), addresses.issuers, ...issuers.map(one => one.address)]) // prettier-ignore
/** @type {Set<string>} */
const lists = new Set()
const write = openJournal(join(folder, 'load.jsonl'))
/** When a call of each kind that was answered last was made. @type {Map<string, number>} */
const answered = new Map()
const load = await startLoad({
  ...{ folder, origin: ORIGIN, secret: cluster.secret, pace: Number(values.pace) },
  ...addresses,
  each: verifiers.map(one => one.address),
  ...(values.work === undefined ? {} : { work: values.work.split(',') }),
  tell(entry) {
    write(entry)
    if (entry.what === 'call' && entry.ok) answered.set(entry.kind, entry.sent)
  },
  onLists: urls => {
    for (const url of urls.filter(one => !lists.has(one))) {
      lists.add(url)
      observer.send(url)
    }
  },
})
const auditor = setInterval(() => void keepCheckpoints(), 2000)

const pause = values.brief ? 1500 : 4000
const faults = Object.entries(faultsOf(cluster)).filter(([name]) => name.includes(values.only))
if (values.calm !== undefined) await setTimeout(Number(values.calm) * 1000)
else {
  for (let round = 0; round < Number(values.rounds); round += 1) {
    // who lost its memory refuses for a minute: last, or a short run meets little else
    const isLast = (/** @type {[string, unknown]} */ [name]) => values.brief && name.startsWith('Redis killed')
    const due = shuffled(faults).sort((a, b) => Number(isLast(a)) - Number(isLast(b)))
    while (due.length > 0) {
      await setTimeout(pause)
      await Promise.all(due.splice(0, Number(values.together)).map(meet))
      // as long as it takes, by themselves
      const since = instant()
      await until(() => cluster.allReady(), 'all processes are ready', 120).catch(error => tell({ what: 'dead', why: String(error) })) // prettier-ignore
      tell({ what: 'ready', since, done: instant() })
    }
  }
  // nobody does anything any more, and everything is answered again
  const since = instant()
  const isAnswered = async () =>
    ['verify', 'grant', 'revoke', 'charge'].every(kind => (answered.get(kind) ?? 0) > since)
  await until(isAnswered, 'all calls are answered', 150).catch(error => tell({ what: 'dead', why: String(error) }))
  console.error(`  all is answered again: ${((instant() - since) / 1000).toFixed(1)} s`)
}
// what was used, to one whose clock says that it is not over yet
await load.rest()
const late = /** @type {import('./cluster/services.mjs').Member} */ (verifiers.at(-1))
for (const seconds of [-45, -60, -120]) {
  late.setClock(seconds)
  await setTimeout(2000)
  await load.replay(late.address)
}
late.setClock(0)
await load.end()
observer.send('end')
await once(observer, 'exit')
clearInterval(auditor)
await cluster.close()
if (values.keep !== undefined) spawnSync('cp', ['-r', folder, values.keep])
const judged = spawnSync(
  process.execPath,
  [join(import.meta.dirname, 'cluster/reader.mjs'), folder, values.work === undefined ? 'whole' : 'part'],
  {
    stdio: 'inherit',
  },
)
process.exit(judged.status ?? 1)

/** One fault from its beginning until it is mended. @param {[string, import('./cluster/faults.mjs').Fault]} fault */
async function meet([name, { holds, begin, end }]) {
  const [least, most] = holds
  const from = instant()
  await begin()
  await setTimeout((values.brief ? least : least + Math.random() * (most - least)) * 1000)
  await end?.()
  tell({ what: 'fault', name, from, healed: instant() })
  console.error(`  ${name}: ${((instant() - from) / 1000).toFixed(1)} s`)
}

/** What an auditor would have kept of each log. */
async function keepCheckpoints() {
  for (const { audit } of members) {
    const path = join(audit, 'checkpoint')
    const size = (await readFile(path, 'utf8').catch(() => '')).split('\n')[1]
    if (size !== undefined)
      await copyFile(path, join(folder, 'checkpoints', `${basename(audit)}.${size}`)).catch(() => undefined)
  }
}

/** @template T @param {readonly T[]} all @returns {T[]} */
function shuffled(all) {
  return all
    .map(value => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
}
