import { expect, test } from 'vitest'
import { oneAtATime } from '../../src/sharing.js'

/** Work that ends when it is told to; answers with the number of its run. */
function slowly() {
  const ends: (() => void)[] = []
  const ask = oneAtATime(async () => {
    const run = ends.length + 1
    await new Promise<void>(resolve => ends.push(resolve))
    if (run === 2) throw new Error('the second')
    return run
  })
  return { ask, ends }
}

test('who asks while it runs shares the next run, which begins afterwards; names do not wait for each other', async () => {
  const { ask, ends } = slowly()
  const [first, second, third] = [ask('a'), ask('a'), ask('a')]
  expect(ends.length).toBe(1)
  ends[0]?.()
  expect(await first).toBe(1)
  await Promise.resolve()
  expect(ends.length).toBe(2)
  const [fourth, other] = [ask('a'), ask('b')]
  expect(ends.length).toBe(3)
  ends[1]?.()
  await expect(second).rejects.toThrow('the second')
  await expect(third).rejects.toThrow('the second')
  await new Promise(setImmediate)
  for (const end of ends.slice(2)) end()
  expect([await fourth, await other].sort()).toEqual([3, 4])
  await new Promise(setImmediate)
  const last = ask('a')
  ends[4]?.()
  expect(await last).toBe(5)
})
