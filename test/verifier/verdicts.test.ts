import { describe, expect, test } from 'vitest'
import type { Link } from '../../src/delegation/chain.js'
import type { Did } from '../../src/did/did.js'
import { didOf } from '../../src/did/did.js'
import type { PublicKey } from '../../src/ed25519.js'
import { readTokens } from '../../src/presentation/presentation.js'
import { createVerdicts, type Verdicts } from '../../src/verifier/verdicts.js'
import { createVerifier, type VerifierPorts } from '../../src/verifier/verifier.js'
import {
  alice,
  booker,
  goodChain,
  listToken,
  mallory,
  mint,
  NOW,
  owner,
  party,
  planner,
  policyOf,
  present,
  prove,
  REQUEST,
  world,
  type Minted,
} from '../mint.js'

type Tokens = readonly Pick<Minted, 'token'>[]

/** Links that some call of `open` gave back: one that is given back again was not verified anew. */
const seen = new WeakSet<Link>()

/** Opens a chain through the verdicts; says which of its links were verified for it. */
async function open(verdicts: Verdicts, chain: Tokens, { now = NOW, rootKey = owner.publicKey, recall = true } = {}) {
  const sealed = readTokens(
    chain.map(({ token }) => token),
    8,
    recall ? verdicts.recall : undefined,
  )
  const keys = { all: () => Promise.resolve([]), find: () => Promise.resolve(null) }
  const rules = { maxTtl: 86_400, binding: 'cnf', keys } as const
  const opened = await verdicts.open(sealed, rootKey, rules, now, { link: null, opened: [] })
  const verified = opened.flatMap((link, index) => (seen.has(link) ? [] : [index]))
  for (const link of opened) seen.add(link)
  return { opened, verified, wasAsked: verified.length > 0 }
}

describe('a verdict', () => {
  test('is used for the same tokens under the same key, for 300 s', async () => {
    const [verdicts, chain] = [createVerdicts(), await goodChain()]
    expect((await open(verdicts, chain)).wasAsked).toBe(true)
    const again = await open(verdicts, chain, { now: NOW + 299 })
    expect(again.wasAsked).toBe(false)
    expect(again.opened.map(({ digest }) => digest)).toEqual(chain.map(({ digest }) => digest))
    expect((await open(verdicts, chain, { now: NOW + 300 })).wasAsked).toBe(true)
    expect((await open(verdicts, chain, { now: NOW + 599 })).wasAsked).toBe(false)
  })

  test('is not used when the clock was set back', async () => {
    const [verdicts, chain] = [createVerdicts(), await goodChain()]
    await open(verdicts, chain)
    expect((await open(verdicts, chain, { now: NOW - 1 })).wasAsked).toBe(true)
  })

  test('does not cover another signature over the same content', async () => {
    const [verdicts, [root, leaf]] = [createVerdicts(), await goodChain()]
    await open(verdicts, [root, leaf])
    for (const index of [0, 1]) {
      const chain = [root, leaf].map(({ token }, n) => ({
        token: n === index ? `${token.slice(0, -86)}${'A'.repeat(86)}` : token,
      }))
      await expect(open(verdicts, chain)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' })
    }
    expect((await open(verdicts, [root, leaf])).wasAsked).toBe(false)
  })

  test('does not cover the leaf under another root, a part of the chain, or the chain under another key', async () => {
    const [verdicts, [root, leaf]] = [createVerdicts(), await goodChain()]
    const other = await mint({ signer: owner, to: planner })
    await open(verdicts, [root, leaf])
    await expect(open(verdicts, [other, leaf])).rejects.toMatchObject({ code: 'PARENT_MISMATCH' })
    await expect(open(verdicts, [leaf])).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' })
    await expect(open(verdicts, [root, leaf], { rootKey: mallory.publicKey })).rejects.toMatchObject({
      code: 'SIGNATURE_INVALID',
    })
  })

  test('covers what a chain begins with, and no more', async () => {
    const verdicts = createVerdicts()
    const root = await mint({ signer: owner, to: planner, until: 3600 })
    const [one, two] = [await mint({ signer: planner, to: booker, parent: root }), await mint({ signer: planner, to: alice, parent: root })] // prettier-ignore
    expect((await open(verdicts, [root, one])).verified).toEqual([0, 1])
    expect((await open(verdicts, [root])).verified).toEqual([])
    expect((await open(verdicts, [root, two])).verified).toEqual([1])
    expect((await open(verdicts, [root, one])).verified).toEqual([])
    const under = await mint({ signer: alice, to: mallory, parent: two })
    expect((await open(verdicts, [root, two, under])).verified).toEqual([2])
    expect(verdicts.size).toBe(4)
  })

  test('of a link is good as long as those of the links above it', async () => {
    const [verdicts, [root, leaf]] = [createVerdicts(), await goodChain()]
    await open(verdicts, [root])
    expect((await open(verdicts, [root, leaf], { now: NOW + 200 })).verified).toEqual([1])
    expect((await open(verdicts, [root, leaf], { now: NOW + 299 })).verified).toEqual([])
    expect((await open(verdicts, [root, leaf], { now: NOW + 300 })).verified).toEqual([0, 1])
  })

  test('is found by the text of the token, also where it was read anew', async () => {
    const [verdicts, chain] = [createVerdicts(), await goodChain()]
    await open(verdicts, chain)
    expect((await open(verdicts, chain, { recall: false })).verified).toEqual([])
    const [root, leaf] = chain
    // the signature finds the verdict, the whole text decides
    const forged = `${root.token.slice(0, -86)}${leaf.token.slice(-86)}`
    expect(verdicts.recall(forged)).toBeUndefined()
    expect(verdicts.recall(leaf.token.slice(-86))).toBeUndefined()
    expect(verdicts.recall(leaf.token)).toMatchObject({ token: leaf.token, digest: leaf.digest })
  })

  test('on a link below a parent that is signed anew is none', async () => {
    const [verdicts, [root, leaf]] = [createVerdicts(), await goodChain()]
    await open(verdicts, [root, leaf])
    verdicts.forget(root.digest)
    expect((await open(verdicts, [root, leaf])).verified).toEqual([0, 1])
  })

  test('is not kept of a chain that was refused', async () => {
    const verdicts = createVerdicts()
    const [root] = await goodChain()
    const wide = await mint({ signer: planner, to: booker, parent: root, authority: { more: 3 } })
    for (let n = 0; n < 2; n += 1)
      await expect(open(verdicts, [root, wide])).rejects.toMatchObject({ code: 'DEPTH_EXCEEDED' })
    expect(verdicts.size).toBe(0)
  })
})

describe('what is forgotten', () => {
  test('takes all that stands below along, and nothing else', async () => {
    const verdicts = createVerdicts()
    const root = await mint({ signer: owner, to: planner })
    const chains = await Promise.all(
      [booker, alice, mallory].map(async to => [root, await mint({ signer: planner, to, parent: root })] as const),
    )
    const stranger = await goodChain()
    const all: readonly Tokens[] = [...chains, [root], stranger]
    const verified = async (): Promise<number[][]> => {
      const links = []
      for (const chain of all) links.push((await open(verdicts, chain)).verified)
      return links
    }
    await verified()
    expect(await verified()).toEqual([[], [], [], [], []])
    verdicts.forget(chains[1]![1].digest)
    expect(await verified()).toEqual([[], [1], [], [], []])
    verdicts.forget(root.digest)
    expect(await verified()).toEqual([[0, 1], [1], [1], [], []])
    verdicts.forget(mallory.did)
    expect(await verified()).toEqual([[], [], [1], [], []])
    verdicts.forget(planner.did)
    expect(await verified()).toEqual([[0, 1], [1], [1], [], [0, 1]])
  })
})

describe('bounds', () => {
  test('entries: those used longest ago go', async () => {
    const verdicts = createVerdicts({ entries: 6, characters: 3e6 })
    const chains = await Promise.all(Array.from({ length: 5 }, () => goodChain()))
    for (const chain of chains) await open(verdicts, chain)
    expect(verdicts.size).toBe(6)
    const verified = []
    for (const chain of [...chains].reverse()) verified.push((await open(verdicts, chain)).verified)
    expect(verified).toEqual([[], [], [], [0, 1], [0, 1]])
  })

  test('characters: what is larger than all of it is not kept, and still opened', async () => {
    const chain = await goodChain()
    const size = Math.max(...chain.map(({ token }) => token.length))
    const none = createVerdicts({ entries: 10, characters: 100 })
    expect((await open(none, chain)).opened).toHaveLength(2)
    expect(none.size).toBe(0)
    const one = createVerdicts({ entries: 10, characters: size })
    await open(one, chain)
    await open(one, await goodChain())
    expect(one.size).toBe(1)
  })
})

describe('on every call', () => {
  /** A verifier whose world changes after the first call with a chain; answers before and after. */
  async function around(
    change: (ports: { -readonly [N in keyof VerifierPorts]: VerifierPorts[N] }) => void | Promise<void>,
    chain?: readonly Minted[],
  ): Promise<readonly (string | null)[]> {
    const ports = { ...(await world({ list: await listToken([]) })) }
    const verifier = createVerifier(policyOf(), {
      ...ports,
      clock: { now: () => ports.clock.now() },
      keys: { all: (did, how) => ports.keys.all(did, how), find: (kid, how) => ports.keys.find(kid, how) },
      statusLists: { read: (url, age) => ports.statusLists.read(url, age) },
    })
    const used = chain ?? (await goodChain())
    const before = await verifier.decide(await present(holder(used), used), REQUEST)
    await change(ports)
    const after = await verifier.decide(await present(holder(used), used), REQUEST)
    return [before.code, after.code]
  }
  const holder = (chain: readonly Minted[]) => (chain.length === 3 ? agency : booker)
  const agency = party('agency', 'did:web:agency.example')

  test('status is asked', async () => {
    const list = await listToken([70], 43)
    const root = await mint({ signer: owner, to: planner, until: 3600, index: 70 })
    const chain = [root, await mint({ signer: planner, to: booker, parent: root })]
    const revoke = (ports: { statusLists: VerifierPorts['statusLists'] }): void => {
      ports.statusLists = { read: () => Promise.resolve({ snapshot: { token: list }, age: 0 }) }
    }
    expect(await around(revoke, chain)).toEqual([null, 'STATUS_REVOKED'])
  })

  test('time is asked', async () => {
    expect(await around(ports => void (ports.clock = { now: () => NOW + 40_000 }))).toEqual([
      null,
      'PRESENTATION_EXPIRED',
    ])
  })

  test("the root's document is asked: a key that left it verifies nothing any more", async () => {
    const gone = (ports: { keys: VerifierPorts['keys'] }): void => {
      ports.keys = { ...ports.keys, find: () => Promise.resolve(null) }
    }
    expect(await around(gone)).toEqual([null, 'KEY_NOT_AUTHORIZED'])
    const replaced = (ports: { keys: VerifierPorts['keys'] }): void => {
      const before = ports.keys
      ports.keys = {
        ...before,
        find: (kid, how) => (didOf(kid) === owner.did ? Promise.resolve(mallory.publicKey) : before.find(kid, how)),
      }
    }
    expect(await around(replaced)).toEqual([null, 'SIGNATURE_INVALID'])
  })

  test("a did:web subject's document is asked", async () => {
    const documents = new Map<Did, PublicKey>([[agency.did, agency.publicKey]])
    const root = await mint({ signer: owner, to: planner, until: 3600 })
    const link = await mint({ signer: planner, to: agency, parent: root })
    const base = await world()
    const ports: VerifierPorts = {
      ...base,
      keys: {
        ...base.keys,
        all: (did, how) => (documents.has(did) ? Promise.resolve([documents.get(did)!]) : base.keys.all(did, how)),
      },
    }
    const verifier = createVerifier(policyOf(), ports)
    const ask = async () => (await verifier.decide(await present(agency, [root, link]), REQUEST)).code
    expect([await ask(), await ask()]).toEqual([null, null])
    documents.set(agency.did, mallory.publicKey)
    expect(await ask()).toBe('KEY_BINDING')
  })

  test('a chain by reference has the same verdict as one that comes along, and the proof is verified', async () => {
    const verifier = createVerifier(policyOf(), await world())
    const [root, leaf] = await goodChain()
    await verifier.keepChain([root.token, leaf.token])
    const ask = async (by: typeof booker) =>
      (await verifier.decide({ proof: await prove(by, leaf.digest) }, REQUEST)).code
    expect([await ask(booker), await ask(booker), await ask(mallory)]).toEqual([null, null, 'SIGNATURE_INVALID'])
    expect((await verifier.decide(await present(mallory, [root, leaf]), REQUEST)).code).toBe('SIGNATURE_INVALID')
  })
})
