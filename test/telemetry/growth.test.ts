import { describe, expect, test } from 'vitest'
import { growthOf, type Point } from '../../bench/soak/growth.js'

const MIB = 1024 * 1024

/** An hour, a sample every 30 s, 900 requests each. @param heap - bytes at a part of the hour, from 0 to 1 */
function hour(heap: (part: number) => number): readonly Point[] {
  return Array.from({ length: 120 }, (_, n) => ({
    ...{ seconds: 30 * n, requests: 900 * n, heap: heap(n / 119) },
    ...{ external: MIB, rss: 200 * MIB, descriptors: 40 + (n % 7), handles: 30 },
  }))
}

describe('what a soak calls growth without bound', () => {
  test.each<[string, (part: number) => number, boolean]>([
    ['nothing', () => 100 * MIB, false],
    ['noise', part => (100 + 5 * Math.sin(part * 400)) * MIB, false],
    ['a cache that fills and then holds', part => 100 * MIB + Math.min(0.4, part) * 60 * MIB, false],
    ['one point far out', part => (part > 0.95 && part < 0.96 ? 900 : 100) * MIB, false],
    ['a leak of 500 bytes a request', part => 100 * MIB + part * 119 * 900 * 500, true],
    ['a leak that begins late', part => (100 + Math.max(0, part - 0.5) * 200) * MIB, true],
  ])('%s', (_, heap, grows) => {
    expect(growthOf(hour(heap), 'heap').grows).toBe(grows)
  })

  test('the slopes are of an hour and of a request', () => {
    const { perHour, perRequest } = growthOf(
      hour(part => part * 119 * 900 * 500),
      'heap',
    )
    expect(perHour / (119 * 900 * 500)).toBeCloseTo(3600 / 3570, 3)
    expect(perRequest).toBeCloseTo(500, 3)
  })

  test('descriptors count too', () => {
    const points = hour(() => MIB).map((point, n) => ({ ...point, descriptors: 40 + n }))
    expect([growthOf(points, 'descriptors').grows, growthOf(hour(() => MIB), 'descriptors').grows]).toEqual([true, false]) // prettier-ignore
  })
})
