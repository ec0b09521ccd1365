// What a wallet's agents do: hand on, and present. All that the wallet keeps is in memory, so what is left is looking
// up, reading, checking and signing.
import { createWallet } from 'procura'
import { openNetwork } from '../../dist/entry/parts.js'
import { systemClock, systemIds } from '../../dist/adapters/system.js'
import { at, chainOf, GRANTS, PEOPLE, person, RECEIVED, ROOT, SELF, STATUS } from '../inputs.js'
import { plain, row } from './row.js'

/** @import { Did, Holding, KeyHolder, StoredCredential } from 'procura' */

/** @returns {Promise<Record<string, import('./row.js').Row>>} */
export async function prepare() {
  const { wallet, forget } = inMemory()
  const people = PEOPLE.slice(0, 3)
  const orchestrator = await wallet.createAgent({ name: 'hands on' })
  await orchestrator.receive(await chainOf(STATUS, 1, [at(people, 0), orchestrator.holder], 2))
  const worker = await wallet.createAgent({ name: 'presents' })
  await worker.receive(await chainOf(STATUS, 3, [...people, worker.holder]))
  const { did: to } = person()
  const grants = /** @type {Parameters<typeof worker.delegate>[0]['grants']} */ (/** @type {unknown} */ (GRANTS))
  return {
    'delegate-memory': row(
      count => {
        forget()
        return Array.from({ length: count }, () => null)
      },
      () => orchestrator.delegate({ to, grants, ttl: 600 }),
    ),
    present: plain(() => worker.present({ ...RECEIVED, audience: SELF })),
  }
}

/** A wallet in memory, and how it forgets what it handed on. */
function inMemory() {
  /** @type {Map<string, KeyHolder>} */
  const vault = new Map()
  /** @type {Map<string, StoredCredential>} */
  const credentials = new Map()
  /** @type {Map<Did, Holding>} */
  const held = new Map()
  let index = 0
  const nothing = () => Promise.resolve()
  const none = () => Promise.resolve([])
  const key = ROOT.jwks.keys.map(({ kid }) => /** @type {const} */ ([kid, at(PEOPLE, 0).publicKey]))
  const wallet = createWallet(new Map([[ROOT.issuer, { keys: new Map(key) }]]), {
    ...{ clock: systemClock, ids: systemIds, keys: openNetwork({}).keys },
    vault: {
      create(alias) {
        const made = { ...person(), alias }
        vault.set(made.did, made)
        return Promise.resolve(made)
      },
      createWebDid: () => Promise.reject(new Error('nobody has a did:web here')),
      find: name => Promise.resolve(vault.get(name) ?? null),
      list: () => Promise.resolve([...vault.values()]),
      destroy: () => Promise.resolve(false),
    },
    credentials: {
      save(one) {
        credentials.set(one.digest, one)
        return nothing()
      },
      find: digest => Promise.resolve(credentials.get(digest) ?? null),
      findRoot: () => Promise.resolve(null),
      ...{ heldBy: none, issuedBy: none, below: none, forget: () => Promise.resolve(false) },
    },
    holdings: {
      add(one) {
        held.set(one.holder, one)
        return nothing()
      },
      find: ({ holder }) => Promise.resolve([held.get(holder)?.digest ?? []].flat()),
      ...{ use: nothing, list: none, drop: nothing },
    },
    lifetimes: { set: nothing, endOf: () => Promise.resolve(null), due: none, drop: nothing },
    transaction: work => work(),
    adding: work => work(),
    leases: { take: () => Promise.resolve({ url: STATUS.entry.statusListCredential, index: (index += 1) }) },
  })
  const forget = () => {
    for (const [digest, { issuer }] of credentials) if (vault.has(issuer)) credentials.delete(digest)
  }
  return { wallet, forget }
}
