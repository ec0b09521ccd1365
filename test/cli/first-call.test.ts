import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const CLI = join(import.meta.dirname, '../../dist/entry/cli.js')

test('from an empty folder to a first verified call, with the commands that init prints', async () => {
  const cwd = await mkdtemp(join(tmpdir(), "procura first's "))
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  taken.close()
  const env = { PATH: process.env['PATH'] }
  const init = [CLI, 'init', '--dir', 'a b', '--port', String(port), '-o', 'json']
  const { stdout } = await promisify(execFile)(process.execPath, init, { cwd, env })
  const { next } = JSON.parse(stdout) as { next: string[] }
  const [serve = '', ...commands] = next
  const service = spawn('sh', ['-c', `exec ${serve}`], { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(service, 'exit')
  try {
    await once(service.stdout, 'data')
    let last = ''
    for (const command of commands) last = (await promisify(execFile)('sh', ['-ec', command], { cwd, env })).stdout
    expect(last).toMatch(/^✓ allowed: did:key:/)
  } finally {
    service.kill()
    await ended
    await rm(cwd, { recursive: true, force: true })
  }
}, 120_000)
