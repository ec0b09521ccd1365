import { describe, expect, test, vi } from 'vitest'
import { ALICE, alicesHost, documentOf, find, KEY, OTHER } from './alice.js'
import { codeOf } from './host.js'

describe('copies', () => {
  test('live for less than 300 s by the clock, though the host is gone', async () => {
    const { host, clock, keys } = await alicesHost()
    expect(await find(keys)).toBe(KEY.x)
    await host.stop()
    clock.seconds += 299
    expect(await find(keys)).toBe(KEY.x)
    expect(host.requests).toHaveLength(1)
  })

  test('age by uptime too: a clock that stands still keeps nothing', async () => {
    let uptime = 0
    const { host, keys } = await alicesHost({ uptime: () => uptime })
    await find(keys)
    uptime = 299_999
    await find(keys)
    expect(host.requests).toHaveLength(1)
    uptime = 300_000
    await find(keys)
    expect(host.requests).toHaveLength(2)
  })

  test('a clock that is set back keeps nothing', async () => {
    const { host, clock, keys } = await alicesHost()
    await find(keys)
    clock.seconds -= 1
    await find(keys)
    expect(host.requests).toHaveLength(2)
  })

  test('concurrent calls are one request, for both questions', async () => {
    const { host, keys } = await alicesHost()
    const asked = [find(keys), find(keys), keys.all(ALICE, 'authentication'), find(keys)]
    await Promise.all(asked)
    expect(host.requests).toHaveLength(1)
  })

  test('failures are shared by those who asked together, and by nobody after them', async () => {
    const { host, keys, serve } = await alicesHost()
    host.answer((_, response) => response.writeHead(500).end())
    const together = await Promise.all([codeOf(() => find(keys)), codeOf(() => find(keys))])
    expect(together).toEqual(['DID_RESOLUTION', 'DID_RESOLUTION'])
    expect(host.requests).toHaveLength(1)
    serve(documentOf(ALICE))
    expect(await find(keys)).toBe(KEY.x)
    expect(host.requests).toHaveLength(2)
  })

  test('are forgotten on evict, of one DID only', async () => {
    const { host, keys } = await alicesHost()
    await find(keys)
    keys.evict('did:web:other.example')
    await find(keys)
    expect(host.requests).toHaveLength(1)
    keys.evict(ALICE)
    await find(keys)
    expect(host.requests).toHaveLength(2)
  })

  test('an answer that was on its way at evict is not kept', async () => {
    const { host, keys, serve } = await alicesHost()
    const release = await new Promise<() => void>(resolve => {
      host.answer((_, response) => resolve(() => response.end(documentOf(ALICE, OTHER))))
      void before()
    })
    keys.evict(ALICE)
    serve(documentOf(ALICE, KEY))
    expect(await find(keys)).toBe(KEY.x)
    release()
    await vi.waitFor(() => expect(outcome).toBe(OTHER.x))
    expect(await find(keys)).toBe(KEY.x)
    expect(host.requests).toHaveLength(2)

    async function before(): Promise<void> {
      outcome = await find(keys)
    }
  })
  let outcome: string | null = null

  test('are bounded by count', async () => {
    const { host, keys } = await alicesHost({ maxDocuments: 1 })
    const other = `${ALICE}:x` as const
    host.answer(({ url }, response) => response.end(documentOf(url === '/x/did.json' ? other : ALICE)))
    await find(keys)
    await keys.all(other, 'authentication')
    await find(keys)
    expect(host.requests).toHaveLength(3)
  })
})

describe('bounds', () => {
  test('a copy is never used past its age, whatever its host does then', async () => {
    const { host, clock, keys, serve } = await alicesHost()
    await find(keys)
    clock.seconds += 300
    host.answer((_, response) => response.writeHead(503).end())
    for (let n = 0; n < 3; n += 1) expect(await codeOf(() => find(keys))).toBe('DID_RESOLUTION')
    clock.seconds -= 299
    // the copy is gone for good: a clock that is set back does not bring it back
    expect(await codeOf(() => find(keys))).toBe('DID_RESOLUTION')
    expect(host.requests).toHaveLength(5)
    serve(documentOf(ALICE, OTHER))
    expect(await find(keys)).toBe(OTHER.x)
  })

  test('age counts from the question: an answer that took its time is old', async () => {
    const { host, clock, keys } = await alicesHost()
    host.answer((_, response) => {
      clock.seconds += 200
      response.end(documentOf(ALICE))
    })
    await find(keys)
    clock.seconds += 99
    await find(keys)
    expect(host.requests).toHaveLength(1)
    clock.seconds += 1
    await find(keys)
    expect(host.requests).toHaveLength(2)
  })

  test('bytes are bounded, and a document over the bound is read each time', async () => {
    // two bytes a character, and what its one method weighs
    const size = 2 * documentOf(ALICE).length + 2048
    const { host, keys } = await alicesHost({ maxBytes: 3.5 * size })
    const names = ['a', 'b', 'c', 'd'].map(path => `${ALICE}:${path}` as const)
    host.answer(({ url = '' }, response) => {
      const did = names.find(name => url === `/${name.at(-1)!}/did.json`) ?? ALICE
      response.end(did === ALICE ? documentOf(ALICE).padEnd(2 * size) : documentOf(did))
    })
    for (const did of names) await keys.all(did, 'authentication')
    expect(host.requests).toHaveLength(4)
    await keys.all(names[3]!, 'authentication')
    expect(host.requests).toHaveLength(4)
    await keys.all(names[0]!, 'authentication')
    expect(host.requests).toHaveLength(5)
    await find(keys)
    await find(keys)
    expect(host.requests).toHaveLength(7)
  })
})
