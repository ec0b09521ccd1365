import { expect, test } from 'vitest'
import { createVerifier } from '../../src/verifier/verifier.js'
import { ATTACKS } from './attacks.js'
import { TAKEN_BACK } from './attacks-taken-back.js'
import { RISK } from './attacks-risk.js'
import { WHO } from './attacks-who.js'
import { deciderOf } from './attempt.js'

test.each([...ATTACKS, ...TAKEN_BACK, ...WHO, ...RISK])('%s -> %s', async (_name, expected, attempt) => {
  expect(await attempt(deciderOf(createVerifier))).toBe(expected)
})
