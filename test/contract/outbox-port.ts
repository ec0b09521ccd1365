import { describe, expect, test } from 'vitest'
import { RETENTION } from '../../src/adapters/store/outbox.js'
import type { Store } from '../../src/adapters/store/store.js'
import { digestOf } from '../../src/encoding.js'
import type { Announcement } from '../../src/ports/issuing.js'
import { NOW, alice, type Backend, refusal, together } from './store-fixtures.js'

const status = { url: 'https://status.example/lists/1', index: 0 }
const revoked = (name: string): Announcement => ({
  type: 'revoked',
  target: digestOf(`head.${name}`),
  status,
  version: 7,
})
const killed: Announcement = { type: 'killed', target: alice, status: null, version: null }

/** What every store promises of its outbox. */
export function outboxContract(backend: Backend): void {
  const open = async (): Promise<Store> => backend.open(await backend.place())
  const targets = async ({ outbox }: Store): Promise<readonly string[]> =>
    (await outbox.since(0, 10_000)).map(({ target }) => target)
  const numbers = async ({ outbox }: Store): Promise<readonly number[]> =>
    (await outbox.since(0, 10_000)).map(({ seq }) => seq)

  describe(`${backend.name}: outbox`, () => {
    test('is empty at first; announcements come back as they were, numbered from 1', async () => {
      const store = await open()
      expect(await store.outbox.span()).toStrictEqual({ first: 1, last: 0 })
      expect(await store.outbox.since(0, 10)).toStrictEqual([])
      await store.outbox.append([], NOW)
      expect(await store.outbox.span()).toStrictEqual({ first: 1, last: 0 })
      await store.outbox.append([revoked('a'), killed], NOW)
      await store.outbox.append([{ ...revoked('b'), type: 'suspended', version: null }], NOW + 1)
      expect(await store.outbox.since(0, 10)).toStrictEqual([
        { ...revoked('a'), seq: 1, at: NOW },
        { ...killed, seq: 2, at: NOW },
        { ...revoked('b'), type: 'suspended', version: null, seq: 3, at: NOW + 1 },
      ])
      expect(await store.outbox.span()).toStrictEqual({ first: 1, last: 3 })
      await store.close()
    })

    test('is read from any place, so many at a time', async () => {
      const store = await open()
      await store.outbox.append(
        [1, 2, 3, 4, 5].map(n => revoked(String(n))),
        NOW,
      )
      expect((await store.outbox.since(2, 2)).map(({ seq }) => seq)).toStrictEqual([3, 4])
      expect((await store.outbox.since(4, 2)).map(({ seq }) => seq)).toStrictEqual([5])
      expect(await store.outbox.since(5, 2)).toStrictEqual([])
      expect(await store.outbox.since(99, 2)).toStrictEqual([])
      await store.close()
    })

    test('what is undone was never announced, and leaves no gap', async () => {
      const store = await open()
      await store.outbox.append([revoked('a')], NOW)
      await refusal(() =>
        store.transaction(async () => {
          await store.outbox.append([revoked('undone'), revoked('undone too')], NOW)
          throw new Error('no')
        }),
      )
      await store.outbox.append([revoked('b')], NOW)
      expect(await numbers(store)).toStrictEqual([1, 2])
      expect(await targets(store)).toStrictEqual([digestOf('head.a'), digestOf('head.b')])
      await store.close()
    })

    test('what it announces and the announcement take effect together', async () => {
      const store = await open()
      await store.transaction(async () => {
        await store.installation.set('done', 'yes')
        await store.outbox.append([killed], NOW)
      })
      expect([await store.installation.get('done'), await numbers(store)]).toStrictEqual(['yes', [1]])
      await store.close()
    })

    test('a reader never sees a number before all below it, whoever writes', async () => {
      const place = await backend.place()
      const stores = [await backend.open(place), await backend.open(place), await backend.open(place)] as const
      let seen = 0
      let isDone = false
      const reader = async (): Promise<void> => {
        for (let isLast = false; !isLast;) {
          isLast = isDone
          const some = await stores[2].outbox.since(seen, 10)
          for (const { seq } of some) {
            expect(seq).toBe(seen + 1)
            seen = seq
          }
          if (some.length > 0) isLast = false
        }
      }
      const reading = reader()
      await together(60, n => {
        const store = stores[n % 2] as Store
        return store.transaction(() =>
          store.outbox.append(
            Array.from({ length: 1 + (n % 4) }, (_, m) => revoked(`${n}.${m}`)),
            NOW,
          ),
        )
      })
      isDone = true
      await reading
      expect(seen).toBe(150)
      expect((await stores[0].outbox.span()).last).toBe(150)
      await Promise.all(stores.map(store => store.close()))
    })

    test('a bulk takes one step, and lies in one piece', async () => {
      const store = await open()
      const bulk = (name: string): Announcement[] => Array.from({ length: 1200 }, (_, n) => revoked(`${name}${n}`))
      await together(2, n => store.outbox.append(bulk(n === 0 ? 'x' : 'y'), NOW))
      const all = await targets(store)
      const first = all[0] === digestOf('head.x0') ? ['x', 'y'] : ['y', 'x']
      expect(all).toStrictEqual(first.flatMap(name => bulk(name).map(({ target }) => target)))
      await store.close()
    })

    test('forgets what nobody can need any more, and says from where on it is whole', async () => {
      const store = await open()
      await store.outbox.append(
        Array.from({ length: 999 }, (_, n) => revoked(`old${n}`)),
        NOW,
      )
      await store.outbox.append([revoked('young')], NOW + RETENTION)
      expect(await store.outbox.span()).toStrictEqual({ first: 1, last: 1000 })
      await store.outbox.append(
        Array.from({ length: 999 }, (_, n) => revoked(`young${n}`)),
        NOW + RETENTION + 1,
      )
      expect((await store.outbox.since(0, 1)).map(({ seq }) => seq)).toStrictEqual([1])
      await store.outbox.append([revoked('last')], NOW + RETENTION + 1)
      expect(await store.outbox.span()).toStrictEqual({ first: 1000, last: 2000 })
      expect((await store.outbox.since(0, 1)).map(({ seq }) => seq)).toStrictEqual([1000])
      await store.close()
    })
  })
}
