import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/adapters/store/store.js'
import type { SealedKey } from '../../src/ports/keys.js'
import { type Backend, refusal, together } from './store-fixtures.js'

const keyOf = (kid: string, version = 1): SealedKey => ({ kid, version, sealed: `sealed ${kid}` })
const versionOf = (version: number) => ({ version, fingerprint: `fingerprint ${version}` })

/** What every store promises about private keys and the versions they are sealed under. */
export function sealedKeysContract(backend: Backend): void {
  describe(`${backend.name}: sealed keys`, () => {
    let place: string
    let store: Store
    beforeAll(async () => {
      place = await backend.place()
      store = await backend.open(place)
      for (const version of [1, 2]) await store.sealedKeys.addVersion(versionOf(version))
    })
    afterAll(() => store.close())

    test('are kept once, and found until they are removed', async () => {
      const keys = store.sealedKeys
      expect(await keys.find('a')).toBeNull()
      expect(await keys.insert(keyOf('a'))).toBe(true)
      expect(await keys.insert({ ...keyOf('a', 2), sealed: 'other' })).toBe(false)
      expect(await keys.find('a')).toEqual(keyOf('a'))
      expect(await keys.remove('a')).toBe(true)
      expect(await keys.remove('a')).toBe(false)
      expect(await keys.find('a')).toBeNull()
    })

    test('of several that keep one kid at once, one does', async () => {
      const kept = await together(10, n => store.sealedKeys.insert({ ...keyOf('race'), sealed: `sealed ${n}` }))
      expect(kept.filter(Boolean)).toHaveLength(1)
      expect(await store.sealedKeys.find('race')).toEqual({ ...keyOf('race'), sealed: `sealed ${kept.indexOf(true)}` })
    })

    test('are replaced only as they stand', async () => {
      const keys = store.sealedKeys
      const before = keyOf('swap')
      await keys.insert(before)
      const next = { ...before, version: 2, sealed: 'anew' }
      for (const other of [
        { ...before, version: 2 },
        { ...before, sealed: 'x' },
        { ...before, kid: 'none' },
      ]) {
        expect(await keys.replace(other, next)).toBe(false)
      }
      expect(await keys.find('swap')).toEqual(before)
      expect((await together(5, () => keys.replace(before, next))).filter(Boolean)).toHaveLength(1)
      expect(await keys.find('swap')).toEqual(next)
    })

    test('are listed by kid, those under lower versions only', async () => {
      const own = await backend.open(await backend.place())
      const keys = own.sealedKeys
      for (const version of [1, 2, 3]) await keys.addVersion(versionOf(version))
      for (const [kid, version] of [
        ['d', 1],
        ['b', 3],
        ['c', 2],
        ['a', 1],
      ] as const)
        await keys.insert(keyOf(kid, version))
      const kids = async (after: string, count: number) => (await keys.olderThan(3, after, count)).map(({ kid }) => kid)
      expect(await kids('', 10)).toEqual(['a', 'c', 'd'])
      expect(await kids('', 2)).toEqual(['a', 'c'])
      expect(await kids('c', 2)).toEqual(['d'])
      expect(await kids('d', 2)).toEqual([])
      expect([...(await keys.counts())].sort()).toEqual([
        [1, 2],
        [2, 1],
        [3, 1],
      ])
      await own.close()
    })

    test('stand under a version that stands, and only there', async () => {
      const keys = store.sealedKeys
      expect(await refusal(() => keys.insert(keyOf('orphan', 9)))).toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        facts: { why: 'key version 9 was dropped' },
      })
      expect(await keys.find('orphan')).toBeNull()
      expect(await keys.addVersion(versionOf(1))).toBe(false)
      await keys.addVersion(versionOf(5))
      await keys.insert(keyOf('five', 5))
      expect(await keys.dropVersion(5)).toBe(false)
      await keys.remove('five')
      expect(await keys.dropVersion(5)).toBe(true)
      expect(await keys.dropVersion(5)).toBe(false)
      expect(await keys.versions()).toEqual([versionOf(1), versionOf(2)])
    })

    test('whoever is alone is so across connections', async () => {
      const other = await backend.open(place)
      const steps: string[] = []
      await together(6, async n => {
        const keys = n % 2 === 0 ? store.sealedKeys : other.sealedKeys
        await keys.alone(async () => {
          steps.push(`in ${n}`)
          await keys.versions()
          steps.push(`out ${n}`)
        })
      })
      const ins = steps.filter((_, index) => index % 2 === 0)
      expect(steps).toEqual(ins.flatMap(step => [step, step.replace('in', 'out')]))
      await other.close()
    })

    test('what happens alone is undone when it fails', async () => {
      const undone = store.sealedKeys.alone(async () => {
        await store.sealedKeys.addVersion(versionOf(8))
        throw new Error('undone')
      })
      expect(await refusal(() => undone)).toMatchObject({ message: 'undone' })
      expect(await store.sealedKeys.versions()).toEqual([versionOf(1), versionOf(2)])
    })
  })
}
