import { beforeEach, describe, expect, test } from 'vitest'
import { noLeases } from '../../src/adapters/client/service.js'
import { systemIds } from '../../src/adapters/system.js'
import type { JsonObject } from '../../src/json.js'
import { createWallet, type Agent, type Delegation, type PresentRequest } from '../../src/wallet/wallet.js'
import { alice, GRANTS, mint, NOW, owner, REQUEST, SELF, world } from '../mint.js'
import { openWorld } from '../veramo/world.js'

let planner: Agent

beforeEach(async () => {
  const { clock, keys } = await world()
  const { store, vault } = await openWorld()
  const wallet = createWallet(new Map([[owner.did, { keys: null }]]), {
    clock,
    ids: systemIds,
    keys,
    vault,
    credentials: store.credentials,
    holdings: store.holdings,
    lifetimes: store.lifetimes,
    leases: noLeases,
    transaction: work => store.transaction(work),
    adding: work => store.adding(work),
  })
  planner = await wallet.createAgent({ name: 'planner' })
  await planner.receive((await mint({ signer: owner, to: planner.holder, until: 3600 })).token)
})

const grants = [{ resource: `${SELF}/bookings/**`, actions: ['quote'] }] as unknown as Delegation['grants']
const round: Record<string, unknown> = {}
round['again'] = round
const deep = (levels: number): JsonObject => (levels === 0 ? {} : { in: deep(levels - 1) })

describe('nothing is signed', () => {
  test.each<[string, Partial<Record<keyof Delegation, unknown>>, string]>([
    ['for no time', { ttl: 0 }, 'SCHEMA'],
    ['for half a second', { ttl: 0.5 }, 'SCHEMA'],
    ['for more than a day', { ttl: 86_401 }, 'SCHEMA'],
    ['for a time that no date can say', { ttl: 1e13 }, 'SCHEMA'],
    ['for no number', { ttl: '60' }, 'SCHEMA'],
    ['that has no end', { purpose: round }, 'JSON_DEPTH'],
    ['that is wider', { grants: [{ resource: `${SELF}/**`, actions: ['quote'] }] }, 'WIDENED_RESOURCE'],
  ])('as a delegation %s', async (_name, change, code) => {
    const request = { to: alice.did, ttl: 60, grants, ...change } as unknown as Delegation
    await expect(planner.delegate(request)).rejects.toMatchObject({ code })
  })

  test.each<[string, Partial<Record<keyof PresentRequest, unknown>>, string]>([
    [
      'a resource that two programs could read differently',
      { resource: `${SELF}/bookings/../users` },
      'RESOURCE_SYNTAX',
    ],
    ['parameters that have no end', { params: round }, 'JSON_DEPTH'],
    ['parameters deeper than a verifier digests', { params: deep(65) }, 'JSON_DEPTH'],
    ['another audience', { audience: 'https://other.example' }, 'PRESENTATION_AUDIENCE'],
  ])('as a presentation of %s', async (_name, change, code) => {
    const request = { ...REQUEST, audience: SELF, ...change } as unknown as PresentRequest
    await expect(planner.present(request)).rejects.toMatchObject({ code })
    await expect(planner.prove(request)).rejects.toMatchObject({ code })
  })
})

test('what is well-formed is', async () => {
  const free = [{ ...GRANTS[0]!, actions: ['quote'], args: Object.fromEntries(GRANTS[0]!.args!) }]
  const made = await planner.delegate({ to: alice.did, ttl: 300, grants: free })
  expect(made.validUntil).toBe(NOW + 300)
  expect(await planner.present({ ...REQUEST, audience: SELF })).toMatch(/^ey/)
})
