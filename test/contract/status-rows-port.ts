import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BlockTable, ListTable } from '../../src/adapters/store/status-entities.js'
import type { Store } from '../../src/adapters/store/store.js'
import { NOW, alice, type Backend, leaseOf, mallory, refusal, together } from './store-fixtures.js'

const DAY = 86_400
const placesOf = (leases: readonly { list: string; indexes: readonly number[] }[]): string[] =>
  leases.flatMap(({ list, indexes }) => indexes.map(index => `${list}#${index}`))

/** What every store promises of the rows behind status lists. */
export function statusRowsContract(backend: Backend): void {
  describe(`${backend.name}: leases`, () => {
    test('are distinct under concurrency, bound to their issuer, and leave a quarter of each list', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const sizes = Array.from({ length: Math.min(300, backend.leases) }, (_, n) => (n * 7) % 40)
      const leases = await together(sizes.length, async n => {
        const issuer = n % 2 === 0 ? alice : mallory
        return { issuer, ...(await store.statusRows.lease(leaseOf(issuer, (sizes[n] ?? 0) + 1))) }
      })
      const taken = leases.flatMap(({ list, indexes, issuer }) => indexes.map(index => ({ list, index, issuer })))
      expect(taken).toHaveLength(sizes.reduce((sum, size) => sum + size + 1, 0))
      expect(new Set(placesOf(leases)).size).toBe(taken.length)
      expect(taken.every(({ index }) => Number.isInteger(index) && index >= 0 && index < 2048)).toBe(true)
      expect(new Set(leases.map(({ sequence }) => sequence)).size).toBe(sizes.length)

      const perList = new Map<string, number>()
      for (const { list } of taken) perList.set(list, (perList.get(list) ?? 0) + 1)
      for (const [name, count] of perList) {
        expect(name).toMatch(/^[0-9a-f]{16}$/)
        expect(count).toBeLessThanOrEqual(1536)
      }
      expect([...perList.values()].filter(count => count <= 1536 - 40).length).toBeLessThanOrEqual(1)

      for (const { list, index, issuer } of taken.filter((_, n) => n % 50 === 0)) {
        expect(await store.statusRows.ownersOf(list, [index])).toEqual([issuer])
      }
      const some = taken.filter(({ list }) => list === taken[0]!.list)
      expect(await store.statusRows.ownersOf(taken[0]!.list, some.map(({ index }) => index))).toEqual(
        some.map(({ issuer }) => issuer),
      ) // prettier-ignore
      expect(await store.statusRows.ownersOf(taken[0]!.list, [2048, -1, 0.5])).toEqual([null, null, null])
      expect(await store.statusRows.ownersOf('none', [taken[0]!.index])).toEqual([null])
      await store.close()
    })

    test('of what was never handed out there is no owner', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const { list, indexes } = await store.statusRows.lease(leaseOf(alice, 100))
      const all = Array.from({ length: 2048 }, (_, index) => index)
      const owned = (await store.statusRows.ownersOf(list, all)).flatMap((owner, index) =>
        owner === null ? [] : index,
      )
      expect(owned).toEqual([...indexes].sort((a, b) => a - b))
      await store.close()
    })

    test('exactly three quarters fit; the next index opens the next list', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const { list: first } = await store.statusRows.lease(leaseOf(alice, 1024))
      expect((await store.statusRows.lease(leaseOf(alice, 512))).list).toBe(first)
      const { list: second } = await store.statusRows.lease(leaseOf(alice, 1))
      expect(second).not.toBe(first)
      await store.close()
    })

    test('lists are sharded by purpose and day of expiry, and say until when they are used', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const at = (change: object) => store.statusRows.lease(leaseOf(alice, 1, change))
      const midnight = Math.ceil(NOW / DAY) * DAY
      const [today, late, tomorrow, suspended] = [
        await at({}),
        await at({ validUntil: midnight - 1 }),
        await at({ validUntil: midnight }),
        await at({ purpose: 'suspension' }),
      ]
      expect(late.list).toBe(today.list)
      expect(new Set([today, tomorrow, suspended].map(({ list }) => list)).size).toBe(3)
      expect([today, tomorrow, suspended].map(({ until }) => until)).toEqual([midnight, midnight + DAY, midnight])
      expect((await store.statusRows.find(suspended.list))?.purpose).toBe('suspension')
      await store.close()
    })

    test('neighbours in time are not neighbours in the list, and no two lists hide alike', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const first = await store.statusRows.lease(leaseOf(alice, 1024))
      const second = await store.statusRows.lease(leaseOf(alice, 1024))
      const steps = first.indexes.slice(1).filter((index, n) => Math.abs(index - (first.indexes[n] ?? 0)) === 1)
      expect(steps.length).toBeLessThan(20)
      expect(second.indexes).not.toStrictEqual(first.indexes)
      await store.close()
    })

    test('go on after a restart where they were, a larger size counts for new lists', async () => {
      const place = await backend.place()
      const before = await backend.open(place, 2048)
      const old = await before.statusRows.lease(leaseOf(alice, 1000))
      await before.close()
      const after = await backend.open(place, 4096)
      const young = await after.statusRows.lease(leaseOf(alice, 500))
      expect(young.list).toBe(old.list)
      expect(young.sequence).toBeGreaterThan(old.sequence)
      expect(young.indexes.filter(index => old.indexes.includes(index))).toStrictEqual([])
      const next = await after.statusRows.lease(leaseOf(alice, 500))
      const lengths = [old.list, next.list].map(async list => (await after.statusRows.find(list))?.length)
      expect(await Promise.all(lengths)).toEqual([2048, 4096])
      await after.close()
    })

    test('of no or too many indexes are defects', async () => {
      const store = await backend.open(await backend.place(), 2048)
      for (const count of [0, -1, 1025, 1.5]) {
        expect(await refusal(() => store.statusRows.lease(leaseOf(alice, count)))).toBeInstanceOf(RangeError)
      }
      await store.close()
    })

    test('constraints stand behind: no position has two owners, of a shard one list is open', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const { list } = await store.statusRows.lease(leaseOf(alice, 1))
      const again = { list, first: 0, count: 1, issuer: mallory, at: NOW }
      await refusal(() => store.dataSource.getRepository(BlockTable).insert(again))
      const lists = store.dataSource.getRepository(ListTable)
      const row = await lists.findOneByOrFail({ name: list })
      await refusal(() => lists.insert({ ...row, name: 'twin' }))
      await store.close()
    })

    test('what an issuer leased before an instant is known, by purpose', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const early = await store.statusRows.lease(leaseOf(alice, 3))
      await store.statusRows.lease(leaseOf(mallory, 3))
      await store.statusRows.lease(leaseOf(alice, 3, { now: NOW + 10 }))
      await store.statusRows.lease(leaseOf(alice, 3, { purpose: 'suspension' }))
      const { list, indexes } = early
      expect(await store.statusRows.leasedTo(alice, 'revocation', NOW + 10)).toEqual([{ list, indexes }])
      expect(await store.statusRows.leasedTo(alice, 'revocation', NOW)).toEqual([])
      await store.close()
    })
  })

  describe(`${backend.name}: bits and publishing`, () => {
    let store: Store
    let list: string
    let indexes: readonly number[]
    beforeAll(async () => {
      store = await backend.open(await backend.place(), 2048)
      ;({ list, indexes } = await store.statusRows.lease(leaseOf(alice, 40)))
    })
    afterAll(() => store.close())

    test('a list starts unpublished, and nobody learns its key', async () => {
      const unpublished = { version: 0, token: null, signedAt: 0, changes: 0, signedChanges: 0 }
      expect(await store.statusRows.find(list)).toStrictEqual({
        name: list,
        purpose: 'revocation',
        length: 2048,
        ...unpublished,
      })
      expect(await store.statusRows.find('none')).toBeNull()
      expect(await store.statusRows.setIn('none')).toStrictEqual([])
    })

    test('a bit is set once, and each change counts once, also under concurrency', async () => {
      const [first, second, third] = [indexes[0]!, indexes[1]!, indexes[2]!]
      expect(await store.statusRows.set(list, [first, second], alice, NOW)).toBe(1)
      expect(await store.statusRows.set(list, [second, first], mallory, NOW + 1)).toBe(1)
      await together(20, () => store.statusRows.set(list, [first, third], alice, NOW))
      expect((await store.statusRows.find(list))?.changes).toBe(2)
      expect(await store.statusRows.setIn(list)).toStrictEqual([first, second, third].sort((a, b) => a - b))
      expect(await store.statusRows.setAmong(list, indexes)).toEqual(new Set([first, second, third]))
    })

    test('100 at once, one bit each: 100 bits', async () => {
      const more = await store.statusRows.lease(leaseOf(alice, 100))
      await together(100, n => store.statusRows.set(more.list, [more.indexes[n]!], alice, NOW))
      expect((await store.statusRows.setAmong(more.list, more.indexes)).size).toBe(100)
    })

    test('an index that was never handed out cannot be set', async () => {
      const { list: fresh, indexes: out } = await store.statusRows.lease(
        leaseOf(alice, 2, { validUntil: NOW + 9 * DAY }),
      )
      const free = Array.from({ length: 2048 }, (_, n) => n).filter(n => !out.includes(n))
      for (const index of [free[0]!, 2048, -1, 1.5]) {
        expect(await refusal(() => store.statusRows.set(fresh, [out[0]!, index], alice, NOW))).toBeInstanceOf(
          RangeError,
        )
      }
      expect(await store.statusRows.setIn(fresh)).toEqual([])
    })

    test('a revocation cannot be cleared, a suspension can, and is a change each time', async () => {
      await refusal(() => store.statusRows.clear(list, [indexes[0]!]))
      expect(await store.statusRows.setAmong(list, [indexes[0]!])).toEqual(new Set([indexes[0]]))
      const { list: name, indexes: [index = -1] } = await store.statusRows.lease(leaseOf(alice, 1, { purpose: 'suspension' })) // prettier-ignore
      expect(await store.statusRows.set(name, [index], alice, NOW)).toBe(1)
      expect(await store.statusRows.clear(name, [index])).toBe(2)
      expect(await store.statusRows.setIn(name)).toEqual([])
      expect(await store.statusRows.set(name, [index], alice, NOW)).toBe(3)
    })

    test('of two that publish the same version exactly one wins, and moves the sequence on', async () => {
      let last = 0
      for (let version = 1; version <= 20; version += 1) {
        const tokens = [`a${version}`, `b${version}`]
        const won = await Promise.all(
          tokens.map(token => store.statusRows.publish(list, token, version, NOW + version, 2)),
        )
        const sequence = won.find(one => one !== null) ?? 0
        expect(won.filter(one => one !== null)).toHaveLength(1)
        expect(sequence).toBeGreaterThan(last)
        last = sequence
        const token = tokens[won.indexOf(sequence)]
        expect(await store.statusRows.find(list)).toMatchObject({
          version,
          token,
          signedAt: NOW + version,
          signedChanges: 2,
        })
      }
      expect(await store.statusRepair.sequence()).toBeGreaterThanOrEqual(last)
    })

    test('versions neither repeat, skip nor fall, and unknown lists have none', async () => {
      for (const version of [20, 19, 22, 0])
        expect(await store.statusRows.publish(list, 'x', version, NOW, 2)).toBeNull()
      expect(await store.statusRows.publish('none', 'x', 1, NOW, 0)).toBeNull()
      expect((await store.statusRows.find(list))?.version).toBe(20)
    })

    test('due is what changed or was signed long ago', async () => {
      expect(await store.statusRows.due(NOW + 20)).toContain(list)
      const { changes } = (await store.statusRows.find(list))!
      await store.statusRows.publish(list, 'x', 21, NOW + 30, changes)
      expect(await store.statusRows.due(NOW + 29)).not.toContain(list)
      expect(await store.statusRows.due(NOW + 30)).toContain(list)
      await store.statusRows.set(list, [indexes[9]!], alice, NOW)
      expect(await store.statusRows.due(NOW + 29)).toContain(list)
    })

    test('retired lists are gone with all their rows; the others stay', async () => {
      const young = await store.statusRows.lease(leaseOf(alice, 1, { validUntil: NOW + 5 * DAY }))
      const { until } = await store.statusRows.lease(leaseOf(alice, 1))
      await store.statusRows.retire(until - 1)
      expect(await store.statusRows.find(list)).not.toBeNull()
      await store.statusRows.retire(until)
      expect(await store.statusRows.find(list)).toBeNull()
      expect(await store.statusRows.setIn(list)).toEqual([])
      expect(await store.statusRows.ownersOf(list, indexes)).toEqual(indexes.map(() => null))
      expect(await store.statusRows.find(young.list)).not.toBeNull()
    })
  })

  describe(`${backend.name}: a database that fell behind`, () => {
    test('goes on above every version it may have published, and hands out of new lists only', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const { list, indexes } = await store.statusRows.lease(leaseOf(alice, 10))
      await store.statusRows.publish(list, 'x', 1, NOW, 0)
      const told = { list, indexes: indexes.slice(0, 2), to: 'set', by: alice, at: NOW } as const
      const before = await store.statusRepair.sequence()
      const all = [told, { ...told, list: 'lost' }]
      const { unknown } = await store.statusRepair.reconcile(before + 50, all, mallory, NOW)
      expect(unknown).toBe(1)
      expect(await store.statusRows.find(list)).toMatchObject({ version: 52, token: null })
      expect(await store.statusRows.setAmong(list, indexes)).toEqual(new Set(indexes.slice(0, 2)))
      expect(await store.statusRepair.sequence()).toBe(before + 51)
      expect((await store.statusRows.lease(leaseOf(alice, 1))).list).not.toBe(list)
      expect(await store.statusRepair.check()).toEqual([])
      await store.close()
    })

    test('an index handed out since is leased to the service, so that its bit is somebody’s', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const { list, indexes } = await store.statusRows.lease(leaseOf(alice, 10))
      const since = await store.statusRows.lease(leaseOf(alice, 5))
      expect(since.list).toBe(list)
      // as it stood before the second lease
      await store.dataSource.getRepository(BlockTable).delete({ list, first: 10 })
      await store.dataSource.getRepository(ListTable).update({ name: list }, { taken: 10 })
      const told = { list, indexes: since.indexes.slice(0, 1), to: 'set', by: alice, at: NOW } as const
      for (let times = 0; times < 2; times += 1) await store.statusRepair.reconcile(0, [told], mallory, NOW)
      expect(await store.check()).toEqual([])
      const owners = await store.statusRows.ownersOf(list, [...indexes, ...since.indexes])
      expect(owners).toEqual([...indexes.map(() => alice), ...since.indexes.map(() => mallory)])
      expect(await store.statusRows.setIn(list)).toEqual(told.indexes)
      await store.close()
    })

    test('what does not hold is named', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const { list } = await store.statusRows.lease(leaseOf(alice, 10))
      const blocks = store.dataSource.getRepository(BlockTable)
      await blocks.insert({ list, first: 5, count: 20, issuer: mallory, at: NOW })
      const wrong = await store.statusRepair.check()
      expect(wrong.map(({ what }) => what).join('\n')).toMatch(
        /position 5 twice[\s\S]*handed out 25 indexes and counts 10/,
      )
      await store.close()
    })
  })

  describe(`${backend.name}: leased indexes of a wallet`, () => {
    const base = 'https://status.example/lists/'
    const places = [1, 2, 3].map(index => ({ url: `${base}a`, index }))

    test('are used up one by one, never twice, also under concurrency and after a restart', async () => {
      const place = await backend.place()
      const store = await backend.open(place)
      await store.leasedIndexes.keep(alice, places, NOW + 100)
      await store.leasedIndexes.keep(mallory, [{ url: `${base}a`, index: 9 }], NOW + 100)
      const first = await store.leasedIndexes.take(alice, [base], NOW + 100, NOW)
      await store.close()
      const again = await backend.open(place)
      const rest = await together(10, () => again.leasedIndexes.take(alice, [base], NOW + 50, NOW))
      expect(rest.filter(one => one !== null)).toHaveLength(2)
      const used = [first, ...rest].flatMap(one => one?.index ?? [])
      expect(used.sort()).toEqual([1, 2, 3])
      await again.close()
    })

    test('fit what they were leased for: the base, the holder, the end', async () => {
      const store = await backend.open(await backend.place())
      await store.leasedIndexes.keep(alice, places, NOW + 100)
      expect(await store.leasedIndexes.take(alice, ['https://other.example/'], NOW + 1, NOW)).toBeNull()
      expect(await store.leasedIndexes.take(alice, ['https://status.example/'], NOW + 1, NOW)).toBeNull()
      expect(await store.leasedIndexes.take(alice, [base], NOW + 101, NOW)).toBeNull()
      expect(await store.leasedIndexes.take(mallory, [base], NOW + 1, NOW)).toBeNull()
      expect(await store.leasedIndexes.take(alice, [base], NOW + 1, NOW)).not.toBeNull()
      await store.close()
    })
  })
}
