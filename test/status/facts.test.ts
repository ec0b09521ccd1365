import { describe, expect, test } from 'vitest'
import { gzipSync } from 'node:zlib'
import { toBase64url } from '../../src/encoding.js'
import type { Json, JsonObject } from '../../src/json.js'
import { bitAt, bitsOf, decodeList, encodeList, MAX_BYTES, MIN_BITS } from '../../src/status/bitstring.js'
import { readStatus, toStatusJson, type StatusEntry } from '../../src/status/entry.js'
import {
  MAX_LIST,
  openList,
  readList,
  requireFreshList,
  requirePurpose,
  requireUnset,
  requireValidList,
  toListJson,
  type StatusList,
} from '../../src/status/list.js'
import { outcome } from '../ground/refusal.js'
import { LIST, listToken, mallory, NOW, status, STATUS_BASE } from '../mint.js'

const ENTRY: StatusEntry = { purpose: 'revocation', url: LIST, index: 7, issuers: [status.did] }
const GOOD = toStatusJson(LIST, 7)
const packed = (bytes: number): string => `u${toBase64url(gzipSync(new Uint8Array(bytes)))}`
const entry = (change: JsonObject) => () =>
  readStatus({ ...GOOD, ...change }, 3600, [{ iss: status.did, base: STATUS_BASE }])
const list = { url: LIST, purpose: 'x'.repeat(99), validFrom: NOW, validUntil: NOW + 600 } as StatusList

/** An operator who is told that a status cannot be had needs to know which list it is, and what is wrong with it. */
describe('a refusal names', () => {
  test.each<[string, () => unknown, string, object]>([
    ['the index and the length', () => bitAt(bitsOf(16, []), 16), 'STATUS_INDEX', { index: 16, length: 16 }],
    ['the list that is no multibase', () => decodeList('x', LIST), 'STATUS_ENCODING', { list: LIST }],
    ['the list that is not packed', () => decodeList('uAAAA', LIST), 'STATUS_ENCODING', { list: LIST }],
    ['the list whose body is broken', () => decodeList(`u${toBase64url(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 7, 7, 7))}`, LIST), 'STATUS_ENCODING', { list: LIST }],
    ['the list with a byte behind', () => decodeList(`u${toBase64url(Buffer.concat([gzipSync(new Uint8Array(16_384)), Buffer.of(0)]))}`, LIST), 'STATUS_ENCODING', { list: LIST }],
    ['how short a list is', () => decodeList(packed(3), LIST), 'STATUS_LENGTH', { list: LIST, length: 24, min: MIN_BITS }],
    ['how long a list may be', () => decodeList(packed(MAX_BYTES + 1), LIST), 'STATUS_SIZE', { list: LIST, max: MAX_BYTES }],
    ['how long a token may be', () => readList('a'.repeat(MAX_LIST + 1), ENTRY), 'STATUS_SIZE', { list: LIST, max: MAX_LIST }],
    ['what is wrong with a token', () => readList('a'.repeat(MAX_LIST), ENTRY), 'STATUS_SIGNATURE', { list: LIST, why: 'JWS_FORMAT: not a compact JWS: not three base64url segments' }],
    ['the age and the bound', () => requireFreshList(list, 11, 10, NOW), 'STATUS_STALE', { list: LIST, age: 11, max: 10 }],
    ['the time since the signing', () => requireFreshList(list, 0, 10, NOW + 301), 'STATUS_STALE', { list: LIST, age: 301, max: 300 }],
    ['the list that is too old', () => requireValidList(list, NOW + 600, 30), 'STATUS_EXPIRED', { list: LIST }],
    ['80 characters of a purpose', () => requirePurpose(list, ENTRY), 'STATUS_PURPOSE', { purpose: 'x'.repeat(80) }],
    ['the life without status', () => readStatus(undefined, 301, []), 'STATUS_MISSING', { seconds: 301 }],
    ['the life without revocation', entry({ statusPurpose: 'suspension' }), 'STATUS_MISSING', { seconds: 3600 }],
    ['the place of an entry that is none', () => readStatus(7, 3600, []), 'SCHEMA', { at: 'credentialStatus', why: 'is not one or two status entries' }],
    ['the member nobody understands', entry({ ['m'.repeat(99)]: 1 }), 'STATUS_TYPE', { why: `member ${'m'.repeat(80)} is not understood` }],
    ['20 characters of an index', entry({ statusListIndex: '9'.repeat(30) }), 'STATUS_INDEX', { index: '9'.repeat(20) }],
    ['the type of an index', entry({ statusListIndex: 7 }), 'STATUS_INDEX', { index: 'number' }],
    ['200 characters of a URL', entry({ statusListCredential: 'u'.repeat(300) }), 'STATUS_URL', { url: 'u'.repeat(200) }],
    ['the type of a URL', entry({ statusListCredential: [LIST] }), 'STATUS_URL', { url: 'object' }],
  ])('%s', (_name, run, code, facts) => {
    expect(outcome(run)).toBe(code)
    expect(run).toThrow(expect.objectContaining({ facts: expect.objectContaining(facts) as object }))
  }) // prettier-ignore

  test.each<[string, Json, string]>([
    ['80 characters of a purpose beside', 'p'.repeat(99), 'p'.repeat(80)],
    ['no purpose that is not text', 7, 'unknown'],
  ])('%s', (_name, statusPurpose, purpose) => {
    const beside = { ...GOOD, statusPurpose }
    const read = () => readStatus([GOOD, beside], 3600, [{ iss: status.did, base: STATUS_BASE }])
    expect(read).toThrow(expect.objectContaining({ code: 'STATUS_PURPOSE', facts: { purpose } }))
  })

  test('what a zip says', () => {
    const broken = `u${toBase64url(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 7, 7, 7))}`
    for (const text of [broken, packed(MAX_BYTES + 1)]) {
      expect(() => decodeList(text, LIST)).toThrow(expect.objectContaining({ cause: expect.any(Error) as Error }))
    }
  })
})

describe('a list', () => {
  const SUBJECT = toListJson(LIST, status.did, bitsOf(MIN_BITS, [7]), 42, NOW - 10)['credentialSubject'] as JsonObject
  const open = (token: string) => openList(readList(token, ENTRY), status.publicKey, LIST)
  const subject = (change: JsonObject) => listToken([7], 42, { credentialSubject: { ...SUBJECT, ...change } })

  test.each<[string, () => Promise<string>, object]>([
    ['signed by a stranger', () => listToken([], 1, {}, mallory), { code: 'STATUS_ISSUER', facts: { list: LIST, why: `signed by ${mallory.did}` } }],
    ['with another signature', () => listToken([], 1, {}, { ...mallory, did: status.did, kid: status.kid }), { code: 'STATUS_SIGNATURE', facts: { list: LIST, why: expect.stringMatching(/^SIGNATURE_INVALID: /) as string }, cause: expect.objectContaining({ code: 'SIGNATURE_INVALID' }) as object }],
    ['of another issuer', () => listToken([], 1, { iss: mallory.did }), { code: 'STATUS_ISSUER', facts: { list: LIST, why: 'issuer is not its signer' } }],
    ['with vp', () => listToken([], 1, { vp: {} }), { code: 'STATUS_ISSUER', facts: { list: LIST, why: 'carries vp' } }],
    ['of another kind', () => subject({ type: 'x' }), { code: 'STATUS_ISSUER', facts: { list: LIST, why: 'is not a BitstringStatusList' } }],
    ['out of its time', () => listToken([], 1, { exp: 1 }), { code: 'STATUS_EXPIRED', facts: { list: LIST } }],
  ])('%s is refused by name', async (_name, make, refusal) => {
    const token = await make()
    expect(() => open(token)).toThrow(expect.objectContaining(refusal))
  }) // prettier-ignore

  test('that revokes the credential says where', async () => {
    const opened = open(await listToken([7]))
    const facts = { index: 7, list: LIST }
    expect(() => requireUnset(opened, ENTRY)).toThrow(expect.objectContaining({ code: 'STATUS_REVOKED', facts }))
  })

  test.each<[string, JsonObject, string]>([
    ['no text', { statusPurpose: 7 }, ''],
    ['several', { statusPurpose: ['revocation'] }, ''],
    ['anything', { statusPurpose: 'x' }, 'x'],
  ])('whose purpose is %s', async (_name, change, purpose) => {
    expect(open(await subject(change)).purpose).toBe(purpose)
  })

  test.each<[string, Json]>([
    ['a number', 7],
    ['an array', [encodeList(bitsOf(MIN_BITS, []))]],
    ['null', null],
  ])('whose bits are %s is read, and has none', async (_name, encodedList) => {
    const opened = open(await subject({ encodedList }))
    expect(outcome(() => opened.bits())).toBe('STATUS_ENCODING')
  })

  test('lets a defect through as it is', async () => {
    const sealed = readList(await listToken(), ENTRY)
    expect(() => openList(sealed, null as never, LIST)).toThrow(TypeError)
  })

  test('and its entry are named after their URL', () => {
    expect(GOOD['id']).toBe(`${LIST}#7`)
    expect(SUBJECT['id']).toBe(`${LIST}#list`)
  })
})
