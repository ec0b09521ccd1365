import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openService, type Service } from '../../src/entry/service.js'
import { lineTo, type Line } from '../contract/line.js'
import { forgetRedis, forgetRedisOf, hasRedis, REDIS } from '../contract/redis.js'
import { codeOf } from '../resolve/host.js'
import { Asking } from './asking.js'
import { SECRET, writeConfig } from './home.js'

const SERVER = { secret: SECRET }

describe.runIf(hasRedis)('two processes that count calls in one Redis', () => {
  let folder: string
  let line: Line
  let services: readonly Service[]
  let asking: readonly Asking[]
  const databases: string[] = []
  // counts are by name: one that nobody else counts under
  const name = `api-${randomBytes(6).toString('hex')}`

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'procura-redis-'))
    line = await lineTo(REDIS, 6379)
    const secretHash = createHash('sha256').update(SECRET).digest('base64url')
    const resourceServers = [{ name, secretHash, policy: join(folder, 'policy.json') }]
    const limits = { resourceServers: { max: 6, per: 600 } }
    const config = await writeConfig(folder, { state: line.url, resourceServers, limits })
    const [first, second] = ['audit', 'audit-2'].map(log => ({
      config,
      environment: { PROCURA_AUDIT: join(folder, log) },
    }))
    databases.push(join(folder, 'acme.db'))
    services = [await openService(first!), await openService(second!)]
    asking = services.map(({ address }) => new Asking(address))
  })
  afterAll(async () => {
    line.cut()
    for (const service of services) await service.close()
    for (const file of databases) await forgetRedisOf(`sqlite://${file}`)
    await rm(folder, { recursive: true, force: true })
    await forgetRedis(name)
  })

  const ask = async (at: number): Promise<unknown> => {
    const { status, code } = await asking[at]!.ask('challenge', SERVER, { body: {} })
    return status === 201 ? null : code
  }

  test('no answer from it is no yes, comes quickly, and passes', async () => {
    expect([await ask(0), await ask(1)]).toEqual([null, null])
    line.cut()
    expect(await Promise.all([0, 1, 0, 1].map(ask))).toEqual(Array(4).fill('SERVICE_UNAVAILABLE'))
    const ready = await services[0]!.app.inject('/readyz')
    expect([ready.statusCode, ready.json()]).toMatchObject([
      503,
      { checks: { state: { ok: false, why: 'REPLAY_UNAVAILABLE' }, database: { ok: true } } },
    ])
    await line.mend()
    await expect.poll(() => ask(0), { timeout: 10_000 }).toBeNull()
    await expect.poll(() => ask(1), { timeout: 10_000 }).toBeNull()
  })

  test('what one counted, the other knows', async () => {
    const codes = [await ask(0), await ask(1), await ask(0), await ask(1)]
    expect(codes.slice(-2)).toEqual(['RATE_LIMITED', 'RATE_LIMITED'])
  })

  test('another service in the same Redis counts on its own', async () => {
    const home = await mkdtemp(join(folder, 'other-'))
    const secretHash = createHash('sha256').update(SECRET).digest('base64url')
    const resourceServers = [{ name, secretHash, policy: join(home, 'policy.json') }]
    const limits = { resourceServers: { max: 6, per: 600 } }
    const origin = 'https://id.other.example'
    const config = await writeConfig(home, { origin, state: line.url, resourceServers, limits })
    databases.push(join(home, 'acme.db'))
    const other = await openService({ config, environment: {} })
    expect((await new Asking(other.address).ask('challenge', SERVER, { body: {} })).status).toBe(201)
    await other.close()
  })

  test('a Redis that does not answer at the start: the service does not start', async () => {
    const config = await writeConfig(folder, { state: 'redis://127.0.0.1:1', audit: join(folder, 'audit-3') })
    expect(await codeOf(() => openService({ config, environment: {} }))).toBe('SERVICE_UNAVAILABLE')
  })
})
