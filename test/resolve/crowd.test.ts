import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { createKeys } from '../../src/adapters/resolve/keys.js'
import { memoryChains, memoryLedger, memoryNonces } from '../../src/adapters/state/memory.js'
import { systemIds } from '../../src/adapters/system.js'
import type { Did } from '../../src/did/did.js'
import { toDidDocument } from '../../src/did/document.js'
import { didKeyUrl, toDidKey } from '../../src/did/key.js'
import { parsePublicKey, type PublicKey } from '../../src/ed25519.js'
import { digestOf } from '../../src/encoding.js'
import { tableFetch } from '../table.js'
import { KEY } from './alice.js'

const MANY = 20_000
const clock = { now: () => 1_000_000 }
const names = Array.from({ length: MANY }, (_, n) => `did:web:a${n}.example` as const)

/** Of so many things how many are held by anybody, after a collection. */
async function heldOf(things: readonly WeakRef<object>[]): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  setFlagsFromString('--no-expose-gc')
  // a weak reference holds on until the end of the turn
  await new Promise(resolve => setImmediate(resolve))
  collect()
  return things.filter(one => one.deref() !== undefined).length
}

/** Counts what is asked of hosts, each of which serves its document. */
function world(documentOf: (did: Did) => string) {
  let asked = 0
  const fetch = tableFetch(url => {
    asked += 1
    return documentOf(`did:web:${new URL(url).hostname}`)
  })
  const keys = createKeys({ fetch, clock, uptime: () => 0 })
  const readAll = async (some: readonly Did[]): Promise<number> => {
    const before = asked
    for (const did of some) await keys.all(did, 'authentication')
    return asked - before
  }
  return { keys, readAll }
}

describe(`${MANY} DIDs`, () => {
  test('leave 5000 keys of did:key names', async () => {
    const { keys } = world(() => '')
    const found: WeakRef<PublicKey>[] = []
    for (let n = 0; n < MANY; n += 1) {
      const bytes = randomBytes(32)
      bytes[31]! &= 0x3f
      const key = await keys.find(didKeyUrl(toDidKey(parsePublicKey(bytes, 'test'))), 'authentication')
      found.push(new WeakRef(key!))
    }
    const held = await heldOf(found)
    expect(held).toBeGreaterThan(4900)
    expect(held).toBeLessThanOrEqual(5000)
    // the cache is needed to here
    expect(await keys.find('did:web:a.example#k', 'authentication').catch(() => null)).toBeNull()
  })

  test('leave 500 documents of did:web names', async () => {
    const { readAll } = world(did => JSON.stringify(toDidDocument(did, [{ kid: `${did}#k`, key: KEY }])))
    expect(await readAll(names)).toBe(MANY)
    expect(await readAll(names.slice(-500))).toBe(0)
    expect(await readAll(names.slice(0, 1000))).toBe(1000)
  })

  test('leave fewer documents that are full of keys: what weighs is the memory they take', async () => {
    const { readAll } = world(did => {
      const all = Array.from({ length: 64 }, (_, n) => ({ kid: `${did}#k${n}` as const, key: KEY }))
      return JSON.stringify(toDidDocument(did, all))
    })
    const some = names.slice(0, 200)
    await readAll(some)
    // 64 × 2 KiB and the text twice, of 8 MiB
    expect(await readAll(some.slice(-40))).toBe(0)
    expect(await readAll(some.slice(0, 100))).toBe(100)
  })

  test('leave at most 10 000 chains in memory', async () => {
    const chains = memoryChains(clock)
    const leaves = names.map(name => digestOf(name))
    for (const leaf of leaves) await chains.keep(leaf, ['a token'], clock.now() + 300)
    const found = await Promise.all(leaves.map(leaf => chains.find(leaf)))
    expect(found.filter(tokens => tokens !== null)).toHaveLength(10_000)
    // 8 Ki characters each, of 16 Mi
    const long = ['x'.repeat(8191)]
    for (const leaf of leaves.slice(0, 3000)) await chains.keep(leaf, long, clock.now() + 300)
    const kept = await Promise.all(leaves.map(leaf => chains.find(leaf)))
    expect(kept.filter(tokens => tokens !== null)).toHaveLength(2048)
  })
})

describe('what ended goes, long before memory is full', () => {
  test('uses of presentations', async () => {
    let now = clock.now()
    const ledger = memoryLedger({ now: () => now - 10 }, { budgets: false })
    for (let n = 0; n < MANY; n += 1) {
      if (n % 100 === 0) now += 1
      const use = { key: `${n}`, issuedAt: now, until: now + 10 }
      expect(await ledger.settle({ uses: [use], throttles: [], charges: [], hold: null, now })).toBeNull()
      const again = await ledger.settle({ uses: [{ ...use, key: `${Math.max(0, n - 1000)}` }], throttles: [], charges: [], hold: null, now }) // prettier-ignore
      expect(again).toBe('used')
    }
    // 100 a second that live for ten seconds: 1100
    expect(ledger.size).toBeLessThanOrEqual(2 * 1100 + 1001)
  })

  test('challenges', async () => {
    let now = clock.now()
    const nonces = memoryNonces({ now: () => now }, systemIds)
    for (let n = 0; n < MANY; n += 1) {
      if (n % 10 === 0) now += 1
      await nonces.issue('a')
    }
    // ten a second that live for a minute: 610
    expect(nonces.size).toBeLessThanOrEqual(2 * 610 + 1001)
  })
})
