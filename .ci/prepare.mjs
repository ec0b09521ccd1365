// Brings a fresh clone to where its scripts can run: installs when node_modules is missing or older than the lockfile,
// builds when dist is older than src, or when told to (--build). Speaks on stderr only, so that output meant for pipes stays clean.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const at = path => join(root, path)
const age = path => (existsSync(at(path)) ? statSync(at(path)).mtimeMs : 0)
const say = line => process.stderr.write(`procura: ${line}\n`)
const INSTALLED = 'node_modules/.procura-installed'
const BUILT = 'dist/.procura-built'
const LOCK = at('node_modules.lock')

if (Number(process.versions.node.split('.')[0]) < 20) fail(`needs Node 20.19 or newer, this is ${process.version}`)
oneAtATime(() => {
  if (age(INSTALLED) < age('package-lock.json')) install()
  if (process.argv.includes('--build') || age(BUILT) < newest('src', age('tsconfig.json'))) build()
})

function install() {
  say('installing packages (the first time compiles the sqlite3 driver, which takes a minute or two) …')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  if (!existsSync(at('node_modules/sqlite3/build/Release/node_sqlite3.node'))) {
    say('building the sqlite3 driver …')
    run('npm', ['rebuild', 'sqlite3', '--foreground-scripts', '--loglevel=error'])
  }
  writeFileSync(at(INSTALLED), '')
  say('packages are installed')
}

function build() {
  say('building …')
  rmSync(at('dist'), { recursive: true, force: true })
  run(process.execPath, [at('node_modules/typescript/bin/tsc'), '-p', at('tsconfig.json')])
  for (const name of ['cli.js']) spawnSync('chmod', ['755', at(`dist/entry/${name}`)])
  writeFileSync(at(BUILT), '')
}

/** Runs quietly; what the command printed is shown only if it failed. */
function run(command, args) {
  const clock = setInterval(() => undefined, 1000)
  const started = Date.now()
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  clearInterval(clock)
  if (status === 0) return
  process.stderr.write(`${stdout}\n${stderr}\n`)
  fail(
    `${command} ${args[0]} failed after ${Math.round((Date.now() - started) / 1000)} s: ${error?.message ?? `exit ${status}`}`,
  )
}

/** Two scripts started at once must not install over each other. */
function oneAtATime(work) {
  const until = Date.now() + 600_000
  for (;;) {
    try {
      mkdirSync(LOCK)
      break
    } catch {
      if (Date.now() > until || Date.now() - age('node_modules.lock') > 900_000)
        rmSync(LOCK, { recursive: true, force: true })
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250)
    }
  }
  try {
    work()
  } finally {
    rmSync(LOCK, { recursive: true, force: true })
  }
}

function newest(path, so = 0) {
  const stat = statSync(at(path))
  if (!stat.isDirectory()) return Math.max(so, stat.mtimeMs)
  return readdirSync(at(path)).reduce((time, name) => newest(join(path, name), time), Math.max(so, stat.mtimeMs))
}

function fail(why) {
  say(why)
  rmSync(LOCK, { recursive: true, force: true })
  process.exit(1)
}
