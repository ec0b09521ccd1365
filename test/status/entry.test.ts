import { describe, expect, test } from 'vitest'
import type { StatusIssuer } from '../../src/authority/authority.js'
import type { Json, JsonObject } from '../../src/json.js'
import { readStatus, toStatusJson } from '../../src/status/entry.js'
import { outcome } from '../ground/refusal.js'
import { LIST, mallory, status, STATUS_BASE } from '../mint.js'

const ISSUERS: readonly StatusIssuer[] = [{ iss: status.did, base: STATUS_BASE }]
const GOOD = toStatusJson(LIST, 7)
const SUSPENSION = { ...GOOD, id: `${LIST}#8`, statusPurpose: 'suspension', statusListIndex: '8' }
const without = (name: string): JsonObject => Object.fromEntries(Object.entries(GOOD).filter(([key]) => key !== name))
const at = (url: Json): JsonObject => ({ ...GOOD, statusListCredential: url })
const read = (value: Json | undefined, lifetime = 3600, issuers = ISSUERS) => readStatus(value, lifetime, issuers)

describe('readStatus', () => {
  test.each<[string, Json, string]>([
    ['one entry', GOOD, 'ok'],
    ['one entry in an array', [GOOD], 'ok'],
    ['both purposes', [SUSPENSION, GOOD], 'ok'],
    ['without id', without('id'), 'ok'],
    ['statusSize 1', { ...GOOD, statusSize: 1 }, 'ok'],
    ['null', null, 'SCHEMA'],
    ['text', LIST, 'SCHEMA'],
    ['a number', 7, 'SCHEMA'],
    ['an entry that is none', [GOOD, 'x'], 'SCHEMA'],
    ['three entries', [GOOD, SUSPENSION, { ...GOOD, statusPurpose: 'message' }], 'SCHEMA'],
    ['no entry', [], 'STATUS_MISSING'],
    ['an empty entry', {}, 'STATUS_MISSING'],
    ['suspension alone', SUSPENSION, 'STATUS_MISSING'],
    ['revocation twice', [GOOD, GOOD], 'STATUS_MISSING'],
    ['revocation twice, elsewhere', [GOOD, { ...GOOD, statusListIndex: '9' }], 'STATUS_MISSING'],
    ['a purpose of upper case', { ...GOOD, statusPurpose: 'Revocation' }, 'STATUS_MISSING'],
    ['a purpose in an array', { ...GOOD, statusPurpose: ['revocation'] }, 'STATUS_MISSING'],
    ['no purpose', without('statusPurpose'), 'STATUS_MISSING'],
    ['another type', { ...GOOD, type: 'StatusList2021Entry' }, 'STATUS_TYPE'],
    ['the type in an array', { ...GOOD, type: ['BitstringStatusListEntry'] }, 'STATUS_TYPE'],
    ['no type', without('type'), 'STATUS_TYPE'],
    ['another type beside a good one', [GOOD, { ...SUSPENSION, type: 'x' }], 'STATUS_TYPE'],
    ['statusSize 2', { ...GOOD, statusSize: 2 }, 'STATUS_TYPE'],
    ['statusSize 0', { ...GOOD, statusSize: 0 }, 'STATUS_TYPE'],
    ['statusSize as text', { ...GOOD, statusSize: '1' }, 'STATUS_TYPE'],
    ['statusSize null', { ...GOOD, statusSize: null }, 'STATUS_TYPE'],
    ['a member nobody understands', { ...GOOD, statusMessage: [] }, 'STATUS_TYPE'],
    ['another purpose beside', [GOOD, { ...SUSPENSION, statusPurpose: 'message' }], 'STATUS_PURPOSE'],
    ['no purpose beside', [GOOD, without('statusPurpose')], 'STATUS_PURPOSE'],
    ['a refresh beside', [{ ...GOOD, statusPurpose: 'refresh' }, GOOD], 'STATUS_PURPOSE'],
    ...['', '-1', '+1', '01', '00', '1.0', '1e3', ' 1', '1 ', '1\n', '0x1', '１', '12345678901', 'NaN', '-0', 7, 0, null, true, ['7']].map(
      (index): [string, Json, string] => [`index ${JSON.stringify(index)}`, { ...GOOD, statusListIndex: index }, 'STATUS_INDEX'],
    ),
    ['no index', without('statusListIndex'), 'STATUS_INDEX'],
    ['index 0', { ...GOOD, statusListIndex: '0' }, 'ok'],
    ['an index of ten digits', { ...GOOD, statusListIndex: '9999999999' }, 'ok'],
    ['the base itself', at(STATUS_BASE), 'STATUS_URL'],
    ['below the base twice', at(`${LIST}/2`), 'STATUS_URL'],
    ['a query', at(`${LIST}?x=1`), 'STATUS_URL'],
    ['a fragment', at(`${LIST}#1`), 'STATUS_URL'],
    ['a dot segment', at(`${STATUS_BASE}..`), 'STATUS_URL'],
    ['a dot segment and more', at(`${STATUS_BASE}../sl/1`), 'STATUS_URL'],
    ['a hidden name', at(`${STATUS_BASE}.htaccess`), 'STATUS_URL'],
    ['a percent', at(`${STATUS_BASE}%2e%2e`), 'STATUS_URL'],
    ['a backslash', at(`${STATUS_BASE}a\\b`), 'STATUS_URL'],
    ['a line end', at(`${LIST}\n`), 'STATUS_URL'],
    ['another base', at('https://mallory.example/sl/1'), 'STATUS_URL'],
    ['a base that the good one begins', at('https://status.acme.example.mallory.example/sl/1'), 'STATUS_URL'],
    ['userinfo', at('https://status.acme.example@mallory.example/sl/1'), 'STATUS_URL'],
    ['the base in upper case', at(LIST.toUpperCase()), 'STATUS_URL'],
    ['over http', at(LIST.replace('https', 'http')), 'STATUS_URL'],
    ['an array', at([LIST]), 'STATUS_URL'],
    ['no URL', without('statusListCredential'), 'STATUS_URL'],
    ['512 characters', at(`${STATUS_BASE}${'a'.repeat(512 - STATUS_BASE.length)}`), 'ok'],
    ['513 characters', at(`${STATUS_BASE}${'a'.repeat(513 - STATUS_BASE.length)}`), 'STATUS_URL'],
    ['a name with dots and dashes', at(`${STATUS_BASE}2026-11-21.a_b`), 'ok'],
    ['missing before type', { ...SUSPENSION, type: 'x' }, 'STATUS_MISSING'],
    ['type before purpose', [{ ...GOOD, type: 'x' }, { ...SUSPENSION, statusPurpose: 'message' }], 'STATUS_TYPE'],
    ['type of the second before the index of the first', [{ ...GOOD, statusListIndex: 'x' }, { ...SUSPENSION, type: 'x' }], 'STATUS_TYPE'],
    ['purpose of the second before the index of the first', [{ ...GOOD, statusListIndex: 'x' }, { ...SUSPENSION, statusPurpose: 'x' }], 'STATUS_PURPOSE'],
    ['index of the second before the URL of the first', [at('x'), { ...SUSPENSION, statusListIndex: 'x' }], 'STATUS_INDEX'],
    ['type before index', { ...GOOD, type: 'x', statusListIndex: 'x' }, 'STATUS_TYPE'],
    ['index before URL', { ...at('x'), statusListIndex: 'x' }, 'STATUS_INDEX'],
  ])('%s', (_name, value, code) => {
    expect(outcome(() => read(value))).toBe(code)
  }) // prettier-ignore

  test.each<[number, string]>([
    [300, 'ok'],
    [301, 'STATUS_MISSING'],
  ])('a credential of %i s without status -> %s', (lifetime, code) => {
    expect(outcome(() => read(undefined, lifetime))).toBe(code)
  })

  test('a short-lived credential that has a status is held to it', () => {
    expect(outcome(() => read([], 60))).toBe('STATUS_MISSING')
    expect(read(GOOD, 60)).toHaveLength(1)
  })

  test('says where the bits stand, in the order of the entries', () => {
    const issuers = [...ISSUERS, { iss: mallory.did, base: 'https://mallory.example/' }, { iss: mallory.did, base: STATUS_BASE }] // prettier-ignore
    expect(read([SUSPENSION, GOOD], 3600, issuers)).toEqual([
      { purpose: 'suspension', url: LIST, index: 8, issuers: [status.did, mallory.did] },
      { purpose: 'revocation', url: LIST, index: 7, issuers: [status.did, mallory.did] },
    ])
  })

  test('no status issuer in force, no list', () => {
    expect(outcome(() => read(GOOD, 3600, []))).toBe('STATUS_URL')
  })
})
