import { DIDStore, KeyStore, PrivateKeyStore } from '@veramo/data-store'
import { AbstractSecretBox } from '@veramo/key-manager'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/adapters/store/store.js'
import { ProcuraError } from '../../src/errors.js'
import {
  type Backend,
  alice,
  credentialOf,
  identifierOf,
  keyOf,
  later,
  leaseOf,
  refusal,
  together,
} from './store-fixtures.js'

const undo = new Error('undo')

/** Hides nothing; Veramo asks for a box. */
class OpenBox extends AbstractSecretBox {
  encrypt(message: string): Promise<string> {
    return Promise.resolve(message)
  }
  decrypt(message: string): Promise<string> {
    return Promise.resolve(message)
  }
}

/** What every store promises about transactions, Veramo's stores included. */
export function transactionsContract(backend: Backend): void {
  describe(`${backend.name}: transactions`, () => {
    let place: string
    let store: Store
    let keys: KeyStore
    let dids: DIDStore
    const kept = async (name: string): Promise<boolean> =>
      (await store.credentials.find(credentialOf(name).digest)) !== null
    const keyKept = async (name: string): Promise<boolean> => (await keys.listKeys()).some(key => key.kid === name)
    const didKept = async (name: string): Promise<boolean> =>
      (await dids.listDIDs({})).some(({ did }) => did === identifierOf(name).did)

    beforeAll(async () => {
      place = await backend.place()
      store = await backend.open(place)
      keys = new KeyStore(store.dataSource)
      dids = new DIDStore(store.dataSource)
    })
    afterAll(() => store.close())

    test('500 saves beside 100 that roll back: none lost, none kept', async () => {
      const write = async (name: string, kind: number): Promise<unknown> => {
        if (kind === 0) return store.credentials.save(credentialOf(name))
        if (kind === 1) return keys.importKey(keyOf(name))
        return dids.importDID(identifierOf(name))
      }
      const saves = together(500, async n => {
        await later(n % 7)
        await write(`save-${n}`, n % 3)
      })
      const rollbacks = together(100, async n => {
        await later(n % 5)
        const error = await refusal(() =>
          store.transaction(async () => {
            for (const kind of [0, 1, 2]) await write(`gone-${n}-${kind}`, kind)
            await later(1)
            throw undo
          }),
        )
        expect(error).toBe(undo)
      })
      await Promise.all([saves, rollbacks])

      await store.close()
      store = await backend.open(place)
      ;[keys, dids] = [new KeyStore(store.dataSource), new DIDStore(store.dataSource)]
      const found = [kept, keyKept, didKept]
      const stored = await together(500, n => found[n % 3]!(`save-${n}`))
      const left = await together(300, n => found[n % 3]!(`gone-${Math.floor(n / 3)}-${n % 3}`))
      expect({ lost: stored.filter(ok => !ok).length, left: left.filter(Boolean).length }).toStrictEqual({
        lost: 0,
        left: 0,
      })
    })

    test('take effect as a whole, and give back what the work gives', async () => {
      const answer = await store.transaction(async () => {
        await store.credentials.save(credentialOf('whole'))
        await keys.importKey(keyOf('whole'))
        await dids.importDID(identifierOf('whole'))
        expect([await kept('whole'), await keyKept('whole'), await didKept('whole')]).toStrictEqual([true, true, true])
        return 42
      })
      expect(answer).toBe(42)
      expect([await kept('whole'), await keyKept('whole'), await didKept('whole')]).toStrictEqual([true, true, true])
    })

    test('are undone as a whole, with what Veramo wrote, read, changed and deleted in them', async () => {
      await dids.importDID(identifierOf('stays'))
      const privateKeys = new PrivateKeyStore(store.dataSource, new OpenBox())
      let list = ''
      const error = await refusal(() =>
        store.transaction(async () => {
          await keys.importKey(keyOf('undone'))
          await dids.importDID(identifierOf('undone'))
          await privateKeys.importKey({ alias: 'undone', type: 'Ed25519', privateKeyHex: '00' })
          await dids.deleteDID(identifierOf('stays'))
          expect(
            await dids.getDID({ did: identifierOf('undone').did } as Parameters<DIDStore['getDID']>[0]),
          ).toMatchObject({ keys: [{ kid: 'undone' }] })
          await store.credentials.save(credentialOf('undone'))
          list = (await store.statusRows.lease(leaseOf(alice, 3))).list
          throw undo
        }),
      )
      expect(error).toBe(undo)
      expect([await kept('undone'), await keyKept('undone'), await didKept('undone')]).toStrictEqual([
        false,
        false,
        false,
      ])
      expect(await privateKeys.listKeys()).toStrictEqual([])
      expect(await didKept('stays')).toBe(true)
      expect(await store.statusRows.find(list)).toBeNull()
    })

    test('a Veramo write of several statements that fails half-way leaves nothing', async () => {
      const broken = {
        ...identifierOf('half'),
        services: [{ id: null as unknown as string, type: 'x', serviceEndpoint: 'y' }],
      }
      await refusal(() => dids.importDID(broken))
      expect([await didKept('half'), await keyKept('half')]).toStrictEqual([false, false])
    })

    test('nested calls join', async () => {
      await store.transaction(async () => {
        await store.transaction(() => store.credentials.save(credentialOf('inner')))
        expect(await kept('inner')).toBe(true)
      })
      expect(await kept('inner')).toBe(true)
      const error = await refusal(() =>
        store.transaction(async () => {
          await store.transaction(() => store.credentials.save(credentialOf('joined')))
          throw undo
        }),
      )
      expect([error, await kept('joined')]).toStrictEqual([undo, false])
    })

    test('a nested call that failed undoes the whole, even if its error is caught', async () => {
      const error = await refusal(() =>
        store.transaction(async () => {
          await store.credentials.save(credentialOf('around'))
          await store
            .transaction(async () => {
              await store.credentials.save(credentialOf('within'))
              throw undo
            })
            .catch(() => undefined)
        }),
      )
      expect([error, await kept('around'), await kept('within')]).toStrictEqual([undo, false, false])
    })

    test('a statement that failed undoes the whole, even if its error is caught', async () => {
      const bad = { ...credentialOf('bad'), id: null as unknown as string }
      const caught: unknown[] = []
      const error = await refusal(() =>
        store.transaction(async () => {
          await store.credentials.save(credentialOf('beside'))
          await store.credentials.save(bad).catch((cause: unknown) => caught.push(cause))
          await store.credentials.save(credentialOf('behind')).catch((cause: unknown) => caught.push(cause))
        }),
      )
      expect(caught).toStrictEqual([error, error])
      expect([await kept('beside'), await kept('behind')]).toStrictEqual([false, false])
    })

    test('a statement takes its parameters as $1, $2', async () => {
      await store.installation.set('parameter', 'found')
      const sql = 'SELECT name, value FROM installation WHERE name = $1 AND value = $2'
      const rows = await store.dataSource.query<unknown>(sql, ['parameter', 'found'])
      expect(rows).toStrictEqual([{ name: 'parameter', value: 'found' }])
    })

    test('parallel work in one transaction stays in it', async () => {
      await refusal(() =>
        store.transaction(async () => {
          await together(20, async n => {
            await store.credentials.save(credentialOf(`parallel-${n}`))
            await dids.importDID(identifierOf(`parallel-${n}`))
          })
          throw undo
        }),
      )
      expect((await together(20, n => kept(`parallel-${n}`))).some(Boolean)).toBe(false)
      expect((await together(20, n => didKept(`parallel-${n}`))).some(Boolean)).toBe(false)
    })

    test('when one of several parallel writes fails, the others are undone too', async () => {
      const error = await refusal(() =>
        store.transaction(async () => {
          const writes = together(20, n => store.credentials.save(credentialOf(`race-${n}`)))
          await Promise.all([writes.catch(() => undefined), Promise.reject(undo)])
        }),
      )
      await later(20)
      expect(error).toBe(undo)
      expect((await together(20, n => kept(`race-${n}`))).some(Boolean)).toBe(false)
    })

    test('nobody outside sees what is not committed', async () => {
      let release: () => void = () => undefined
      const gate = new Promise<void>(resolve => (release = resolve))
      const writer = store.transaction(async () => {
        await store.credentials.save(credentialOf('unseen'))
        await keys.importKey(keyOf('unseen'))
        await gate
        throw undo
      })
      await later(20)
      const seen = Promise.all([kept('unseen'), keyKept('unseen')])
      await later(20)
      release()
      expect(await refusal(() => writer)).toBe(undo)
      expect(await seen).toStrictEqual([false, false])
    })

    test('a store that was closed is nobody any more to what outlives a transaction of it', async () => {
      const other = await backend.open(await backend.place())
      let straggler: Promise<unknown> = Promise.resolve()
      let close: () => void = () => undefined
      const closed = new Promise<void>(resolve => (close = resolve))
      await other.transaction(() => {
        straggler = closed.then(() => [other.isOutside(), other.commits.inside])
        return Promise.resolve()
      })
      await other.close()
      close()
      expect(await straggler).toEqual([true, false])
    })

    test('work that outlives its transaction is refused', async () => {
      let straggler: Promise<unknown> = Promise.resolve()
      await store.transaction(async () => {
        await store.credentials.save(credentialOf('in-time'))
        straggler = later(20).then(() => refusal(() => store.credentials.save(credentialOf('late'))))
      })
      expect(await straggler).toMatchObject({ message: 'a transaction was used after its end' })
      expect([await kept('in-time'), await kept('late')]).toStrictEqual([true, false])
    })

    test('a transaction whose work was not awaited is undone', async () => {
      const loose: Promise<unknown>[] = []
      const error = await refusal(() =>
        store.transaction(async () => {
          await store.credentials.save(credentialOf('awaited'))
          loose.push(refusal(() => dids.importDID(identifierOf('loose'))))
        }),
      )
      expect(error).toMatchObject({ message: 'a transaction ended before the work that was started in it' })
      await Promise.all(loose)
      expect([await kept('awaited'), await didKept('loose')]).toStrictEqual([false, false])
    })

    test('errors of the work pass through untouched', async () => {
      for (const thrown of [new ProcuraError('NOT_FOUND', { what: 'x' }), new TypeError('y')]) {
        expect(await refusal(() => store.transaction(() => Promise.reject(thrown)))).toBe(thrown)
      }
      const now = (): Promise<never> => {
        throw undo
      }
      expect(await refusal(() => store.transaction(now))).toBe(undo)
      expect(await store.transaction(() => Promise.resolve('still works'))).toBe('still works')
    })
  })
}
