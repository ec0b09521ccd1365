import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createFetch } from '../../src/adapters/resolve/fetch.js'
import { createStatusLists, MAX_LIST_BYTES, type StatusListsOptions } from '../../src/adapters/resolve/status-lists.js'
import type { StatusLists } from '../../src/ports/deciding.js'
import { MAX_BYTES } from '../../src/status/bitstring.js'
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

describe('what is asked', () => {
  test('with the ETag that the host gave last, if it gave one', async () => {
    const { host, lists, serve } = await listHost()
    serve('a.b.c')
    await lists.read(URL_1, 0)
    serve('a.b.c', '"2"')
    for (let asked = 1; asked <= 3; asked += 1) await lists.read(URL_1, 0)
    const sent = host.requests.map(({ headers }) => headers['if-none-match'])
    expect(sent).toEqual([undefined, undefined, '"2"', '"2"'])
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
  test.each<[string, string, number?]>([
    ['an error that comes with a list', 'a.b.c', 500],
    ['two segments', 'a.b'],
    ['an empty segment', 'a..c'],
    ['four segments', 'a.b.c.d'],
    ['a line feed', 'a.b.c\n'],
    ['not ASCII', 'a.é.c'],
    ['padding', 'a.b=.c'],
  ])('%s', async (_, body, status = 200) => {
    const { host, lists } = await listHost()
    host.answer((_request, response) => response.writeHead(status).end(body))
    expect(await codeOf(() => lists.read(URL_1, 300))).toBe('STATUS_UNAVAILABLE')
  })

  test('as much as allowed is a list', async () => {
    const { lists, serve } = await listHost()
    serve(`a.${'b'.repeat(MAX_LIST_BYTES - 4)}.c`)
    expect((await lists.read(URL_1, 0)).snapshot.token).toHaveLength(MAX_LIST_BYTES)
  })
})

describe('concurrent reads', () => {
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
    ['size, unpacked', { maxTotal: 2 * MAX_BYTES + 10 }],
  ])('is bounded by %s', async (_, options) => {
    const { host, lists } = await listHost(options)
    for (const name of ['1', '2', '3', '3', '2']) await lists.read(`${ORIGIN}/sl/${name}`, 10)
    expect(host.requests).toHaveLength(3)
    await lists.read(URL_1, 10)
    expect(host.requests).toHaveLength(4)
  })
})
