import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createFetch } from '../../src/adapters/resolve/fetch.js'
import { createStatusLists, MAX_LIST_BYTES, type StatusListsOptions } from '../../src/adapters/resolve/status-lists.js'
import type { StatusLists } from '../../src/ports.js'
import { codeOf, startHost, testClock, type Host, type TestClock } from './host.js'

const ORIGIN = 'https://status.acme.example'
const URL_1 = `${ORIGIN}/sl/1`

async function listHost(
  options: Partial<StatusListsOptions> = {},
): Promise<{ host: Host; clock: TestClock; lists: StatusLists; serve: (token: string, etag?: string) => void }> {
  const host = await startHost()
  const clock = testClock()
  const fetch = createFetch({ connect: { [ORIGIN]: host.address }, deadline: 500 })
  onTestFinished(() => fetch.close())
  const serve = (token: string, etag?: string): void =>
    host.answer(({ headers }, response) => {
      if (etag !== undefined && headers['if-none-match'] === etag) response.writeHead(304).end()
      else response.writeHead(200, etag === undefined ? {} : { etag }).end(token)
    })
  serve('a.b.c', '"1"')
  return { host, clock, serve, lists: createStatusLists({ fetch, clock, uptime: () => 0, ...options }) }
}

describe('age', () => {
  test('a copy answers while it is young enough, and says how old it is', async () => {
    const { host, clock, lists } = await listHost()
    const first = await lists.read(URL_1, 10)
    expect(first).toEqual({ snapshot: { token: 'a.b.c' }, age: 0 })
    clock.seconds += 10
    const second = await lists.read(URL_1, 10)
    expect(second.age).toBe(10)
    expect(second.snapshot).toBe(first.snapshot)
    expect(host.requests).toHaveLength(1)
    clock.seconds += 1
    expect((await lists.read(URL_1, 10)).age).toBe(0)
    expect(host.requests).toHaveLength(2)
    clock.seconds += 11
    expect((await lists.read(URL_1, 60)).age).toBe(11)
    expect(host.requests).toHaveLength(2)
  })

  test('maxAge 0 asks always, also in the same second', async () => {
    const { host, lists } = await listHost()
    for (let asked = 1; asked <= 3; asked++) {
      expect((await lists.read(URL_1, 0)).age).toBe(0)
      expect(host.requests).toHaveLength(asked)
    }
    expect(host.requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"1"', '"1"'])
  })

  test('counts by uptime too, and a clock that is set back makes nothing younger', async () => {
    let uptime = 0
    const { host, clock, lists } = await listHost({ uptime: () => uptime })
    await lists.read(URL_1, 10)
    uptime = 7999
    expect((await lists.read(URL_1, 10)).age).toBe(7)
    uptime = 11_000
    expect((await lists.read(URL_1, 10)).age).toBe(0)
    expect(host.requests).toHaveLength(2)
    clock.seconds -= 1
    expect((await lists.read(URL_1, 10)).age).toBe(0)
    expect(host.requests).toHaveLength(3)
  })

  test('counts from the answer, not from the question', async () => {
    const { host, clock, lists } = await listHost()
    host.answer((_, response) => {
      clock.seconds += 2
      response.end('a.b.c')
    })
    expect((await lists.read(URL_1, 10)).age).toBe(0)
    expect((await lists.read(URL_1, 10)).age).toBe(0)
  })
})

describe('the same bytes are the same snapshot', () => {
  test('after 304, whose age starts anew', async () => {
    const { clock, lists } = await listHost()
    const first = await lists.read(URL_1, 10)
    clock.seconds += 100
    const second = await lists.read(URL_1, 10)
    expect(second.snapshot).toBe(first.snapshot)
    expect(second.age).toBe(0)
    expect((await lists.read(URL_1, 10)).age).toBe(0)
  })

  test('after 200 with the same bytes, without ETag and with another', async () => {
    const { host, lists, serve } = await listHost()
    serve('a.b.c')
    const first = await lists.read(URL_1, 0)
    expect((await lists.read(URL_1, 0)).snapshot).toBe(first.snapshot)
    serve('a.b.c', '"2"')
    expect((await lists.read(URL_1, 0)).snapshot).toBe(first.snapshot)
    expect((await lists.read(URL_1, 0)).snapshot).toBe(first.snapshot)
    expect(host.requests.map(({ headers }) => headers['if-none-match'])).toEqual([
      undefined,
      undefined,
      undefined,
      '"2"',
    ])
  })

  test('other bytes are another snapshot', async () => {
    const { lists, serve } = await listHost()
    const first = await lists.read(URL_1, 0)
    serve('a.b.d', '"2"')
    const second = await lists.read(URL_1, 0)
    expect(second.snapshot.token).toBe('a.b.d')
    expect(first.snapshot.token).toBe('a.b.c')
  })

  test('an ETag that is none is not sent back', async () => {
    const { host, lists } = await listHost()
    host.answer((_, response) => response.writeHead(200, { etag: 'no quotes' }).end('a.b.c'))
    await lists.read(URL_1, 0)
    await lists.read(URL_1, 0)
    expect(host.requests[1]?.headers['if-none-match']).toBeUndefined()
  })
})

describe('no list', () => {
  const STATUS_UNAVAILABLE = 'STATUS_UNAVAILABLE'

  test('the host is down: a copy answers while it is young enough, then nothing does', async () => {
    const { host, clock, lists } = await listHost()
    await lists.read(URL_1, 10)
    await host.stop()
    clock.seconds += 10
    expect((await lists.read(URL_1, 10)).age).toBe(10)
    expect(await codeOf(() => lists.read(URL_1, 0))).toBe(STATUS_UNAVAILABLE)
    expect(await codeOf(() => lists.read(URL_1, 9))).toBe(STATUS_UNAVAILABLE)
    expect((await lists.read(URL_1, 10)).age).toBe(10)
    clock.seconds += 1
    expect(await codeOf(() => lists.read(URL_1, 10))).toBe(STATUS_UNAVAILABLE)
  })

  test.each([
    ['not found', 404, 'a.b.c'],
    ['an error', 500, 'a.b.c'],
    ['a redirect', 302, ''],
    ['a 304 that nobody asked for', 304, ''],
    ['nothing', 200, ''],
    ['HTML', 200, '<html></html>'],
    ['two segments', 200, 'a.b'],
    ['an empty segment', 200, 'a..c'],
    ['four segments', 200, 'a.b.c.d'],
    ['a line feed', 200, 'a.b.c\n'],
    ['not ASCII', 200, 'a.é.c'],
    ['padding', 200, 'a.b=.c'],
    ['too much', 200, `a.${'b'.repeat(MAX_LIST_BYTES)}.c`],
  ])('%s', async (_, status, body) => {
    const { host, lists } = await listHost()
    host.answer((_request, response) => response.writeHead(status, { location: `${ORIGIN}/sl/2` }).end(body))
    expect(await codeOf(() => lists.read(URL_1, 300))).toBe(STATUS_UNAVAILABLE)
  })

  test('as much as allowed is a list', async () => {
    const { lists, serve } = await listHost()
    serve(`a.${'b'.repeat(MAX_LIST_BYTES - 4)}.c`)
    expect((await lists.read(URL_1, 0)).snapshot.token).toHaveLength(MAX_LIST_BYTES)
  })

  test('silence', async () => {
    const { host, lists } = await listHost()
    host.answer(() => undefined)
    expect(await codeOf(() => lists.read(URL_1, 300))).toBe(STATUS_UNAVAILABLE)
  })

  test.each(['https://127.0.0.1/sl/1', 'https://localhost/sl/1', 'http://status.acme.example/sl/1', 'x'])(
    '%s is not asked',
    async url => {
      const { lists } = await listHost()
      expect(await codeOf(() => lists.read(url, 300))).toBe(STATUS_UNAVAILABLE)
    },
  )

  test('a failure is not kept', async () => {
    const { host, lists, serve } = await listHost()
    host.answer((_, response) => response.writeHead(500).end())
    expect(await codeOf(() => lists.read(URL_1, 300))).toBe(STATUS_UNAVAILABLE)
    serve('a.b.c')
    expect((await lists.read(URL_1, 300)).snapshot.token).toBe('a.b.c')
  })
})

describe('concurrent reads', () => {
  test.each([0, 10])('with maxAge %i that begin together are one request', async maxAge => {
    const { host, lists } = await listHost()
    const replies = await Promise.all([1, 2, 3].map(() => lists.read(URL_1, maxAge)))
    expect(host.requests).toHaveLength(1)
    expect(new Set(replies.map(({ snapshot }) => snapshot)).size).toBe(1)
  })

  test('"now" is not answered by a request that began before; those who wait share the next', async () => {
    const { host, lists, serve } = await listHost()
    let release = (): void => undefined
    host.answer((_, response) => void (release = () => response.end('old.old.old')))
    const before = lists.read(URL_1, 10)
    await vi.waitFor(() => expect(host.requests).toHaveLength(1))
    serve('new.new.new')
    const joined = lists.read(URL_1, 10)
    const now = [lists.read(URL_1, 0), lists.read(URL_1, 0)]
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(host.requests).toHaveLength(1)
    release()
    expect((await before).snapshot.token).toBe('old.old.old')
    expect((await joined).snapshot.token).toBe('old.old.old')
    expect((await Promise.all(now)).map(({ snapshot }) => snapshot.token)).toEqual(['new.new.new', 'new.new.new'])
    expect(host.requests).toHaveLength(2)
  })

  test('who waits is not harmed by the failure of the one before', async () => {
    const { host, lists, serve } = await listHost()
    let release = (): void => undefined
    host.answer((_, response) => void (release = () => response.writeHead(500).end()))
    const before = codeOf(() => lists.read(URL_1, 10))
    await vi.waitFor(() => expect(host.requests).toHaveLength(1))
    serve('a.b.c')
    const now = lists.read(URL_1, 0)
    release()
    expect(await before).toBe('STATUS_UNAVAILABLE')
    expect((await now).snapshot.token).toBe('a.b.c')
  })
})

describe('what is kept', () => {
  test.each<[string, Partial<StatusListsOptions>]>([
    ['count', { maxLists: 2 }],
    ['size', { maxTotal: 12 }],
  ])('is bounded by %s', async (_, options) => {
    const { host, lists } = await listHost(options)
    for (const name of ['1', '2', '3', '3', '2']) await lists.read(`${ORIGIN}/sl/${name}`, 10)
    expect(host.requests).toHaveLength(3)
    await lists.read(URL_1, 10)
    expect(host.requests).toHaveLength(4)
  })
})
