import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  const started = spawnSync('redis-server', ['--version']).error === undefined ? await start() : null
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

/** A server of its own, on a free port, that keeps nothing. */
async function start(): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'procura-redis-'))
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo
  holder.close()
  await once(holder, 'close')
  const server = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', folder])
  const url = `redis://127.0.0.1:${port}`
  for (let n = 0; n < 100 && !(await answers(url)); n += 1) await new Promise(resolve => setTimeout(resolve, 50))
  return {
    url,
    async stop() {
      server.kill()
      await once(server, 'exit')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
