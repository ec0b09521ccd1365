import { describe, expect, test } from 'vitest'
import { refusal, yml } from './world.js'

const KNOWN = '29739248cad1bd1a0fc4d9b75cd4d2990de535baf5caadfdf8d8f86664aa830c'

describe('secrets that everybody knows', () => {
  test.each([
    ['the database key of the template', `a: ${KNOWN}`],
    ['in capitals', `a: '${KNOWN.toUpperCase()}'`],
    ['inside a text', `a: key=${KNOWN};`],
    ['the key of the tutorial', 'a: 11b574d316903ced6cc3f4787bbcc3047d9c72d1da4d83e36fe714ef785d10c1'],
    ['the API key', 'a: {b: [{apiKey: test123}]}'],
    ['the API key in a URL', 'a: postgres://procura:test123@localhost/db'],
    ['zeros', `a: "${'0'.repeat(64)}"`],
    ['a pattern', `a: ${'deadbeef'.repeat(8)}`],
    ['counting', 'a: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'],
    ['from the environment', 'a: {$env: KEY}'],
  ])('%s', async (_what, line) => {
    const message = await refusal(yml('ok: 1', line), { KEY: KNOWN })
    expect(message).toMatch(/^agent\.yml:3 a.*: is a secret that everybody knows/)
    expect(message).not.toContain(KNOWN)
  })

  test('a comment and an ordinary key are fine', async () => {
    expect(
      await refusal(
        yml('a: latest1234 # test123', 'b: 5ca1ab1e0ddba11ca75ea7f100dcafe5bedfaced1deadbeefc0ffeeba5eba11f'),
      ),
    ).toBe('read without complaint')
  })
})
