import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { openRedis } from '../../src/adapters/state/redis.js'
import { inPlace, Keepers } from '../../src/adapters/store/keepers.js'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import { systemIds } from '../../src/adapters/system.js'
import { digestOf } from '../../src/encoding.js'
import { openState, type SharedState } from '../../src/entry/state.js'
import { isProcuraError } from '../../src/errors.js'
import type { Settlement, State } from '../../src/ports/deciding.js'
import { selfSigned } from '../resolve/certificate.js'
import { lineTo } from './line.js'
import { hasPostgres, temporaryDatabases } from './postgres.js'
import { installedPostgres, startPostgres } from './postgres-server.js'
import { hasRedis } from './redis.js'
import { startRedis, type RedisServer } from './redis-server.js'
import { credentialOf, later, refusal, together } from './store-fixtures.js'

const { migratedDatabase, dropAll } = temporaryDatabases()
afterAll(dropAll)
let folder: string
let files = 0
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'procura-outages-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))
const freshFile = (): string => `sqlite://${join(folder, `${(files += 1)}.db`)}`

/** Redis has a clock of its own. */
const NOW = Math.floor(Date.now() / 1000)
let now = NOW
const clock = { now: () => now }
let names = 0
const fresh = (): string => `name ${(names += 1)}`

/** The code of a refusal; `null` for an answer. */
const codeOf = (work: () => Promise<unknown>): Promise<unknown> =>
  work().then(
    () => null,
    (error: unknown) => (isProcuraError(error) ? error.code : error),
  )
/** The answer, where it does not have to be waited for. */
const atOnce = (work: () => Promise<unknown>): Promise<unknown> =>
  Promise.race([
    codeOf(work),
    (async () => {
      for (let n = 0; n < 20; n += 1) await setImmediate()
      return 'it waits'
    })(),
  ])

const settlementOf = (key: string, issuedAt = now): Settlement => ({
  uses: [{ key, issuedAt, until: issuedAt + 120 }],
  throttles: [],
  charges: [],
  hold: null,
  now,
})
const use = ({ ledger }: State, key: string, issuedAt = now): Promise<unknown> =>
  ledger.settle(settlementOf(key, issuedAt)).catch((error: unknown) => (isProcuraError(error) ? error.code : error))

async function storeAt(url: string): Promise<Store> {
  const store = await openStore(url)
  onTestFinished(() => store.close())
  return store
}

async function stateOn(store: Store, redis?: string): Promise<SharedState> {
  const shared = await openState(store, redis, clock, systemIds)
  onTestFinished(() => shared.close())
  return shared
}

async function freePort(): Promise<{ readonly port: number; readonly free: () => Promise<unknown> }> {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo
  return { port, free: () => once(holder.close(), 'close') }
}

async function redisOfOnesOwn(...given: readonly string[]): Promise<RedisServer> {
  const server = await startRedis(...given)
  onTestFinished(server.stop)
  return server
}

describe.runIf(hasPostgres)('PostgreSQL', () => {
  test('a server that falls silent: those that wait are let go, the next refused at once, and it comes back', async () => {
    const line = await lineTo(await migratedDatabase(), 5432)
    onTestFinished(() => line.cut())
    const store = await storeAt(line.url)
    await together(10, n => store.credentials.save(credentialOf(`before ${n}`)))
    line.freeze()
    // ten with a connection, thirty that wait for theirs
    const codes = await together(40, n => codeOf(() => store.credentials.save(credentialOf(`lost ${n}`))))
    expect(new Set(codes)).toEqual(new Set(['STORAGE_UNAVAILABLE']))
    expect(await atOnce(() => store.credentials.find(digestOf('any')))).toBe('STORAGE_UNAVAILABLE')
    expect(await atOnce(() => store.transaction(() => Promise.resolve()))).toBe('STORAGE_UNAVAILABLE')
    line.cut()
    await line.mend()
    const save = () => codeOf(() => store.credentials.save(credentialOf('after')))
    await expect.poll(save, { timeout: 20_000, interval: 100 }).toBeNull()
    expect(await store.credentials.find(credentialOf('before 3').digest)).not.toBeNull()
  })

  test.runIf(installedPostgres() !== undefined)('a server that is frozen, killed, and back', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const store = await storeAt(server.url)
    const { state, check } = await stateOn(store)
    const save = (name: string) => codeOf(() => store.credentials.save(credentialOf(name)))
    const key = fresh()
    expect([await save('before'), await use(state, key)]).toEqual([null, null])
    await server.signal('SIGSTOP')
    expect(await Promise.all([save('a'), save('b'), use(state, fresh())])).toEqual([
      'STORAGE_UNAVAILABLE',
      'STORAGE_UNAVAILABLE',
      'REPLAY_UNAVAILABLE',
    ])
    expect(await atOnce(() => store.credentials.find(digestOf('any')))).toBe('STORAGE_UNAVAILABLE')
    expect(await atOnce(() => state.ledger.settle(settlementOf(fresh())))).toBe('REPLAY_UNAVAILABLE')
    await server.signal('SIGCONT')
    await expect.poll(() => save('after'), { timeout: 20_000 }).toBeNull()
    expect(await use(state, key)).toBe('used')
    await server.kill()
    expect([await save('c'), await use(state, fresh())]).toEqual(['STORAGE_UNAVAILABLE', 'REPLAY_UNAVAILABLE'])
    await server.start()
    await expect.poll(() => save('later'), { timeout: 20_000 }).toBeNull()
    expect(await use(state, key)).toBe('used')
    await check()
  })

  test('who waits for a lock of a server that lives is not let go', async () => {
    const url = await migratedDatabase()
    const [first, second] = [await storeAt(url), await storeAt(url)]
    let waited = false
    let waiting: Promise<unknown> = Promise.resolve()
    await first.transaction(async () => {
      await first.installation.lock('it')
      waiting = second.transaction(async () => {
        await second.installation.lock('it')
        waited = true
      })
      waiting.catch(() => undefined)
      await later(2200)
      expect(waited).toBe(false)
    })
    await waiting
    expect(waited).toBe(true)
  })
})

describe.runIf(hasRedis)('Redis', () => {
  test('that is frozen, dead, and back: no answer is no yes, none waits long, and what was used stays used', async () => {
    const server = await redisOfOnesOwn()
    const store = await storeAt(freshFile())
    const { state, check } = await stateOn(store, server.url)
    const key = fresh()
    expect(await use(state, key)).toBeNull()
    server.signal('SIGSTOP')
    expect(new Set(await together(20, () => use(state, fresh())))).toEqual(new Set(['REPLAY_UNAVAILABLE']))
    for (const work of [
      () => state.ledger.settle(settlementOf(fresh())),
      () => state.ledger.probe(settlementOf(fresh())),
      () => state.nonces.issue('a'),
      () => state.nonces.consume('a', 'b'),
      () => state.chains.find(digestOf('a')),
      () => state.chains.keep(digestOf('a'), ['a'], now + 10),
      check,
    ]) {
      expect(await atOnce(work)).toBe('REPLAY_UNAVAILABLE')
    }
    server.signal('SIGCONT')
    await expect.poll(() => use(state, fresh()), { timeout: 20_000 }).toBeNull()
    expect(await use(state, key)).toBe('used')
    await server.kill()
    await expect.poll(() => use(state, fresh())).toBe('REPLAY_UNAVAILABLE')
    expect(await codeOf(check)).toBe('REPLAY_UNAVAILABLE')
  })

  const losses: readonly [string, readonly string[], (server: RedisServer, state: SharedState) => Promise<unknown>][] = [
    ['restarted empty', [], server => server.restart()],
    ['restarted from an older snapshot', [], async (server, { redis }) => {
      await redis!.redis.save()
      return server.restart()
    }],
    ['restarted from a log', ['--appendonly', 'yes', '--appendfsync', 'always'], server => server.restart()],
    ['emptied', [], (_, { redis }) => redis!.redis.flushall()],
  ] // prettier-ignore
  test.each(losses)(
    '%s: what was issued before is refused, what is issued later is good',
    async (_name, given, lose) => {
      const server = await redisOfOnesOwn(...given)
      const store = await storeAt(freshFile())
      const shared = await stateOn(store, server.url)
      const { state } = shared
      const [early, late] = [fresh(), fresh()]
      const rate = { account: fresh(), max: 1, per: 60 }
      const counted = (): Promise<unknown> => state.ledger.settle({ ...settlementOf(fresh()), throttles: [rate] })
      expect(await use(state, early)).toBeNull()
      expect(await counted()).toBeNull()
      const written = await lose(server, shared).then(() => use(state, late))
      expect(written).not.toBeNull()
      await expect.poll(() => codeOf(shared.check), { timeout: 20_000 }).toBeNull()
      const issuedAt = now
      for (const after of [0, 20, 60, 100]) {
        now = issuedAt + after
        expect(await use(state, early, issuedAt)).toBe('REPLAY_UNAVAILABLE')
        expect(await use(state, fresh(), issuedAt)).toBe('REPLAY_UNAVAILABLE')
        expect(await use(state, fresh())).toBe(after > 60 ? null : 'REPLAY_UNAVAILABLE')
      }
      expect(await codeOf(counted)).toBe('REPLAY_UNAVAILABLE')
      now = issuedAt + 150
      expect(await counted()).toBeNull()
      expect(await counted()).toEqual(rate)
    },
  )

  test('that is full: what is new is refused, what was used stays used', async () => {
    const server = await redisOfOnesOwn()
    const { state, redis } = await stateOn(await storeAt(freshFile()), server.url)
    const key = fresh()
    expect(await use(state, key)).toBeNull()
    await redis!.redis.config('SET', 'maxmemory', '1')
    expect(String(await refusal(() => state.ledger.settle(settlementOf(fresh()))))).toMatch(/REPLAY.*Redis is full/)
    expect(await codeOf(() => state.nonces.issue('a'))).toBe('REPLAY_UNAVAILABLE')
    expect(await use(state, key)).toBe('used')
    await redis!.redis.config('SET', 'maxmemory', '0')
    expect(await use(state, fresh())).toBeNull()
  })

  test('that would forget: refused at the start, and as soon as it is seen', async () => {
    const server = await redisOfOnesOwn()
    const store = await storeAt(freshFile())
    const { state, redis, check } = await stateOn(store, server.url)
    await redis!.redis.config('SET', 'maxmemory-policy', 'volatile-ttl')
    expect(String(await refusal(check))).toMatch(/maxmemory-policy is volatile-ttl/)
    expect(await use(state, fresh())).toBe('REPLAY_UNAVAILABLE')
    expect(String(await refusal(() => openState(store, server.url, clock, systemIds)))).toMatch(
      /CONFIG_INVALID.*volatile-ttl.*noeviction/,
    )
    await redis!.redis.config('SET', 'maxmemory-policy', 'noeviction')
    await check()
    expect(await use(state, fresh())).toBeNull()
  })

  test('a password is in no error, and in nothing that hangs on it', async () => {
    const server = await redisOfOnesOwn('--requirepass', 'right')
    const wrong = server.url.replace('redis://', 'redis://:wrong-secret@')
    const error = await refusal(() => openRedis(wrong))
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    const seen = new Set<unknown>()
    for (let one: unknown = error; one instanceof Error && !seen.has(one); one = one.cause) {
      seen.add(one)
      expect(JSON.stringify([one.message, one.stack, Object.entries(one)])).not.toContain('wrong-secret')
    }
    const link = await openRedis(server.url.replace('redis://', 'redis://:right@'))
    expect(link.name).toBe(server.url)
    await link.close()
    for (const bad of ['redis://', 'redis://:secret@h/x', 'redis://:secret@h?tls=no', 'http://:secret@h'])
      expect(String(await refusal(() => openRedis(bad)))).toMatch(/^(?!.*secret).*CONFIG_INVALID/)
  })

  test('news of one process is told to the others at once, and again after an outage', async () => {
    const server = await redisOfOnesOwn()
    const url = freshFile()
    const [one, other] = [await stateOn(await storeAt(url), server.url), await stateOn(await storeAt(url), server.url)]
    let heard = 0
    const ring = one.wakeUps(() => undefined)
    other.wakeUps(() => (heard += 1))
    const isHeard = async (): Promise<void> => {
      const before = heard
      await expect.poll(() => (ring(), heard), { timeout: 20_000 }).toBeGreaterThan(before)
    }
    await isHeard()
    await isHeard()
    await server.restart()
    await isHeard()
  })

  test('over TLS: a certificate of its own CA, and none other', async () => {
    const { key, cert } = selfSigned('localhost')
    const files = { key: join(folder, 'redis.key'), cert: join(folder, 'redis.crt') }
    await Promise.all([writeFile(files.key, key), writeFile(files.cert, cert)])
    const { port, free } = await freePort()
    await free()
    const settings = ['--tls-port', `${port}`, '--tls-key-file', files.key, '--tls-cert-file', files.cert]
    await redisOfOnesOwn(...settings, '--tls-ca-cert-file', files.cert, '--tls-auth-clients', 'no')
    const tls = `rediss://localhost:${port}`
    const link = await openRedis(`${tls}?ca=${files.cert}`)
    await link.requireAnswer()
    await link.close()
    expect(await refusal(() => openRedis(tls))).toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  })

  test('a cluster is found out, and answers as one server does', async () => {
    const server = await redisOfOnesOwn('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')
    await server.own()
    const { state, redis: link } = await stateOn(await storeAt(freshFile()), server.url)
    expect(link!.redis.isCluster).toBe(true)
    const [a, b] = [fresh(), fresh()]
    const both = { ...settlementOf(a), uses: [a, b].map(key => ({ key, issuedAt: now, until: now + 60 })) }
    expect(await state.ledger.settle({ ...both, throttles: [{ account: 'a', max: 1, per: 60 }] })).toBeNull()
    expect([await use(state, a), await use(state, b)]).toEqual(['used', 'used'])
    await state.chains.keep(digestOf('a'), ['a'], now + 60)
    expect(await state.chains.find(digestOf('a'))).toEqual(['a'])
  })
})

beforeEach(() => void (now = NOW))

describe.runIf(hasRedis)('processes that would keep what was used in different places', () => {
  const opening = (store: Store, redis?: string) => refusal(() => openState(store, redis, clock, systemIds))

  test('in the database and in a Redis', async () => {
    const server = await redisOfOnesOwn()
    const url = freshFile()
    const [one, other] = [await storeAt(url), await storeAt(url)]
    const inTables = await openState(one, undefined, clock, systemIds)
    const key = fresh()
    expect(await use(inTables.state, key)).toBeNull()
    expect(String(await opening(other, server.url))).toMatch(/CONFIG_INVALID.*elsewhere/)
    await (await openState(other, undefined, clock, systemIds)).close()
    await inTables.close()

    // moved: what was used there is not used here
    const moved = await openState(other, server.url, clock, systemIds)
    expect(await use(moved.state, key)).toBe('REPLAY_UNAVAILABLE')
    expect(String(await opening(one))).toMatch(/CONFIG_INVALID.*elsewhere/)
    now = NOW + 90
    expect(await use(moved.state, key, NOW)).toBe('REPLAY_UNAVAILABLE')
    const later = fresh()
    expect(await use(moved.state, later)).toBeNull()
    await moved.close()

    // by one whose clock is behind: what was used by a right one is not used again
    const [behind, right] = [await redisOfOnesOwn(), await storeAt(freshFile())]
    now = NOW
    const before = await openState(right, undefined, clock, systemIds)
    const used = fresh()
    expect(await use(before.state, used)).toBeNull()
    await before.close()
    now = NOW - 1000
    const late = await openState(right, behind.url, clock, systemIds)
    now = NOW
    expect(await use(late.state, used)).toBe('REPLAY_UNAVAILABLE')
    await late.close()
    now = NOW + 90

    // and back
    const back = await openState(one, undefined, clock, systemIds)
    expect(await use(back.state, later)).toBe('REPLAY_UNAVAILABLE')
    now = NOW + 180
    expect(await use(back.state, later, NOW + 90)).toBe('REPLAY_UNAVAILABLE')
    expect(await use(back.state, fresh())).toBeNull()
    await back.close()
  })

  test('who only counts calls is told of the count', async () => {
    const server = await redisOfOnesOwn()
    const count = (state: State): Promise<unknown> =>
      codeOf(() => state.ledger.settle({ ...settlementOf(fresh()), uses: [], throttles: [{ account: 'a', max: 9, per: 60 }] })) // prettier-ignore
    const both = async (state: State): Promise<unknown[]> => [await use(state, fresh()), await count(state)]
    const store = await storeAt(freshFile())
    const shared = await openState(store, server.url, clock, systemIds)
    expect(await both(shared.state)).toEqual([null, null])
    await server.kill()
    expect(await both(shared.state)).toEqual(['REPLAY_UNAVAILABLE', 'LEDGER_UNAVAILABLE'])
    await shared.close()

    const keepers = new Keepers((await storeAt(freshFile())).dataSource, clock)
    const { state } = await stateOn(await storeAt(freshFile()))
    const ledger = inPlace(state.ledger, keepers, { since: NOW, window: 60 })
    // it never took its place
    expect(await both({ ...state, ledger })).toEqual(['REPLAY_UNAVAILABLE', 'LEDGER_UNAVAILABLE'])
    await keepers.join('somewhere')
    expect(await both({ ...state, ledger })).toEqual(['REPLAY_UNAVAILABLE', 'LEDGER_UNAVAILABLE'])
    now = NOW + 61
    expect(await both({ ...state, ledger })).toEqual([null, null])
  })

  test('in two Redis', async () => {
    const [first, second] = [await redisOfOnesOwn(), await redisOfOnesOwn()]
    const url = freshFile()
    const [one, other] = [await storeAt(url), await storeAt(url)]
    const shared = await openState(one, first.url, clock, systemIds)
    expect(String(await opening(other, second.url))).toMatch(/CONFIG_INVALID.*another Redis/)
    // a process that died is missed for a minute
    const before = new Keepers(one.dataSource, { now: () => NOW - 61 })
    await before.beat('redis of somebody')
    expect(await use(shared.state, fresh())).toBeNull()
    await shared.close()
    const moved = await openState(other, second.url, clock, systemIds)
    expect(await use(moved.state, fresh())).toBe('REPLAY_UNAVAILABLE')
    await moved.close()
  })

  test('one that was frozen while others moved answers nothing', async () => {
    const server = await redisOfOnesOwn()
    const url = freshFile()
    const [one, other] = [await storeAt(url), await storeAt(url)]
    const keepers = new Keepers(one.dataSource, clock)
    await keepers.join('database')
    keepers.requirePlace()
    now = NOW + 61
    const moved = await openState(other, server.url, clock, systemIds)
    await keepers.beat('database')
    expect(() => keepers.requirePlace()).toThrow(/REPLAY_UNAVAILABLE/)
    await moved.close()
  })
})
