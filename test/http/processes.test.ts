import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Pool } from 'undici'
import { openIssuer, type OpenIssuer } from '../../src/entry/issuer.js'
import { openService } from '../../src/entry/service.js'
import { openWallet, type OpenWallet, type WalletAgent } from '../../src/entry/wallet.js'
import { readJws } from '../../src/jws/compact.js'
import type { JsonObject } from '../../src/json.js'
import { recordsOf } from '../audit/records.js'
import { procura } from '../cli/run.js'
import { hasPostgres, temporaryDatabases } from '../contract/postgres.js'
import { forgetRedis, forgetRedisOf, hasRedis, REDIS } from '../contract/redis.js'
import { API, POLICY, SECRET, writeConfig } from './home.js'
import { isAlive, serve, type Serving } from './serving.js'

const AUTHORITY = { more: 1, audience: [API], grants: [{ resource: `${API}/**`, actions: ['read'] }] }
const ROOM = { method: 'GET', url: `${API}/rooms/1`, bodyDigest: null, action: 'read', resource: `${API}/rooms/1`, params: {} } // prettier-ignore
const STRANGERS = 90
/** Milliseconds for what starts processes, on a machine with other work. */
const PATIENCE = 240_000
/** Connections of one's own, handed to the workers in turn. */
const WAYS = 8

interface Backend {
  readonly name: string
  readonly processes: number
  /** what the block of the service says beside */
  readonly block: () => Promise<{ readonly storage?: string; readonly state?: string }>
  readonly forget: (storage: string | undefined, origin: string) => Promise<void>
}
const { freshDatabase, dropAll } = temporaryDatabases()
afterAll(dropAll)
const SQLITE: Backend = {
  name: 'SQLite',
  processes: 2,
  block: () => Promise.resolve({}),
  forget: () => Promise.resolve(),
}
const ON_SERVERS: Backend = {
  name: 'PostgreSQL and Redis',
  processes: 3,
  block: async () => ({ storage: await freshDatabase(), state: REDIS }),
  async forget(storage = '', origin) {
    await forgetRedisOf(storage)
    await forgetRedis(origin)
  },
}
// without one of them the servers' own set-up has said so
const backends = hasPostgres && hasRedis ? [SQLITE, ON_SERVERS] : [SQLITE]

describe.each(backends)('one service in $processes processes on $name', ({ processes, block, forget }) => {
  // calls are counted by origin: one that nobody else counts under
  const host = `id-${randomBytes(6).toString('hex')}.acme.example`
  const origin = `https://${host}`
  let folder: string
  let config: string
  let storage: string | undefined
  let serving: Serving
  let issuer: OpenIssuer
  let wallet: OpenWallet
  let alice: WalletAgent
  let booker: WalletAgent
  let ways: readonly Pool[]
  const acknowledged: { readonly decisionId: unknown; readonly presentation: string }[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'procura-processes-'))
    const listen = { host: '127.0.0.1', port: 0, processes, drain: 1 }
    const limits = { strangers: { max: STRANGERS, per: 3600 } }
    const own = await block()
    storage = own.storage
    const roots = [{ issuer: `did:web:${host}`, grants: [{ resource: `${API}/**`, actions: ['read'] }] }]
    config = await writeConfig(folder, { origin, listen, telemetry: { metrics: true }, limits, ...own }, { ...POLICY, roots }) // prettier-ignore
    await open()
    await issuer.register({ kind: 'person', did: alice.did, name: 'alice' })
    await alice.receive((await issuer.grant({ to: alice.did, ttl: 3600, authority: AUTHORITY })).credential)
  }, PATIENCE)
  afterAll(async () => {
    await leave()
    if (serving.main.exitCode === null && serving.main.kill('SIGKILL')) await once(serving.main, 'exit')
    await forget(storage, origin)
    await rm(folder, { recursive: true, force: true })
  })

  /** Starts it, and all who call it. */
  async function open(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    serving = await serve(config, environment)
    ways = Array.from({ length: WAYS }, () => new Pool(serving.address, { connections: 1 }))
    const connect = { [origin]: serving.address }
    issuer = await openIssuer({ service: origin, storage: `sqlite://${join(folder, 'operator.db')}`, connect })
    const held = `sqlite://${join(folder, 'wallet.db')}`
    wallet = await openWallet({ storage: held, roots: [`did:web:${host}`], service: origin, connect })
    const agent = (name: string): Promise<WalletAgent> => wallet.agent(name).catch(() => wallet.createAgent({ name }))
    alice = await agent('alice')
    booker = await agent('booker')
  }
  async function leave(): Promise<void> {
    await Promise.all(ways.map(way => way.destroy()))
    await issuer.close()
    await wallet.close()
  }
  async function delegated(ttl = 300): Promise<string> {
    const { chain, digest } = await alice.delegate({ to: booker.did, grants: AUTHORITY.grants, ttl })
    await booker.receive(chain)
    return digest
  }
  const present = (): Promise<string> => booker.present({ ...ROOM, audience: API })
  async function ask(way: number, presentation: string): Promise<JsonObject> {
    const answer = await ways[way % WAYS]?.request({
      method: 'POST',
      path: '/v1/verify',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${SECRET}` },
      body: JSON.stringify({ presentation, request: ROOM }),
    })
    return (await answer?.body.json()) as JsonObject
  }
  const get = (path: string): Promise<readonly { readonly status: number; readonly text: string }[]> =>
    Promise.all(
      ways.map(async way => {
        const { statusCode, body } = await way.request({ method: 'GET', path })
        return { status: statusCode, text: await body.text() }
      }),
    )
  async function until(isTime: () => Promise<boolean>): Promise<void> {
    while (!(await isTime())) await new Promise(resolve => setTimeout(resolve, 50))
  }
  /** Calls over all connections until `work` is done. What was allowed is kept, and must never be lost. */
  async function underLoad(work: (count: () => number) => Promise<void>): Promise<void> {
    await delegated(1200)
    let isOver = false
    let count = 0
    const load = ways.map(async (_, way) => {
      while (!isOver) {
        const presentation = await present()
        const answer = await ask(way, presentation).catch(() => null)
        if (answer?.['allow'] !== true) continue
        acknowledged.push({ decisionId: answer['decisionId'], presentation })
        count += 1
      }
    })
    await work(() => count).finally(() => (isOver = true))
    await Promise.all(load)
  }
  /** One worker gets a signal under load: another one takes its place, and the others go on. */
  async function signalOne(signal: NodeJS.Signals): Promise<void> {
    const before = await serving.workers()
    expect(before).toHaveLength(processes)
    await underLoad(async count => {
      await until(() => Promise.resolve(count() > 20))
      process.kill(before[0] ?? 0, signal)
      await until(async () => {
        const now = await serving.workers()
        return !now.includes(before[0] ?? 0) && now.length === processes
      })
      const then = count()
      await until(() => Promise.resolve(count() > then + 20))
    })
    for (const { presentation } of acknowledged.slice(-20))
      expect(await ask(acknowledged.length, presentation)).toMatchObject({ code: 'PRESENTATION_REPLAYED' })
  }
  test('figures are those of all', async () => {
    await delegated()
    for (let way = 0; way < 4; way += 1) expect(await ask(way, await present())).toMatchObject({ allow: true })
    for (const { text } of (await get('/metrics')).slice(0, 4)) {
      expect(text).toMatch(/^procura_decisions_total\{outcome="allow",code=""\} 4$/m)
      expect(text).toMatch(/^process_cpu_seconds_total/m)
    }
  })

  test('one presentation shown over every connection at once is accepted once', async () => {
    await delegated()
    for (let round = 0; round < 5; round += 1) {
      const presentation = await present()
      const answers = await Promise.all(ways.map((_, way) => ask(way, presentation)))
      expect(answers.filter(({ allow }) => allow === true)).toHaveLength(1)
      expect(answers.filter(({ code }) => code === 'PRESENTATION_REPLAYED')).toHaveLength(WAYS - 1)
    }
  })

  test('what one process revoked every other refuses, from the answer on', async () => {
    // what lives longer than 300 s can be revoked
    const digest = await delegated(600)
    const shown = await Promise.all(ways.map(present))
    await alice.revoke(digest)
    const answers = await Promise.all(shown.map((presentation, way) => ask(way, presentation)))
    expect(answers.map(({ code }) => code)).toEqual(ways.map(() => 'STATUS_REVOKED'))
  })

  const grant = (idempotencyKey: string) =>
    issuer.api.grant({ body: { to: alice.did, ttl: 600, authority: AUTHORITY } }, { idempotencyKey })

  test('one idempotency key at many processes at once is one grant', async () => {
    const granted = await Promise.all(Array.from({ length: 16 }, () => grant('one')))
    expect(new Set(granted.map(({ credential }) => credential)).size).toBe(1)
    expect((await grant('another')).digest).not.toBe(granted[0]?.digest)
  })

  test(
    'a worker that is killed is replaced; what was answered is used up and on record',
    async () => {
      await signalOne('SIGKILL')
      expect(serving.told()).toContain('has ended (SIGKILL)')
    },
    PATIENCE,
  )

  test(
    'a worker that is asked to end finishes and is replaced, which is no fault',
    async () => {
      const before = serving.told()
      await signalOne('SIGTERM')
      expect(serving.told()).toBe(before)
    },
    PATIENCE,
  )

  test(
    'a worker whose first process is killed ends by itself, and the service starts again',
    async () => {
      const orphans = await serving.workers()
      await underLoad(async count => {
        await until(() => Promise.resolve(count() > 20))
        serving.main.kill('SIGKILL')
        await until(() => Promise.resolve(!orphans.some(isAlive)))
      })
      await leave()
      await open({ PROCURA_PROCESSES: 'cores' })
      const cores = availableParallelism()
      expect(await serving.workers()).toHaveLength(cores === 1 ? 0 : cores)
      expect(await ask(0, acknowledged.at(-1)?.presentation ?? '')).toMatchObject({ code: 'PRESENTATION_REPLAYED' })
    },
    PATIENCE,
  )

  test('new keys, sealing and signing, are those of all processes', async () => {
    const rotate = (...more: string[]): Promise<unknown> => procura(['keys', 'rotate', '--config', config, ...more])
    expect(await rotate('--drop-old')).toMatchObject({ code: 0 })
    const signers = async (): Promise<ReadonlySet<string>> => {
      const granted = await Promise.all(ways.map((_, n) => grant(`${n}-${randomBytes(6).toString('hex')}`)))
      return new Set(granted.map(({ credential }) => readJws(credential, 'vc+jwt', 8192, 'granted').kid))
    }
    const before = await signers()
    expect(before.size).toBe(1)
    expect(await rotate('--issuer', '--emergency')).toMatchObject({ code: 0 })
    const now = await signers()
    expect(now.size).toBe(1)
    expect(now).not.toEqual(before)
    for (const { text } of await get('/.well-known/did.json')) {
      const { assertionMethod } = JSON.parse(text) as { assertionMethod: string[] }
      expect(assertionMethod).toEqual([...now])
    }
  })

  test('calls are counted together', async () => {
    const statuses: number[] = []
    while (statuses.length < STRANGERS + WAYS)
      statuses.push(...(await get('/.well-known/procura')).map(({ status }) => status))
    expect(statuses.filter(status => status === 200).length).toBeLessThanOrEqual(STRANGERS)
    expect(statuses.slice(-4)).toEqual([429, 429, 429, 429])
  })

  test('asked to end it says so, goes on for a while, finishes, and all is on record', async () => {
    const ended = once(serving.main, 'exit')
    const granted: string[] = []
    const load = ways.map(async () => {
      for (;;) {
        const digest = await grant(randomBytes(6).toString('hex')).then(one => one.digest).catch(() => null) // prettier-ignore
        if (digest === null) return
        granted.push(digest)
      }
    })
    await until(() => Promise.resolve(granted.length > 10))
    serving.main.kill('SIGTERM')
    await until(async () => (await get('/readyz')).every(({ status }) => status === 503))
    const then = granted.length
    await until(() => Promise.resolve(granted.length > then))
    expect(await ended).toEqual([0, null])
    await Promise.all(load)
    expect(serving.told()).toBe('')
    const records = await recordsOf(join(folder, 'audit'))
    const [decided, issued] = [records.map(({ decisionId }) => decisionId), records.map(({ digest }) => digest)]
    expect(acknowledged.filter(({ decisionId }) => !decided.includes(decisionId))).toEqual([])
    expect(granted.filter(digest => !issued.includes(digest))).toEqual([])
    expect(await procura(['audit', 'verify', join(folder, 'audit')])).toMatchObject({ code: 0 })
  })
})

test('a program that opens a service opens one', async () => {
  const home = await mkdtemp(join(tmpdir(), 'procura-one-'))
  const path = await writeConfig(home, { listen: { host: '127.0.0.1', port: 0, processes: 2 } })
  await expect(openService({ config: path, environment: {} })).rejects.toThrow(/processes.*procura serve/)
  await rm(home, { recursive: true })
})
