import { describe, expect, test } from 'vitest'
import { toBase64url } from '../../src/encoding.js'
import { canonicalize, type Json, type JsonObject } from '../../src/json.js'
import { openJws, readJws, signJws } from '../../src/jws/compact.js'
import { outcome } from '../ground/refusal.js'
import { mallory, planner } from '../mint.js'

const GOOD: JsonObject = { alg: 'EdDSA', kid: planner.kid, typ: 'vc+jwt' }
const signature = 'A'.repeat(86)
const segment = (bytes: string | Uint8Array): string => toBase64url(Buffer.from(bytes))
const withHeader = (change: Record<string, Json>): string =>
  `${segment(canonicalize({ ...GOOD, ...change }))}.${segment('{}')}.${signature}`
const withBytes = (header: string | Uint8Array, payload: string | Uint8Array): string =>
  `${segment(header)}.${segment(payload)}.${signature}`
const read = (token: string, max = 8192) => readJws(token, 'vc+jwt', max, 'link 3')
const header = canonicalize(GOOD)
const deep = '['.repeat(13) + ']'.repeat(13)

/** Whoever gets a refusal has to find what to mend: which token, which part, which value. */
describe('a refusal names', () => {
  test.each<[string, () => unknown, string, object]>([
    ['the token that is too large', () => read('a'.repeat(9), 8), 'INPUT_TOO_LARGE', { what: 'link 3', size: 9, max: 8 }],
    ['the form', () => read('a'), 'JWS_FORMAT', { why: 'not three base64url segments' }],
    ['the signature of a wrong length', () => read(`${segment(header)}.e30.AA`), 'JWS_FORMAT', { why: 'not a 64-byte signature' }],
    ['the header in odd base64url', () => read(`QR.e30.${signature}`), 'JWS_BASE64', { what: 'link 3 header' }],
    ['the payload in odd base64url', () => read(`${segment(header)}.QR.${signature}`), 'JWS_BASE64', { what: 'link 3' }],
    ['the signature in odd base64url', () => read(`${segment(header)}.e30.${'A'.repeat(85)}B`), 'JWS_BASE64', { what: 'link 3 signature' }],
    ['the header that is no JSON', () => read(withBytes('{', '{')), 'JSON_SYNTAX', { what: 'link 3 header' }],
    ['the payload that is no JSON', () => read(withBytes(deep, '{')), 'JSON_SYNTAX', { what: 'link 3' }],
    ['the header that is too deep', () => read(withBytes(deep, deep)), 'JSON_DEPTH', { what: 'link 3 header', max: 12 }],
    ['the payload that is too deep', () => read(withBytes('{ }', deep)), 'JSON_DEPTH', { what: 'link 3', max: 12 }],
    ['the header in other bytes', () => read(withBytes('{ }', '{ }')), 'JSON_NOT_CANONICAL', { what: 'link 3 header' }],
    ['the payload in other bytes', () => read(withBytes('[]', '{ }')), 'JSON_NOT_CANONICAL', { what: 'link 3' }],
    ['a header that is no object', () => read(withBytes('[]', '{}')), 'JWS_HEADER', { member: 'object' }],
    ['the member nobody knows', () => read(withHeader({ x: 1, y: 1 })), 'JWS_HEADER', { member: 'x' }],
    ['the member that is missing', () => read(withBytes('{}', '{}')), 'JWS_HEADER', { member: 'alg' }],
    ['the second that is missing', () => read(withBytes('{"alg":"EdDSA"}', '{}')), 'JWS_HEADER', { member: 'typ' }],
    ['the third that is missing', () => read(withBytes('{"alg":"EdDSA","typ":"vc+jwt"}', '{}')), 'JWS_HEADER', { member: 'kid' }],
    ['cty', () => read(withHeader({ cty: 'x' })), 'JWS_HEADER', { member: 'cty' }],
    ['alg', () => read(withHeader({ alg: 'none' })), 'JWS_ALG', { alg: 'none' }],
    ['the type of an alg that is no text', () => read(withHeader({ alg: 7 })), 'JWS_ALG', { alg: 'number' }],
    ['80 characters of alg', () => read(withHeader({ alg: 'x'.repeat(99) })), 'JWS_ALG', { alg: 'x'.repeat(80) }],
    ['typ and the one due', () => read(withHeader({ typ: 'JWT' })), 'JWS_TYP', { typ: 'JWT', expected: 'vc+jwt' }],
    ['80 characters of kid', () => read(withHeader({ kid: '#'.repeat(99) })), 'JWS_KID', { kid: '#'.repeat(80) }],
    ['the key by its kid', () => openJws(read(withHeader({})), planner.publicKey), 'SIGNATURE_INVALID', { by: planner.kid }],
    ['the key as it is told to', () => openJws(read(withHeader({})), planner.publicKey, 'the planner'), 'SIGNATURE_INVALID', { by: 'the planner' }],
  ])('%s', (_name, run, code, facts) => {
    expect(outcome(run)).toBe(code)
    expect(run).toThrow(expect.objectContaining({ facts: expect.objectContaining(facts) as object }))
  }) // prettier-ignore

  test('the payload that is no object', async () => {
    const token = await signJws([], 'vc+jwt', planner)
    expect(() => openJws(read(token), planner.publicKey)).toThrow(
      expect.objectContaining({ code: 'SCHEMA', facts: { at: 'payload', why: 'is not an object' } }),
    )
  })
})

describe('cty', () => {
  // a token in the wrong place is told so by its typ, as long as its cty fits one of both
  test.each<[string, string, string]>([
    ['vp+jwt', 'vp', 'JWS_TYP'],
    ['vp+jwt', 'vc', 'JWS_TYP'],
    ['JWT', 'vc', 'JWS_TYP'],
    ['JWT', 'vp', 'JWS_HEADER'],
    ['vc+jwt', 'vp', 'JWS_HEADER'],
  ])('where vc+jwt is due, typ %s with cty %s -> %s', (typ, cty, code) => {
    expect(outcome(() => read(withHeader({ typ, cty })))).toBe(code)
  })
})

describe('a signed token', () => {
  test('is header and payload in their JCS form, and the signature over both', async () => {
    const token = await signJws({ b: 1, a: [] }, 'vp+jwt', planner)
    const [head, payload, last] = token.split('.') as [string, string, string]
    expect(Buffer.from(head, 'base64url').toString()).toBe(
      `{"alg":"EdDSA","cty":"vp","kid":"${planner.kid}","typ":"vp+jwt"}`,
    )
    expect(Buffer.from(payload, 'base64url').toString()).toBe('{"a":[],"b":1}')
    expect(last).toBe(toBase64url(await planner.sign(Buffer.from(`${head}.${payload}`))))
    expect(last).not.toBe(toBase64url(await mallory.sign(Buffer.from(`${head}.${payload}`))))
  })
})
