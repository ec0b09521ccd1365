import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Did } from '../../src/did/did.js'
import { fromDidKey } from '../../src/did/key.js'
import { singleProcessState } from '../../src/adapters/state/memory.js'
import { systemClock, systemIds } from '../../src/adapters/system.js'
import { openNetwork } from '../../src/entry/parts.js'
import { openWallet, type WalletAgent, type WalletOptions } from '../../src/entry/wallet.js'
import { parsePolicy } from '../../src/policy/policy.js'
import type { ApprovalRequest } from '../../src/presentation/approval.js'
import { openApproval, readApproval, toApprovalRequest } from '../../src/presentation/approval.js'
import { openStore } from '../../src/adapters/store/store.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { openTestHome, POLICY, type Home } from '../http/home.js'
import { stockAgent, type Agent as Stock } from '../upstream/stock.js'
import { coded } from '../veramo/world.js'

let home: Home
beforeAll(async () => (home = await openTestHome()))
afterAll(() => home.close())

const SELF = 'https://api.acme.example'
const GRANTS = [{ resource: `${SELF}/docs/**`, actions: ['read', 'write'] }]

async function open<A extends Stock>(options: Partial<WalletOptions<A>>) {
  const wallet = await openWallet({
    roots: [home.service.did],
    service: home.service.config.origin,
    connect: home.connect,
    ...options,
  })
  onTestFinished(() => wallet.close())
  return wallet
}

function file(): string {
  const folder = mkdtempSync(join(tmpdir(), 'procura-wallet-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return `sqlite://${join(folder, 'wallet.db')}`
}

async function granted(to: Did): Promise<string> {
  return (await home.grant({ to, ttl: 3600, authority: { audience: [SELF], grants: GRANTS, more: 1 } })).credential
}

const CALL = { method: 'GET', url: `${SELF}/docs/1`, bodyDigest: null, action: 'read', params: {}, audience: SELF }

describe('a wallet beside an existing Veramo agent', () => {
  test("keeps keys in that agent's KMS: it holds, narrows, presents, is taken stock of, and revokes", async () => {
    const veramo = stockAgent()
    const before = await veramo.didManagerCreate({
      provider: 'did:key',
      alias: 'before',
      options: { keyType: 'Ed25519' },
    })
    const wallet = await open({ veramo })
    expect(wallet.veramo).toBe(veramo)
    const planner = await wallet.agent('before')
    expect(planner.did).toBe(before.did)
    const booker = await wallet.createAgent({ name: 'booker', ephemeral: true, ttl: '30m' })
    expect((await veramo.didManagerFind({ alias: 'booker' })).map(({ did }) => did)).toEqual([booker.did])

    await planner.receive(await granted(planner.did))
    const made = await planner.delegate({
      to: booker.did,
      ttl: '10m',
      grants: [{ resource: `${SELF}/docs/1`, actions: ['read'] }],
    })
    expect(await booker.present({ ...CALL, resource: `${SELF}/docs/1` })).toMatch(/^ey/)
    expect((await wallet.inventory()).map(({ agent, timesUsed }) => [agent.name, timesUsed])).toEqual(
      expect.arrayContaining([
        ['booker', 1],
        ['before', 1],
      ]),
    )
    expect(await planner.revoke(made.digest)).toMatchObject({ digest: made.digest })

    await booker.end()
    await expect(booker.holder.sign(Buffer.from('x'))).rejects.toThrow(coded('AGENT_ENDED'))
    expect(await veramo.didManagerFind({ alias: 'booker' })).toEqual([])
    await expect(
      veramo.keyManagerGet({ kid: Buffer.from(booker.holder.publicKey.bytes).toString('hex') }),
    ).rejects.toThrow()
    await expect(wallet.createAgent({ name: 'before' })).rejects.toThrow(coded('KEY_EXISTS'))
  })

  test('outlives it, and finds what it held in a storage of its own', async () => {
    const [veramo, storage] = [stockAgent(), file()]
    const first = await openWallet({ veramo, storage, roots: [home.service.did], connect: home.connect })
    const planner = await first.createAgent({ name: 'planner' })
    await planner.receive(await granted(planner.did))
    await first.close()
    expect(await veramo.didManagerFind({ alias: 'planner' })).toHaveLength(1)
    const again = await open({ veramo, storage })
    expect(await (await again.agent('planner')).held()).toHaveLength(1)
    const store = await openStore(storage)
    onTestFinished(() => store.close())
    expect(await store.holdings.list(0)).toHaveLength(1)
  })

  test.each<[string, object]>([
    ['an agent without keys', { veramo: {} }],
    ['a key file for keys that are elsewhere', { veramo: stockAgent(), keyFile: 'x.key' }],
    ['neither storage nor agent', {}],
  ])('%s is CONFIG_INVALID', async (_name, options) => {
    await expect(openWallet({ roots: [], ...options })).rejects.toThrow(coded('CONFIG_INVALID'))
  })
})

describe('a wallet of its own', () => {
  test.each([
    ['in a file', file],
    ['in memory', () => 'sqlite::memory:'],
  ])('%s', async (_name, storage) => {
    const wallet = await open({ storage: storage() })
    const planner = await wallet.createAgent({ name: 'planner' })
    await planner.receive(await granted(planner.did))
    expect(await planner.present({ ...CALL, resource: `${SELF}/docs/1` })).toMatch(/^ey/)
    expect((await wallet.inventory()).map(({ timesUsed }) => timesUsed)).toEqual([1])
  })

  test('ends agents whose time went by while it was closed', async () => {
    const storage = file()
    const first = await openWallet({ storage, roots: [] })
    const { did } = await first.createAgent({ name: 'short', ephemeral: true, ttl: 1 })
    await first.close()
    await vi.waitFor(
      async () => {
        const wallet = await openWallet({ storage, roots: [] })
        const found = await wallet.veramo.didManagerFind()
        await wallet.close()
        expect(found.map(one => one.did)).not.toContain(did)
      },
      { timeout: 10_000, interval: 200 },
    )
  })

  test('counts are stored before it closes', async () => {
    const storage = file()
    const first = await openWallet({ storage, roots: [home.service.did], connect: home.connect })
    const planner = await first.createAgent({ name: 'planner' })
    await planner.receive(await granted(planner.did))
    for (let n = 0; n < 20; n += 1) await planner.present({ ...CALL, resource: `${SELF}/docs/1` })
    await first.close()
    expect((await (await open({ storage })).inventory()).map(({ timesUsed }) => timesUsed)).toEqual([20])
  })
})

describe('a long-lived agent with a did:web', () => {
  test('is hosted under a path of the service, narrows and presents, and verifiers prove its name', async () => {
    const wallet = await open({ storage: 'sqlite::memory:' })
    const did: Did = `${home.service.did}:agents:planner`
    const planner = await wallet.createAgent({ name: 'planner', did })
    const booker = await wallet.createAgent({ name: 'booker' })
    expect(planner.did).toBe(did)
    const { kid, publicKey: key } = planner.holder
    await home.issuer.register({ kind: 'person', did, key: key.x, name: 'planner' })
    const authority = { audience: [SELF], grants: GRANTS, more: 1 }
    await planner.receive((await home.issuer.grant({ to: did, ttl: 3600, authority })).credential)
    await planner.delegate({ to: booker.did, ttl: 300, grants: GRANTS })
    const network = openNetwork(home.connect)
    onTestFinished(() => network.close())
    const state = singleProcessState({ now: () => systemClock.now() - 60 }, systemIds)
    const verifier = createVerifier(parsePolicy(POLICY), {
      ...{ clock: systemClock, ids: systemIds, ...network, ...state },
      streams: { isHealthy: () => false },
      audit: { record: () => Promise.resolve() },
    })
    const ask = async (agent: WalletAgent) => {
      const request = { ...CALL, resource: `${SELF}/docs/1` }
      const { allow, code, path, unproved } = await verifier.decide(await agent.present(request), request)
      return { allow, code, path, unproved }
    }
    // registering it put its document there
    expect(await ask(planner)).toMatchObject({ allow: true, path: [did], unproved: [] })
    expect(await ask(booker)).toMatchObject({ allow: true, path: [did, booker.did], unproved: [] })

    // a key that speaks does not hand on
    await home.service.hosting.publish(did, [{ kid, key, relationships: ['authentication'] }])
    network.keys.evict(did)
    expect(await ask(planner)).toMatchObject({ allow: true })
    expect(await ask(booker)).toMatchObject({ allow: false, code: 'KEY_BINDING' })

    await home.service.hosting.withdraw(did)
    network.keys.evict(did)
    expect(await ask(planner)).toMatchObject({ allow: false, code: 'DID_RESOLUTION' })
  })

  test.each([
    'did:key:z6Mk',
    'did:web:host:a%2Fb',
    'did:web:HOST',
    'did:web:host:..',
    'did:web:host:\n',
    'web',
    null,
    5,
  ])('%o is none', async did => {
    const wallet = await open({ storage: 'sqlite::memory:' })
    await expect(wallet.createAgent({ name: 'x', did: did as never })).rejects.toThrow(coded('SCHEMA'))
    expect(await wallet.veramo.didManagerFind()).toEqual([])
  })
})

describe('approving', () => {
  const required: ApprovalRequest = toApprovalRequest(SELF, `uEi${'A'.repeat(44)}` as never, {
    action: 'write',
    resource: `${SELF}/docs/1`,
    params: { amount: 5 },
  })

  test('shows what would run, and signs exactly that after a yes', async () => {
    const shown: unknown[] = []
    const wallet = await open({
      storage: 'sqlite::memory:',
      confirm: (...args) => Promise.resolve(shown.push(args) > 0),
    })
    const { did } = await wallet.createAgent({ name: 'owner' })
    const approval = await wallet.approve(required)
    expect(shown).toEqual([[required, did]])
    const now = Math.floor(Date.now() / 1000)
    expect(openApproval(readApproval(approval), fromDidKey(did), required, now)).toMatchObject({ iss: did })

    await wallet.createAgent({ name: 'other' })
    await expect(wallet.approve(required)).rejects.toThrow(coded('SCHEMA'))
    expect(readApproval(await wallet.approve(required, 'owner')).signer).toBe(did)
    const twisted = { ...required, display: { amount: 6 } }
    await expect(wallet.approve(twisted, 'owner')).rejects.toThrow(coded('REQUEST_PARAMS'))
  })

  test.each([
    ['no', () => Promise.resolve(false), 'CALLER_FORBIDDEN'],
    ['something that is no yes', () => Promise.resolve('yes' as never), 'CALLER_FORBIDDEN'],
    ['nobody to ask', undefined, 'CONFIG_INVALID'],
  ])('%s signs nothing', async (_name, confirm, code) => {
    const wallet = await open({ storage: 'sqlite::memory:', ...(confirm === undefined ? {} : { confirm }) })
    await wallet.createAgent({ name: 'owner' })
    await expect(wallet.approve(required)).rejects.toThrow(coded(code))
  })
})
