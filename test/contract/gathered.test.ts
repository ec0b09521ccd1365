import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, test } from 'vitest'
import { filled, gathered } from '../../src/adapters/store/gathered.js'

/** Work that ends when it is told to, and the groups it was handed. */
function slowly() {
  const groups: (readonly number[])[] = []
  const ends: (() => void)[] = []
  const ask = gathered(async (all: readonly number[]) => {
    groups.push(all)
    await new Promise<void>(resolve => ends.push(resolve))
    if (all.includes(-1)) throw new Error('refused')
    return groups.length
  })
  return { ask, groups, end: () => ends.shift()?.() }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('one run for what is asked in one turn, the next for what is asked while it is at work', async () => {
  const { ask, groups, end } = slowly()
  const first = [ask(1), Promise.resolve().then(() => ask(2)), ask(3)]
  await turn()
  expect(groups).toEqual([[1, 3, 2]])
  const second = [ask(-1), ask(4)].map(answer => answer.catch((error: unknown) => String(error)))
  await turn()
  expect(groups.length).toBe(1)
  end()
  expect(await Promise.all(first)).toEqual([1, 1, 1])
  expect(groups).toEqual([[1, 3, 2], [-1, 4]]) // prettier-ignore
  end()
  expect(await Promise.all(second)).toEqual(['Error: refused', 'Error: refused'])
  const last = ask(5)
  await turn()
  end()
  expect(await last).toBe(3)
})

test('64 at most in a run', async () => {
  const { ask, groups, end } = slowly()
  const all = Array.from({ length: 70 }, (_, n) => ask(n))
  await turn()
  end()
  await all[0]
  end()
  await Promise.all(all)
  expect(groups.map(({ length }) => length)).toEqual([64, 6])
})

test('it runs in the context of none of those who ask', async () => {
  const context = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const ask = gathered(() => Promise.resolve(seen.push(context.getStore())))
  await context.run('mine', () => Promise.all([ask(1), ask(2)]))
  expect(seen).toEqual([undefined])
})

test.each([
  [[], []],
  [[1], [1]],
  [
    [1, 2],
    [1, 2],
  ],
  [
    [1, 2, 3],
    [1, 2, 3, 3],
  ],
  [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 5, 5, 5]], // prettier-ignore
])('%j is filled to %j', (all, wanted) => {
  expect(filled<number>(all)).toEqual(wanted)
})
