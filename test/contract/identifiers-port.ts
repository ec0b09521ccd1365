import type { IIdentifier, IKey } from '@veramo/core-types'
import { DIDStore, KeyStore } from '@veramo/data-store'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ProcuraDidStore, ProcuraKeyStore } from '../../src/adapters/store/identifiers.js'
import type { Store } from '../../src/adapters/store/store.js'
import { party } from '../mint.js'
import { type Backend, refusal } from './store-fixtures.js'

/** Our stores of DIDs and keys and Veramo's own are exchangeable over one database. */
export function identifiersContract(backend: Backend): void {
  describe(`${backend.name}: DIDs and keys, as Veramo's own stores keep them`, () => {
    let store: Store
    let ours: { dids: ProcuraDidStore; keys: ProcuraKeyStore }
    let stock: { dids: DIDStore; keys: KeyStore }
    beforeAll(async () => {
      store = await backend.open(await backend.place())
      ours = { dids: new ProcuraDidStore(store.dataSource), keys: new ProcuraKeyStore(store.dataSource) }
      stock = { dids: new DIDStore(store.dataSource), keys: new KeyStore(store.dataSource) }
    })
    afterAll(() => store.close())

    const keyOf = (name: string, more: Partial<IKey> = {}): IKey => {
      const hex = Buffer.from(party(name).publicKey.bytes).toString('hex')
      const meta = { algorithms: ['EdDSA'], said: { deep: [1, null, 'é'] } }
      return { kid: hex, kms: 'local', type: 'Ed25519', publicKeyHex: hex, meta, ...more }
    }
    const didOf = (name: string, keys: IKey[], more: Partial<IIdentifier> = {}): IIdentifier => {
      const controllerKeyId = keys[0]?.kid ?? ''
      return {
        did: `did:web:${name}.example`,
        provider: 'did:web',
        alias: name,
        controllerKeyId,
        keys,
        services: [],
        ...more,
      }
    }
    const by = (asked: object) => asked as Parameters<DIDStore['getDID']>[0]
    const seen = async (name: string): Promise<unknown[]> =>
      Promise.all(
        [ours.dids, stock.dids].flatMap(dids => [
          dids.getDID(by({ did: `did:web:${name}.example` })),
          dids.getDID(by({ alias: name })),
        ]),
      )
    const same = (values: readonly unknown[]): void => {
      for (const value of values) expect(value).toEqual(values[0])
    }
    async function keep(name: string, { dids, keys }: { dids: DIDStore; keys: KeyStore }): Promise<IIdentifier> {
      const key = keyOf(name)
      await keys.importKey(key)
      const identifier = didOf(name, [key])
      expect(await dids.importDID(identifier)).toBe(true)
      return identifier
    }

    test.each(['ours', 'stock'])('what %s keep, both find', async which => {
      const made = await keep(`made-${which}`, which === 'ours' ? ours : stock)
      const all = await seen(`made-${which}`)
      same(all)
      expect(all[0]).toEqual(made)
      for (const { keys } of [ours, stock]) expect(await keys.getKey({ kid: made.keys[0]!.kid })).toMatchObject(keyOf(`made-${which}`)) // prettier-ignore
      for (const { dids } of [ours, stock]) {
        expect(await dids.listDIDs({ alias: `made-${which}` })).toMatchObject([{ did: made.did }])
        expect(await dids.listDIDs({ provider: 'did:web' })).toContainEqual(expect.objectContaining({ did: made.did }))
      }
    })

    test('several keys, services, and no key at all', async () => {
      const keys = [keyOf('many-1'), keyOf('many-2')]
      for (const key of keys) await ours.keys.importKey(key)
      await ours.dids.importDID(didOf('many', keys))
      const served = didOf('served', [keyOf('served')], {
        services: [{ id: '#one', type: 'X', serviceEndpoint: 'https://x.example', description: 'it' }],
      })
      await ours.keys.importKey(keyOf('served'))
      await ours.dids.importDID(served)
      await ours.dids.importDID(didOf('bare', []))
      for (const name of ['many', 'served', 'bare']) {
        const sorted = (await seen(name)).map(one => {
          const { keys: its, ...rest } = one as IIdentifier
          return { ...rest, keys: its.map(({ kid }) => kid).sort() }
        })
        same(sorted)
      }
      expect(((await seen('many'))[0] as IIdentifier).keys).toHaveLength(2)
      expect((await seen('served'))[0]).toMatchObject({ services: served.services })
    })

    test('over one that stands, and with the alias of another', async () => {
      const first = await keep('first', ours)
      await ours.keys.importKey({ ...keyOf('first'), kms: 'other' })
      expect(await stock.keys.getKey({ kid: first.keys[0]!.kid })).toMatchObject({ kms: 'other' })
      await ours.dids.importDID({ ...first, alias: 'renamed' })
      expect(await ours.dids.getDID(by({ alias: 'renamed' }))).toMatchObject({ did: first.did })
      const second = await keep('second', ours)
      expect(await refusal(() => ours.dids.importDID({ ...second, alias: 'renamed' }))).toBeInstanceOf(Error)
      expect(await ours.dids.getDID(by({ alias: 'second' }))).toMatchObject({ did: second.did })
    })

    test('what is not there, and what names nothing', async () => {
      for (const { dids, keys } of [ours, stock]) {
        await expect(dids.getDID(by({ did: 'did:web:none.example' }))).rejects.toThrow('Identifier not found')
        await expect(dids.getDID(by({ alias: 'none' }))).rejects.toThrow('Identifier not found')
        await expect(dids.getDID(by({}))).rejects.toThrow('Get requires')
        await expect(keys.getKey({ kid: 'none' })).rejects.toThrow('Key not found')
        expect(await dids.listDIDs({ alias: 'none' })).toEqual([])
      }
    })
  })
}
