import { Key, PrivateKey } from '@veramo/data-store'
import { describe, expect, test } from 'vitest'
import type { Agent } from '../../src/wallet/wallet.js'
import { NOW } from '../mint.js'
import { coded, counts } from '../veramo/world.js'
import { call, give, grant, openScene, type Scene } from './scene.js'

const REFUSED: readonly (readonly [string, (agent: Agent, other: Agent) => Promise<unknown>])[] = [
  ['sign', agent => agent.holder.sign(Buffer.from('x'))],
  ['present', agent => agent.present(call('read', '/x'))],
  ['prove', agent => agent.prove(call('read', '/x'))],
  ['delegate', (agent, other) => agent.delegate({ to: other.did, ttl: 60, grants: [grant('/x', 'read')] })],
  ['receive', agent => give(agent, [grant('/x', 'read')])],
]

/** An ephemeral agent with authority, beside one that stays. */
async function start(): Promise<Scene & { readonly agent: Agent; readonly other: Agent }> {
  const scene = await openScene()
  const other = await scene.wallet.createAgent({ name: 'other' })
  const agent = await scene.wallet.createAgent({ name: 'agent', ephemeral: true, ttl: '30m' })
  await give(agent, [grant('/x', 'read')])
  return { ...scene, agent, other }
}

describe('an ephemeral agent', () => {
  test('knows its end, and is another agent as long as it lives', async () => {
    const { agent, other, again } = await start()
    expect([agent.endsAt, other.endsAt]).toEqual([NOW + 1800, null])
    expect((await again().agent('agent')).endsAt).toBe(NOW + 1800)
    expect(await agent.present(call('read', '/x'))).toMatch(/^ey/)
  })

  test('that is ended has no key, holds nothing, and its name is free', async () => {
    const { agent, other, wallet, store } = await start()
    const { digest } = (await agent.held())[0]!
    await agent.end()
    await agent.end()
    expect(await counts(store)).toEqual({ dids: 1, keys: 1, privateKeys: 1 })
    for (const entity of [Key, PrivateKey]) {
      const rows = JSON.stringify(await store.dataSource.getRepository<object>(entity).find())
      expect(rows).not.toContain(Buffer.from(agent.holder.publicKey.bytes).toString('hex'))
    }
    expect(await store.holdings.list(0)).toEqual([])
    expect(await store.credentials.find(digest)).toBeNull()
    expect(await store.lifetimes.due(2 ** 40, 10)).toEqual([])
    await expect(wallet.agent('agent')).rejects.toThrow(coded('NOT_FOUND'))
    await expect(wallet.agent(agent.did)).rejects.toThrow(coded('NOT_FOUND'))
    expect((await wallet.createAgent({ name: 'agent' })).did).not.toBe(agent.did)
    expect(await other.holder.sign(Buffer.from('x'))).toHaveLength(64)
  })

  test.each(REFUSED)('that was ended does not %s, though the program still has it', async (_name, work) => {
    const { agent, other, wallet, store } = await start()
    const second = await wallet.agent('agent')
    await agent.end()
    for (const reference of [agent, second]) {
      // it holds nothing any more, so some do not even come to signing
      await expect(work(reference, other)).rejects.toThrow(/AGENT_ENDED|NOT_FOUND/)
    }
    expect(await store.holdings.list(0)).toEqual([])
    await expect(second.holder.sign(Buffer.from('x'))).rejects.toThrow(coded('AGENT_ENDED'))
    await expect(give(second, [grant('/x', 'read')])).rejects.toThrow(coded('AGENT_ENDED'))
  })

  test.each(REFUSED)('whose time is over does not %s, also before it is swept', async (_name, work) => {
    const { agent, other, clock } = await start()
    clock.seconds += 1799
    expect(await agent.holder.sign(Buffer.from('x'))).toHaveLength(64)
    clock.seconds += 1
    await expect(work(agent, other)).rejects.toThrow(/AGENT_ENDED|NOT_FOUND/)
    await expect(agent.holder.sign(Buffer.from('x'))).rejects.toThrow(coded('AGENT_ENDED'))
  })

  test('whose time is over ends when somebody asks for it', async () => {
    const { agent, clock, wallet, store } = await start()
    clock.seconds += 1800
    await expect(wallet.agent('agent')).rejects.toThrow(coded('NOT_FOUND'))
    expect(await counts(store)).toEqual({ dids: 1, keys: 1, privateKeys: 1 })
    await expect(agent.holder.sign(Buffer.from('x'))).rejects.toThrow(coded('AGENT_ENDED'))
  })

  test('whose time is over is swept; those that live stay', async () => {
    const { wallet, clock, store, other } = await start()
    const late = await wallet.createAgent({ name: 'late', ephemeral: true, ttl: 3600 })
    expect(await wallet.sweep()).toBe(0)
    clock.seconds += 1800
    expect(await wallet.sweep()).toBe(1)
    expect(await wallet.sweep()).toBe(0)
    expect(await counts(store)).toEqual({ dids: 2, keys: 2, privateKeys: 2 })
    for (const { holder } of [late, other]) expect(await holder.sign(Buffer.from('x'))).toHaveLength(64)
  })

  test('what it handed on can be revoked by who gave to it, and lives on', async () => {
    const { wallet, agent: parent } = await start()
    const [child, leaf] = [
      await wallet.createAgent({ name: 'child', ephemeral: true, ttl: '1h' }),
      await wallet.createAgent({ name: 'leaf' }),
    ]
    const given = await parent.delegate({ to: child.did, ttl: 300, grants: [grant('/x', 'read')], more: 1 })
    await child.delegate({ to: leaf.did, ttl: 60, grants: [grant('/x', 'read')] })
    await child.end()
    expect(await parent.chainOf(given.digest)).toEqual(given.chain)
    expect(await leaf.present(call('read', '/x'))).toMatch(/^ey/)
  })

  test('a failure on the way ends nothing half', async () => {
    const { agent, again, store, vault } = await start()
    const broken = again(undefined, { vault: { ...vault, destroy: () => Promise.reject(new Error('disk full')) } })
    await expect((await broken.agent('agent')).end()).rejects.toThrow('disk full')
    expect(await agent.held()).toHaveLength(1)
    expect(await store.lifetimes.endOf(agent.did)).toBe(NOW + 1800)
    await agent.end()
    expect(await store.lifetimes.endOf(agent.did)).toBeNull()
  })
})

test.each<[string, object]>([
  ['no ttl', { ephemeral: true }],
  ['no time', { ephemeral: true, ttl: 0 }],
  ['half a second', { ephemeral: true, ttl: 0.5 }],
  ['no duration', { ephemeral: true, ttl: 'soon' }],
  ['more than 7 days', { ephemeral: true, ttl: '8d' }],
  ['a ttl without an end', { ttl: '30m' }],
])('%s is SCHEMA, and nothing is made', async (_name, options) => {
  const { wallet, store } = await openScene()
  await expect(wallet.createAgent({ name: 'agent', ...options })).rejects.toThrow(coded('SCHEMA'))
  expect(await counts(store)).toEqual({ dids: 0, keys: 0, privateKeys: 0 })
})

test('a key without its end is not kept', async () => {
  const { store, again } = await openScene()
  const lifetimes = {
    set: () => Promise.reject(new Error('disk full')),
    endOf: () => Promise.resolve(null),
    due: () => Promise.resolve([]),
    drop: () => Promise.resolve(),
  }
  const inOwn = again(undefined, { lifetimes })
  await expect(inOwn.createAgent({ name: 'a', ephemeral: true, ttl: 60 })).rejects.toThrow('disk full')
  // a vault whose storage is not ours is not undone with it
  const beside = again(undefined, { lifetimes, transaction: work => work(), adding: work => work() })
  await expect(beside.createAgent({ name: 'b', ephemeral: true, ttl: 60 })).rejects.toThrow('disk full')
  expect(await counts(store)).toEqual({ dids: 0, keys: 0, privateKeys: 0 })
})
