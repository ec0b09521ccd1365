import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Store } from '../../src/adapters/store/store.js'
import type { Digest } from '../../src/encoding.js'
import { createVerifier, fileAudit, sqliteState, type OpenVerifier } from '../../src/entry/verifier.js'
import type { OpenWallet, WalletAgent } from '../../src/entry/wallet.js'
import type { Did } from '../../src/did/did.js'
import { API, openTestHome, ORIGIN, POLICY, type Home } from '../http/home.js'
import { FEED, ISSUER, openSame, until } from './feed-home.js'
import { openRelay, type Relay } from './relay.js'

let home: Home
let store: Store
let relay: Relay
let wallet: OpenWallet
let verifier: OpenVerifier
const open: { close(): Promise<unknown> }[] = []

/** A verifier of a resource server, whose actions are of medium risk, with a state of its own. */
async function listening(): Promise<OpenVerifier> {
  const file = join(home.folder, `verifier ${open.length}`)
  const [state, audit] = [await sqliteState(`${file}.db`), await fileAudit(`${file}.audit`)]
  const policy = { ...POLICY, feeds: [{ issuer: ISSUER, url: FEED }], risk: { write: 'medium' } }
  const made = await createVerifier({ policy, state, audit, connect: { [ORIGIN]: relay.address } })
  open.unshift(made, state, audit)
  return made
}
const isHealthy = (one: OpenVerifier): boolean => one.feeds().every(({ healthy }) => healthy)

beforeAll(async () => {
  home = await openTestHome()
  store = await openSame(home.folder)
  relay = await openRelay(() => home.service.address)
  wallet = await home.wallet()
  verifier = await listening()
  await until(() => isHealthy(verifier))
})
afterAll(async () => {
  for (const one of open) await one.close()
  await store.close()
  await relay.close()
  await home.close()
})

let agent: WalletAgent
let digest: Digest
let count = 0
beforeEach(async () => {
  agent = await wallet.createAgent({ name: `agent ${(count += 1)}` })
  const authority = { audience: [API], grants: [{ resource: `${API}/**`, actions: ['write'] }] }
  const root = await home.grant({ to: agent.did, ttl: 3600, authority })
  await agent.receive(root.credential)
  digest = root.digest as Digest
})

const request = { method: 'POST', url: `${API}/rooms/1`, bodyDigest: null, action: 'write', resource: `${API}/rooms/1` }
async function ask(by = verifier, reserve = false) {
  const { url, ...said } = request
  const presentation = await agent.present({ audience: API, url, params: {}, ...said })
  return by.decide(presentation, { ...request, params: {} }, { reserve })
}
const listsAsked = (url: string): number => relay.asked.filter(path => `${ORIGIN}${path}`.startsWith(url)).length

describe('a verifier that follows a feed', () => {
  test('refuses what was revoked without asking for anything; other calls go on', async () => {
    expect(await ask()).toMatchObject({ allow: true })
    const other = agent
    const revoked = digest
    agent = await wallet.createAgent({ name: `agent ${(count += 1)}` })
    const authority = { audience: [API], grants: [{ resource: `${API}/**`, actions: ['write'] }] }
    await agent.receive((await home.grant({ to: agent.did, ttl: 3600, authority })).credential)
    const last = (await store.outbox.span()).last
    await home.issuer.revoke(revoked)
    await until(() => verifier.feeds()[0]!.seq === last + 1)
    expect(await ask()).toMatchObject({ allow: true })
    agent = other
    relay.isOpen = false
    expect(await ask()).toMatchObject({ allow: false, code: 'STATUS_REVOKED', link: 0 })
    relay.isOpen = true
  })

  test('commits no reservation of what was revoked meanwhile', async () => {
    const { decisionId } = await ask(verifier, true)
    await home.issuer.revoke(digest)
    await until(async () => (await verifier.recheck(decisionId)).code === 'STATUS_REVOKED')
    expect(await verifier.commit(decisionId)).toMatchObject({ allow: false, code: 'STATUS_REVOKED' })
  })

  test('refuses an agent that was stopped', async () => {
    expect(await ask()).toMatchObject({ allow: true })
    const last = (await store.outbox.span()).last
    const killed = { type: 'killed', target: agent.did, status: null, version: null } as const
    await store.outbox.append([killed], 0)
    await until(() => verifier.feeds()[0]!.seq === last + 1)
    expect(await ask()).toMatchObject({ allow: false, code: 'AGENT_KILLED' })
  })

  test('what a suspension makes of it: the list is asked again, and only that decides', async () => {
    expect(await ask()).toMatchObject({ allow: true })
    const { suspension } = (await store.credentials.find(digest))!
    const announce = async (type: 'suspended' | 'resumed'): Promise<void> => {
      const last = (await store.outbox.span()).last
      await store.outbox.append([{ type, target: digest, status: suspension, version: null }], 0)
      await until(() => verifier.feeds()[0]!.seq === last + 1)
    }
    const asked = listsAsked(suspension!.url)
    // told, but not so: nothing is refused on hearsay
    await announce('suspended')
    expect(await ask()).toMatchObject({ allow: true })
    expect(listsAsked(suspension!.url)).toBe(asked + 1)
    await change(agent.did, 'suspend')
    await until(async () => (await ask()).code === 'STATUS_SUSPENDED')
    await change(agent.did, 'resume')
    await until(async () => (await ask()).allow)
  })

  test('an issuer that is not named has no say: its feed is not followed, and what it signs is inert', async () => {
    const stranger: Did = 'did:web:stranger.example'
    await verifier.learn({ target: digest, signer: stranger })
    await verifier.learn({ target: agent.did, signer: stranger })
    expect(await ask()).toMatchObject({ allow: true })
  })

  test('two of them, each with a state of its own, know it both', async () => {
    const late = await listening()
    await home.issuer.revoke(digest)
    await until(async () => (await ask()).code === 'STATUS_REVOKED' && (await ask(late)).code === 'STATUS_REVOKED')
  })
})

describe('with the feed cut', () => {
  test('the lists are asked as without it, and what was missed is learned afterwards', async () => {
    expect(await ask()).toMatchObject({ allow: true })
    relay.isPullOnly = true
    relay.isOpen = false
    relay.cut()
    await until(() => !isHealthy(verifier))
    await home.issuer.revoke(digest)
    expect((await ask()).code).not.toBe('STATUS_REVOKED') // it cannot know
    relay.isOpen = true
    await until(async () => (await ask()).code === 'STATUS_REVOKED')
    expect(isHealthy(verifier)).toBe(false)
    relay.isPullOnly = false
    await until(() => isHealthy(verifier))
  })
})

async function change(did: Did, verb: 'suspend' | 'resume'): Promise<void> {
  await home.issuer.api[verb]({ params: { did }, body: {} })
}
