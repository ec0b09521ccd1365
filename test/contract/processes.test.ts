import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import type { Authority } from '../../src/authority/authority.js'
import type { JsonObject } from '../../src/json.js'
import type { Charge } from '../../src/ports/deciding.js'
import type { UnixSeconds } from '../../src/time.js'
import { alice, booker, mint, NOW, owner, party, planner, SELF } from '../mint.js'
import type { Minted, Party } from '../mint.js'
import { accountsOf, booking, budgeted, calls, dollars, SHORT, taking, type Account } from './budgeted.js'
import { later, temporaryFiles, together } from './store-fixtures.js'
import { compileSources } from './store-process.js'
import { Ended, startVerifier, type Answer, type Call, type VerifierProcess } from './verifier-process.js'

const TRUSTED = { maxTtl: 86_400, grants: [{ resource: `${SELF}/**`, actions: ['book', 'quote'] }] }
const POLICY: JsonObject = {
  roots: [
    { issuer: owner.did, ...TRUSTED },
    { issuer: alice.did, ...TRUSTED, rate: { max: 7, per: 60 } },
  ],
}

const { folder, freshFile, clean } = temporaryFiles()
const file = freshFile()
let start: (fatal?: 'decision' | 'commit' | 'release') => Promise<VerifierProcess>
let store: Store
let both: readonly [VerifierProcess, VerifierProcess]

beforeAll(async () => {
  const compiled = await compileSources(folder)
  start = fatal => startVerifier(compiled, `sqlite://${file}`, POLICY, fatal)
  store = await openStore(`sqlite://${file}`)
  both = await Promise.all([start(), start()])
})
afterAll(async () => {
  expect(await Promise.all(both.map(one => one.end()))).toEqual([0, 0])
  await store.close()
  await clean()
})

/** Half of the calls by each process, all at once. @returns the answers in the order of the calls */
async function halve(at: UnixSeconds, asked: readonly Call[]): Promise<readonly Answer[]> {
  const part = (n: number): readonly Call[] => asked.filter((_, index) => index % 2 === n)
  const halves = await Promise.all(both.map((one, n) => one.ask(at, part(n))))
  return asked.map((_, index) => halves[index % 2]![Math.floor(index / 2)]!)
}

/** What the table says of each account of the chain. */
async function spentBy(chain: readonly Minted[]): Promise<readonly number[]> {
  const rows = await store.dataSource.query<{ account: string; spent: number }[]>(
    'SELECT account, spent FROM verifier_spending',
  )
  const spent = new Map(rows.map(row => [row.account, row.spent]))
  return accountsOf(chain).map(({ account }) => spent.get(account) ?? 0)
}

describe('50 siblings under one parent, by two processes', () => {
  const rows: readonly [string, number, readonly number[], number | null][] = [
    ['all ask for 320.00 of 800.00', 50, [32_000], 2],
    [
      'they ask for several amounts, some above their own bound',
      50,
      [32_000, 24_000, 17_550, 32_001, 9_999, 501],
      null,
    ],
    ['they ask for little', 50, [1600], 50],
    ['the grandparent has three calls', 3, [1000, 32_001, 999, 1], 3],
  ]
  test.each(rows)('%s: never more than the budget, and all that fits', async (_name, times, amounts, due) => {
    const above = await budgeted([calls(times)], [dollars(80_000)])
    const siblings = await together(50, async n => {
      const holder = party(`sibling ${n}`)
      const authority = { budgets: [dollars(32_000)] }
      const own = await mint({ signer: booker, to: holder, parent: above[1], authority })
      const amount = amounts[n % amounts.length]!
      return { chain: [...above, own], amount, call: await booking(holder, [...above, own], amount) }
    })
    const asked = siblings.map(({ call }) => call)
    const answers = await halve(NOW, asked)
    const allowed = siblings.filter((_, n) => answers[n]!.allow)
    if (due !== null) expect(allowed).toHaveLength(due)
    for (const [n, { chain, amount }] of siblings.entries()) {
      const accounts = accountsOf(chain)
      const spent = await spentBy(chain)
      // all ancestors were charged for each allowed call, and none for a refused one
      const through = ({ account }: Account): typeof siblings =>
        allowed.filter(one => accountsOf(one.chain).some(other => other.account === account))
      expect(spent).toEqual(accounts.map(one => through(one).reduce((sum, by) => sum + taking(one, by.amount), 0)))
      expect(accounts.filter(({ max }, index) => spent[index]! > max)).toEqual([])
      if (answers[n]!.allow) continue
      expect(answers[n]!.code).toBe('BUDGET_EXHAUSTED')
      expect(accounts.some((one, index) => spent[index]! + taking(one, amount) > one.max)).toBe(true)
    }
  })
})

test('200 uses of one presentation by two processes: exactly one wins, 100 times', async () => {
  const root = await mint({ signer: owner, to: planner, ...SHORT })
  for (let round = 0; round < 100; round += 1) {
    const one = await booking(planner, [root], 1)
    const answers = (await Promise.all(both.map(each => each.ask(NOW, [one], 100)))).flat()
    expect(answers.filter(({ allow }) => allow)).toHaveLength(1)
    expect(answers.filter(({ code }) => code === 'PRESENTATION_REPLAYED')).toHaveLength(199)
  }
})

describe('rates by two processes', () => {
  const rows: readonly [string, Party, Partial<Authority>, Partial<Authority>, readonly [number, number][]][] = [
    ['the link has 5 in 10 s', owner, {}, { rate: { max: 5, per: 10 } }, [[0, 5], [10, 0], [11, 5]]], // prettier-ignore
    ['the one above has fewer', owner, { rate: { max: 3, per: 20 } }, { rate: { max: 2, per: 30 } }, [[0, 2], [30, 0], [31, 2]]], // prettier-ignore
    ['the policy has 7 a minute', alice, {}, {}, [[0, 7], [60, 0], [61, 7]]], // prettier-ignore
  ]
  test.each(rows)('%s', async (_name, signer, above, below, accepted) => {
    const root = await mint({ signer, to: planner, authority: above })
    const chain = [root, await mint({ signer: planner, to: booker, parent: root, authority: below })]
    for (const [after, due] of accepted) {
      const answers = await halve(NOW + after, await together(20, () => booking(booker, chain, 1)))
      expect(answers.filter(({ allow }) => allow)).toHaveLength(due)
      expect(answers.filter(({ code }) => code === 'RATE_LIMITED')).toHaveLength(20 - due)
    }
  })
})

describe('a process that is killed between reserve and commit', () => {
  type Ask = 'commit' | 'release'
  const rows: readonly [string, number, readonly [Ask, Ask], number][] = [
    ['leaves a reservation that others commit, once', 59, ['commit', 'commit'], 2],
    ['leaves a reservation that others release, once', 59, ['release', 'release'], 2],
    ['leaves one that is either committed or released', 59, ['commit', 'release'], 1],
    ['leaves a charge: after a minute nobody commits it', 60, ['commit', 'commit'], 0],
    ['leaves a charge: after a minute nobody frees it', 60, ['release', 'release'], 0],
  ]
  const held = new Map<string, { readonly chain: readonly Minted[]; readonly id: string }>()

  beforeAll(async () => {
    const victim = await start()
    for (const [name] of rows) {
      const chain = await budgeted([dollars(80_000), calls(9)], [dollars(40_000)])
      const [decided] = await victim.ask(NOW, [await booking(booker, chain, 32_000, true)])
      expect(decided).toMatchObject({ allow: true })
      held.set(name, { chain, id: decided!.decisionId })
    }
    expect(await victim.kill()).toBe('SIGKILL')
  })

  test.each(rows)('%s', async (name, after, asks, due) => {
    const { chain, id } = held.get(name)!
    expect(await spentBy(chain)).toEqual([32_000, 1, 32_000])
    const close = () => Promise.all(asks.map(async (ask, n) => (await both[n]!.ask(NOW + after, [[ask, id]]))[0]!))
    const answers = await close()
    expect(answers.filter(({ allow }) => allow)).toHaveLength(due)
    for (const { allow, code } of answers) expect(code).toBe(allow ? null : 'RESERVATION_CLOSED')
    expect(await close()).toEqual(answers)
    const isFree = asks.some((ask, n) => ask === 'release' && answers[n]!.allow)
    expect(await spentBy(chain)).toEqual(isFree ? [0, 0, 0] : [32_000, 1, 32_000])
    const left = isFree ? 40_000 : 8000
    const codes = []
    for (const amount of [left + 1, left]) {
      codes.push((await both[0].ask(NOW + 61, [await booking(booker, chain, amount)]))[0]!.code)
    }
    expect(codes).toEqual(['BUDGET_EXHAUSTED', null])
  })
})

describe('a process that dies when it has written and before it answers', () => {
  const rows: readonly [string, 'decision' | 'commit' | 'release', readonly [boolean, string | null], number][] = [
    ['deciding: the charge stays, and is not made twice', 'decision', [false, 'PRESENTATION_REPLAYED'], 1],
    ['committing: it is committed, and can be asked for again', 'commit', [true, null], 1],
    ['releasing: it is freed once, and can be asked for again', 'release', [true, null], 0],
  ]
  test.each(rows)('%s', async (_name, fatal, due, times) => {
    const chain = await budgeted([dollars(80_000), calls(9)], [dollars(40_000)])
    const decide = await booking(booker, chain, 32_000, true)
    const victim = await start(fatal)
    const call: Call = fatal === 'decision' ? decide : [fatal, (await both[0].ask(NOW, [decide]))[0]!.decisionId]
    await expect(victim.ask(NOW, [call])).rejects.toThrow(Ended)
    for (const one of both) {
      const [again] = await one.ask(NOW + 1, [call])
      expect([again!.allow, again!.code]).toEqual(due)
      expect(await spentBy(chain)).toEqual([32_000 * times, times, 32_000 * times])
    }
  })
})

test('processes that are killed at any moment: what is spent is what is held, no more and no less', async () => {
  const crasher = party('crasher')
  const above = await budgeted([dollars(10 ** 12), calls(10 ** 9)], [dollars(10 ** 12)], SHORT)
  const leaf = await mint({ signer: booker, to: crasher, parent: above[1], ...SHORT })
  const chain = [...above, leaf]
  const STATES = { decide: 'open', commit: 'committed', release: 'released' }
  const states = new Map<string, string>()
  const unsure = new Set<Call>()
  let made = 0

  /** Asks; where the process ended, nobody knows whether it was done. */
  const surely = async (by: VerifierProcess, call: Call): Promise<Answer> => {
    unsure.add(call)
    const [answer] = await by.ask(NOW, [call])
    unsure.delete(call)
    if (answer!.allow) states.set(answer!.decisionId, STATES[call[0]])
    return answer!
  }
  const work = async (by: VerifierProcess, isOver: () => boolean): Promise<void> => {
    while (!isOver()) {
      const n = (made += 1)
      const { allow, decisionId } = await surely(by, await booking(crasher, chain, n % 1000, true))
      expect(allow).toBe(true)
      const ask = (['commit', 'release'] as const)[n % 3]
      if (ask !== undefined) expect(await surely(by, [ask, decisionId])).toMatchObject({ allow: true })
    }
  }

  for (const victim of await together(5, () => start())) {
    let isOver = false
    const working = together(12, n =>
      work(n < 8 ? victim : both[0], () => isOver).catch((error: unknown) => {
        if (!(error instanceof Ended)) throw error
      }),
    )
    await later(50 + Math.random() * 600)
    expect(await victim.kill()).toBe('SIGKILL')
    isOver = true
    await working

    // whoever got no answer asks again, elsewhere: it was done before, or it is done now
    for (const call of unsure) {
      const { allow, code } = await surely(both[1], call)
      expect([allow, code]).toEqual(call[0] === 'decide' && !allow ? [false, 'PRESENTATION_REPLAYED'] : [true, null])
    }
    const holds = await store.dataSource.query<{ id: string; state: string; charges: string }[]>(
      `SELECT id, state, charges FROM verifier_hold WHERE charges LIKE '%${above[1].digest}%'`,
    )
    expect(holds).toHaveLength(made)
    expect(holds.filter(({ id, state }) => state !== (states.get(id) ?? 'open'))).toEqual([])
    const charges = holds
      .filter(({ state }) => state !== 'released')
      .flatMap(one => JSON.parse(one.charges) as readonly Charge[])
    const due = accountsOf(chain).map(({ account }) =>
      charges.filter(one => one.account === account).reduce((sum, { amount }) => sum + amount, 0),
    )
    expect(await spentBy(chain)).toEqual(due)
  }
  expect(await store.dataSource.query('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }])
})
