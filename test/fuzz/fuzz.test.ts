import { expect, test } from 'vitest'
import { fuzz, tell } from './run.js'

test('12 000 requests with one thing broken', { timeout: 300_000 }, async () => {
  const report = await fuzz(1, 12_000)
  if (report.misses.length > 0) console.log(tell(report))
  expect(report.misses).toEqual([])
})
