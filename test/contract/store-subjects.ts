import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/adapters/store/store.js'
import type { Subject } from '../../src/ports/register.js'
import { NOW, type Backend, together } from './store-fixtures.js'

const uuid = (n: number): string => `0192f5c2-0000-4000-8000-${String(n).padStart(12, '0')}`
const subjectOf = (n: number, change: Partial<Subject> = {}): Subject => ({
  id: uuid(n),
  did: `did:key:z6MkSubject${n}`,
  key: `key-of-subject-${n}`,
  kind: 'agent',
  name: `subject ${n}`,
  state: 'active',
  owner: null,
  agent: { autonomy: 'L1', name: `subject ${n}` },
  registeredAt: NOW,
  expiresAt: null,
  ...change,
})

/** What every register promises. */
export function subjectsContract(backend: Backend): void {
  describe(`${backend.name}: subjects`, () => {
    let store: Store
    beforeAll(async () => (store = await backend.open(await backend.place())))
    afterAll(() => store.close())

    test('come back as they were, by id and by DID', async () => {
      for (const one of [subjectOf(1), subjectOf(2, { kind: 'person', agent: null, expiresAt: 2 ** 40 })]) {
        expect(await store.subjects.add(one)).toBe(true)
        expect(await store.subjects.find(one.id)).toStrictEqual(one)
        expect(await store.subjects.find(one.did)).toStrictEqual(one)
        expect(await store.subjects.hold(one.did)).toStrictEqual(one)
      }
      expect(await store.subjects.find('did:key:z6MkNobody')).toBeNull()
      expect(await store.subjects.hold(uuid(999))).toBeNull()
    })

    test('a DID or key is registered once; a refused attempt takes no name', async () => {
      expect(await store.subjects.add(subjectOf(10))).toBe(true)
      const { did, key } = subjectOf(10)
      expect(await store.subjects.add(subjectOf(11, { did }))).toBe(false)
      expect(await store.subjects.add(subjectOf(12, { key }))).toBe(false)
      expect(await store.subjects.find(uuid(12))).toBeNull()
      expect(await store.subjects.add(subjectOf(13, { did: subjectOf(12).did }))).toBe(true)
      expect(await store.subjects.add(subjectOf(14, { key: subjectOf(11).key }))).toBe(true)
    })

    test('of many that register one DID at once, one does', async () => {
      const { did } = subjectOf(20)
      const done = await together(20, n => store.subjects.add(subjectOf(100 + n, { did })))
      expect(done.filter(Boolean)).toHaveLength(1)
    })

    test('change state from what is said only', async () => {
      await store.subjects.add(subjectOf(30))
      expect(await store.subjects.move(uuid(30), ['suspended'], 'active')).toBe(false)
      const moved = await together(10, () => store.subjects.move(uuid(30), ['active'], 'suspended'))
      expect(moved.filter(Boolean)).toHaveLength(1)
      expect((await store.subjects.find(uuid(30)))?.state).toBe('suspended')
      expect(await store.subjects.move(uuid(31), ['active'], 'retired')).toBe(false)
    })

    test('take another DID and key, neither of which was ever registered', async () => {
      await store.subjects.add(subjectOf(40))
      await store.subjects.add(subjectOf(41))
      const [forty, other] = [subjectOf(40), subjectOf(41)]
      expect(await store.subjects.rekey(forty.id, other.did, 'fresh')).toBe(false)
      expect(await store.subjects.rekey(forty.id, 'did:key:z6MkFresh', other.key)).toBe(false)
      expect(await store.subjects.rekey(forty.id, forty.did, forty.key)).toBe(false)
      expect(await store.subjects.find(forty.id)).toStrictEqual(forty)
      expect(await store.subjects.rekey(forty.id, 'did:key:z6MkFresh', 'fresh')).toBe(true)
      expect(await store.subjects.rekey(forty.id, 'did:key:z6MkFresh', 'fresher')).toBe(true)
      expect(await store.subjects.find('did:key:z6MkFresh')).toStrictEqual({
        ...forty,
        did: 'did:key:z6MkFresh',
        key: 'fresher',
      })
      expect(await store.subjects.find(forty.did)).toBeNull()
      expect(await store.subjects.add(subjectOf(42, { did: forty.did }))).toBe(false)
      expect(await store.subjects.rekey(uuid(999), 'did:key:z6MkNew', 'new')).toBe(false)
    })

    test('are listed page by page, and counted while they stand', async () => {
      const owner = uuid(50)
      await store.subjects.add(subjectOf(50))
      for (const n of [51, 52, 53, 54]) {
        const expiresAt = n === 53 ? NOW : n === 54 ? NOW + 1 : null
        await store.subjects.add(subjectOf(n, { owner, state: n === 52 ? 'retired' : 'active', expiresAt }))
      }
      const page = async (after: string | null) =>
        (await store.subjects.list({ after, limit: 3, owner })).map(one => one.id)
      expect(await page(null)).toEqual([uuid(51), uuid(52), uuid(53)])
      expect(await page(uuid(53))).toEqual([uuid(54)])
      expect(await store.subjects.list({ after: null, limit: 9, owner, state: 'retired' })).toHaveLength(1)
      expect(await store.subjects.list({ after: null, limit: 9, owner, kind: 'person' })).toHaveLength(0)
      expect(await store.subjects.countOwned(owner, NOW)).toBe(2)
    })

    test('that are held wait for each other: a count that was read is still true at the end', async () => {
      const owner = uuid(60)
      await store.subjects.add(subjectOf(60))
      const attempts = await together(12, n =>
        store.transaction(async () => {
          await store.subjects.hold(owner)
          if ((await store.subjects.countOwned(owner, NOW)) >= 5) return false
          return store.subjects.add(subjectOf(600 + n, { owner }))
        }),
      )
      expect(attempts.filter(Boolean)).toHaveLength(5)
    })
  })
}
