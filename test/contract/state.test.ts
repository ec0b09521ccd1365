import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memoryChains, memoryLedger, memoryNonces, memoryVersions } from '../../src/adapters/state/memory.js'
import { openStore } from '../../src/adapters/store/store.js'
import { storeState } from '../../src/adapters/store/state.js'
import { systemIds } from '../../src/adapters/system.js'
import { digestOf } from '../../src/encoding.js'
import type { Charge, State, Throttle, Use } from '../../src/ports.js'
import { NOW } from '../mint.js'

/** Opens one more handle on the same state, as another process would; memory has one handle only. */
interface Backend {
  readonly name: string
  readonly open: (clock: {
    now(): number
  }) => Promise<{ readonly first: State; readonly second: State; readonly close: () => Promise<unknown> }>
}

let folder: string
let files = 0
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'procura-state-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

const backends: readonly Backend[] = [
  {
    name: 'memory',
    open(clock) {
      const started = { now: () => NOW - 1000 }
      const state: State = {
        ledger: memoryLedger(started, { budgets: true }),
        listVersions: memoryVersions(),
        chains: memoryChains(clock),
        nonces: memoryNonces(clock, systemIds),
        revocations: { revoked: () => Promise.resolve(null) },
      }
      return Promise.resolve({ first: state, second: state, close: () => Promise.resolve() })
    },
  },
  {
    name: 'SQLite, two handles on one file',
    async open(clock) {
      const url = `sqlite://${join(folder, `${(files += 1)}.db`)}`
      const stores = [await openStore(url), await openStore(url)] as const
      const [first, second] = stores.map(store => storeState(store, clock, systemIds)) as [State, State]
      return { first, second, close: () => Promise.all(stores.map(store => store.close())) }
    },
  },
]

const use = (key: string): Use => ({ key, issuedAt: NOW - 1, until: NOW + 90 })
const charge = (account: string, amount: number, max: number): Charge => ({
  account,
  amount,
  max,
  unit: 'USD',
  until: NOW + 600,
})
const throttle = (account: string, max: number, per: number): Throttle => ({ account, max, per })

describe.each(backends)('$name', ({ open }) => {
  let now = NOW
  let first: State
  let second: State
  let close: () => Promise<unknown>
  beforeAll(async () => ({ first, second, close } = await open({ now: () => now })))
  afterAll(() => close())
  let names = 0
  const fresh = (): string => `name ${(names += 1)}`

  test('200 uses of one key at once: exactly one wins, 20 times', async () => {
    for (let round = 0; round < 20; round += 1) {
      const key = fresh()
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? first : second).ledger.settle([use(key)], [], [], NOW)),
      )
      expect(answers.filter(answer => answer === null)).toHaveLength(1)
      expect(answers.filter(answer => answer === 'used')).toHaveLength(199)
    }
  })

  test('several uses are made all or none', async () => {
    const [a, b] = [fresh(), fresh()]
    expect(await first.ledger.settle([use(a)], [], [], NOW)).toBeNull()
    expect(await first.ledger.settle([use(b), use(a)], [], [], NOW)).toBe('used')
    expect(await second.ledger.settle([use(b)], [], [], NOW)).toBeNull()
  })

  test('50 siblings against one budget: never more than the budget, and all of it', async () => {
    const account = fresh()
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        (n % 2 === 0 ? first : second).ledger.settle([use(fresh())], [], [charge(account, 320, 800)], NOW),
      ),
    )
    expect(answers.filter(answer => answer === null)).toHaveLength(2)
    expect(await first.ledger.settle([use(fresh())], [], [charge(account, 160, 800)], NOW)).toBeNull()
    expect(await first.ledger.settle([use(fresh())], [], [charge(account, 1, 800)], NOW)).toMatchObject({ account })
  })

  test('a bound that refuses leaves uses, rates and other budgets as they were', async () => {
    const [key, account, narrow, rate] = [fresh(), fresh(), fresh(), fresh()]
    const bounds = [[throttle(rate, 1, 60)], [charge(account, 5, 10), charge(narrow, 5, 4)]] as const
    expect(await first.ledger.settle([use(key)], ...bounds, NOW)).toMatchObject({ account: narrow })
    expect(await second.ledger.settle([use(key)], [throttle(rate, 1, 60)], [charge(account, 10, 10)], NOW)).toBeNull()
  })

  test('at most max calls in any per seconds', async () => {
    const rate = throttle(fresh(), 2, 10)
    const at = (time: number) => first.ledger.settle([{ ...use(fresh()), issuedAt: NOW - 1 }], [rate], [], time)
    expect([await at(NOW), await at(NOW + 1), await at(NOW + 2), await at(NOW + 10)]).toEqual([null, null, rate, rate])
    expect([await at(NOW + 11), await at(NOW + 11)]).toEqual([null, rate])
    expect(await at(NOW + 12)).toBeNull()
  })

  test('a nonce is good once, and for a minute', async () => {
    const [one, two] = [await first.nonces.issue('a'), await first.nonces.issue('a')]
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? first : second).nonces.consume('a', one)),
    )
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(await second.nonces.consume('another verifier', two)).toBe(false)
    expect(await second.nonces.consume('a', 'guess')).toBe(false)
    now = NOW + 61
    expect(await second.nonces.consume('a', two)).toBe(false)
    now = NOW
  })

  test('a chain is known until its first link ends', async () => {
    const leaf = digestOf(fresh())
    await first.chains.keep(leaf, ['root', 'leaf'], NOW + 10)
    await second.chains.keep(leaf, ['root', 'leaf'], NOW + 10)
    expect(await second.chains.find(leaf)).toEqual(['root', 'leaf'])
    expect(await second.chains.find(digestOf(fresh()))).toBeNull()
    now = NOW + 10
    expect(await first.chains.find(leaf)).toBeNull()
    now = NOW
  })

  test("the highest version of a list never falls, and is its signer's", async () => {
    const list = 'https://status.example/sl/1'
    expect(await first.listVersions.raise('did:web:a.example', list, 5)).toBe(5)
    expect(await second.listVersions.raise('did:web:a.example', list, 3)).toBe(5)
    expect(await second.listVersions.raise('did:web:b.example', list, 1)).toBe(1)
    const raised = await Promise.all(
      [7, 9, 8, 6].map((version, n) =>
        (n % 2 === 0 ? first : second).listVersions.raise('did:web:a.example', list, version),
      ),
    )
    expect(Math.max(...raised)).toBe(9)
    expect(await first.listVersions.raise('did:web:a.example', list, 1)).toBe(9)
  })
})

describe('a ledger that ends with its process', () => {
  test('refuses what may have been used before it started, clocks ahead, and bounds it would forget', async () => {
    const ledger = memoryLedger({ now: () => NOW }, { budgets: false })
    const issued = (issuedAt: number) => ledger.settle([{ ...use(`at ${issuedAt}`), issuedAt }], [], [], NOW + 5)
    await expect(issued(NOW)).rejects.toMatchObject({ code: 'REPLAY_UNAVAILABLE' })
    await expect(issued(NOW + 6)).rejects.toMatchObject({ code: 'REPLAY_UNAVAILABLE' })
    expect(await issued(NOW + 1)).toBeNull()
    const spend = ledger.settle([{ ...use('new'), issuedAt: NOW + 1 }], [], [charge('a', 1, 2)], NOW + 5)
    await expect(spend).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
  })

  test('is full rather than forgetful', async () => {
    const ledger = memoryLedger({ now: () => NOW - 10 }, { budgets: true, capacity: 2 })
    for (const key of ['a', 'b']) expect(await ledger.settle([use(key)], [], [], NOW)).toBeNull()
    await expect(ledger.settle([use('c')], [], [], NOW)).rejects.toMatchObject({ code: 'REPLAY_UNAVAILABLE' })
    expect(await ledger.settle([{ ...use('c'), until: NOW + 200 }], [], [], NOW + 91)).toBeNull()
    expect(await ledger.settle([{ ...use('c'), until: NOW + 200 }], [], [], NOW + 91)).toBe('used')
  })
})
