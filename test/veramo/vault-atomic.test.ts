import { describe, expect, test } from 'vitest'
import type { Did } from '../../src/did/did.js'
import { veramoVault } from '../../src/adapters/veramo/vault.js'
import { coded, counts, openWorld, WEB } from './world.js'

describe('all or nothing', () => {
  test('five at once with one alias: one wins, four get KEY_EXISTS, no key is left over', async () => {
    const { vault, store } = await openWorld()
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => vault.create('alice')))
    const won = outcomes.filter(one => one.status === 'fulfilled')
    expect(won).toHaveLength(1)
    expect(outcomes.filter(one => one.status === 'rejected').map(one => one.reason as unknown)).toEqual(
      Array<unknown>(4).fill(expect.objectContaining({ code: 'KEY_EXISTS', facts: { did: won[0]!.value.did } })),
    )
    expect(await counts(store)).toEqual({ dids: 1, keys: 1, privateKeys: 1 })
  })

  test('different aliases at once all succeed', async () => {
    const { vault, store } = await openWorld()
    const made = await Promise.all(Array.from({ length: 8 }, (_, index) => vault.create(`agent ${index}`)))
    expect(new Set(made.map(({ did }) => did)).size).toBe(8)
    expect(await counts(store)).toEqual({ dids: 8, keys: 8, privateKeys: 8 })
  })

  test.each<[string, Did, string, Did | undefined]>([
    ['the same DID', WEB, 'other', WEB],
    ['the same alias', 'did:web:other.example', 'service', WEB],
    ['a name that is an alias', 'did:web:taken', 'other', undefined],
  ])('createWebDid refuses %s', async (_what, did, alias, existing) => {
    const { vault, store } = await openWorld()
    await vault.createWebDid(WEB, 'service')
    const taken = await vault.create('taken')
    await expect(vault.createWebDid(did, alias)).rejects.toThrow(
      expect.objectContaining({ code: 'KEY_EXISTS', facts: { did: existing ?? taken.did } }) as Error,
    )
    expect(await counts(store)).toEqual({ dids: 2, keys: 2, privateKeys: 2 })
  })

  test('did:web five at once', async () => {
    const { vault, store } = await openWorld()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 5 }, (_, i) => vault.createWebDid(WEB, `service ${i}`)),
    )
    expect(outcomes.filter(one => one.status === 'fulfilled')).toHaveLength(1)
    expect(outcomes.filter(one => one.status === 'rejected').map(one => one.reason as unknown)).toEqual(
      Array.from({ length: 4 }, () => coded('KEY_EXISTS')),
    )
    expect(await counts(store)).toEqual({ dids: 1, keys: 1, privateKeys: 1 })
  })

  test.each(['didManagerSetAlias', 'didManagerCreate'] as const)('%s fails at its end: nothing is left', async verb => {
    const { agent, store } = await openWorld()
    const original = agent[verb] as (args: unknown) => Promise<unknown>
    const broken = Object.assign(Object.create(agent) as typeof agent, {
      [verb]: async (args: unknown): Promise<never> => {
        await original(args)
        throw new Error('the power went')
      },
    })
    await expect(veramoVault(broken, store).createWebDid(WEB, 'service')).rejects.toThrow('the power went')
    expect(await counts(store)).toEqual({ dids: 0, keys: 0, privateKeys: 0 })
  })

  test('a failing transaction around it takes the key along', async () => {
    const { vault, store } = await openWorld()
    const work = store.transaction(async () => {
      await vault.create('alice')
      throw new Error('registration failed')
    })
    await expect(work).rejects.toThrow('registration failed')
    expect(await counts(store)).toEqual({ dids: 0, keys: 0, privateKeys: 0 })
  })

  test('where a unique index decides, the loser still hears KEY_EXISTS', async () => {
    const { vault, agent } = await openWorld()
    const { did } = await vault.create('alice')
    let looked = 0
    const blind = Object.assign(Object.create(agent) as typeof agent, {
      didManagerFind: (args: object) => (looked++ === 0 ? Promise.resolve([]) : agent.didManagerFind(args)),
    })
    const rival = veramoVault(blind, { transaction: work => work(), adding: work => work() })
    await expect(rival.create('alice')).rejects.toThrow(
      expect.objectContaining({ code: 'KEY_EXISTS', facts: { did } }) as Error,
    )
  })
})
