import { expect, test } from 'vitest'
import { readTokens } from '../../src/presentation/presentation.js'
import { createVerdicts, type Verdicts } from '../../src/verifier/verdicts.js'
import { createVerifier, type VerifierPorts } from '../../src/verifier/verifier.js'
import {
  booker,
  goodChain,
  listToken,
  mint,
  NOW,
  owner,
  planner,
  policyOf,
  present,
  REQUEST,
  status,
  world,
} from '../mint.js'
import { counted, NO_KEYS, sentence } from './scene.js'

const RULES = { maxTtl: 86_400, binding: 'cnf', keys: NO_KEYS } as const
function open(verdicts: Verdicts, chain: readonly { readonly token: string }[], rootKey = owner.publicKey) {
  const sealed = readTokens(
    chain.map(({ token }) => token),
    8,
  )
  return verdicts.open(sealed, rootKey, RULES, NOW, { link: null, opened: [] })
}

test('the signature of a link over other content is none, also where the leaf is known', async () => {
  const [verdicts, [root, leaf]] = [createVerdicts(), await goodChain()]
  await open(verdicts, [root, leaf])
  const other = await mint({ signer: owner, to: planner })
  const forged = `${other.token.slice(0, -86)}${root.token.slice(-86)}`
  expect(await sentence(() => open(verdicts, [{ token: forged }, leaf]))).toMatch(/^SIGNATURE_INVALID/)
})

test('a chain in which one name stands twice is forgotten like any other', async () => {
  const verdicts = createVerdicts()
  const root = await mint({ signer: owner, to: planner, until: 3600 })
  const middle = await mint({ signer: planner, to: booker, parent: root })
  const back = await mint({ signer: booker, to: planner, parent: middle })
  for (const [name, left] of [
    [planner.did, 1],
    [back.digest, 2],
    [root.digest, 2],
  ] as const) {
    await open(verdicts, [root, middle, back])
    expect(verdicts.size).toBe(3)
    verdicts.forget(name)
    expect(verdicts.size).toBe(left)
    verdicts.forget(name)
  }
})

test('a link is counted once, and what was refused by its size is not remembered', async () => {
  const chain = await goodChain()
  const [verdicts, small] = [createVerdicts(), createVerdicts({ entries: 10, characters: 10 })]
  await open(verdicts, chain)
  await open(verdicts, chain)
  await open(small, chain)
  expect([verdicts.size, small.size]).toEqual([2, 0])
})

test('a list is verified once for each answer of its host, and its key looked up for each decision', async () => {
  const { key, count } = counted(status.publicKey)
  const base = await world()
  let looked = 0
  let snapshot = { token: await listToken() }
  const keys: VerifierPorts['keys'] = {
    ...base.keys,
    find(kid, how) {
      if (kid !== status.kid) return base.keys.find(kid, how)
      looked += 1
      return Promise.resolve(key)
    },
  }
  const statusLists = { read: () => Promise.resolve({ snapshot, age: 0 }) }
  const verifier = createVerifier(policyOf(), { ...base, keys, statusLists })
  const ask = async () => (await verifier.decide(await present(booker, await goodChain()), REQUEST)).code
  const told = [await ask(), await ask()]
  expect([...told, count(), looked]).toEqual([null, null, 1, 2])
  snapshot = { token: await listToken([], 43) }
  expect([await ask(), count(), looked]).toEqual([null, 2, 3])
})
