import { DIDStore, KeyStore } from '@veramo/data-store'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/adapters/store/store.js'
import type { Did } from '../../src/did/did.js'
import type { SigningKey } from '../../src/ports/keys.js'
import { NOW, type Backend, identifierOf, keyOf } from './store-fixtures.js'

/** What every store promises of the keys of an issuer. */
export function signingKeysContract(backend: Backend): void {
  describe(`${backend.name}: signing keys`, () => {
    let store: Store
    beforeAll(async () => (store = await backend.open(await backend.place())))
    afterAll(() => store.close())

    const of = (did: Did, n: number, change: Partial<SigningKey> = {}): SigningKey => ({
      ...{ did, kid: String(n).padStart(64, '0'), listedAt: NOW + n },
      ...{ currentAt: null, retiredAt: null, droppedAt: null, ...change },
    })

    test('come back in the order of listing, replaced as a whole, each DID its own', async () => {
      const [did, other]: Did[] = ['did:web:a.example', 'did:web:b.example']
      expect(await store.signingKeys.of(did!)).toEqual([])
      const [first, second] = [of(did!, 1, { listedAt: 0, currentAt: 0 }), of(did!, 2)]
      await store.signingKeys.save(second)
      await store.signingKeys.save(first)
      await store.signingKeys.save(of(other!, 3))
      expect(await store.signingKeys.of(did!)).toStrictEqual([first, second])
      const switched = [
        { ...first, retiredAt: NOW, droppedAt: NOW + 9 },
        { ...second, currentAt: NOW },
      ]
      for (const key of switched) await store.signingKeys.save(key)
      expect(await store.signingKeys.of(did!)).toStrictEqual(switched)
      expect(await store.signingKeys.of(other!)).toStrictEqual([of(other!, 3)])
    })

    test('the one that signs is what Veramo calls the controller key', async () => {
      const { did } = identifierOf('issuer')
      await new KeyStore(store.dataSource).importKey(keyOf('issuer'))
      const dids = new DIDStore(store.dataSource)
      await dids.importDID(identifierOf('issuer'))
      await store.signingKeys.control(did as Did, 'another')
      expect(await dids.listDIDs({})).toMatchObject([{ did, controllerKeyId: 'another' }])
    })

    test('are undone with the transaction they were saved in', async () => {
      const did: Did = 'did:web:undone.example'
      const work = store.transaction(async () => {
        await store.signingKeys.save(of(did, 8))
        throw new Error('undone')
      })
      await expect(work).rejects.toThrow('undone')
      expect(await store.signingKeys.of(did)).toEqual([])
    })
  })
}
