import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { createServer } from 'node:net'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

/** Programs a drill runs, and the Debian package of each. */
const TOOLS = { unshare: 'util-linux', mount: 'mount', ip: 'iproute2', nft: 'nftables', haproxy: 'haproxy', faketime: 'faketime' } // prettier-ignore
const ALONE = 'PROCURA_DRILL_ALONE'

/**
 * Runs this program once more with network, mounts and process numbers of its own: what it cuts, fills and kills is its
 * own, and nothing outlives it. Returns where it is alone already; ends the process elsewhere.
 *
 * @param {readonly string[]} tools further programs that are needed
 */
export async function isolate(tools = []) {
  if (process.env[ALONE] === 'yes') {
    // each server and each folder has one
    process.setMaxListeners(0)
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
      process.once(signal, () => process.exit(130))
    spawnSync('ip', ['link', 'set', 'lo', 'up'])
    return
  }
  requireTools([...Object.keys(TOOLS), ...tools])
  const apart = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const child = spawn('unshare', [...apart, process.execPath, ...process.argv.slice(1)], {
    env: { ...process.env, [ALONE]: 'yes' },
    stdio: 'inherit',
  })
  // a terminal signals all of them, whoever else signals means the child
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => child.kill('SIGKILL'))
  const [code, signal] = await once(child, 'exit')
  process.exit(code ?? 128 + constants.signals[/** @type {NodeJS.Signals} */ (signal)])
}

/** Ends the process if a program is missing and cannot be installed, or may not be used here. @param {readonly string[]} names */
function requireTools(names) {
  const missing = () => names.filter(name => spawnSync('which', [name]).status !== 0)
  const packages = missing().map(name => TOOLS[/** @type {keyof typeof TOOLS} */ (name)] ?? name)
  if (packages.length > 0 && process.getuid?.() === 0)
    spawnSync('apt-get', ['install', '-y', '-qq', ...packages], { stdio: 'ignore' })
  const left = missing()
  if (left.length > 0) fail(`needs ${left.join(', ')}: apt-get install ${packages.join(' ')}`)
  if (spawnSync('unshare', ['--net', '--mount', '--pid', '--fork', 'true']).status !== 0)
    fail('needs namespaces of its own (unshare): run it as root')
}

/** @param {string} why @returns {never} */
function fail(why) {
  console.error(`NOT RUN: the drill ${why}`)
  process.exit(1)
}

/** A folder that goes with the process's mounts. @param {string} size */
export async function tmpfs(size) {
  const folder = await mkdtemp(join(tmpdir(), 'procura-drill-'))
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=711`, 'tmpfs', folder], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`no tmpfs: ${stderr}`)
  process.once('exit', () => {
    spawnSync('umount', ['-l', folder])
    spawnSync('rm', ['-rf', '--one-file-system', folder])
  })
  return folder
}

/** A folder on the disk, removed at the end. */
export async function ownFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'procura-drill-'))
  process.once('exit', () => spawnSync('rm', ['-rf', folder]))
  return folder
}

/** @param {number} count */
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const found = servers.map(server => /** @type {import('node:net').AddressInfo} */ (server.address()).port)
  for (const server of servers) server.close()
  return found
}

/** @param {() => Promise<boolean>} holds @param {string} what @param {number} [seconds] */
export async function until(holds, what, seconds = 60) {
  const end = performance.now() + seconds * 1000
  for (;;) {
    if (await holds().catch(() => false)) return
    if (performance.now() > end) throw new Error(`${what}: not within ${seconds} s`)
    await setTimeout(50)
  }
}

/** A process and all below it. @param {number} pid @returns {number[]} */
export function treeOf(pid) {
  try {
    const below = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
    return [pid, ...below.flatMap(treeOf)]
  } catch {
    return []
  }
}

/** @param {number} pid @param {NodeJS.Signals} signal */
export function signalTree(pid, signal) {
  for (const one of treeOf(pid)) {
    try {
      process.kill(one, signal)
    } catch {
      // it has ended meanwhile
    }
  }
}

/** Milliseconds since 1970 that never fall: what is set on the machine's clock changes nothing. */
export const instant = () => performance.timeOrigin + performance.now()
