import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IndexTable } from '../../src/adapters/store/entities.js'
import type { Store } from '../../src/adapters/store/store.js'
import { digestOf } from '../../src/encoding.js'
import { NOW, alice, type Backend, credentialOf, mallory, refusal, together } from './store-fixtures.js'

/** What every store promises through its ports. */
export function portsContract(backend: Backend): void {
  describe(`${backend.name}: credentials`, () => {
    let store: Store
    beforeAll(async () => (store = await backend.open(await backend.place())))
    afterAll(() => store.close())

    test('come back as they were, by digest and by id', async () => {
      const child = credentialOf('child', { parent: digestOf('head.root'), status: null })
      for (const credential of [credentialOf('root'), child]) {
        await store.credentials.save(credential)
        expect(await store.credentials.find(credential.digest)).toStrictEqual(credential)
      }
      const root = credentialOf('root')
      expect(await store.credentials.findRoot(root.issuer, root.id)).toStrictEqual(root)
      expect(await store.credentials.findRoot(mallory, root.id)).toBeNull()
      // a stranger who signs a link chooses its id and its issuer's name, but is never a root
      expect(await store.credentials.findRoot(child.issuer, child.id)).toBeNull()
    })

    test('index 0 of a list is an index', async () => {
      const first = credentialOf('first', { status: { url: 'https://status.example/lists/1', index: 0 } })
      await store.credentials.save(first)
      expect(await store.credentials.find(first.digest)).toStrictEqual(first)
    })

    test('nothing is not something', async () => {
      expect(await store.credentials.findRoot('did:key:z6MkOwner', 'urn:uuid:none')).toBeNull()
      expect(await store.credentials.find(digestOf('head.none'))).toBeNull()
    })

    test('are kept once; the first token stays', async () => {
      const credential = credentialOf('twice')
      await store.credentials.save(credential)
      await store.credentials.save({ ...credential, token: 'head.twice.other' })
      expect(await store.credentials.findRoot('did:key:z6MkOwner', credential.id)).toStrictEqual(credential)
    })

    test('are held until they end, the latest end first', async () => {
      const subject = 'did:key:z6MkHeld'
      const ends = [5, 1, 0, 9].map(seconds => credentialOf(`ends-${seconds}`, { subject, validUntil: NOW + seconds }))
      for (const credential of ends) await store.credentials.save(credential)
      const held = await store.credentials.heldBy(subject, NOW)
      expect(held.map(one => one.validUntil - NOW)).toStrictEqual([9, 5, 1])
      expect(await store.credentials.heldBy(mallory, NOW)).toStrictEqual([])
    })
  })

  describe(`${backend.name}: leases`, () => {
    test('are distinct under concurrency, bound to their issuer, and leave a quarter of each list', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const sizes = Array.from({ length: Math.min(300, backend.leases) }, (_, n) => (n * 7) % 40)
      const leases = await together(sizes.length, async n => {
        const issuer = n % 2 === 0 ? alice : mallory
        return { issuer, ...(await store.statusRows.lease(issuer, (sizes[n] ?? 0) + 1)) }
      })
      const taken = leases.flatMap(({ list, indexes, issuer }) => indexes.map(index => ({ list, index, issuer })))
      expect(taken).toHaveLength(sizes.reduce((sum, size) => sum + size + 1, 0))
      expect(new Set(taken.map(({ list, index }) => `${list}#${index}`)).size).toBe(taken.length)
      expect(taken.every(({ index }) => Number.isInteger(index) && index >= 0 && index < 2048)).toBe(true)

      const perList = new Map<string, number>()
      for (const { list } of taken) perList.set(list, (perList.get(list) ?? 0) + 1)
      const names = [...perList.keys()].sort((a, b) => Number(a) - Number(b))
      expect(names).toStrictEqual(names.map((_, n) => String(n + 1)))
      for (const name of names) expect(perList.get(name)).toBeLessThanOrEqual(1536)
      for (const name of names.slice(0, -1)) expect(perList.get(name)).toBeGreaterThan(1536 - 40)

      for (const { list, index, issuer } of taken.filter((_, n) => n % 50 === 0)) {
        expect(await store.statusRows.ownerOf(list, index)).toBe(issuer)
      }
      expect(await store.statusRows.ownerOf('1', 2048)).toBeNull()
      expect(await store.statusRows.ownerOf('none', taken[0]!.index)).toBeNull()
      await store.close()
    })

    test('many single ones are distinct', async () => {
      const store = await backend.open(await backend.place())
      const leases = await together(backend.leases, () => store.statusRows.lease(alice, 1))
      expect(new Set(leases.map(({ list, indexes }) => `${list}#${indexes.join()}`)).size).toBe(backend.leases)
      await store.close()
    })

    test('exactly three quarters fit; the next index opens the next list', async () => {
      const store = await backend.open(await backend.place(), 2048)
      expect((await store.statusRows.lease(alice, 1024)).list).toBe('1')
      expect((await store.statusRows.lease(alice, 512)).list).toBe('1')
      expect((await store.statusRows.lease(alice, 1)).list).toBe('2')
      await store.close()
    })

    test('neighbours in time are not neighbours in the list, and no two lists hide alike', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const first = await store.statusRows.lease(alice, 1024)
      const second = await store.statusRows.lease(alice, 1024)
      const steps = first.indexes.slice(1).filter((index, n) => Math.abs(index - (first.indexes[n] ?? 0)) === 1)
      expect(steps.length).toBeLessThan(20)
      expect([first.list, second.list]).toStrictEqual(['1', '2'])
      expect(second.indexes).not.toStrictEqual(first.indexes)
      await store.close()
    })

    test('go on after a restart where they were', async () => {
      const place = await backend.place()
      const before = await backend.open(place, 2048)
      const old = await before.statusRows.lease(alice, 1000)
      await before.close()
      const after = await backend.open(place, 4096)
      const young = await after.statusRows.lease(alice, 500)
      expect(young.list).toBe(old.list)
      expect(young.indexes.filter(index => old.indexes.includes(index))).toStrictEqual([])
      expect((await after.statusRows.lease(alice, 500)).list).toBe('2')
      expect([(await after.statusRows.find('1'))?.length, (await after.statusRows.find('2'))?.length]).toEqual([
        2048, 4096,
      ])
      await after.close()
    })

    test('of no or too many indexes are defects', async () => {
      const store = await backend.open(await backend.place(), 2048)
      for (const count of [0, -1, 1025, 1.5]) {
        expect(await refusal(() => store.statusRows.lease(alice, count))).toBeInstanceOf(RangeError)
      }
      await store.close()
    })

    test('a constraint stands behind: no index has two owners', async () => {
      const store = await backend.open(await backend.place(), 2048)
      const { list, indexes } = await store.statusRows.lease(alice, 1)
      const again = { list, index: indexes[0]!, issuer: mallory }
      await refusal(() => store.dataSource.getRepository(IndexTable).insert(again))
      expect(await store.statusRows.ownerOf(list, indexes[0]!)).toBe(alice)
      await store.close()
    })
  })

  describe(`${backend.name}: revocations and publishing`, () => {
    let store: Store
    let list: string
    let indexes: readonly number[]
    beforeAll(async () => {
      store = await backend.open(await backend.place(), 2048)
      ;({ list, indexes } = await store.statusRows.lease(alice, 40))
    })
    afterAll(() => store.close())

    test('a revocation is told from its repetition, also under concurrency', async () => {
      const [first, second] = [indexes[0]!, indexes[1]!]
      expect(await store.statusRows.revoke(list, first, alice, NOW)).toBe(true)
      expect(await store.statusRows.revoke(list, first, mallory, NOW + 1)).toBe(false)
      const racers = await together(20, () => store.statusRows.revoke(list, second, alice, NOW))
      expect(racers.filter(Boolean)).toHaveLength(1)
      expect(await store.statusRows.revokedIn(list)).toStrictEqual([first, second].sort((a, b) => a - b))
      expect((await store.statusRows.find(list))?.revoked).toBe(2)
    })

    test('an index that was never handed out cannot be revoked', async () => {
      const free = Array.from({ length: 2048 }, (_, n) => n).find(n => !indexes.includes(n))!
      await refusal(() => store.statusRows.revoke(list, free, alice, NOW))
      expect(await store.statusRows.revokedIn(list)).not.toContain(free)
    })

    test('a list starts unpublished, and nobody else learns its key', async () => {
      const { list: name } = await store.statusRows.lease(alice, 1)
      const { revoked } = (await store.statusRows.find(name))!
      const unpublished = { version: 0, token: null, signedAt: 0, signedRevoked: 0 }
      expect(await store.statusRows.find(name)).toStrictEqual({ name, length: 2048, revoked, ...unpublished })
      expect(await store.statusRows.find('none')).toBeNull()
      expect(await store.statusRows.revokedIn('none')).toStrictEqual([])
    })

    test('of two that publish the same version exactly one wins', async () => {
      for (let version = 1; version <= 20; version += 1) {
        const tokens = [`a${version}`, `b${version}`]
        const won = await Promise.all(
          tokens.map(token => store.statusRows.publish(list, token, version, NOW + version, 2)),
        )
        expect(won.filter(Boolean)).toHaveLength(1)
        const stored = await store.statusRows.find(list)
        expect(stored).toMatchObject({
          version,
          token: tokens[won.indexOf(true)],
          signedAt: NOW + version,
          signedRevoked: 2,
        })
      }
    })

    test('versions neither repeat, skip nor fall, and unknown lists have none', async () => {
      for (const version of [20, 19, 22, 0])
        expect(await store.statusRows.publish(list, 'x', version, NOW, 2)).toBe(false)
      expect(await store.statusRows.publish('none', 'x', 1, NOW, 0)).toBe(false)
      expect((await store.statusRows.find(list))?.version).toBe(20)
    })
  })

  describe(`${backend.name}: installation`, () => {
    test('values are set, replaced, and put in place once', async () => {
      const store = await backend.open(await backend.place())
      expect(await store.installation.get('did')).toBeNull()
      expect(
        (await together(10, n => store.installation.insertIfAbsent('did', String(n)))).filter(Boolean),
      ).toHaveLength(1)
      const winner = await store.installation.get('did')
      expect(await store.installation.insertIfAbsent('did', 'late')).toBe(false)
      expect(await store.installation.get('did')).toBe(winner)
      await store.installation.set('did', 'new')
      await store.installation.set('other', 'value')
      expect([await store.installation.get('did'), await store.installation.get('other')]).toStrictEqual([
        'new',
        'value',
      ])
      await store.close()
    })
  })
}
