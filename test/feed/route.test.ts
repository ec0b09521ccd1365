import Fastify, { type FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { eventRoutes } from '../../src/adapters/http/events.js'
import { Bell, type FeedParts } from '../../src/adapters/http/feed.js'
import { answerRefusals } from '../../src/adapters/http/refusals.js'
import { serveOn, type ServeParts } from '../../src/adapters/http/serve.js'
import { endSilentConnections } from '../../src/adapters/http/silent.js'
import type { Store } from '../../src/adapters/store/store.js'
import { systemClock } from '../../src/adapters/system.js'
import { openService, type Service } from '../../src/entry/service.js'
import { SECRET, writeConfig } from '../http/home.js'
import { owner } from '../mint.js'
import { announcement, openSame, until } from './feed-home.js'
import { claimsOf, isHeartbeat } from './relay.js'

let folder: string
let store: Store
const closing: (() => unknown)[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'procura-feed-'))
  store = await openSame(folder)
})
afterAll(async () => {
  await store.close()
  await rm(folder, { recursive: true, force: true })
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

let count = 0
async function announce(times: number, url = 'https://id.acme.example/v1/status/1'): Promise<void> {
  const all = Array.from({ length: times }, () => announcement(`r${(count += 1)}`, { status: { url, index: 1 } }))
  await store.outbox.append(all, systemClock.now())
}
const last = async () => (await store.outbox.span()).last

/** The route over the store, as the service mounts it. */
async function serve(parts: Partial<FeedParts> = {}): Promise<{ app: FastifyInstance; url: string }> {
  const app = Fastify({ forceCloseConnections: 'idle' })
  endSilentConnections(app)
  answerRefusals(app, () => undefined)
  const keys = { did: owner.did, signer: () => Promise.resolve(owner) }
  const events = { outbox: store.outbox, bell: new Bell(), keys, clock: systemClock, ...parts }
  // who reads is nobody in particular: of what operations need, this one needs no more
  const ports = { bounds: { stranger: () => Promise.resolve() } } as unknown as ServeParts
  eventRoutes(app, serveOn(app, ports), { ...events, readers: 'public' }, [])
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  closing.push(() => app.close())
  return { app, url: `${address}/v1/events` }
}

/** What a reader of a stream has got so far. */
interface Reader {
  readonly status: number
  readonly ids: readonly number[]
  readonly tokens: readonly string[]
  /** resolves at the end of the stream */
  readonly end: Promise<void>
  hangUp(): void
}

async function open(url: string, headers: Record<string, string> = {}): Promise<Reader> {
  const gone = new AbortController()
  closing.push(() => gone.abort())
  const answer = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: gone.signal })
  const ids: number[] = []
  const tokens: string[] = []
  async function readAll(): Promise<void> {
    let rest = ''
    for await (const chunk of answer.body!) {
      const messages = (rest + Buffer.from(chunk).toString()).split('\n\n')
      rest = messages.pop()!
      for (const message of messages) {
        const [, id, token] = /^(?:id: (\d+)\n)?data: (.*)$/.exec(message) ?? []
        if (id !== undefined) ids.push(Number(id))
        if (token !== undefined) tokens.push(token)
      }
    }
  }
  const end = readAll()
  end.catch(() => undefined)
  return { status: answer.status, ids, tokens, end, hangUp: () => gone.abort() }
}

/** One that asks for the feed and then reads nothing. */
async function openDeaf(url: string, after: number): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  closing.push(() => socket.destroy())
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.pause()
  socket.write(`GET /v1/events HTTP/1.1\r\nHost: feed\r\nAccept: text/event-stream\r\nLast-Event-ID: ${after}\r\n\r\n`)
  return socket
}

const connections = (app: FastifyInstance): Promise<number> =>
  new Promise(resolve => app.server.getConnections((_error, open) => resolve(open)))
/** Announcements that no buffer between two processes takes. */
const FLOOD = [4000, `https://id.acme.example/v1/status/${'x'.repeat(2000)}`] as const

describe('a stream', () => {
  test('of many readers at one place one asks the database', async () => {
    const asked: number[] = []
    const outbox: FeedParts['outbox'] = {
      span: () => store.outbox.span(),
      async since(after, limit) {
        asked.push(after)
        await setTimeout(50) // as long as it takes until all of them woke
        return store.outbox.since(after, limit)
      },
    }
    const bell = new Bell()
    const { url } = await serve({ outbox, bell })
    const all = await Promise.all(Array.from({ length: 40 }, () => open(url)))
    await until(() => all.every(reader => reader.tokens.length === 2))
    const from = await last()
    asked.length = 0
    await announce(150)
    bell.ring()
    await until(() => all.every(reader => reader.ids.length === 150))
    expect(all.every(({ ids }) => ids.every((id, n) => id === from + 1 + n))).toBe(true)
    // 40 readers and two pages: alone each would have asked three times
    expect(asked.length).toBeLessThanOrEqual(20)
  })

  test('starts with a heartbeat, goes on after Last-Event-ID, and numbers what it says', async () => {
    await announce(3)
    const end = await last()
    const { url } = await serve()
    const reader = await open(url, { 'last-event-id': String(end - 2) })
    await until(() => reader.ids.length === 2 && reader.tokens.length === 4)
    expect(reader.ids).toEqual([end - 1, end])
    expect(reader.tokens.map(isHeartbeat)).toEqual([true, false, false, true])
    expect(reader.tokens.slice(1, 3).map(token => claimsOf(token).seq)).toEqual(reader.ids)
    expect(claimsOf(reader.tokens[0]!).last).toBe(end)
  })

  test('without a number brings what comes from now on; ?after= is a number too, and the header wins', async () => {
    await announce(2)
    const end = await last()
    const { url } = await serve()
    const [fresh, asked, both] = await Promise.all([
      open(url),
      open(`${url}?after=${end - 1}`),
      open(`${url}?after=0`, { 'last-event-id': String(end) }),
    ])
    await until(() => fresh.tokens.length > 0 && asked.ids.length === 1 && both.tokens.length > 0)
    await announce(1)
    await until(() => [fresh, asked, both].every(one => one.ids.at(-1) === end + 1))
    expect(fresh.ids).toEqual([end + 1])
    expect(asked.ids).toEqual([end, end + 1])
    expect(both.ids).toEqual([end + 1])
  })

  test('from a number that is not there yet says so by its heartbeat, and brings nothing', async () => {
    const { url } = await serve()
    const reader = await open(url, { 'last-event-id': String((await last()) + 1000) })
    await until(() => reader.tokens.length === 2)
    expect(reader.ids).toEqual([])
    expect(claimsOf(reader.tokens[0]!).last).toBe(await last())
  })

  test.each(['', 'abc', '-1', '1.5', '1e3', ' 1', '1, 2', '9'.repeat(16)])('from "%s" is malformed', async id => {
    const { url } = await serve()
    const answer = await fetch(`${url}?after=${encodeURIComponent(id)}`, { headers: { accept: 'text/event-stream' } })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ code: 'SCHEMA' })
  })

  test('whose Last-Event-ID is no number is malformed', async () => {
    const { url } = await serve()
    expect((await open(url, { 'last-event-id': '7; DROP' })).status).toBe(400)
  })
})

describe('many readers', () => {
  test('above the bound are refused, and taken again when one goes', async () => {
    const { url } = await serve({ maxReaders: 2 })
    const [first] = await Promise.all([open(url), open(url)])
    const answer = await fetch(url, { headers: { accept: 'text/event-stream' } })
    expect(answer.status).toBe(503)
    expect(await answer.json()).toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    const page = await fetch(url, { headers: { accept: 'application/json' } })
    expect(page.status).toBe(200)
    first.hangUp()
    await until(async () => (await open(url)).status === 200)
  })

  test('one that does not read is cut off; the others get everything meanwhile', async () => {
    const from = await last()
    const { app, url } = await serve({ patience: 300, maxReaders: 2 })
    await openDeaf(url, from)
    await until(async () => (await connections(app)) === 1)
    const reader = await open(url, { 'last-event-id': String(from) })
    await announce(...FLOOD)
    await until(() => reader.ids.length === FLOOD[0])
    expect(reader.ids).toEqual(Array.from({ length: FLOOD[0] }, (_, n) => from + n + 1))
    await until(async () => (await connections(app)) === 1)
    expect((await open(url)).status).toBe(200)
    await announce(1)
    await until(() => reader.ids.length === FLOOD[0] + 1)
  })
})

describe('a service that stops', () => {
  test('ends every stream', async () => {
    const { app, url } = await serve()
    const readers = await Promise.all([open(url), open(url)])
    await until(() => readers.every(one => one.tokens.length > 0))
    await app.close()
    await Promise.all(readers.map(one => one.end))
  })

  test('takes no reader whose request was under way', async () => {
    let release = (): void => undefined
    let isAsked = false
    const held = new Promise<void>(resolve => (release = resolve))
    const span = async () => {
      isAsked = true
      await held
      return store.outbox.span()
    }
    const since: FeedParts['outbox']['since'] = (...asked) => store.outbox.since(...asked)
    const { app, url } = await serve({ outbox: { span, since } })
    const asking = once(get(url, { agent: false }), 'response')
    await until(() => isAsked)
    const closed = app.close()
    await until(() => !app.server.listening)
    release()
    const [answer] = (await asking) as [IncomingMessage]
    expect(answer.statusCode).toBe(503)
    answer.resume()
    await closed
  })

  test('does not wait for one that reads nothing longer than its patience', async () => {
    const from = await last()
    await announce(...FLOOD)
    const { app, url } = await serve({ patience: 300 })
    await openDeaf(url, from)
    await until(async () => (await connections(app)) === 1)
    await app.close()
    expect((app.server.address() as AddressInfo | null) === null).toBe(true)
  })
})

describe('a feed for resource servers', () => {
  let service: Service
  beforeAll(async () => {
    const config = await writeConfig(await mkdtemp(join(folder, 'closed-')), { events: 'resource-servers' })
    service = await openService({ config, environment: {} })
  })
  afterAll(() => service.close())

  test.each([
    ['nobody', {}],
    ['a wrong secret', { authorization: `Bearer ${SECRET}x` }],
    ['a secret in another scheme', { authorization: `Basic ${SECRET}` }],
  ])('refuses %s, as a stream and as a page', async (_who, headers: Record<string, string>) => {
    for (const accept of ['text/event-stream', 'application/json']) {
      const answer = await fetch(`${service.address}/v1/events`, { headers: { accept, ...headers } })
      expect(answer.status).toBe(401)
      expect(await answer.json()).toMatchObject({ code: 'CALLER_UNKNOWN' })
    }
  })

  test('answers one with its secret', async () => {
    const authorization = `Bearer ${SECRET}`
    const reader = await open(`${service.address}/v1/events`, { authorization })
    expect(reader.status).toBe(200)
    await until(() => reader.tokens.length > 0)
    const page = await fetch(`${service.address}/v1/events`, { headers: { accept: 'application/json', authorization } })
    expect(await page.json()).toMatchObject({ sets: [] })
  })
})
