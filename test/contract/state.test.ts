import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  memoryChains,
  memoryLedger,
  memoryNonces,
  memoryPositions,
  memoryRevocations,
  memoryVersions,
} from '../../src/adapters/state/memory.js'
import { Keepers } from '../../src/adapters/store/keepers.js'
import { openStore } from '../../src/adapters/store/store.js'
import { storeState } from '../../src/adapters/store/state.js'
import { systemIds } from '../../src/adapters/system.js'
import { digestOf } from '../../src/encoding.js'
import type { Charge, Hold, Ledger, State, Throttle, Use } from '../../src/ports/deciding.js'
import { openState } from '../../src/entry/state.js'
import type { Clock } from '../../src/ports/world.js'
import { NOW } from '../mint.js'
import { hasPostgres, temporaryDatabases, withOption } from './postgres.js'
import { forgetRedis, hasRedis, REDIS } from './redis.js'

/** Opens one more handle on the same state, as another process would; memory has one handle only. */
interface Backend {
  readonly name: string
  readonly open: (
    clock: Clock,
  ) => Promise<{ readonly first: State; readonly second: State; readonly close: () => Promise<unknown> }>
}

let folder: string
let files = 0
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'procura-state-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))
const { migratedDatabase, dropAll } = temporaryDatabases()
afterAll(dropAll)

/** Two handles on one database, as two processes would have them. */
async function twoOn(url: string, clock: Clock): Promise<Awaited<ReturnType<Backend['open']>>> {
  const stores = [await openStore(url), await openStore(url)] as const
  const [first, second] = stores.map(store => storeState(store, clock, systemIds)) as [State, State]
  return { first, second, close: () => Promise.all(stores.map(store => store.close())) }
}

/** The same, with what is hot in Redis; each has its own connection. */
async function twoWithRedis(url: string, clock: Clock): Promise<Awaited<ReturnType<Backend['open']>>> {
  const stores = [await openStore(url), await openStore(url)] as const
  const shared = [
    await openState(stores[0], REDIS, clock, systemIds),
    await openState(stores[1], REDIS, clock, systemIds),
  ]
  const [first, second] = shared.map(({ state }) => state) as [State, State]
  return {
    first,
    second,
    async close() {
      const id = await new Keepers(stores[0].dataSource, clock).installation()
      for (const one of shared) await one.close()
      for (const store of stores) await store.close()
      await forgetRedis(id)
    },
  }
}

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
        revocations: memoryRevocations(),
        feedPositions: memoryPositions(),
      }
      return Promise.resolve({ first: state, second: state, close: () => Promise.resolve() })
    },
  },
  {
    name: 'SQLite, two handles on one file',
    open: clock => twoOn(`sqlite://${join(folder, `${(files += 1)}.db`)}`, clock),
  },
]
const onRedis: readonly Backend[] = [
  {
    name: 'SQLite and Redis, two connections',
    open: clock => twoWithRedis(`sqlite://${join(folder, `${(files += 1)}.db`)}`, clock),
  },
  ...(hasPostgres
    ? [
        {
          name: 'PostgreSQL and Redis, two pools',
          open: async (clock: Clock) => twoWithRedis(await migratedDatabase(), clock),
        },
        {
          name: 'PostgreSQL, serializable, and Redis',
          open: async (clock: Clock) =>
            twoWithRedis(withOption(await migratedDatabase(), 'default_transaction_isolation=serializable'), clock),
        },
      ]
    : []),
]
const onPostgres: readonly Backend[] = [
  { name: 'PostgreSQL, two pools', open: async clock => twoOn(await migratedDatabase(), clock) },
  {
    name: 'PostgreSQL, two pools, serializable',
    open: async clock =>
      twoOn(withOption(await migratedDatabase(), 'default_transaction_isolation=serializable'), clock),
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

const settleOn = (
  ledger: Ledger,
  uses: readonly Use[],
  throttles: readonly Throttle[],
  charges: readonly Charge[],
  now: number,
  hold: Hold | null = null,
): ReturnType<Ledger['settle']> => ledger.settle({ uses, throttles, charges, hold, now })
const settle = (
  { ledger }: State,
  ...rest: Parameters<typeof settleOn> extends [unknown, ...infer Rest] ? Rest : never
): ReturnType<Ledger['settle']> => settleOn(ledger, ...rest)

describe.each([...backends, ...(hasPostgres ? onPostgres : []), ...(hasRedis ? onRedis : [])])('$name', ({ open }) => {
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
        Array.from({ length: 200 }, (_, n) => settle(n % 2 === 0 ? first : second, [use(key)], [], [], NOW)),
      )
      expect(answers.filter(answer => answer === null)).toHaveLength(1)
      expect(answers.filter(answer => answer === 'used')).toHaveLength(199)
    }
  })

  test('many keys at once, each shown four times: each has one winner', async () => {
    const keys = Array.from({ length: 100 }, fresh)
    await settle(second, [use(keys[7] ?? '')], [], [], NOW)
    const shown = [...keys, ...keys, ...keys, ...keys]
    const answers = await Promise.all(
      shown.map((key, n) => settle(n % 3 === 0 ? second : first, [use(key)], [], [], NOW)),
    )
    const won = keys.map(key => answers.filter((answer, n) => shown[n] === key && answer === null).length)
    expect(won).toEqual(keys.map((_, n) => (n === 7 ? 0 : 1)))
  })

  test('several uses are made all or none', async () => {
    const [a, b] = [fresh(), fresh()]
    expect(await settle(first, [use(a)], [], [], NOW)).toBeNull()
    expect(await settle(first, [use(b), use(a)], [], [], NOW)).toBe('used')
    expect(await settle(second, [use(b)], [], [], NOW)).toBeNull()
  })

  test('one key twice in one settlement is used before', async () => {
    const key = fresh()
    expect(await settle(first, [use(key), use(key)], [], [], NOW)).toBe('used')
    expect(await settle(second, [use(key)], [], [], NOW)).toBeNull()
  })

  test('50 siblings against one budget: never more than the budget, and all of it', async () => {
    const account = fresh()
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        settle(n % 2 === 0 ? first : second, [use(fresh())], [], [charge(account, 320, 800)], NOW),
      ),
    )
    expect(answers.filter(answer => answer === null)).toHaveLength(2)
    expect(await settle(first, [use(fresh())], [], [charge(account, 160, 800)], NOW)).toBeNull()
    expect(await settle(first, [use(fresh())], [], [charge(account, 1, 800)], NOW)).toMatchObject({ account })
  })

  test('a bound that refuses leaves uses, rates and other budgets as they were', async () => {
    const [key, account, narrow, rate] = [fresh(), fresh(), fresh(), fresh()]
    const bounds = [[throttle(rate, 1, 60)], [charge(account, 5, 10), charge(narrow, 5, 4)]] as const
    expect(await settle(first, [use(key)], ...bounds, NOW)).toMatchObject({ account: narrow })
    expect(await settle(second, [use(key)], [throttle(rate, 1, 60)], [charge(account, 10, 10)], NOW)).toBeNull()
  })

  test('at most max calls in any per seconds', async () => {
    const rate = throttle(fresh(), 2, 10)
    const at = (time: number) => settle(first, [{ ...use(fresh()), issuedAt: NOW - 1 }], [rate], [], time)
    expect([await at(NOW), await at(NOW + 1), await at(NOW + 2), await at(NOW + 10)]).toEqual([null, null, rate, rate])
    expect([await at(NOW + 11), await at(NOW + 11)]).toEqual([null, rate])
    expect(await at(NOW + 12)).toBeNull()
  })

  test('40 calls at once under one rate: as many as it allows', async () => {
    const rate = throttle(fresh(), 7, 60)
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => settle(n % 2 === 0 ? first : second, [use(fresh())], [rate], [], NOW)),
    )
    expect(answers.filter(answer => answer === null)).toHaveLength(7)
  })

  test('accounts named in any order: nobody waits for ever, each is charged', async () => {
    const [a, b, c, d] = [fresh(), fresh(), fresh(), fresh()]
    const charges = [charge(a, 1, 100), charge(b, 1, 100)]
    const rates = [throttle(c, 100, 60), throttle(d, 100, 60)]
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => {
        const turn = <T>(all: readonly T[]): readonly T[] => (n % 2 === 0 ? all : [...all].reverse())
        const uses = turn([use(fresh()), use(fresh())])
        return settle(n % 3 === 0 ? first : second, uses, turn(rates), turn(charges), NOW)
      }),
    )
    expect(answers.filter(answer => answer === null)).toHaveLength(40)
    expect(await settle(first, [use(fresh())], [], [charge(a, 60, 100), charge(b, 60, 100)], NOW)).toBeNull()
    expect(await settle(first, [use(fresh())], [], [charge(b, 1, 100)], NOW)).toMatchObject({ account: b })
  })

  test('a probe answers what settling would, and does nothing', async () => {
    const [key, account, rate] = [fresh(), fresh(), throttle(fresh(), 1, 60)]
    const hold: Hold = { id: fresh(), until: NOW + 60, facts: null }
    const whole = { uses: [use(key)], throttles: [rate], charges: [charge(account, 8, 10)], hold, now: NOW }
    for (const { ledger } of [first, second, first]) expect(await ledger.probe(whole)).toBeNull()
    expect(await first.ledger.held(hold.id, NOW)).toBeNull()
    expect(await first.ledger.settle(whole)).toBeNull()
    expect(await second.ledger.probe(whole)).toBe('used')
    const again = { ...whole, uses: [use(fresh())], hold: null }
    expect(await second.ledger.probe(again)).toMatchObject({ per: 60 })
    expect(await second.ledger.probe({ ...again, throttles: [] })).toMatchObject({ account })
    expect(await second.ledger.probe({ ...again, throttles: [], charges: [charge(account, 2, 10)] })).toBeNull()
  })

  describe('a hold', () => {
    const taken = async (amount = 8, until = NOW + 60): Promise<{ readonly id: string; readonly account: string }> => {
      const [id, account] = [fresh(), fresh()]
      const hold: Hold = { id, until, facts: { who: ['booker'], n: 1 } }
      expect(await settle(first, [use(fresh())], [], [charge(account, amount, 10)], NOW, hold)).toBeNull()
      return { id, account }
    }
    const isFree = async (account: string, amount: number): Promise<boolean> =>
      (await second.ledger.probe({
        uses: [],
        throttles: [],
        charges: [charge(account, amount, 10)],
        hold: null,
        now: NOW,
      })) === null

    test('is open, keeps its facts, and what it holds is spent', async () => {
      const { id, account } = await taken()
      const held = { id, until: NOW + 60, facts: { who: ['booker'], n: 1 }, state: 'open' }
      expect(await second.ledger.held(id, NOW)).toEqual(held)
      expect(await isFree(account, 3)).toBe(false)
      expect(await first.ledger.held(fresh(), NOW)).toBeNull()
      expect(await first.ledger.close(fresh(), 'released', NOW)).toBeNull()
    })

    test('committed stays spent, once, however often', async () => {
      const { id, account } = await taken()
      expect(await second.ledger.close(id, 'committed', NOW)).toBe('committed')
      expect(await first.ledger.close(id, 'committed', NOW + 500)).toBe('committed')
      expect(await first.ledger.close(id, 'released', NOW)).toBe('committed')
      expect(await isFree(account, 3)).toBe(false)
      expect(await isFree(account, 2)).toBe(true)
    })

    test('released gives back, once, however often', async () => {
      const { id, account } = await taken()
      const closed = [first, second, first].map(({ ledger }) => ledger.close(id, 'released', NOW))
      expect(await Promise.all(closed)).toEqual(['released', 'released', 'released'])
      expect(await first.ledger.close(id, 'committed', NOW)).toBe('released')
      expect(await isFree(account, 10)).toBe(true)
      expect(await isFree(account, 11)).toBe(false)
    })

    test('expired stays spent: its effect may have happened', async () => {
      const { id, account } = await taken()
      expect(await first.ledger.held(id, NOW + 59)).toMatchObject({ state: 'open' })
      expect(await second.ledger.held(id, NOW + 60)).toMatchObject({ state: 'expired' })
      expect(await first.ledger.close(id, 'released', NOW + 60)).toBe('expired')
      expect(await second.ledger.close(id, 'committed', NOW + 61)).toBe('expired')
      expect(await isFree(account, 3)).toBe(false)
    })

    test('whose end was seen stays ended, also when the clock is set back', async () => {
      const { id, account } = await taken()
      expect(await first.ledger.close(id, 'released', NOW + 60)).toBe('expired')
      expect(await second.ledger.close(id, 'released', NOW + 58)).toBe('expired')
      expect(await first.ledger.held(id, NOW + 58)).toMatchObject({ state: 'expired' })
      expect(await isFree(account, 3)).toBe(false)
    })

    test('is taken with its charge, or not at all', async () => {
      const [id, account, key] = [fresh(), fresh(), fresh()]
      const hold: Hold = { id, until: NOW + 60, facts: null }
      expect(await settle(first, [use(key)], [], [charge(account, 11, 10)], NOW, hold)).toMatchObject({ account })
      expect(await second.ledger.held(id, NOW)).toBeNull()
      expect(await settle(first, [use(key)], [], [], NOW, hold)).toBeNull()
      expect(await settle(first, [use(key)], [], [], NOW, { ...hold, id: fresh() })).toBe('used')
      expect(await second.ledger.held(id, NOW)).toMatchObject({ state: 'open' })
    })

    test('closed by many at once in two ways: one way wins', async () => {
      for (let round = 0; round < 20; round += 1) {
        const { id, account } = await taken()
        const answers = await Promise.all(
          Array.from({ length: 10 }, (_, n) =>
            (n % 2 === 0 ? first : second).ledger.close(id, n % 3 === 0 ? 'released' : 'committed', NOW),
          ),
        )
        expect(new Set(answers).size).toBe(1)
        expect(await isFree(account, 10)).toBe(answers[0] === 'released')
      }
    })
  })

  test('events are kept whoever signed them, and found by what they name', async () => {
    const [digest, other] = [digestOf(fresh()), digestOf(fresh())]
    const events = (['did:web:a.example', 'did:web:b.example'] as const).map(signer => ({ target: digest, signer }))
    for (const event of [...events, ...events]) await first.revocations.learn(event)
    await second.revocations.learn({ target: 'did:web:c.example', signer: 'did:web:a.example' })
    const [a, b, c] = ['did:web:a.example', 'did:web:b.example', 'did:web:c.example'] as const
    const found = async (targets: readonly string[], signers: readonly string[]): Promise<string[]> => {
      const about = await second.revocations.about(targets as never, signers as never)
      return about.map(({ target, signer }) => `${target} ${signer}`).sort()
    }
    expect(await found([digest, other], [a, b, c])).toEqual([`${digest} ${a}`, `${digest} ${b}`])
    expect(await found([digest, other], [b])).toEqual([`${digest} ${b}`])
    expect(await found([other, c], [a, b, c])).toEqual([`${c} ${a}`])
    expect([
      await found([other], [a]),
      await found([digest], [c]),
      await found([], [a]),
      await found([digest], []),
    ]).toEqual([[], [], [], []])
  })

  test('whether a nonce is open can be asked without using it', async () => {
    const nonce = await first.nonces.issue('a')
    expect([await second.nonces.isOpen('a', nonce), await second.nonces.isOpen('b', nonce)]).toEqual([true, false])
    expect(await first.nonces.consume('a', nonce)).toBe(true)
    expect(await second.nonces.isOpen('a', nonce)).toBe(false)
    const late = await first.nonces.issue('a')
    now = NOW + 61
    expect(await second.nonces.isOpen('a', late)).toBe(false)
    now = NOW
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
    for (let round = 10; round < 40; round += 10) {
      const numbers = Array.from({ length: 10 }, (_, n) => round + ((n * 7) % 10))
      await Promise.all(
        numbers.map((version, n) =>
          (n % 2 === 0 ? first : second).listVersions.raise('did:web:c.example', list, version),
        ),
      )
      expect(await first.listVersions.raise('did:web:c.example', list, 0)).toBe(round + 9)
    }
    expect(await first.listVersions.raise('did:web:a.example', list, 1)).toBe(9)
  })
})

describe('kept chains', () => {
  const leaves = ['a', 'b', 'c'].map(name => digestOf(name))

  test('in a database are so many, and what is kept stays, until it ends', async () => {
    let time = NOW
    const store = await openStore(`sqlite://${join(folder, 'chains.db')}`)
    const { chains } = storeState(store, { now: () => time }, systemIds, 2)
    for (const [index, leaf] of leaves.slice(0, 2).entries()) await chains.keep(leaf, ['t'], NOW + 10 * (index + 1))
    await expect(chains.keep(leaves[2]!, ['t'], NOW + 99)).rejects.toMatchObject({ code: 'CHAINS_FULL' })
    await chains.keep(leaves[0]!, ['again'], NOW + 10)
    expect([await chains.find(leaves[0]!), await chains.find(leaves[1]!), await chains.find(leaves[2]!)]).toEqual([
      ['again'],
      ['t'],
      null,
    ])
    time = NOW + 11
    await chains.keep(leaves[2]!, ['t'], NOW + 99)
    expect(await chains.find(leaves[2]!)).toEqual(['t'])
    await store.close()
  })

  test.each([
    ['entries', memoryChains({ now: () => NOW }, 2, 1000)],
    ['characters', memoryChains({ now: () => NOW }, 1000, 25)],
  ])('in memory are those used last, by %s', async (_name, chains) => {
    for (const leaf of leaves) {
      await chains.keep(leaf, ['0123456789'], NOW + 10)
      await chains.find(leaves[0]!)
    }
    expect(await Promise.all(leaves.map(leaf => chains.find(leaf)))).toEqual([['0123456789'], null, ['0123456789']])
  })
})

test('what ended by this clock is remembered for machines whose clock is behind', async () => {
  let time = NOW
  const store = await openStore(`sqlite://${join(folder, 'behind.db')}`)
  const { ledger } = storeState(store, { now: () => time }, systemIds)
  const ended: Use = { key: 'ended', issuedAt: NOW - 1, until: NOW }
  expect(await settleOn(ledger, [ended], [], [{ ...charge('a', 10, 10), until: NOW }], NOW)).toBeNull()
  const sweep = async (): Promise<void> => {
    for (let n = 0; n < 1000; n += 1) await settleOn(ledger, [], [], [], time)
  }
  time = NOW + 30
  await sweep()
  expect(await settleOn(ledger, [ended], [], [], NOW)).toBe('used')
  expect(await settleOn(ledger, [], [], [charge('a', 1, 10)], NOW)).toMatchObject({ account: 'a' })
  time = NOW + 31
  await sweep()
  expect(await settleOn(ledger, [ended], [], [], NOW)).toBeNull()
  expect(await settleOn(ledger, [], [], [charge('a', 1, 10)], NOW)).toBeNull()
  await store.close()
})

describe('a ledger that ends with its process', () => {
  test('refuses what may have been used before it started, clocks ahead, and bounds it would forget', async () => {
    const ledger = memoryLedger({ now: () => NOW }, { budgets: false })
    const issued = (issuedAt: number) => settleOn(ledger, [{ ...use(`at ${issuedAt}`), issuedAt }], [], [], NOW + 5)
    await expect(issued(NOW)).rejects.toMatchObject({ code: 'REPLAY_UNAVAILABLE' })
    await expect(issued(NOW + 6)).rejects.toMatchObject({ code: 'REPLAY_UNAVAILABLE' })
    expect(await issued(NOW + 1)).toBeNull()
    const spend = settleOn(ledger, [{ ...use('new'), issuedAt: NOW + 1 }], [], [charge('a', 1, 2)], NOW + 5)
    await expect(spend).rejects.toMatchObject({ code: 'LEDGER_UNAVAILABLE' })
  })

  test('forgets reservations that ended to make room, and refuses new ones alone while all are open', async () => {
    const ledger = memoryLedger({ now: () => NOW - 10 }, { budgets: true, maxHolds: 2 })
    const hold = (id: string): Hold => ({ id, until: NOW + 60, facts: null })
    for (const id of ['a', 'b']) expect(await settleOn(ledger, [use(id)], [], [], NOW, hold(id))).toBeNull()
    await expect(settleOn(ledger, [use('c')], [], [], NOW, hold('c'))).rejects.toMatchObject({
      code: 'REPLAY_UNAVAILABLE',
    })
    expect(await settleOn(ledger, [use('c')], [], [], NOW)).toBeNull()
    await ledger.close('b', 'committed', NOW)
    expect(await settleOn(ledger, [use('d')], [], [], NOW, hold('d'))).toBeNull()
    expect([await ledger.held('b', NOW), (await ledger.held('a', NOW))?.state]).toEqual([null, 'open'])
    expect(await settleOn(ledger, [{ ...use('e'), until: NOW + 200 }], [], [], NOW + 61, hold('e'))).toBeNull()
    expect(await ledger.held('a', NOW + 61)).toBeNull()
  })

  test('is full rather than forgetful', async () => {
    const ledger = memoryLedger({ now: () => NOW - 10 }, { budgets: true, capacity: 2 })
    for (const key of ['a', 'b']) expect(await settleOn(ledger, [use(key)], [], [], NOW)).toBeNull()
    await expect(settleOn(ledger, [use('c')], [], [], NOW)).rejects.toMatchObject({ code: 'REPLAY_UNAVAILABLE' })
    expect(await settleOn(ledger, [{ ...use('c'), until: NOW + 200 }], [], [], NOW + 91)).toBeNull()
    expect(await settleOn(ledger, [{ ...use('c'), until: NOW + 200 }], [], [], NOW + 91)).toBe('used')
  })
})
