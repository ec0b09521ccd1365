import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Store } from '../../src/adapters/store/store.js'
import { createVeramoAgent } from '../../src/adapters/veramo/agent.js'
import { readAgentFile } from '../../src/adapters/veramo/agent-file.js'
import { veramoVault, type VaultSigner, type VeramoVault } from '../../src/adapters/veramo/vault.js'
import { AGENT_YML, counts, registryOf } from '../veramo/world.js'
import { NOW, refusal, type Backend } from './store-fixtures.js'

/** New agents are written together, and stand or fall alone. */
export function newAgentsContract(backend: Backend): void {
  describe(`${backend.name}: new agents`, () => {
    let store: Store
    let vault: VeramoVault
    beforeEach(async () => {
      store = await backend.open(await backend.place())
      onTestFinished(() => store.close())
      vault = veramoVault(await createVeramoAgent(await readAgentFile(AGENT_YML, {}), await registryOf(store)), store)
    })

    const make = (name: string) =>
      store.adding(async () => {
        const made = await vault.create(name)
        await store.lifetimes.set(made.did, NOW)
        return made
      })
    /** What differs from agent to agent is told by its form. */
    const formOf = (value: unknown, alias: string): string =>
      value instanceof Date
        ? 'date'
        : String(value)
            .replace(/did:key:\w+|[0-9a-f]{64}|[\w-]{100,}|\d\d+/g, '*')
            .replace(alias, 'alias')
    const rowsOf = async ({ did, alias, keyRef }: VaultSigner): Promise<unknown> => {
      const read = async (table: string, column: string, value: string): Promise<unknown> => {
        const rows = await store.dataSource.query<object[]>(`SELECT * FROM "${table}" WHERE ${column} = '${value}'`)
        return rows.map(row => Object.entries(row).map(([name, one]) => `${name}: ${formOf(one, alias)}`))
      }
      return [
        await read('sealed_key', 'kid', keyRef),
        await read('key', 'kid', keyRef),
        await read('identifier', 'did', did),
        await read('agent_lifetime', 'did', did),
      ]
    }

    test('made at one moment, they share statements, and need no transaction', async () => {
      const queries = vi.spyOn(store.dataSource, 'query')
      const transactions = vi.spyOn(store.dataSource as unknown as { atomically: () => unknown }, 'atomically')
      const made = await Promise.all(Array.from({ length: 40 }, (_, n) => make(`agent ${n}`)))
      expect(transactions).not.toHaveBeenCalled()
      expect(queries.mock.calls.length).toBeLessThan(20)
      queries.mockRestore()
      for (const { did, alias } of made) {
        expect(await vault.find(alias)).toMatchObject({ did })
        expect(await store.lifetimes.endOf(did)).toBe(NOW)
      }
      expect(await counts(store)).toEqual({ dids: 40, keys: 40, privateKeys: 40 })
      expect(await store.check()).toEqual([])
    })

    test('leave the same rows as in a transaction, with an end and without', async () => {
      const mortal = await rowsOf(await make('one'))
      expect(mortal).toEqual(await rowsOf(await store.transaction(() => make('two'))))
      expect(mortal).toHaveLength(4)
      expect(mortal).not.toContainEqual([])
      const lasting = await rowsOf(await vault.create('three'))
      expect(lasting).toEqual(await rowsOf(await store.transaction(() => vault.create('four'))))
      expect(lasting).toContainEqual([])
    })

    test('a name that is taken fails its own agent and no other', async () => {
      const service = await vault.createWebDid('did:web:service.example', 'service')
      const names = ['a', 'service', 'b', 'twin', 'c', 'twin', 'd', 'service.example', 'e']
      const outcomes = await Promise.allSettled(names.map(make))
      const refused = outcomes.flatMap((one, n) =>
        one.status === 'rejected' ? [[names[n], one.reason as unknown]] : [],
      )
      const taken = (did: unknown) => expect.objectContaining({ code: 'KEY_EXISTS', facts: { did } }) as unknown
      const twin = (await vault.find('twin'))?.did
      expect(refused).toEqual([
        ['service', taken(service.did)],
        ['twin', taken(twin)],
      ])
      for (const name of ['a', 'b', 'c', 'd', 'e', 'service.example']) expect(await vault.find(name)).not.toBeNull()
      expect(await counts(store)).toEqual({ dids: 8, keys: 8, privateKeys: 8 })
      expect(await store.check()).toEqual([])
    })

    test('work that asks for more than adding runs in a transaction', async () => {
      let runs = 0
      const work = () =>
        store.adding(async () => {
          runs += 1
          const { did } = await vault.create('agent')
          await store.lifetimes.set(did, NOW)
          // swallowed, as Veramo swallows what its stores say
          const endsAt = await store.lifetimes.endOf(did).catch(() => null)
          if (endsAt === null) return null
          throw new Error(`ends at ${endsAt}`)
        })
      await expect(work()).rejects.toThrow(`ends at ${NOW}`)
      expect(runs).toBe(2)
      expect(await counts(store)).toEqual({ dids: 0, keys: 0, privateKeys: 0 })
    })

    test('work that fails adds nothing, and what outlives it adds nothing either', async () => {
      await expect(
        store.adding(async () => {
          await vault.create('agent')
          throw new Error('the power went')
        }),
      ).rejects.toThrow('the power went')
      let straggler: Promise<unknown> = Promise.resolve()
      await store.adding(() => {
        straggler = new Promise(resolve => setTimeout(resolve, 10)).then(() => refusal(() => vault.create('late')))
        return Promise.resolve()
      })
      expect(await straggler).toMatchObject({ message: 'rows were added after the work had ended' })
      await store.transaction(() => {
        straggler = new Promise(resolve => setTimeout(resolve, 10)).then(() => refusal(() => vault.create('later')))
        return Promise.resolve()
      })
      expect(await straggler).toMatchObject({ message: 'a transaction was used after its end' })
      expect(await counts(store)).toEqual({ dids: 0, keys: 0, privateKeys: 0 })
    })

    test('a key version that was dropped fails them with a code', async () => {
      await vault.create('before')
      await store.transaction(async () => {
        await store.dataSource.query('DELETE FROM sealed_key')
        await store.sealedKeys.dropVersion(1)
      })
      await expect(make('after')).rejects.toThrow(
        expect.objectContaining({
          code: 'STORAGE_UNAVAILABLE',
          message: expect.stringContaining('version 1 was dropped') as unknown,
        }) as Error,
      )
      expect(await vault.find('after')).toBeNull()
    })

    test('a store that is closed refuses them', async () => {
      const making = make('in time').then(
        () => 'made',
        (error: unknown) => (error as { code: string }).code,
      )
      await store.close()
      expect(['made', 'STORAGE_UNAVAILABLE']).toContain(await making)
      await expect(make('late')).rejects.toThrow(expect.objectContaining({ code: 'STORAGE_UNAVAILABLE' }) as Error)
    })
  })
}
