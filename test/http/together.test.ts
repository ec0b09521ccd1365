import { setTimeout } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { withOwnLists } from '../../src/entry/own.js'
import { Together } from '../../src/entry/together.js'
import type { Verifier } from '../../src/verifier/verifier.js'
import { owner, planner } from '../mint.js'

type Work = () => Promise<unknown>

const opened: Together[] = []
afterEach(() => {
  for (const one of opened.splice(0)) one.end()
})

/** Decisions that are whatever work they are handed. */
function decisions() {
  const together = new Together()
  opened.push(together)
  const verifier = { decide: (work: unknown) => (work as Work)() } as unknown as Pick<Verifier, 'decide'>
  const over = together.over(verifier)
  return { together, decide: <T>(work: () => Promise<T>) => over.decide(work as never, {} as never) as unknown as Promise<T> } // prettier-ignore
}

/** Answers with the number of the question. */
function counting(): { ask: () => Promise<number>; asked: () => number } {
  let count = 0
  return { ask: () => Promise.resolve((count += 1)), asked: () => count }
}

test('who had begun when it was asked has the answer, whether it came or not; who begins later asks again', async () => {
  const { together, decide } = decisions()
  const { ask } = counting()
  let go: () => void = () => undefined
  const early = decide(async () => {
    await new Promise<void>(resolve => (go = resolve))
    return together.ask('a', ask)
  })
  const [first, second] = [decide(() => together.ask('a', ask)), decide(() => together.ask('a', ask))]
  expect(await Promise.all([first, second])).toEqual([1, 2])
  go()
  expect(await early).toBe(2)
  expect(await decide(() => together.ask('a', ask))).toBe(3)
  expect(await decide(() => together.ask('b', ask))).toBe(4)
})

test('what a decision left behind asks for itself', async () => {
  const { together, decide } = decisions()
  const { ask } = counting()
  let left: Promise<number> = Promise.resolve(0)
  await decide(async () => {
    left = setTimeout(5).then(() => together.ask('a', ask))
    return together.ask('a', ask)
  })
  expect(await left).toBe(2)
})

test('a shared list is as old as its answer, and asked for anew where that is too old', async () => {
  const { together, decide } = decisions()
  let made = 0
  const lists = listsOf(together, (() => Promise.resolve({ token: String((made += 1)) })) as never)
  const [url, pause] = [`${BASE}1`, setTimeout(1100)]
  const late = async (maxAge: number) => {
    await pause
    const { snapshot, age } = await lists.read(url, maxAge)
    return [snapshot.token, age]
  }
  const all = [decide(() => late(10)), decide(() => lists.read(url, 10)), decide(() => late(0))] as const
  expect((await Promise.all(all)).filter(Array.isArray)).toEqual([
    ['1', 1],
    ['2', 0],
  ])
})

test('outside of a decision everything is asked', async () => {
  const { together } = decisions()
  const { ask } = counting()
  expect([await together.ask('a', ask), await together.ask('a', ask)]).toEqual([1, 2])
})

test('no decision has an answer from before it began, and most have that of another', async () => {
  const { together, decide } = decisions()
  let [stored, asked] = [0, 0]
  const read = async (): Promise<number> => {
    asked += 1
    await setTimeout(Math.random() * 2)
    const found = stored
    await setTimeout(Math.random() * 2)
    return found
  }
  const writing = setInterval(() => (stored += 1), 1)
  const caller = async (): Promise<void> => {
    for (let n = 0; n < 40; n += 1) {
      const before = stored
      const found = await decide(async () => {
        await setTimeout(Math.random() * 4)
        return together.ask('stored', read)
      })
      expect(found).toBeGreaterThanOrEqual(before)
    }
  }
  await Promise.all(Array.from({ length: 16 }, caller))
  clearInterval(writing)
  expect(stored).toBeGreaterThan(20)
  expect(asked).toBeLessThan(16 * 20)
})

test('what fails is told to who asked, and asked again by who begins later', async () => {
  const { together, decide } = decisions()
  await expect(decide(() => together.ask('a', () => Promise.reject(new Error('no'))))).rejects.toThrow('no')
  expect(await decide(() => together.ask('a', counting().ask))).toBe(1)
})

/** Within one decision, how often each was asked for twice. */
async function twice(ask: (together: Together, count: () => Promise<never>) => () => Promise<unknown>) {
  const { together, decide } = decisions()
  const { ask: count, asked } = counting()
  const question = ask(together, count as () => Promise<never>)
  await decide(async () => [await question(), await question()])
  return asked()
}

const BASE = 'https://id.example/v1/status/'
const nobody = () => Promise.reject(new Error('nobody is asked'))
const listsOf = (together: Together, list: () => Promise<never>) =>
  withOwnLists({ list }, BASE, { read: list }, together)
const keysOf = (together: Together, find: () => Promise<never>) => together.keys({ find, all: nobody }, owner.did)

test.each<[string, number, Parameters<typeof twice>[0]]>([
  ['an own list', 1, (together, list) => () => listsOf(together, list).read(`${BASE}1`, 10)],
  ['an own list as it is now', 2, (together, list) => () => listsOf(together, list).read(`${BASE}1`, 0)],
  ['a list of others', 2, (together, list) => () => listsOf(together, list).read('https://other.example/1', 10)],
  ['an own key', 1, (together, find) => () => keysOf(together, find).find(owner.kid, 'assertionMethod')],
  ['a key of others', 2, (together, find) => () => keysOf(together, find).find(planner.kid, 'assertionMethod')],
  ['a version', 1, (together, raise) => () => together.listVersions({ raise }).raise(owner.did, `${BASE}1`, 7)],
])('%s is asked for %s times by a decision that asks twice', async (_what, times, ask) => {
  expect(await twice(ask)).toBe(times)
})

test('keys and versions that differ are different questions', async () => {
  const { together, decide } = decisions()
  const { ask, asked } = counting()
  const keys = together.keys({ find: ask as never, all: nobody }, owner.did)
  const versions = together.listVersions({ raise: ask })
  await decide(async () => {
    await keys.find(owner.kid, 'assertionMethod')
    await keys.find(owner.kid, 'authentication')
    await versions.raise(owner.did, BASE, 1)
    await versions.raise(owner.did, BASE, 2)
    await versions.raise(planner.did, BASE, 2)
    await versions.raise(owner.did, `${BASE}1`, 2)
  })
  expect(asked()).toBe(6)
})
