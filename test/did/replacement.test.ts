import { describe, expect, test } from 'vitest'
import { LISTED_AFTER, LISTED_BEFORE, nextStep, stageOf } from '../../src/did/replacement.js'
import type { SigningKey } from '../../src/ports/keys.js'

const NOW = 1_793_000_000
const key = (kid: string, times: Partial<SigningKey>): SigningKey => ({
  did: 'did:web:acme.example',
  kid,
  listedAt: NOW,
  currentAt: null,
  retiredAt: null,
  droppedAt: null,
  ...times,
})
const current = key('a', { currentAt: NOW })

test('a key is listed, then current, then retiring, then dropped', () => {
  expect(stageOf(key('a', {}))).toBe('listed')
  expect(stageOf(current)).toBe('current')
  expect(stageOf({ ...current, retiredAt: NOW })).toBe('retiring')
  expect(stageOf({ ...current, retiredAt: NOW, droppedAt: NOW })).toBe('dropped')
  // one that was dropped before it ever signed
  expect(stageOf(key('a', { droppedAt: NOW }))).toBe('dropped')
})

describe('what comes next', () => {
  test.each<[string, readonly SigningKey[], ReturnType<typeof nextStep>]>([
    ['one key', [current], { step: 'list', kid: null, due: NOW }],
    ['a dropped one beside it', [key('z', { droppedAt: 1 }), current], { step: 'list', kid: null, due: NOW }],
    ['a listed one', [current, key('b', {})], { step: 'switch', kid: 'b', due: NOW + LISTED_BEFORE }],
    [
      'a retiring one',
      [{ ...current, retiredAt: NOW - 5 }, key('b', { currentAt: NOW - 5 })],
      { step: 'drop', kid: 'a', due: NOW - 5 + LISTED_AFTER },
    ],
    [
      'a retiring one and a listed one',
      [{ ...current, retiredAt: NOW }, key('b', { currentAt: NOW }), key('c', {})],
      { step: 'drop', kid: 'a', due: NOW + LISTED_AFTER },
    ],
  ])('%s', (_what, keys, step) => {
    expect(nextStep(keys, NOW)).toEqual(step)
  })

  test('waits longer than a document is relied on, and than a root lives', () => {
    // 300 s in a verifier, 60 s in a cache before it
    expect(LISTED_BEFORE).toBeGreaterThan(300 + 60)
    expect(LISTED_AFTER).toBeGreaterThan(86_400 + 300 + 60)
  })
})
