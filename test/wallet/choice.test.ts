import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { covering, covers, type Selector } from '../../src/authority/resource.js'
import { digestOf } from '../../src/encoding.js'
import { toSeconds } from '../../src/time.js'
import type { Agent } from '../../src/wallet/wallet.js'
import { alice, mint, NOW, owner, SELF } from '../mint.js'
import { coded } from '../veramo/world.js'
import { call, give, grant, leafOf, openScene, ROOTS } from './scene.js'

/** The digest of the credential that a presentation of the call ends in. */
async function shown(agent: Agent, request: Parameters<Agent['present']>[0]): Promise<string> {
  const leaf = leafOf(await agent.present(request))
  return digestOf(leaf.slice(0, leaf.lastIndexOf('.')))
}

const PRINCIPALS = ['did:web:acme.example', 'did:web:other.example'] as const

describe('of several chains', () => {
  test('the one that allows the call and ends last is shown', async () => {
    const { wallet } = await openScene()
    const agent = await wallet.createAgent({ name: 'agent' })
    const short = await give(agent, [grant('/x/**', 'read')], { until: 600 })
    const long = await give(agent, [grant('/x/**', 'read')], { until: 1200 })
    await give(agent, [grant('/y/**', 'read')], { until: 1800 })
    expect(await shown(agent, call('read', '/x/1'))).toBe(long.digest)
    expect(await shown(agent, { ...call('read', '/x/1'), chain: short.digest })).toBe(short.digest)
    const { leaf } = await agent.prove({ ...call('read', '/x/1'), chain: short.digest })
    expect(leaf).toBe(short.digest)
  })

  test('the caller says on whose behalf, for calls and delegations', async () => {
    const { wallet } = await openScene()
    const agent = await wallet.createAgent({ name: 'agent' })
    const [mine, other] = [
      await give(agent, [grant('/x/**', 'read')], { onBehalfOf: PRINCIPALS[0], until: 600 }),
      await give(agent, [grant('/x/**', 'read')], { onBehalfOf: PRINCIPALS[1], until: 1200 }),
    ]
    for (const [principal, { digest }] of [
      [PRINCIPALS[0], mine],
      [PRINCIPALS[1], other],
    ] as const) {
      expect(await shown(agent, { ...call('read', '/x/1'), onBehalfOf: principal })).toBe(digest)
      const request = { to: alice.did, ttl: 60, grants: [grant('/x/1', 'read')], onBehalfOf: principal }
      expect((await agent.delegate(request)).authority.parent?.digest).toBe(digest)
    }
    const nobody = { ...call('read', '/x/1'), onBehalfOf: 'did:web:nobody.example' }
    await expect(agent.present(nobody)).rejects.toThrow(coded('NOT_FOUND'))
    const both = { ...call('read', '/x/1'), onBehalfOf: PRINCIPALS[0], chain: other.digest }
    await expect(agent.present(both)).rejects.toThrow(coded('NOT_FOUND'))
  })

  test('one that is chosen is the only one asked', async () => {
    const { wallet } = await openScene()
    const agent = await wallet.createAgent({ name: 'agent' })
    const reads = await give(agent, [grant('/x/**', 'read')])
    const writes = await give(agent, [grant('/x/**', 'write')])
    await expect(agent.present({ ...call('read', '/x/1'), chain: writes.digest })).rejects.toThrow(
      coded('DENIED_ACTION'),
    )
    const request = { to: alice.did, ttl: 60, grants: [grant('/x/1', 'read')], chain: writes.digest }
    await expect(agent.delegate(request)).rejects.toThrow(coded('WIDENED_ACTION'))
    expect((await agent.delegate({ ...request, chain: reads.digest })).authority.parent?.digest).toBe(reads.digest)
    for (const chain of ['uEi', 1, null] as never[]) {
      await expect(agent.present({ ...call('read', '/x/1'), chain })).rejects.toThrow(coded('SCHEMA'))
    }
  })

  test("another agent's cannot be chosen", async () => {
    const { wallet } = await openScene()
    const [agent, other] = [await wallet.createAgent({ name: 'a' }), await wallet.createAgent({ name: 'b' })]
    await give(agent, [grant('/x/**', 'read')])
    const { digest: chain } = await give(other, [grant('/x/**', 'read')])
    await expect(agent.present({ ...call('read', '/x/1'), chain })).rejects.toThrow(coded('NOT_FOUND'))
  })

  test('a trusted one is used where others are orphaned', async () => {
    const { wallet, again } = await openScene()
    const agent = await wallet.createAgent({ name: 'agent' })
    await give(agent, [grant('/x/**', 'read')])
    const nobody = await again(new Map()).agent('agent')
    await expect(nobody.present(call('read', '/x/1'))).rejects.toThrow(coded('NOT_FOUND'))
    expect(await nobody.held()).toEqual([])
    expect(await (await again(ROOTS).agent('agent')).held()).toHaveLength(1)
  })
})

test('what is held is found by resource, action and expiry', async () => {
  const { wallet } = await openScene()
  const agent = await wallet.createAgent({ name: 'agent' })
  const reads = await give(agent, [grant('/x/**', 'read')], { until: 600 })
  const writes = await give(agent, [grant('/x/y', 'write')], { until: 1200 })
  const digests = async (query?: Parameters<Agent['held']>[0]) => (await agent.held(query)).map(({ digest }) => digest)
  expect(await digests()).toEqual([writes.digest, reads.digest])
  expect(await digests({ resource: `${SELF}/x/y` })).toEqual([writes.digest, reads.digest])
  expect(await digests({ resource: `${SELF}/x/**` })).toEqual([reads.digest])
  expect(await digests({ action: 'write' })).toEqual([writes.digest])
  expect(await digests({ before: NOW + 601 })).toEqual([reads.digest])
  expect(await digests({ resource: `${SELF}/x/y`, action: 'read', before: NOW + 600 })).toEqual([])
  await expect(agent.held({ resource: `${SELF}/x/../y` })).rejects.toThrow(coded('RESOURCE_SYNTAX'))
  await expect(agent.held({ action: 1 as never })).rejects.toThrow(coded('SCHEMA'))
  await expect(agent.held({ before: 1.5 })).rejects.toThrow(coded('SCHEMA'))
})

test('what the index knows nothing of is refused with the reason of what is held', async () => {
  const { wallet } = await openScene()
  const agent = await wallet.createAgent({ name: 'agent' })
  await expect(agent.present(call('read', '/x'))).rejects.toThrow(coded('NOT_FOUND'))
  await give(agent, [grant('/x/**', 'read')])
  await expect(agent.present(call('read', '/y'))).rejects.toThrow(coded('DENIED_RESOURCE'))
  await expect(agent.present(call('write', '/x'))).rejects.toThrow(coded('DENIED_ACTION'))
  await expect(agent.present({ ...call('read', '/x'), audience: 'https://b.example' })).rejects.toThrow(
    coded('PRESENTATION_AUDIENCE'),
  )
})

test('what does not verify is not stored', async () => {
  const { wallet, store } = await openScene()
  const agent = await wallet.createAgent({ name: 'agent' })
  const { token, digest } = await mint({ signer: owner, to: agent.holder })
  const forged = `${token.slice(0, -20)}${'A'.repeat(20)}`
  await expect(agent.receive(forged)).rejects.toThrow(/SIGNATURE_INVALID|JWS_/)
  const foreign = await mint({ signer: owner, to: alice })
  await expect(agent.receive(foreign.token)).rejects.toThrow(coded('CALLER_FORBIDDEN'))
  const stranger = await mint({ signer: alice, to: agent.holder })
  await expect(agent.receive(stranger.token)).rejects.toThrow(coded('ROOT_UNTRUSTED'))
  for (const one of [digest, foreign.digest, stranger.digest]) expect(await store.credentials.find(one)).toBeNull()
  expect(await store.holdings.list(0)).toEqual([])
})

test('a delegation to an agent of this wallet is held at once, one to a stranger by nobody here', async () => {
  const { wallet, store } = await openScene()
  const [planner, booker] = [await wallet.createAgent({ name: 'p' }), await wallet.createAgent({ name: 'b' })]
  await give(planner, [grant('/x/**', 'read')])
  const made = await planner.delegate({ to: booker.did, ttl: '5m', grants: [grant('/x/1', 'read')] })
  expect(made.validUntil).toBe(NOW + 300)
  expect((await booker.held()).map(({ digest }) => digest)).toEqual([made.digest])
  await booker.receive(made.chain)
  expect(await booker.held()).toHaveLength(1)
  await planner.delegate({ to: alice.did, ttl: 60, grants: [grant('/x/1', 'read')] })
  expect((await store.holdings.list(0)).map(({ holder }) => holder).sort()).toEqual([planner.did, booker.did].sort())
})

test.each<readonly [unknown, number | null]>([
  [60, 60],
  ['90s', 90],
  ['10m', 600],
  ['2h', 7200],
  ['1d', 86_400],
  ...[
    '',
    '0m',
    '-1m',
    '1',
    '1.5h',
    '1w',
    ' 1m',
    '1m ',
    '01m',
    'm',
    '1M',
    '9999999999s',
    0,
    -1,
    1.5,
    NaN,
    Infinity,
    null,
    undefined,
    {},
    ['1m'],
  ].map(one => [one, null] as const),
])('%o is %o seconds', (duration, seconds) => {
  expect(toSeconds(duration)).toBe(seconds)
})

test('the selectors that cover one are exactly those', () => {
  const segment = fc.constantFrom('a', 'b', 'ab')
  const selector = fc
    .tuple(fc.array(segment, { maxLength: 4 }), fc.boolean())
    .map(([path, below]) => `${[SELF, ...path].join('/')}${below ? '/**' : ''}` as Selector)
  fc.assert(
    fc.property(selector, selector, (child, parent) => {
      expect(covering(child).includes(parent)).toBe(covers(parent, child))
      expect(covering(child).every(one => covers(one, child))).toBe(true)
    }),
    { numRuns: 2000 },
  )
})
