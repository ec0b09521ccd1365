import { expect, test } from 'vitest'
import { countsOver, createCounter, type Take } from '../../src/adapters/processes/counts.js'
import type { Link } from '../../src/adapters/processes/link.js'

/** Workers whose calls are counted together, by a clock that is moved. */
function counting(workers: number) {
  let now = 0
  let asked = 0
  const count = createCounter(() => now)
  const link = {
    ask: (_verb: string, take: Take) => {
      asked += 1
      return Promise.resolve(count(take))
    },
  } as unknown as Link
  const each = Array.from({ length: workers }, () => countsOver(link, () => now))
  const taken = async (calls: number, name: string, max: number): Promise<number> => {
    const all = Array.from({ length: calls }, async (_, n) => each[n % workers]?.(name, max, 1000))
    return (await Promise.all(all)).filter(one => (one?.current ?? Infinity) <= max).length
  }
  return { taken, asked: () => asked, move: (milliseconds: number) => (now += milliseconds) }
}

test('workers together are given exactly a narrow bound, in each window, for each caller', async () => {
  const { taken, move } = counting(3)
  expect([await taken(50, 'a', 10), await taken(50, 'b', 10)]).toEqual([10, 10])
  move(999)
  expect(await taken(5, 'a', 10)).toBe(0)
  move(1)
  expect(await taken(50, 'a', 10)).toBe(10)
})

test('of a wide bound a share is taken at once: never more than the bound, and few questions', async () => {
  const { taken, asked, move } = counting(2)
  const given = await taken(3000, 'a', 2000)
  expect(given).toBe(2000)
  const questions = counting(2)
  for (let n = 0; n < 1000; n += 1) expect(await questions.taken(1, 'a', 2000)).toBe(1)
  expect(questions.asked()).toBe(100)
  move(1000)
  const before = asked()
  expect(await taken(1, 'a', 2000)).toBe(1)
  expect(asked()).toBe(before + 1)
})
