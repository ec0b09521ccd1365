import { describe, expect, test } from 'vitest'
import type { Chains } from '../../src/ports/deciding.js'
import { createVerifier, type VerifierPorts } from '../../src/verifier/verifier.js'
import {
  booker,
  goodChain,
  mallory,
  mint,
  NOW,
  owner,
  planner,
  policyOf,
  present,
  prove,
  REQUEST,
  SELF,
  world,
} from '../mint.js'
import { recorder, says, sentence } from './scene.js'

describe('keeping a chain', () => {
  const tokensOf = (chain: readonly { readonly token: string }[]) => chain.map(({ token }) => token)

  test('keeps its tokens under its leaf until the first of its links ends', async () => {
    const kept: unknown[] = []
    const chains: Chains = {
      find: () => Promise.resolve(null),
      keep: (...what) => Promise.resolve(void kept.push(what)),
    }
    const root = await mint({ signer: owner, to: planner, until: 3600 })
    const middle = await mint({ signer: planner, to: mallory, parent: root, until: 900 })
    const chain = [root, middle, await mint({ signer: mallory, to: booker, parent: middle, until: 800 })]
    const verifier = createVerifier(policyOf(), await world({ chains }))
    expect(await verifier.keepChain(tokensOf(chain))).toBe(chain[2]!.digest)
    await verifier.keepChain(tokensOf(chain.slice(0, 1)))
    expect(kept).toEqual([
      [chain[2]!.digest, tokensOf(chain), NOW + 800],
      [root.digest, [root.token], NOW + 3600],
    ])
  })

  test.each([
    [
      'that ended',
      async () => [await mint({ signer: owner, to: planner, until: -7 })],
      says('TIME_EXPIRED', { seconds: 7 }),
    ],
    [
      'that ends this second',
      async () => [await mint({ signer: owner, to: planner, until: 0 })],
      says('TIME_EXPIRED', { seconds: 0 }),
    ],
    ['of a stranger', async () => [await mint({ signer: mallory, to: planner })], 'ROOT_UNTRUSTED'],
    [
      'of a key that is not listed',
      async () => [await mint({ signer: { ...owner, kid: `${owner.did}#k9` }, to: planner })],
      'KEY_NOT_AUTHORIZED',
    ],
    [
      'that somebody else signed',
      async () => [await mint({ signer: { ...mallory, did: owner.did, kid: owner.kid }, to: planner })],
      'SIGNATURE_INVALID',
    ],
    [
      'that lives longer than the policy trusts',
      async () => [await mint({ signer: owner, to: planner, until: 86_400 })],
      'TIME_LIFETIME',
    ],
    ['of nothing', () => Promise.resolve([]), 'CHAIN_EMPTY'],
    ['longer than the policy takes', async () => goodChain(), 'CHAIN_TOO_LONG'],
  ] as const)('not one %s', async (name, chain, due) => {
    const kept: unknown[] = []
    const chains = { find: () => Promise.resolve(null), keep: () => Promise.resolve(void kept.push(1)) }
    const verifier = createVerifier(policyOf(name.startsWith('longer') ? { maxChain: 1 } : {}), await world({ chains }))
    const told = await sentence(async () => verifier.keepChain(tokensOf(await chain())))
    expect(told.slice(0, due.length)).toBe(due)
    expect(kept).toEqual([])
  })
})

describe('a challenge', () => {
  test('is handed out where the policy asks for one, and is good at this verifier, once', async () => {
    const ports = await world()
    const verifier = createVerifier(policyOf({ challenge: 'always' }), ports)
    const nonce = (await verifier.challenge())!
    expect([await ports.nonces.isOpen(SELF, nonce), await ports.nonces.isOpen('https://x.example', nonce)]).toEqual([
      true,
      false,
    ])
    const ask = async () =>
      (await verifier.decide(await present(booker, await goodChain(), { claims: { nonce } }), REQUEST)).code
    expect([await ask(), await ask()]).toEqual([null, 'PRESENTATION_NONCE'])
  })

  test('is none where it does not', async () => {
    const nonces = { issue: () => Promise.reject(new Error('asked')) } as unknown as VerifierPorts['nonces']
    expect(await createVerifier(policyOf(), await world({ nonces })).challenge()).toBeNull()
  })

  test('is for actions of the risk that asks for one; whoever does not say which gets one', async () => {
    const verifier = createVerifier(policyOf({ challenge: { from: 'high' }, risk: { book: 'high' } }), await world())
    expect([await verifier.challenge('quote'), await verifier.challenge('toString')]).toEqual([null, null])
    expect([await verifier.challenge('book'), await verifier.challenge()]).toEqual([
      expect.any(String),
      expect.any(String),
    ])
  })
})

test('a verifier says for whom it speaks', async () => {
  expect(createVerifier(policyOf(), await world()).self).toBe(SELF)
})

test('explaining asks what a decision asks, and leaves ledger, nonces and log as they are', async () => {
  const base = await world()
  const done: string[] = []
  const { audit, records } = recorder()
  const ports: VerifierPorts = {
    ...base,
    audit,
    ledger: { ...base.ledger, settle: () => Promise.reject(new Error(String(done.push('settle')))) },
    nonces: { ...base.nonces, consume: () => Promise.reject(new Error(String(done.push('consume')))) },
  }
  const verifier = createVerifier(policyOf({ challenge: 'always' }), ports)
  const nonce = (await verifier.challenge())!
  const chain = await goodChain()
  const { decision } = await verifier.explain(await present(booker, chain, { claims: { nonce } }), REQUEST)
  expect(decision).toMatchObject({ allow: true, reservedUntil: null })
  const refused = await verifier.explain(await present(booker, chain, { claims: { nonce: 'x' } }), REQUEST)
  expect(refused.decision.code).toBe('PRESENTATION_NONCE')
  expect([done, records]).toEqual([[], []])
})

test('explaining what would be reserved holds nothing', async () => {
  const ports = await world()
  const verifier = createVerifier(policyOf({ commit: 'always' }), ports)
  const shown = await present(booker, await goodChain(), {})
  expect((await verifier.explain(shown, REQUEST)).decision.code).toBe('COMMIT_REQUIRED')
  const { decision } = await verifier.explain(shown, REQUEST, { reserve: true })
  expect(decision).toMatchObject({ allow: true, reservedUntil: NOW + 60 })
  expect(await ports.ledger.held(decision.decisionId, NOW)).toBeNull()
  expect((await verifier.commit(decision.decisionId)).code).toBe('NOT_FOUND')
  expect((await verifier.decide(shown, REQUEST, { reserve: true })).allow).toBe(true)
})

test('a proof that names its chain is worth what a presentation of it is', async () => {
  const verifier = createVerifier(policyOf(), await world())
  const [root, leaf] = await goodChain()
  await verifier.keepChain([root.token, leaf.token])
  const { allow, digests } = await verifier.decide({ proof: await prove(booker, leaf.digest) }, REQUEST)
  expect([allow, digests]).toEqual([true, [root.digest, leaf.digest]])
})
