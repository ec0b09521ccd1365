import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KeyStore } from '@veramo/data-store'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CredentialTable } from '../../src/adapters/store/entities.js'
import { type Backend, together } from './store-fixtures.js'
import { compileSources, runChild } from './store-process.js'

/** What holds where several processes use one database, which none of them has opened before. */
export function severalContract(backend: Backend): void {
  describe(`${backend.name}: several processes`, () => {
    let folder: string
    beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'procura-several-'))))
    afterAll(() => rm(folder, { recursive: true }))

    test('four that open it at once: nothing is lost, no lease twice, one is first', async () => {
      const compiled = await compileSources(folder)
      const place = await backend.place()
      const reports = await together(4, n => runChild(compiled, place, `child-${n}`))
      const leased = reports.flatMap(report => report.leased)
      expect(leased).toHaveLength(4 * 15 * 3)
      expect(new Set(leased).size).toBe(leased.length)
      expect(reports.map(report => report.won).reduce((sum, won) => sum + won)).toBe(1)
      const store = await backend.open(place)
      expect(await store.dataSource.getRepository(CredentialTable).count()).toBe(4 * 15)
      expect(await new KeyStore(store.dataSource).listKeys()).toHaveLength(4 * 15)
      expect((await store.check()).filter(({ what }) => !/^(key child-|credential )/.test(what))).toEqual([])
      await store.close()
    })
  })
}
