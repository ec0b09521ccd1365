import { afterEach, beforeEach, expect, test } from 'vitest'
import { toStatusJson } from '../../src/status/entry.js'
import { createVerifier, type LocalVerifier, type VerifierPorts } from '../../src/verifier/verifier.js'
import {
  booker,
  LIST,
  listToken,
  mallory,
  mint,
  owner,
  planner,
  policyOf,
  present,
  REQUEST,
  world,
  type Minted,
} from '../mint.js'
import { SECOND, suspensions } from './live-scene.js'
import { countSignatures } from './scene.js'

let served: Map<string, string>
let opens: () => number
let stopCounting: () => void
let ports: VerifierPorts
let verifier: LocalVerifier
/** that of the booker, which something happens to, and its sister under the same root */
let chains: readonly [booker: readonly [Minted, Minted], sister: readonly [Minted, Minted]]

beforeEach(async () => {
  const { count, stop } = countSignatures(owner.publicKey, planner.publicKey)
  stopCounting = stop
  const base = await world()
  served = new Map([
    [LIST, await listToken()],
    [SECOND, await suspensions([])],
  ])
  opens = count
  ports = {
    ...base,
    statusLists: { read: url => Promise.resolve({ snapshot: { token: served.get(url)! }, age: 0 }) },
  }
  verifier = createVerifier(policyOf(), ports)
  const root = await mint({ signer: owner, to: planner, until: 3600, index: 70 })
  const both = [toStatusJson(LIST, 71), { ...toStatusJson(SECOND, 72), statusPurpose: 'suspension' }]
  const leaf = await mint({ signer: planner, to: booker, parent: root, claims: { credentialStatus: both } })
  chains = [
    [root, leaf],
    [root, await mint({ signer: planner, to: mallory, parent: root, index: 73 })],
  ]
})

afterEach(() => stopCounting())

/** A call with each chain; the codes, and which chains had the signature of a link verified. */
async function calls(): Promise<readonly (readonly [string | null, boolean])[]> {
  const told: [string | null, boolean][] = []
  for (const [by, chain] of [
    [booker, chains[0]],
    [mallory, chains[1]],
  ] as const) {
    const before = opens()
    const { code } = await verifier.decide(await present(by, chain), REQUEST)
    told.push([code, opens() > before])
  }
  return told
}

test.each<[string, () => unknown, string, sister: string | null, knows: readonly [boolean, boolean]]>([
  [
    'the bit of the leaf',
    async () => served.set(LIST, await listToken([71], 43)),
    'STATUS_REVOKED',
    null,
    [true, false],
  ],
  ['its suspension', async () => served.set(SECOND, await suspensions([72])), 'STATUS_SUSPENDED', null, [true, false]],
  [
    'the agent stopped, as another process learned',
    () => ports.revocations.learn({ target: booker.did, signer: owner.did }),
    'AGENT_KILLED',
    null,
    [true, false],
  ],
  [
    'the bit of the root',
    async () => served.set(LIST, await listToken([70], 43)),
    'STATUS_REVOKED',
    'STATUS_REVOKED',
    [true, true],
  ],
  [
    'no reason: an old list',
    async () => served.set(LIST, await listToken([], 41)),
    'STATUS_ROLLBACK',
    'STATUS_ROLLBACK',
    [false, false],
  ],
])('%s: the verdicts on what was taken back go, and no other', async (_name, happens, code, sister, goes) => {
  expect(await calls()).toEqual([
    [null, true],
    [null, true],
  ])
  expect(await calls()).toEqual([
    [null, false],
    [null, false],
  ])
  await happens()
  const first = await calls()
  expect(first[0]).toEqual([code, false])
  expect(first[1]![0]).toBe(sister)
  const second = await calls()
  // of two under the same root, the second finds its verdict gone already
  const opened = second.map(([, isOpened], index) => isOpened || first[index]![1])
  expect(opened).toEqual(goes)
  expect(second.map(([told]) => told)).toEqual([code, sister])
})

test('what this process learns takes the verdicts along at once', async () => {
  await calls()
  await verifier.learn({ target: chains[0][1].digest, signer: owner.did })
  expect(await calls()).toEqual([
    ['STATUS_REVOKED', true],
    [null, false],
  ])
  await verifier.learn({ target: planner.did, signer: owner.did })
  expect(await calls()).toEqual([
    ['AGENT_KILLED', true],
    ['AGENT_KILLED', true],
  ])
})
