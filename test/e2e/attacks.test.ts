import { expect, test } from 'vitest'
import { decide } from '../../src/verifier/verifier.js'
import { ATTACKS } from './attacks.js'

test.each(ATTACKS)('%s -> %s', async (_name, expected, attempt) => {
  expect(await attempt(decide)).toBe(expected)
})
