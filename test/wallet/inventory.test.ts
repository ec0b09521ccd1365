import { describe, expect, test } from 'vitest'
import type { Holdings } from '../../src/ports/holding.js'
import { createUses } from '../../src/wallet/uses.js'
import { alice, NOW, owner, SELF } from '../mint.js'
import { coded } from '../veramo/world.js'
import { call, give, grant, openScene } from './scene.js'

describe('the inventory', () => {
  test('tells what each agent holds, from whom, for what, until when, and how it was used', async () => {
    const { wallet, clock } = await openScene()
    const [planner, booker] = [
      await wallet.createAgent({ name: 'planner' }),
      await wallet.createAgent({ name: 'booker' }),
    ]
    const root = await give(planner, [grant('/x/**', 'read', 'write'), grant('/y', 'read')], {
      onBehalfOf: 'did:web:acme.example',
    })
    const made = await planner.delegate({ to: booker.did, ttl: 300, grants: [grant('/x/1', 'read')] })
    clock.seconds += 10
    await booker.present(call('read', '/x/1'))
    await booker.prove(call('read', '/x/1'))
    await expect(booker.present(call('write', '/x/1'))).rejects.toThrow(coded('DENIED_ACTION'))

    const entries = await wallet.inventory()
    expect(entries.map(({ agent, digest }) => [agent.name, digest]).sort()).toEqual([
      ['booker', made.digest],
      ['planner', root.digest],
    ])
    const { grants, ...held } = entries.find(({ agent }) => agent.name === 'planner')!
    expect(held).toEqual({
      agent: { did: planner.did, name: 'planner' },
      digest: root.digest,
      id: root.id,
      from: owner.did,
      root: owner.did,
      onBehalfOf: 'did:web:acme.example',
      more: 3,
      receivedAt: NOW,
      validUntil: NOW + 1800,
      timesUsed: 1,
      lastUsed: NOW,
      status: { url: expect.stringContaining('https://') as string, index: expect.any(Number) as number },
      flags: ['over-scoped'],
    })
    // the delegation stands on one action of one grant
    expect(grants).toEqual([
      { resource: `${SELF}/x/**`, action: 'read', timesUsed: 1, lastUsed: NOW },
      { resource: `${SELF}/x/**`, action: 'write', timesUsed: 0, lastUsed: null },
      { resource: `${SELF}/y`, action: 'read', timesUsed: 0, lastUsed: null },
    ])
    const [own, ...others] = await wallet.inventory({ agent: 'booker' })
    expect(others).toEqual([])
    expect(own).toMatchObject({
      from: planner.did,
      more: 0,
      timesUsed: 2,
      lastUsed: NOW + 10,
      status: null,
      flags: ['expiring'],
    })
    await expect(wallet.inventory({ agent: 'nobody' })).rejects.toThrow(coded('NOT_FOUND'))
    await expect(wallet.inventory({ unusedAfter: 'soon' })).rejects.toThrow(coded('SCHEMA'))
  })

  test.each([
    ['fresh and unused is fine', 0, false, 3600, []],
    ['unused for half its life', 900, false, 3600, ['unused']],
    ['a second before that', 899, false, 3600, []],
    ['unused for the time asked for', 60, false, '1m', ['unused']],
    ['a second before that', 59, false, '1m', []],
    ['used, all of it', 900, true, 60, []],
    ['unused, five minutes before its end', 1500, false, 3600, ['unused']],
    ['unused, later', 1501, false, 3600, ['unused', 'expiring']],
    ['used, later', 1501, true, 3600, ['expiring']],
  ] as const)('flags what deserves a look: %s', async (_name, later, isUsed, unusedAfter, flags) => {
    const { wallet, clock } = await openScene()
    const agent = await wallet.createAgent({ name: 'agent' })
    await give(agent, [grant('/x', 'read')], { until: 1800 })
    if (isUsed) await agent.present(call('read', '/x'))
    clock.seconds += later
    expect((await wallet.inventory({ unusedAfter })).map(one => one.flags)).toEqual([flags])
  })

  test('flags a tenth of a long life as expiring', async () => {
    const { wallet, clock } = await openScene()
    const agent = await wallet.createAgent({ name: 'agent' })
    await give(agent, [grant('/x', 'read')], { until: 36_000 })
    await agent.present(call('read', '/x'))
    clock.seconds += 32_400
    expect((await wallet.inventory()).map(({ flags }) => flags)).toEqual([[]])
    clock.seconds += 1
    expect((await wallet.inventory()).map(({ flags }) => flags)).toEqual([['expiring']])
  })

  test('flags what stands on a root that is not trusted any more, or on another key of it', async () => {
    const { wallet, again } = await openScene()
    const agent = await wallet.createAgent({ name: 'agent' })
    await give(agent, [grant('/x', 'read')])
    const flags = async (...roots: Parameters<typeof again>) =>
      (await again(...roots).inventory()).map(one => one.flags)
    expect(await flags()).toEqual([[]])
    expect(await flags(new Map())).toEqual([['orphaned']])
    const keys = new Map([[owner.kid, alice.publicKey]])
    expect(await flags(new Map([[owner.did, { keys }]]))).toEqual([['orphaned']])
  })

  test('is of one wallet, and of what has not ended', async () => {
    const { wallet, clock } = await openScene()
    expect(await wallet.inventory()).toEqual([])
    await give(await wallet.createAgent({ name: 'agent' }), [grant('/x', 'read')], { until: 60 })
    expect(await wallet.inventory()).toHaveLength(1)
    clock.seconds += 60
    expect(await wallet.inventory()).toEqual([])
  })
})

describe('counting', () => {
  const digest = 'uEiA' as never
  const use = [{ grant: 0, action: 'read' }]

  test('fails no call, and is tried again', async () => {
    let broken = true
    const { wallet, store } = await openScene()
    const { again } = await openScene({
      holdings: {
        ...bound(store.holdings),
        use: uses => (broken ? Promise.reject(new Error('disk full')) : store.holdings.use(uses)),
      },
      credentials: store.credentials,
      transaction: work => store.transaction(work),
    })
    await wallet.createAgent({ name: 'unused' })
    const other = again()
    const agent = await other.createAgent({ name: 'agent' })
    await give(agent, [grant('/x', 'read')])
    await agent.present(call('read', '/x'))
    await other.settled()
    expect((await other.inventory()).map(({ timesUsed }) => timesUsed)).toEqual([0])
    broken = false
    await agent.present(call('read', '/x'))
    expect((await other.inventory()).map(({ timesUsed }) => timesUsed)).toEqual([2])
  })

  test('writes in batches and never two at once', async () => {
    const batches: number[] = []
    let [running, most] = [0, 0]
    const uses = createUses({
      async use(batch) {
        most = Math.max(most, (running += 1))
        await new Promise(resolve => setImmediate(resolve))
        batches.push(...batch.map(({ times }) => times))
        running -= 1
      },
    })
    for (let n = 0; n < 1000; n += 1) uses.note(digest, use, NOW + n)
    await uses.settled()
    uses.note(digest, use, NOW)
    await uses.settled()
    expect([batches, most]).toEqual([[1000, 1], 1])
  })

  test('keeps a bounded number while storage cannot be written', async () => {
    let wanted = 0
    const uses = createUses({
      use(batch) {
        wanted = batch.length
        return Promise.reject(new Error('disk full'))
      },
    })
    for (let n = 0; n < 10_050; n += 1) uses.note(digest, [{ grant: 0, action: `a${n}` }], NOW)
    await uses.settled()
    await uses.settled()
    expect(wanted).toBe(10_000)
  })
})

function bound(holdings: Holdings): Holdings {
  return {
    add: one => holdings.add(one),
    find: (...args) => holdings.find(...args),
    use: uses => holdings.use(uses),
    list: (...args) => holdings.list(...args),
    drop: one => holdings.drop(one),
  }
}
