import { describe, expect, onTestFinished, test } from 'vitest'
import { createFetch } from '../../src/adapters/resolve/fetch.js'
import { createStatusLists, MAX_LIST_BYTES } from '../../src/adapters/resolve/status-lists.js'
import type { StatusLists } from '../../src/ports/deciding.js'
import type { Clock } from '../../src/ports/world.js'
import { codeOf, startHost, testClock } from '../resolve/host.js'
import { tableFetch } from '../table.js'

/** What the host of the list does when it is asked: serve bytes, answer a status, or one of three bad manners. */
type Answer = { readonly token: string; readonly etag?: string } | number | 'down' | 'silent' | 'endless'

/** The one host of the world. */
interface Source {
  answer: Answer
  asked: number
}

/** Opens lists in a world where `source` answers for everything below {@link ORIGIN}. */
interface Backend {
  readonly name: string
  readonly open: (source: Source, clock: Clock) => Promise<StatusLists>
}

const ORIGIN = 'https://status.acme.example'
const LIST = `${ORIGIN}/sl/1`
const UNAVAILABLE = 'STATUS_UNAVAILABLE'

/** Another adapter joins with one more row. */
const backends: readonly Backend[] = [
  {
    name: 'over HTTP',
    async open(source, clock) {
      const host = await startHost()
      host.answer(({ headers }, response) => {
        const { answer } = source
        source.asked += 1
        if (answer === 'down') return void response.destroy()
        if (answer === 'silent') return
        if (answer === 'endless') {
          const more = (): void => {
            while (!response.destroyed && response.write('a'.repeat(65_536)));
          }
          response.on('drain', more)
          more()
          return
        }
        if (typeof answer === 'number') return void response.writeHead(answer, { location: `${ORIGIN}/sl/2` }).end()
        const { token, etag } = answer
        if (etag !== undefined && headers['if-none-match'] === etag) response.writeHead(304).end()
        else response.writeHead(200, etag === undefined ? {} : { etag }).end(token)
      })
      const fetch = createFetch({ connect: { [ORIGIN]: host.address }, deadline: 300 })
      onTestFinished(() => fetch.close())
      return createStatusLists({ fetch, clock, uptime: () => 0 })
    },
  },
  {
    name: 'the table of tests',
    open(source, clock) {
      const fetch = tableFetch(() => {
        source.asked += 1
        return typeof source.answer === 'object' ? source.answer.token : null
      })
      return Promise.resolve(createStatusLists({ fetch, clock, uptime: () => 0, maxLists: 10 }))
    },
  },
]

describe.each(backends)('$name', ({ open }) => {
  const world = async (answer: Answer = { token: 'a.b.c', etag: '"1"' }) => {
    const source: Source = { answer, asked: 0 }
    const clock = testClock()
    const lists = await open(source, clock)
    const refused = (maxAge: number) => codeOf(() => lists.read(LIST, maxAge))
    return { source, clock, lists, refused }
  }

  test('a list answers while it is young enough, and says how old it is', async () => {
    const { source, clock, lists } = await world()
    const first = await lists.read(LIST, 10)
    expect(first).toEqual({ snapshot: { token: 'a.b.c' }, age: 0 })
    clock.seconds += 10
    const second = await lists.read(LIST, 10)
    expect(second.age).toBe(10)
    expect(second.snapshot).toBe(first.snapshot)
    expect(source.asked).toBe(1)
    clock.seconds += 1
    expect((await lists.read(LIST, 10)).age).toBe(0)
    expect(source.asked).toBe(2)
    clock.seconds += 11
    expect((await lists.read(LIST, 60)).age).toBe(11)
    expect(source.asked).toBe(2)
  })

  test('maxAge 0 asks each time, also in the same second', async () => {
    const { source, lists } = await world()
    for (let asked = 1; asked <= 3; asked += 1) {
      expect((await lists.read(LIST, 0)).age).toBe(0)
      expect(source.asked).toBe(asked)
    }
  })

  test.each<[string, Answer]>([
    ['unchanged', { token: 'a.b.c', etag: '"1"' }],
    ['under another ETag', { token: 'a.b.c', etag: '"2"' }],
    ['without one', { token: 'a.b.c' }],
  ])('the same bytes %s are the same snapshot; its age starts anew', async (_, answer) => {
    const { source, clock, lists } = await world()
    const first = await lists.read(LIST, 10)
    source.answer = answer
    clock.seconds += 100
    const second = await lists.read(LIST, 10)
    expect(second.snapshot).toBe(first.snapshot)
    expect(second.age).toBe(0)
    clock.seconds += 2
    expect(await lists.read(LIST, 10)).toEqual({ snapshot: first.snapshot, age: 2 })
    expect(source.asked).toBe(2)
  })

  test('other bytes are another snapshot, and who holds the first one keeps it', async () => {
    const { source, lists } = await world()
    const first = await lists.read(LIST, 0)
    source.answer = { token: 'a.b.d', etag: '"2"' }
    expect((await lists.read(LIST, 0)).snapshot.token).toBe('a.b.d')
    expect(first.snapshot.token).toBe('a.b.c')
  })

  test.each<[string, Answer]>([
    ['down', 'down'],
    ['silent', 'silent'],
    ['endless', 'endless'],
    ['without this list', 404],
    ['failing', 500],
    ['elsewhere', 302],
    ['unchanged from nothing', 304],
    ['empty', { token: '' }],
    ['not a JWS', { token: '<html></html>' }],
    ['too large', { token: `a.${'b'.repeat(MAX_LIST_BYTES)}.c` }],
  ])('a host that is %s: STATUS_UNAVAILABLE, never an empty list', async (_, answer) => {
    const { source, refused, lists } = await world(answer)
    expect(await refused(300)).toBe(UNAVAILABLE)
    source.answer = { token: 'a.b.c' }
    expect((await lists.read(LIST, 300)).snapshot.token).toBe('a.b.c')
  })

  test('a host that went away: the list answers who takes its age, nobody else, and no failure makes it younger', async () => {
    const { source, clock, lists, refused } = await world()
    await lists.read(LIST, 10)
    source.answer = 'down'
    clock.seconds += 10
    expect((await lists.read(LIST, 10)).age).toBe(10)
    expect([await refused(0), await refused(9)]).toEqual([UNAVAILABLE, UNAVAILABLE])
    expect((await lists.read(LIST, 10)).age).toBe(10)
    clock.seconds += 1
    expect(await refused(10)).toBe(UNAVAILABLE)
  })

  test.each([0, 10])('reads with maxAge %i that begin together are one question', async maxAge => {
    const { source, lists } = await world()
    const replies = await Promise.all([1, 2, 3].map(() => lists.read(LIST, maxAge)))
    expect(source.asked).toBe(1)
    expect(new Set(replies.map(({ snapshot }) => snapshot)).size).toBe(1)
  })

  test('reads that begin together share a failure, and nobody after them does', async () => {
    const { source, lists, refused } = await world('down')
    expect(await Promise.all([refused(10), refused(10)])).toEqual([UNAVAILABLE, UNAVAILABLE])
    expect(source.asked).toBe(1)
    source.answer = { token: 'a.b.c' }
    expect((await lists.read(LIST, 10)).snapshot.token).toBe('a.b.c')
  })

  test.each(['https://127.0.0.1/sl/1', 'https://localhost/sl/1', 'http://status.acme.example/sl/1', 'x'])(
    '%s is not asked',
    async url => {
      const { source, lists } = await world()
      expect(await codeOf(() => lists.read(url, 300))).toBe(UNAVAILABLE)
      expect(source.asked).toBe(0)
    },
  )
})
