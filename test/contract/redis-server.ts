import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { openRedis } from '../../src/adapters/state/redis.js'

const RUNNING = process.env['PROCURA_TEST_REDIS'] ?? 'redis://127.0.0.1:6379'

/**
 * Finds Redis for the whole run and names it in PROCURA_TEST_REDIS: the server named there, the one of this machine, or
 * one started from the installed program. Without any the variable is empty, which is a failure where CI is true.
 *
 * @returns what stops a server that was started
 */
export default async function setup(): Promise<() => Promise<void>> {
  const none = (): Promise<void> => Promise.resolve()
  if (await answers(RUNNING)) {
    process.env['PROCURA_TEST_REDIS'] = RUNNING
    return none
  }
  const started = spawnSync('redis-server', ['--version']).error === undefined ? await startRedis() : null
  if (started === null && process.env['CI'] === 'true') throw new Error('there is no Redis, and no redis-server')
  if (started === null)
    console.warn(`\n  SKIPPED: everything on Redis. None answers at ${RUNNING}, and none is installed\n`)
  process.env['PROCURA_TEST_REDIS'] = started?.url ?? ''
  return started?.stop ?? none
}

async function answers(url: string): Promise<boolean> {
  return openRedis(url).then(
    state => state.close().then(() => true),
    () => false,
  )
}

/** A server of one's own. */
export interface RedisServer {
  readonly url: string
  /** To the process as it is: `SIGSTOP`, `SIGCONT`. */
  signal(name: NodeJS.Signals): void
  /** Ends it as a crash does, and starts it again on the same port and folder. */
  restart(): Promise<void>
  /** Ends it as a crash does. */
  kill(): Promise<void>
  /** Makes it a whole cluster by itself. */
  own(): Promise<void>
  readonly stop: () => Promise<void>
}

/**
 * Starts a server on a free port, in a temporary folder, that keeps nothing unless told to.
 *
 * @param given - more of what `redis-server` takes
 */
export async function startRedis(...given: readonly string[]): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'procura-redis-'))
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo
  holder.close()
  await once(holder, 'close')
  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...given]
  let server: ChildProcess
  const start = async (): Promise<void> => {
    server = spawn('redis-server', settings, { stdio: 'ignore' })
    for (let n = 0; n < 200 && !(await listens(port)); n += 1) await new Promise(resolve => setTimeout(resolve, 25))
  }
  const kill = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return
    server.kill('SIGKILL')
    await once(server, 'exit')
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    signal: name => void server.kill(name),
    async restart() {
      await kill()
      await start()
    },
    kill,
    async own() {
      const redis = new Redis(port, '127.0.0.1')
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
      while (!(await redis.cluster('INFO')).includes('cluster_state:ok')) await new Promise(r => setTimeout(r, 25))
      redis.disconnect()
    },
    async stop() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
