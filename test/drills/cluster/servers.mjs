// What the services need beside each other: PostgreSQL, Redis and haproxy, each a process of the drill.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, readdirSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import pg from 'pg'
import { signalTree, until } from './machine.mjs'

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {number} port
 * @property {() => Promise<void>} start until it answers
 * @property {() => Promise<void>} crash
 * @property {(signal: 'SIGSTOP' | 'SIGCONT') => void} signal
 * @property {() => boolean} runs
 * @property {() => number} pid 0 while it does not run
 */

/**
 * A server that is started again as a supervisor would, from Debian's programs or those in PATH.
 *
 * @param {string} name @param {number} port
 * @param {() => { readonly program: string, readonly given: readonly string[], readonly user?: { uid?: number, gid?: number } }} command
 * @param {() => Promise<boolean>} answers
 * @param {(pid: number) => Promise<void>} crash
 * @returns {Server}
 */
function server(name, port, command, answers, crash) {
  /** @type {import('node:child_process').ChildProcess | null} */
  let child = null
  // before its disk goes
  process.prependListener('exit', () => child?.kill('SIGKILL'))
  return {
    name,
    port,
    async start() {
      await until(async () => {
        if (child === null) {
          const { program, given, user = {} } = command()
          child = spawn(program, given, { ...user, stdio: 'ignore' })
          child.once('exit', () => (child = null))
        }
        return answers()
      }, `${name} answers`)
    },
    async crash() {
      const pid = child?.pid
      if (child === null || pid === undefined) return
      const gone = once(child, 'exit')
      await crash(pid)
      await gone
    },
    signal(signal) {
      if (child?.pid !== undefined) signalTree(child.pid, signal)
    },
    runs: () => child !== null,
    pid: () => child?.pid ?? 0,
  }
}

/** Small segments: a full disk is met within seconds. */
const SMALL = ['max_wal_size=32MB', 'min_wal_size=8MB', 'shared_buffers=64MB']

/** @param {string} folder @param {number} port @param {readonly string[]} [size] settings */
export async function postgres(folder, port, size = SMALL) {
  const installed = '/usr/lib/postgresql'
  const [newest = ''] = readdirSync(installed).sort((a, b) => Number(b) - Number(a))
  const bin = join(installed, newest, 'bin')
  const { uid, gid } = statSync('/var/lib/postgresql')
  const user = process.getuid?.() === 0 ? { uid, gid } : {}
  const data = join(folder, 'data')
  await mkdir(data, { mode: 0o700 })
  if (user.uid !== undefined) for (const path of [folder, data]) chownSync(path, uid, gid)
  /** @param {string} program @param {readonly string[]} given */
  const run = (program, given) => promisify(execFile)(join(bin, program), given, { ...user, cwd: '/' })
  await run('initdb', ['-D', data, '-A', 'trust', '-U', 'drill', '--wal-segsize=1', '-E', 'UTF8', '--locale=C'])
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200', ...size] // prettier-ignore
  const url = `postgres://drill@127.0.0.1:${port}/postgres`
  const one = server(
    'PostgreSQL',
    port,
    () => ({
      program: join(bin, 'postgres'),
      given: ['-D', data, '-p', String(port), ...settings.flatMap(text => ['-c', text])],
      user,
    }),
    async () => {
      const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
      client.on('error', () => undefined)
      await client.connect()
      await client.query('SELECT 1').finally(() => client.end())
      return true
    },
    async () => {
      await run('pg_ctl', ['-D', data, '-m', 'immediate', '-W', 'stop'])
    },
  )
  return { ...one, data, bin, user, url: (/** @type {string} */ name) => `postgres://drill@127.0.0.1:${port}/${name}` }
}

/** @param {string} folder @param {number} port */
export function redis(folder, port) {
  // every write is in the system's hands before it is answered: kill -9 loses none
  const given = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec', '--maxmemory-policy', 'noeviction'] // prettier-ignore
  return server(
    'Redis',
    port,
    () => ({ program: 'redis-server', given }),
    async () => {
      const client = new Redis(port, '127.0.0.1', {
        lazyConnect: true,
        retryStrategy: () => null,
        connectTimeout: 1000,
        commandTimeout: 1000,
      })
      client.on('error', () => undefined)
      try {
        await client.connect()
        return (await client.ping()) === 'PONG'
      } finally {
        client.disconnect()
      }
    },
    pid => Promise.resolve(void process.kill(pid, 'SIGKILL')),
  )
}

/**
 * @param {string} folder
 * @param {readonly { readonly name: string, readonly port: number, readonly host: string, readonly ports: readonly number[] }[]} fronts
 */
export async function haproxy(folder, fronts) {
  const config = `
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 40s
  timeout queue 5s
  timeout check 2s
  timeout tunnel 60s
  retries 2
  option redispatch
  retry-on conn-failure
  balance leastconn
${fronts
  .map(
    ({ name, port, host, ports }) => `
frontend ${name}
  bind 127.0.0.1:${port}
  default_backend ${name}
backend ${name}
  option httpchk
  http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host ${host}
  http-check expect status 200
  default-server check inter 500ms fall 2 rise 1
${ports.map((one, n) => `  server s${n} 127.0.0.1:${one}`).join('\n')}
`,
  )
  .join('')}
`
  const path = join(folder, 'haproxy.cfg')
  await writeFile(path, config)
  return server(
    'haproxy',
    fronts[0]?.port ?? 0,
    () => ({ program: 'haproxy', given: ['-db', '-q', '-f', path] }),
    () => fetch(`http://127.0.0.1:${fronts[0]?.port}/readyz`).then(response => response.ok),
    pid => Promise.resolve(void process.kill(pid, 'SIGKILL')),
  )
}
