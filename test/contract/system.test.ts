import { afterEach, describe, expect, test, vi } from 'vitest'
import { systemClock, systemIds } from '../../src/adapters/system.js'
import type { Clock, Ids } from '../../src/ports/world.js'
import { testClock } from '../resolve/host.js'
import { countingIds } from '../table.js'

/** Another adapter joins with one more row. */
const clocks: readonly (readonly [string, Clock])[] = [
  ['system', systemClock],
  ['test', testClock()],
]
const ids: readonly (readonly [string, Ids])[] = [
  ['system', systemIds],
  ['counting', countingIds()],
]

describe.each(clocks)('%s clock', (_, clock) => {
  test('tells whole seconds since 1970 of this century, and does not fall', () => {
    const [first, second] = [clock.now(), clock.now()]
    expect(Number.isSafeInteger(first)).toBe(true)
    expect(first).toBeGreaterThan(Date.parse('2025-01-01T00:00:00Z') / 1000)
    expect(first).toBeLessThan(Date.parse('2100-01-01T00:00:00Z') / 1000)
    expect(second).toBeGreaterThanOrEqual(first)
  })
})

describe('the system clock', () => {
  afterEach(() => void vi.useRealTimers())

  test.each([
    ['2026-11-21T10:05:00.000Z', 1_795_255_500],
    ['2026-11-21T10:05:00.999Z', 1_795_255_500],
    ['2026-11-21T10:05:01.000Z', 1_795_255_501],
  ])('%s: a second begins when it is over', (date, seconds) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse(date) })
    expect(systemClock.now()).toBe(seconds)
  })
})

describe.each(ids)('%s ids', (_, source) => {
  const many = (make: () => string) => Array.from({ length: 10_000 }, make)

  test('a UUID is one of version 4 in lower case, and never comes twice', () => {
    const made = many(() => source.uuid())
    expect(
      made.filter(one => !/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(one)),
    ).toEqual([])
    expect(new Set(made).size).toBe(made.length)
  })

  test('a token is 22 base64url characters that stand for 128 bits, and never comes twice', () => {
    const made = many(() => source.token())
    // two bits of the last character carry data
    expect(made.filter(one => !/^[A-Za-z0-9_-]{21}[AQgw]$/.test(one))).toEqual([])
    expect(new Set(made).size).toBe(made.length)
  })
})

test('names of the system are drawn, not counted: each place takes many characters', () => {
  const made = Array.from({ length: 1000 }, () => systemIds.token())
  const drawn = Array.from({ length: 21 }, (_, place) => new Set(made.map(one => one[place])).size)
  // 64 characters, 1000 draws: fewer than 50 of them once in far more than 10^30 runs
  expect(Math.min(...drawn)).toBeGreaterThan(50)
})
