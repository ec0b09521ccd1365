import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/json.js'
import { signJws, type Signer } from '../../src/jws/compact.js'
import { bitsOf, encodeList, MAX_BYTES, MIN_BITS } from '../../src/status/bitstring.js'
import type { StatusEntry } from '../../src/status/entry.js'
import {
  MAX_LIST,
  openList,
  readList,
  requireFreshList,
  requirePurpose,
  requireUnset,
  requireValidList,
  toListJson,
} from '../../src/status/list.js'
import { outcome } from '../ground/refusal.js'
import { LIST, listToken, mallory, NOW, owner, status } from '../mint.js'

const ENTRY: StatusEntry = { purpose: 'revocation', url: LIST, index: 7, issuers: [status.did] }
const SUBJECT = toListJson(LIST, status.did, bitsOf(MIN_BITS, [7]), 42, NOW - 10)['credentialSubject'] as JsonObject
const open = (token: string, key = status.publicKey, url = LIST) =>
  openList(readList(token, { ...ENTRY, url }), key, url)
const of = (claims: JsonObject = {}, signer: Signer = status) => listToken([7], 42, claims, signer)

describe('a list', () => {
  test('as published says what it holds', async () => {
    const list = open(await of())
    expect(list).toMatchObject({
      url: LIST,
      purpose: 'revocation',
      version: 42,
      validFrom: NOW - 10,
      validUntil: NOW + 590,
    })
    expect(outcome(() => requireUnset(list, ENTRY))).toBe('STATUS_REVOKED')
    expect(outcome(() => requireUnset(list, { ...ENTRY, purpose: 'suspension' }))).toBe('STATUS_SUSPENDED')
    expect(outcome(() => requireUnset(list, { ...ENTRY, index: 8 }))).toBe('ok')
    expect(outcome(() => requireUnset(list, { ...ENTRY, index: MIN_BITS - 1 }))).toBe('ok')
    expect(outcome(() => requireUnset(list, { ...ENTRY, index: MIN_BITS }))).toBe('STATUS_INDEX')
  })

  test.each<[string, () => Promise<string>, string]>([
    ['signed by a stranger', () => of({}, mallory), 'STATUS_ISSUER'],
    ['signed by a stranger under the right kid', () => of({}, { ...mallory, did: status.did, kid: status.kid }), 'STATUS_SIGNATURE'],
    ['of another typ', () => signJws(toListJson(LIST, status.did, bitsOf(MIN_BITS, []), 1, NOW), 'vp+jwt', status), 'STATUS_SIGNATURE'],
    ['that is no token', () => Promise.resolve('<html>'), 'STATUS_SIGNATURE'],
    ['that is empty', () => Promise.resolve(''), 'STATUS_SIGNATURE'],
    ['that is too long', () => Promise.resolve('a'.repeat(MAX_LIST + 1)), 'STATUS_SIZE'],
    ['of another URL', () => of({ id: `${LIST}2` }), 'STATUS_ISSUER'],
    ['of another issuer', () => of({ issuer: owner.did }), 'STATUS_ISSUER'],
    ['of another iss', () => of({ iss: owner.did }), 'STATUS_ISSUER'],
    ['with sub', () => of({ sub: LIST }), 'STATUS_ISSUER'],
    ['with nbf', () => of({ nbf: NOW }), 'STATUS_ISSUER'],
    ['with vc', () => of({ vc: {} }), 'STATUS_ISSUER'],
    ['of another type', () => of({ type: ['VerifiableCredential', 'StatusList2021Credential'] }), 'STATUS_ISSUER'],
    ['of another context', () => of({ '@context': ['https://www.w3.org/ns/credentials/v2'] }), 'STATUS_ISSUER'],
    ['without subject', () => of({ credentialSubject: null }), 'STATUS_ISSUER'],
    ['with two subjects', () => of({ credentialSubject: [SUBJECT] }), 'STATUS_ISSUER'],
    ['with a subject of another type', () => of({ credentialSubject: { ...SUBJECT, type: 'StatusList2021' } }), 'STATUS_ISSUER'],
    ['with dates that are none', () => of({ validFrom: '2026-11-21' }), 'STATUS_EXPIRED'],
    ['with exp beside validUntil', () => of({ exp: NOW + 9999 }), 'STATUS_EXPIRED'],
    ['without iat', () => of({ iat: null }), 'STATUS_EXPIRED'],
    ['signer before identity', () => of({ id: 'x' }, mallory), 'STATUS_ISSUER'],
    ['signature before identity', () => of({ id: 'x' }, { ...mallory, did: status.did, kid: status.kid }), 'STATUS_SIGNATURE'],
    ['identity before times', () => of({ id: 'x', exp: 1 }), 'STATUS_ISSUER'],
  ])('%s', async (_name, make, code) => {
    const token = await make()
    expect(outcome(() => open(token))).toBe(code)
  }) // prettier-ignore

  test('a good list under another URL is another list', async () => {
    const token = await of()
    expect(outcome(() => open(token, status.publicKey, `${LIST}2`))).toBe('STATUS_ISSUER')
  })

  test.each<[string, JsonObject, number | null]>([
    ['0', { ...SUBJECT, version: 0 }, 0],
    ['negative', { ...SUBJECT, version: -1 }, null],
    ['text', { ...SUBJECT, version: '42' }, null],
    ['null', { ...SUBJECT, version: null }, null],
  ])('a version that is %s', async (_name, credentialSubject, version) => {
    expect(open(await of({ credentialSubject })).version).toBe(version)
  })

  test.each<[string, JsonObject, string]>([
    ['no list', { ...SUBJECT, encodedList: null }, 'STATUS_ENCODING'],
    ['a list in an array', { ...SUBJECT, encodedList: ['u'] }, 'STATUS_ENCODING'],
    ['a short list', { ...SUBJECT, encodedList: encodeList(new Uint8Array(9)) }, 'STATUS_LENGTH'],
    ['a long list', { ...SUBJECT, encodedList: encodeList(new Uint8Array(MAX_BYTES + 1)) }, 'STATUS_SIZE'],
  ])('bits: %s, and only when they are asked for', async (_name, credentialSubject, code) => {
    const list = open(await of({ credentialSubject }))
    expect(outcome(() => requireUnset(list, ENTRY))).toBe(code)
  })

  test('of the largest size that nothing can pack still fits', async () => {
    let state = 1
    const noise = Uint8Array.from(
      { length: MAX_BYTES },
      () => (state = Math.imul(state, 1_664_525) + 1_013_904_223) >>> 24,
    )
    const token = await signJws(toListJson(LIST, status.did, noise, 1, NOW - 1), 'vc+jwt', status)
    expect(token.length).toBeLessThanOrEqual(MAX_LIST)
    expect(Buffer.from(open(token).bits()).equals(noise)).toBe(true)
  })
})

describe('the age of a list', () => {
  const list = { validFrom: NOW, validUntil: NOW + 600, url: LIST } as ReturnType<typeof open>
  test.each<[number, string]>([
    [-31, 'STATUS_EXPIRED'],
    [-30, 'ok'],
    [0, 'ok'],
    [599, 'ok'],
    [600, 'STATUS_EXPIRED'],
  ])('is valid %i s after validFrom -> %s', (after, code) => {
    expect(outcome(() => requireValidList(list, NOW + after, 30))).toBe(code)
  })

  test.each<[number, number, number, string]>([
    [0, 0, 0, 'ok'],
    [1, 0, 0, 'STATUS_STALE'],
    [10, 10, 0, 'ok'],
    [11, 10, 0, 'STATUS_STALE'],
    [0, 300, 300, 'ok'],
    [0, 300, 301, 'STATUS_STALE'],
  ])('answered %i s ago where %i are allowed, signed %i s ago -> %s', (age, maxAge, signed, code) => {
    expect(outcome(() => requireFreshList(list, age, maxAge, NOW + signed))).toBe(code)
  })

  test('of another purpose is refused', async () => {
    const suspension = open(await of({ credentialSubject: { ...SUBJECT, statusPurpose: 'suspension' } }))
    expect(outcome(() => requirePurpose(suspension, ENTRY))).toBe('STATUS_PURPOSE')
    expect(outcome(() => requirePurpose(suspension, { ...ENTRY, purpose: 'suspension' }))).toBe('ok')
    const both = open(await of({ credentialSubject: { ...SUBJECT, statusPurpose: ['revocation', 'suspension'] } }))
    expect(outcome(() => requirePurpose(both, ENTRY))).toBe('STATUS_PURPOSE')
  })
})
