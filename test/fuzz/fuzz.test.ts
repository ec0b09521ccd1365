import { describe, expect, test } from 'vitest'
import { control } from './control.js'
import { fuzz, sweep } from './run.js'
import type { Scene } from './scene.js'
import { waysToBreak } from './sweep.js'
import { tell } from './tally.js'

/** At random; with what is swept below, more than 20 000 in each run. */
test('15 500 requests with one thing broken', { timeout: 600_000 }, async () => {
  const report = await fuzz({ seed: 1, cases: 15_500 })
  if (report.misses.length > 0) console.log(tell(report))
  expect(report.misses).toEqual([])
  expect(report.controls).toBe(775)
  // what a generator no longer reaches, it no longer tests
  expect(Object.keys(report.codes).length, tell(report)).toBeGreaterThan(94)
  for (const [code, least] of Object.entries({ IDENTITY_REQUIRED: 15, IDENTITY_INVALID: 350, AGENT_KILLED: 60 })) {
    expect(report.codes[code], code).toBeGreaterThan(least)
  }
  for (const [form, least] of Object.entries({
    inline: 7000,
    'by reference': 3000,
    'inline, warm': 700,
    'by reference, warm': 300,
  })) {
    expect(report.forms[form], form).toBeGreaterThan(least)
  }
  expect(report.codes['allow']).toBeLessThan(0.2 * report.cases)
})

describe('every signature byte and every member of a request', () => {
  const scenes = Array.from({ length: 300 }, (_, index) => control(20_261_121, index))
  const isRich = ({ links, approval, lists, asks }: Scene): boolean =>
    links.length > 2 && approval !== null && lists.size > 1 && asks.every === 0

  test.each([
    ['inline', true],
    ['by reference', false],
  ])('%s', { timeout: 300_000 }, async (_name, inline) => {
    const scene = scenes.find(one => one.inline === inline && isRich(one))!
    const ways = waysToBreak(scene)
    const report = await sweep(scene, ways)
    if (report.misses.length > 0) console.log(tell(report))
    expect(report.misses).toEqual([])
    expect(report.cases).toBe(ways.length)
    expect(report.cases).toBeGreaterThan(2300)
  })
})
