// Puts a database back that was copied a while ago, under services that went on meanwhile: none of them starts on it,
// `procura fsck --reconcile` mends it with the logs, and what was promised before holds afterwards.
//   node test/drills/restore.mjs [--processes 3] [--seconds 12] [--keep folder]
import { execFile, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { ORIGIN, startCluster } from './cluster/cluster.mjs'
import { openJournal } from './cluster/journal.mjs'
import { startLoad } from './cluster/load.mjs'
import { instant, isolate, until } from './cluster/machine.mjs'
import { report } from './cluster/report.mjs'

const { values } = parseArgs({
  options: {
    processes: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '12' },
    keep: { type: 'string' },
  },
})
const CLI = join(import.meta.dirname, '../../dist/entry/cli.js')
await isolate()
const cluster = await startCluster({ state: 'postgres', processes: Number(values.processes) })
const { folder, issuers, verifiers, addresses, database, disks, files, tell } = cluster
const { invariant, end } = report()
const observer = fork(join(import.meta.dirname, 'cluster/observer.mjs'), [join(folder, 'lists.jsonl'), addresses.issuers, ...issuers.map(one => one.address)]) // prettier-ignore
const load = await startLoad({
  ...{ folder, origin: ORIGIN, secret: cluster.secret, pace: 30 },
  ...addresses,
  each: verifiers.map(one => one.address),
  tell: openJournal(join(folder, 'load.jsonl')),
  onLists: urls => urls.forEach(url => observer.send(url)),
})
const some = () => setTimeout(Number(values.seconds) * 1000)
await some()
const backup = join(disks.database, 'backup')
const from = instant()
await promisify(execFile)(
  join(database.bin, 'pg_basebackup'),
  ['-D', backup, '-h', '127.0.0.1', '-p', String(database.port), '-U', 'drill', '-c', 'fast'],
  { ...database.user, cwd: '/' },
)
await some()
await load.rest()
await cluster.close()
await database.crash()
await rm(database.data, { recursive: true })
await cp(backup, database.data, { recursive: true, preserveTimestamps: true })
spawnSync('chown', ['-R', `${database.user.uid ?? 0}:${database.user.gid ?? 0}`, database.data])
spawnSync('chmod', ['700', database.data])
await database.start()
const described = JSON.parse(await readFile(join(folder, 'cluster.json'), 'utf8'))
await writeFile(join(folder, 'cluster.json'), JSON.stringify({ ...described, restored: { from, to: instant() } }))

/** @param {readonly string[]} command @param {string} audit @returns {Promise<{ code: number | null, said: string }>} */
async function run(command, audit) {
  const child = spawn(process.execPath, [CLI, ...command, '--config', files.issuers], {
    cwd: folder,
    env: { PATH: process.env['PATH'], PROCURA_AUDIT: audit, PROCURA_PORT: '0' },
    timeout: 60_000,
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (said += String(chunk)))
  const [code] = await once(child, 'exit')
  return { code, said }
}
/** One after the other. @param {readonly string[]} command */
async function runEach(command) {
  const answers = []
  for (const { audit } of issuers) answers.push(await run(command, audit))
  return answers
}
/** @param {{ code: number | null, said: string }} answer */
const isRefused = ({ code, said }) => code === 78 && said.includes('STORAGE_ROLLED_BACK')
invariant('no process starts on the old database', await runEach(['serve']), isRefused)
invariant('procura fsck names it', await runEach(['fsck']), isRefused)
invariant(
  'procura fsck --reconcile mends it, with each log',
  await runEach(['fsck', '--reconcile']),
  ({ code }) => code === 0,
)
invariant('procura fsck is clean then', await runEach(['fsck']), ({ code }) => code === 0)

for (const one of [...issuers, ...verifiers]) one.start()
await until(() => cluster.allReady(), 'all processes are ready', 120)
tell({ what: 'fault', name: 'an old backup restored', from, healed: instant() })
await setTimeout(1000)
await load.askAgain(true)
load.begin()
await some()
await load.end()
observer.send('end')
await once(observer, 'exit')
await cluster.close()
end()
if (values.keep !== undefined) spawnSync('cp', ['-r', folder, values.keep])
const judged = spawnSync(process.execPath, [join(import.meta.dirname, 'cluster/reader.mjs'), folder], {
  stdio: 'inherit',
})
process.exit(judged.status === 0 ? process.exitCode : 1)
