import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../../src/json.js'
import { draftJws, signJws } from '../../src/jws/compact.js'
import { outcome, settled } from '../ground/refusal.js'
import { planner } from '../mint.js'

const MAX = 8192
const ROUND: Record<string, unknown> = {}
ROUND['self'] = ROUND
const CLAIMS: JsonObject = { iss: planner.did, n: 1 }

/** Counts what it signs. */
function counting() {
  const signer = {
    ...planner,
    signed: 0,
    sign(data: Uint8Array) {
      signer.signed += 1
      return planner.sign(data)
    },
  }
  return signer
}

const { claims } = fc.letrec<{ value: Json; claims: JsonObject }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Json>(null, true, 0, 7, -1, '', 'é\u2028"\\', []),
    fc.string({ unit: 'binary' }),
    tie('claims'),
  ),
  claims: fc.dictionary(
    fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor')),
    tie('value'),
    { maxKeys: 4, noNullPrototype: true },
  ),
}))

describe('a draft', () => {
  test('says and signs what signing at once does, with more beside it or not', async () => {
    await fc.assert(
      fc.asyncProperty(claims, claims, async (said, more) => {
        const draft = draftJws(said, 'vc+jwt', 1e6, 'draft', planner)
        expect(draft.claims).toEqual(said)
        expect(await draft.sign()).toBe(await signJws(said, 'vc+jwt', planner))
        // what was read is not replaced
        const both = Object.fromEntries([...Object.entries(more), ...Object.entries(said)])
        expect(await draft.sign(more)).toBe(await signJws(both, 'vc+jwt', planner))
      }),
    )
  })

  test('signs what was read, whatever becomes of it meanwhile', async () => {
    const said = { list: [1] }
    const draft = draftJws(said, 'vc+jwt', MAX, 'draft', planner)
    said.list.push(2)
    expect(await draft.sign()).toBe(await signJws({ list: [1] }, 'vc+jwt', planner))
  })

  test.each<[string, unknown, string]>([
    ['a number that is no safe integer', { n: 2 ** 53 }, 'JSON_NOT_CANONICAL'],
    ['a lone surrogate', { s: '\ud800' }, 'JSON_NOT_CANONICAL'],
    ['a lone surrogate in a name', { '\ud800': 1 }, 'JSON_NOT_CANONICAL'],
    ['what is not JSON', { f: undefined }, 'JSON_NOT_CANONICAL'],
    ['what goes deeper than a token may', JSON.parse('{"a":'.repeat(13) + '1' + '}'.repeat(13)), 'JSON_DEPTH'],
    ['what goes round', ROUND, 'JSON_DEPTH'],
  ])('is not made of %s', (_name, said, code) => {
    expect(outcome(() => draftJws(said as JsonObject, 'vc+jwt', MAX, 'draft', planner))).toBe(code)
  })

  test('that would be too large is not signed; the bound is in characters and includes itself', async () => {
    const { length } = await signJws({ ...CLAIMS, more: 1 }, 'vc+jwt', planner)
    const signer = counting()
    const fits = draftJws(CLAIMS, 'vc+jwt', length, 'draft', signer)
    expect((await fits.sign({ more: 1 })).length).toBe(length)
    expect(signer.signed).toBe(1)
    const tight = draftJws(CLAIMS, 'vc+jwt', length - 1, 'draft', signer)
    expect(await settled(() => tight.sign({ more: 1 }))).toBe('INPUT_TOO_LARGE')
    expect(signer.signed).toBe(1)
  })
})
