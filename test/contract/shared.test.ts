import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Keepers } from '../../src/adapters/store/keepers.js'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import { systemClock } from '../../src/adapters/system.js'
import type { JsonObject } from '../../src/json.js'
import { booker, mint, NOW, owner, planner, SELF, type Minted } from '../mint.js'
import { accountsOf, booking, budgeted, calls, dollars, SHORT } from './budgeted.js'
import { hasPostgres, temporaryDatabases } from './postgres.js'
import { forgetRedis, hasRedis, REDIS } from './redis.js'
import { later, temporaryFiles, together } from './store-fixtures.js'
import { compileSources } from './store-process.js'
import { Ended, startVerifier, type Call, type VerifierProcess } from './verifier-process.js'

const POLICY: JsonObject = {
  roots: [{ issuer: owner.did, maxTtl: 86_400, grants: [{ resource: `${SELF}/**`, actions: ['book', 'quote'] }] }],
}
const PROCESSES = 3

const { folder, clean } = temporaryFiles()
const { migratedDatabase, dropAll } = temporaryDatabases()
let compiled: string
beforeAll(async () => (compiled = await compileSources(folder)))
afterAll(async () => {
  await dropAll()
  await clean()
})

const backends = [
  { name: 'PostgreSQL', redis: '' },
  ...(hasRedis ? [{ name: 'PostgreSQL and Redis', redis: REDIS }] : []),
]

describe.runIf(hasPostgres).each(backends)('processes on $name', ({ redis }) => {
  let store: Store
  let all: readonly VerifierProcess[] = []
  let start: (fatal?: 'taken') => Promise<VerifierProcess>

  beforeAll(async () => {
    const url = await migratedDatabase()
    store = await openStore(url)
    start = fatal => startVerifier(compiled, url, POLICY, fatal, redis)
    all = await together(PROCESSES, () => start())
  })
  afterAll(async () => {
    await Promise.all(all.map(one => one.end()))
    if (redis !== '') await forgetRedis(await new Keepers(store.dataSource, systemClock).installation())
    await store.close()
  })

  /** What the table says of the root's first account. */
  async function spentBy(chain: readonly Minted[]): Promise<number> {
    const rows = await store.dataSource.query<{ account: string; spent: string }[]>(
      'SELECT account, spent FROM verifier_spending',
    )
    return Number(rows.find(({ account }) => account === accountsOf(chain)[0]?.account)?.spent ?? 0)
  }

  test('one presentation, all processes: one winner, each time', async () => {
    const root = await mint({ signer: owner, to: planner, ...SHORT })
    for (let round = 0; round < 10; round += 1) {
      const one = await booking(planner, [root], 1)
      const answers = (await Promise.all(all.map(each => each.ask(NOW, [one], 10)))).flat()
      expect(answers.filter(({ allow }) => allow)).toHaveLength(1)
      expect(answers.filter(({ code }) => code === 'PRESENTATION_REPLAYED')).toHaveLength(10 * PROCESSES - 1)
    }
  })

  test('one budget, all processes: never more than it, and all that fits', async () => {
    const chain = await budgeted([dollars(80_000)], [calls(1000)])
    const asked = await together(60, () => booking(booker, chain, 3200))
    const answers = (
      await Promise.all(
        all.map((each, n) =>
          each.ask(
            NOW,
            asked.filter((_, at) => at % PROCESSES === n),
          ),
        ),
      )
    ).flat()
    expect(answers.filter(({ allow }) => allow)).toHaveLength(25)
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([null, 'BUDGET_EXHAUSTED']))
    expect(await spentBy(chain)).toBe(80_000)
  })

  test('one that dies when all was taken and nothing committed: nothing is charged, and nothing good twice', async () => {
    const chain = await budgeted([dollars(80_000)], [calls(9)])
    const one = await booking(booker, chain, 3200)
    const victim = await start('taken')
    await expect(victim.ask(NOW, [one])).rejects.toThrow(Ended)
    expect(await spentBy(chain)).toBe(0)
    const answers = (await Promise.all(all.map(each => each.ask(NOW + 1, [one], 5)))).flat()
    const winners = answers.filter(({ allow }) => allow).length
    // in one store nothing of it stays; in two the use does, and can only refuse
    expect(winners).toBe(redis === '' ? 1 : 0)
    expect(await spentBy(chain)).toBe(3200 * winners)
  })

  test('killed at any moment: no yes without its charge, no presentation good twice', async () => {
    const chain = await budgeted([dollars(10 ** 12), calls(10 ** 9)], [dollars(10 ** 12)], SHORT)
    const asked = new Map<Call, { amount: number; yes: number }>()
    const ask = async (by: VerifierProcess, call: Call): Promise<string | null> => {
      const [answer] = await by.ask(NOW, [call])
      const known = asked.get(call)
      if (answer!.allow && known !== undefined) known.yes += 1
      return answer!.code
    }
    for (let round = 0; round < 2; round += 1) {
      const victim = await start()
      const unsure = new Set<Call>()
      let isOver = false
      const working = together(8, async n => {
        while (!isOver) {
          const amount = 1 + ((asked.size * 7) % 1000)
          const call = await booking(booker, chain, amount)
          asked.set(call, { amount, yes: 0 })
          unsure.add(call)
          try {
            expect(await ask(n < 6 ? victim : all[0]!, call)).toBeNull()
          } catch (error) {
            if (error instanceof Ended) return
            throw error
          }
          unsure.delete(call)
        }
      })
      await later(100 + Math.random() * 400)
      expect(await victim.kill()).toBe('SIGKILL')
      isOver = true
      await working
      for (const call of unsure) expect([null, 'PRESENTATION_REPLAYED']).toContain(await ask(all[1]!, call))
      for (const call of [...asked.keys()].slice(-20)) {
        expect(await ask(all[2 % PROCESSES]!, call)).toBe('PRESENTATION_REPLAYED')
      }
    }
    const sums = [...asked.values()]
    expect(sums.filter(({ yes }) => yes > 1)).toEqual([])
    const due = sums.reduce((sum, { amount, yes }) => sum + amount * yes, 0)
    const most = sums.reduce((sum, { amount }) => sum + amount, 0)
    const spent = await spentBy(chain)
    expect(spent).toBeGreaterThanOrEqual(due)
    expect(spent).toBeLessThanOrEqual(most)
    expect(sums.filter(({ yes }) => yes === 1).length).toBeGreaterThan(20)
  })
})
