import { describe, expect, test } from 'vitest'
import type { RevocationEvent } from '../../src/ports/deciding.js'
import { requireStillLive, type LivePorts, type Watch } from '../../src/verifier/live.js'
import { envelope } from '../../src/presentation/envelope.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import {
  alice,
  booker,
  goodChain,
  identify,
  LIST,
  listToken,
  mallory,
  mint,
  NOW,
  owner,
  planner,
  policyOf,
  present,
  REQUEST,
  status,
  world,
  type Minted,
} from '../mint.js'
import { agency, chainOf, lists, SECOND, walk } from './live-scene.js'
import { says, sentence } from './scene.js'

describe('events', () => {
  const told = async (events: (chain: readonly Minted[]) => readonly RevocationEvent[]) => {
    const { asked, ports } = await lists()
    const chain = await chainOf()
    for (const event of events(chain)) await ports.revocations.learn(event)
    const { told: sentenceOf, watch } = await walk(chain, ports)
    return { refused: { sentence: sentenceOf, link: watch.link, asked: asked.length }, chain }
  }

  test.each([
    ['the owner revoked the middle', 1, owner.did],
    ['its issuer revoked the leaf', 2, agency.did],
    ['a status issuer revoked the root', 0, status.did],
  ] as const)('%s: no list is asked any more', async (_name, link, signer) => {
    const { chain, refused } = await told(links => [{ target: links[link]!.digest, signer }])
    expect(refused).toEqual({
      sentence: says('STATUS_REVOKED', { index: chain[link].digest, list: `events of ${signer}` }),
      link,
      asked: 0,
    })
  })

  test('a stranger is not heard, and the one who may be is named', async () => {
    const events = (signers: readonly (typeof owner.did)[]) => (links: readonly Minted[]) =>
      signers.map(signer => ({ target: links[1]!.digest, signer }))
    expect((await told(events([mallory.did]))).refused).toEqual({ sentence: 'ok', link: null, asked: 2 })
    expect((await told(events([mallory.did, planner.did]))).refused.sentence).toMatch(`events of ${planner.did}`)
  })

  test('who stands below in the chain stops nobody above', async () => {
    const none = { sentence: 'ok', link: null, asked: 2 }
    for (const target of [planner.did, agency.did])
      expect((await told(() => [{ target, signer: agency.did }])).refused).toEqual(none)
    expect((await told(() => [{ target: booker.did, signer: agency.did }])).refused.sentence).toMatch(/^AGENT_KILLED/)
  })

  test('who was stopped is named, before any that was revoked', async () => {
    const { refused } = await told(([root]) => [
      { target: root!.digest, signer: owner.did },
      { target: agency.did, signer: planner.did },
    ])
    expect(refused).toEqual({ sentence: says('AGENT_KILLED', { did: agency.did }), link: 1, asked: 0 })
  })

  test('each name is asked about once', async () => {
    const { ports } = await lists()
    let asked: readonly string[] = []
    const revocations: LivePorts['revocations'] = {
      ...ports.revocations,
      about: targets => {
        asked = targets
        return Promise.resolve([])
      },
    }
    const root = await mint({ signer: owner, to: planner, until: 3600 })
    const middle = await mint({ signer: planner, to: booker, parent: root })
    const back = await mint({ signer: booker, to: planner, parent: middle })
    await walk([root, middle, back], { ...ports, revocations })
    expect(asked).toEqual([root.digest, planner.did, middle.digest, booker.did, back.digest])
  })
})

describe('an identity credential', () => {
  test.each([
    ['its issuer', alice.did, 'STATUS_REVOKED', null],
    ['who issued the link it describes', planner.did, null, null],
    ['the agent itself', booker.did, null, null],
  ] as const)('revoked by %s', async (_name, signer, code, link) => {
    const ports = await world()
    const verifier = createVerifier(policyOf({ identity: 'leaf', identityIssuers: [alice.did] }), ports)
    const { token, digest } = await identify({ issuer: alice, of: booker })
    await ports.revocations.learn({ target: digest, signer })
    const shown = await present(booker, await goodChain(), { claims: { identity: [envelope(token)] } })
    expect(await verifier.decide(shown, REQUEST)).toMatchObject({ code, link, identities: [digest] })
  })

  test('revoked in its list is no fault of the link it describes, and is named', async () => {
    const list = await listToken([4321])
    const verifier = createVerifier(policyOf({ identity: 'leaf', identityIssuers: [alice.did] }), await world({ list }))
    const { token, digest } = await identify({ issuer: alice, of: booker, index: 4321 })
    const shown = await present(booker, await goodChain(), { claims: { identity: [envelope(token)] } })
    const decision = await verifier.decide(shown, REQUEST)
    expect(decision).toMatchObject({ code: 'STATUS_REVOKED', link: null, holder: booker.did })
    expect(decision).toHaveProperty(
      'detail',
      expect.stringContaining(`(identity credential ${digest} of ${booker.did})`),
    )
  })
})

test('at the commit point the same is asked of what was found live, and found live again', async () => {
  const { asked, ports } = await lists()
  const chain = await chainOf()
  const before = (await walk(chain, ports)).watch.live
  const watched = before.map(one => one.watched)
  const again: Watch = { link: null, live: [] }
  const age = { pushed: 10, pulled: 10 }
  const ask = (): Promise<void> => requireStillLive(watched, age, policyOf(), () => NOW, ports, again)
  expect(await sentence(ask)).toBe(says('STATUS_STALE', { list: SECOND, age: 20, max: 10 }))
  expect(asked.slice(2)).toEqual([
    { url: LIST, maxAge: 10 },
    { url: SECOND, maxAge: 10 },
  ])
  expect([again.link, again.live]).toEqual([1, before.slice(0, 1)])
  await ports.revocations.learn({ target: chain[2].digest, signer: planner.did })
  expect(await sentence(ask)).toMatch(/^STATUS_REVOKED/)
  expect(again.link).toBe(2)
})
