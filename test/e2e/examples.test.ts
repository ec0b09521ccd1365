import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '../../src/adapters/store/store.js'
import { actor } from '../upstream/actors.js'
import { recordsOf } from '../audit/records.js'

/** The examples, as programs: real processes, real HTTP, one folder they share. */
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

describe.concurrent('a CSV of agents', () => {
  const HEADER = 'name,did,autonomy,risk,resource,actions,ttl'
  const granted = (said: Said): readonly Granted[] =>
    said.stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Granted)
  const write = (name: string, ...lines: readonly string[]): Promise<void> =>
    writeFile(join(folder, name), [HEADER, ...lines, ''].join('\n'))

  test('gives a planner with tools what its sub-agents need, and nothing comes of what they were not given', async () => {
    const [trips, pay] = [await freePort(), await freePort()]
    const own = {
      TRIPS_PORT: String(trips),
      TRIPS_ADDRESS: `http://127.0.0.1:${trips}`,
      PAY_PORT: String(pay),
      PAY_ADDRESS: `http://127.0.0.1:${pay}`,
    }
    const [planner = '', traveller = ''] = (await runWith(own, 'agent-loop')).stdout.trim().split(' ')
    await write(
      'loop.csv',
      `planner,${planner},L2,low,https://trips.example/trips/**,quote book,3600`,
      `planner,${planner},L2,low,https://pay.example/payments,pay,3600`,
    )
    const [{ stdout: credentials }] = await Promise.all([
      run('grant-csv', 'loop.csv'),
      keep('examples/trip-apis.js', [traveller], 'https://pay.example listen', own),
    ])
    await writeFile(join(folder, 'granted.ndjson'), credentials)

    const { stdout } = await runWith(own, 'agent-loop', 'granted.ndjson')
    const steps = stdout.split('\n').flatMap(line => (line.startsWith('  ') ? [line.slice(2).split(' → ')] : []))
    expect(steps.map(([call = '', seen = '']) => [call, JSON.parse(seen) as object])).toMatchObject([
      ['quote_trip {"trip":"SYD-1"}', { result: { price: 64_000 } }],
      ['book_trip {"trip":"SYD-1","amount":64000}', { refused: { code: 'DENIED_ARG' } }],
      ['quote_trip {"trip":"MEL-2"}', { result: { price: 32_000 } }],
      ['book_trip {"trip":"MEL-2","amount":32000}', { result: { booked: '/trips/MEL-2' } }],
      ['pay {"amount":32000}', { refused: { code: 'PRESENTATION_AUDIENCE' } }],
      ['pay {"amount":32000}', { refused: { advice: 'the server also checks the parameters currency' } }],
      [
        'pay {"amount":32000,"currency":"AUD"}',
        { refused: { code: 'APPROVAL_REQUIRED', approval: { display: { amount: 32_000, currency: 'AUD' } } } },
      ],
      ['ask_person {}', { approval: expect.stringMatching(/^ey/) as unknown }],
      ['pay {"amount":32000,"currency":"AUD"}', { status: 200, result: { approvedBy: traveller } }],
    ])
    const workers = stdout.match(/^\w+: did:key:z6Mk\w+/gm)?.map(line => line.split(' ')[1] ?? '') ?? []
    expect(new Set([planner, ...workers]).size).toBe(3)
    const decided = await decisions('trips')
    expect(decided.map(({ allow, path }) => [allow, path])).toEqual(Array(3).fill([true, [planner, workers[0]]]))
    const paid = await decisions('pay')
    expect(paid.map(({ allow, code, path }) => [allow, code, (path as readonly string[]).at(-1)])).toEqual([
      [false, 'REQUEST_PARAMS', workers[1]],
      [false, 'APPROVAL_REQUIRED', workers[1]],
      [true, null, workers[1]],
    ])
    const store = await openStore(`sqlite://${join(folder, 'data/var/loop.db')}`)
    try {
      expect(await store.dataSource.query('SELECT did FROM identifier')).toEqual([{ did: planner }])
    } finally {
      await store.close()
    }
  })

  test('is granted once, however often it is run, and says which line was refused', async () => {
    const dids = Array.from({ length: 6 }, () => actor().did)
    const lines = dids.map((did, n) => `"agent ""${n}"", of a file",${did},L2,low,https://api.example/**,book,3600`)
    await write('many.csv', ...lines)
    const cut = start('grant-csv', ['many.csv'])
    let before = ''
    cut.stdout.on('data', (chunk: Buffer) => (before += chunk.toString()))
    for await (const line of createInterface(cut.stderr)) if (line.startsWith('2 of 6')) break
    cut.kill('SIGKILL')
    await ended(cut)

    await write('many.csv', `late,${dids[0] ?? ''},L4,high,https://api.example/**,book,3600`, ...lines, `long,${dids[1] ?? ''},L2,low,https://api.example/**,book,86401`) // prettier-ignore
    const refused = await run('grant-csv', 'many.csv').catch((error: unknown) => error as Failed)
    expect(refused).toMatchObject({ code: 1 })
    const after = granted(refused)
    expect(after.map(({ line, did }) => [line, did])).toEqual(dids.map((did, n) => [n + 3, did]))
    const first = granted({ stdout: before, stderr: '' })
    expect(first.length).toBeGreaterThanOrEqual(2)
    expect(after.slice(0, first.length).map(({ credential }) => credential)).toEqual(first.map(one => one.credential))
    expect((refused as Failed).stderr).toMatch(/^8 of 8, [\d.]+\/s, 2 failed$/m)
    const report = (await readFile(join(folder, 'many.csv.failed.ndjson'), 'utf8')).trim().split('\n')
    expect(report.map(line => JSON.parse(line) as object)).toMatchObject([
      { line: 2, name: 'late', did: dids[0], code: 'SCHEMA', why: expect.stringContaining('"L2"') as unknown },
      { line: 9, name: 'long', did: dids[1], code: 'SCHEMA' },
    ])

    const store = await openStore(`sqlite://${join(folder, 'data/var/procura.db')}`)
    try {
      const rows = await store.dataSource.query<{ token: string }[]>('SELECT token FROM stored_credential')
      const roots = rows.map(({ token }) => Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
      const mine = roots.filter(
        text => text.includes('AgentCapabilityCredential') && dids.some(did => text.includes(did)),
      )
      expect(mine).toHaveLength(dids.length)
    } finally {
      await store.close()
    }
  })

  test('with a malformed line sends nothing, and names each', async () => {
    const did = actor().did
    const good = `good,${did},L2,low,https://api.example/**,book,3600`
    // whatever were sent would end with SERVICE_UNAVAILABLE
    const nobody = { PROCURA_ADDRESS: `http://127.0.0.1:${await freePort()}` }
    await write('bad.csv', good, `worse,${did},L9,low,https://api.example/**,book,0`, good, `short,${did}`, 'a"b,c')
    const { code, stdout, stderr } = await runWith(nobody, 'grant-csv', 'bad.csv').catch((error: unknown) => error as Failed) as Failed // prettier-ignore
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr.match(/^line \d+: \w+/gm)).toEqual([
      'line 3: autonomy',
      'line 3: ttl',
      'line 4: is',
      ...['autonomy', 'risk', 'resource', 'actions', 'ttl'].map(column => `line 5: ${column}`),
      'line 6: a',
    ])
    await expect(run('issuer', 'revoke', did)).rejects.toThrow('NOT_FOUND')
  })
})

test.concurrent('a request without authority is told what would be checked', async () => {
  const response = await fetch(`${environment['API_ADDRESS'] ?? ''}/bookings/SYD-1`, { method: 'POST' })
  expect(response.status).toBe(401)
  expect(await response.json()).toMatchObject({
    code: 'CALLER_UNKNOWN',
    authority: { action: 'book', resource: 'https://api.example/bookings/SYD-1', params: [] },
  })
})

test.concurrent('a refusal of the service ends the program and names its code', async () => {
  await Promise.all([
    expect(run('issuer', 'did:nonsense')).rejects.toThrow(/SCHEMA|DID_METHOD/),
    expect(run('issuer', 'revoke', 'uEiNothing')).rejects.toThrow(/NOT_FOUND/),
  ])
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

/** What an example said that did not end well. */
interface Failed extends Error, Said {
  readonly code: number | null
}

interface Granted {
  readonly line: number
  readonly did: string
  readonly credential: string
}

function start(name: string, args: readonly string[], own: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams {
  const program = join(ROOT, 'examples', `${name}.js`)
  return spawn(process.execPath, [program, ...args], { cwd: folder, env: { ...environment, ...own } })
}

function runWith(own: NodeJS.ProcessEnv, name: string, ...args: readonly string[]): Promise<Said> {
  const child = start(name, args, own)
  // whoever asks at the terminal is answered yes
  child.stdin.end('y\n')
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve({ stdout, stderr })
      else reject(Object.assign(new Error(`${name} ended with ${String(code)}: ${stderr}`), { code, stdout, stderr }))
    })
  })
}

/** What an API decided, but for the chains that it was given once they were asked for. */
async function decisions(api: string): Promise<Awaited<ReturnType<typeof recordsOf>>> {
  const records = await recordsOf(join(folder, `data/var/${api}.audit`))
  return records.filter(({ code }) => code !== 'CHAIN_UNKNOWN')
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
