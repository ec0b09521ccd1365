import { spawn, type ChildProcess } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recordsOf } from '../audit/records.js'

/** The three first uses of the README, as programs: real processes, real HTTP, one folder they share. */
const ROOT = join(import.meta.dirname, '../..')
const DIGEST = /^granted (uEi[A-Za-z0-9_-]{44})$/m

let folder: string
let environment: NodeJS.ProcessEnv
const running: ChildProcess[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'procura-examples-'))
  await cp(join(ROOT, 'data/policies'), join(folder, 'data/policies'), { recursive: true })
  const [service, api] = [await freePort(), await freePort()]
  environment = {
    PATH: process.env['PATH'],
    PROCURA_PORT: String(service),
    PROCURA_ADDRESS: `http://127.0.0.1:${service}`,
    API_PORT: String(api),
    API_ADDRESS: `http://127.0.0.1:${api}`,
  }
  await keep('dist/entry/cli.js', ['serve', '--config', join(ROOT, 'agent.yml')], 'procura listens on')
  await keep('examples/resource-server.js', [], 'https://api.example listens on')
})

afterAll(async () => {
  for (const child of running) {
    child.kill('SIGTERM')
    await ended(child)
  }
  await rm(folder, { recursive: true, force: true })
})

test('a wallet gets authority, hands on less of it, and the chain of who did is in the answer; then it is taken back', async () => {
  const planner = (await run('wallet')).stdout.trim()
  expect(planner).toMatch(/^did:key:z6Mk/)
  expect((await run('wallet')).stdout.trim()).toBe(planner)

  const { stdout, stderr } = await run('issuer', planner)
  const credential = stdout.trim()
  expect(credential).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  const digest = DIGEST.exec(stderr)?.[1] ?? 'none'

  const first = (await run('wallet', credential)).stdout
  expect(first).toMatch(/^200 /)
  expect(first).toContain("booked: '/bookings/SYD-1'")
  expect(first).toContain("onBehalfOf: 'did:web:procura.example'")
  expect(first.match(/did:key:z6Mk\w+/g)).toEqual([planner, expect.not.stringMatching(planner)])

  expect((await run('issuer', 'revoke', digest)).stdout).toContain(digest)
  const second = (await run('wallet', credential)).stdout
  expect(second).toMatch(/^401 /)
  expect(second).toContain("code: 'STATUS_REVOKED'")

  const decisions = await recordsOf(join(folder, 'data/var/api.audit'))
  // each run of the wallet signs a new delegation, so its chain is new to the server once
  expect(decisions.map(({ allow, code }) => [allow, code])).toEqual([
    [false, 'CHAIN_UNKNOWN'],
    [true, null],
    [false, 'CHAIN_UNKNOWN'],
    [false, 'STATUS_REVOKED'],
  ])
})

describe('the same authority', () => {
  let planner: string
  let credential: string
  let digest: string

  beforeAll(async () => {
    planner = (await run('wallet')).stdout.trim()
    const { stdout, stderr } = await run('issuer', planner)
    credential = stdout.trim()
    digest = DIGEST.exec(stderr)?.[1] ?? 'none'
  })

  test('at the API on Express, which commits before its effect', async () => {
    const port = await freePort()
    const own = { API_PORT: String(port), API_ADDRESS: `http://127.0.0.1:${port}` }
    await keep('examples/express-server.js', [], 'https://api.example listens on', own)
    const booked = (await runWith(own, 'wallet', credential)).stdout
    expect(booked).toMatch(/^200 /)
    expect(booked).toContain("booked: '/bookings/SYD-1'")
    expect(await recordsOf(join(folder, 'data/var/express.audit'))).toMatchObject([
      { allow: false, code: 'CHAIN_UNKNOWN' },
      { allow: true },
      { type: 'commit', allow: true },
    ])
    const stranger = await fetch(`${own.API_ADDRESS}/bookings/SYD-1`, { method: 'POST' })
    expect([stranger.status, await stranger.json()]).toMatchObject([401, { code: 'CALLER_UNKNOWN' }])
  })

  test('for a tool over stdio, and no more once it is taken back', async () => {
    expect((await run('mcp-client', credential)).stdout).toContain(`booked for 32000 by ${planner}`)
    await run('issuer', 'revoke', digest)
    expect((await run('mcp-client', credential)).stdout).toContain("code: 'STATUS_REVOKED'")
  })
})

test('a request without authority is told what would be checked', async () => {
  const response = await fetch(`${environment['API_ADDRESS'] ?? ''}/bookings/SYD-1`, { method: 'POST' })
  expect(response.status).toBe(401)
  expect(await response.json()).toMatchObject({
    code: 'CALLER_UNKNOWN',
    authority: { action: 'book', resource: 'https://api.example/bookings/SYD-1', params: [] },
  })
})

test('a refusal of the service ends the program and names its code', async () => {
  await expect(run('issuer', 'did:nonsense')).rejects.toThrow(/SCHEMA|DID_METHOD/)
  await expect(run('issuer', 'revoke', 'uEiNothing')).rejects.toThrow(/NOT_FOUND/)
})

/** Starts a program that stays, and waits for the line that says it is ready. */
async function keep(file: string, args: readonly string[], line: string, own: NodeJS.ProcessEnv = {}): Promise<void> {
  const child = spawn(process.execPath, [join(ROOT, file), ...args], { cwd: folder, env: { ...environment, ...own } })
  running.push(child)
  let said = ''
  await new Promise<void>((resolve, reject) => {
    const listen = (chunk: Buffer): void => {
      said += chunk.toString()
      if (said.includes(line)) resolve()
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    child.once('exit', code => reject(new Error(`${file} ended with ${String(code)}: ${said}`)))
  })
}

/** Runs an example to its end. */
function run(name: string, ...args: readonly string[]): Promise<Said> {
  return runWith({}, name, ...args)
}

interface Said {
  readonly stdout: string
  readonly stderr: string
}

function runWith(own: NodeJS.ProcessEnv, name: string, ...args: readonly string[]): Promise<Said> {
  const child = spawn(process.execPath, [join(ROOT, 'examples', `${name}.js`), ...args], {
    cwd: folder,
    env: { ...environment, ...own },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve({ stdout, stderr })
      else reject(new Error(`${name} ended with ${String(code)}: ${stderr}`))
    })
  })
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise(resolve => child.once('exit', () => resolve()))
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
