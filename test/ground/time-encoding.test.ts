import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  digestOf,
  fromBase64url,
  isDigest,
  isS256,
  lentAscii,
  lentBase64url,
  s256,
  toBase64url,
} from '../../src/encoding.js'
import { fromDate, toDate } from '../../src/time.js'

describe('a date', () => {
  test.each<[string, number]>([
    ['1970-01-01T00:00:00Z', 0],
    ['2026-11-21T10:05:00Z', 1_795_255_500],
    ['2024-02-29T23:59:59Z', 1_709_251_199],
    ['2000-02-29T00:00:00Z', 951_782_400],
    ['1969-12-31T23:59:59Z', -1],
    ['9999-12-31T23:59:59Z', 253_402_300_799],
  ])('%s is %i', (text, at) => {
    expect(fromDate(text)).toBe(at)
    expect(toDate(at)).toBe(text)
  })

  test.each([
    '2026-11-21T10:05:60Z', // leap second
    '2016-12-31T23:59:60Z', // a leap second that was
    '2026-11-21T24:00:00Z',
    '2026-11-21T10:60:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-11-00T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-11-31T00:00:00Z',
    '2026-11-21T10:05:00.000Z',
    '2026-11-21T10:05:00.5Z',
    '2026-11-21T10:05:00+00:00',
    '2026-11-21T10:05:00-00:00',
    '2026-11-21T12:05:00+02:00',
    '2026-11-21T10:05:00',
    '2026-11-21T10:05Z',
    '2026-11-21t10:05:00Z',
    '2026-11-21T10:05:00z',
    '2026-11-21 10:05:00Z',
    '2026-11-21',
    '+002026-11-21T10:05:00Z',
    '-000001-01-01T00:00:00Z',
    '26-11-21T10:05:00Z',
    ' 2026-11-21T10:05:00Z',
    '2026-11-21T10:05:00Z\n',
    '２026-11-21T10:05:00Z',
    '1795255500',
    '',
  ])('%j is none', text => {
    expect(fromDate(text)).toBeNull()
  })

  test('reads what it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200, max: 253_402_300_799 }), at => fromDate(toDate(at)) === at),
    )
  })
})

describe('base64url', () => {
  test('reads what it writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
        expect(Buffer.from(fromBase64url(toBase64url(bytes))!).equals(bytes)).toBe(true)
      }),
    )
  })

  test('is what encodes to itself, and nothing else', () => {
    const letters = ['\ud800', ...Array.from('AEIMQUYcgkosw048BZz9_-+/=. \n\u0000Äé€ŁīĭįａА')]
    const near = fc.array(fc.constantFrom(...letters), { maxLength: 12 }).map(all => all.join(''))
    const odd = fc.tuple(fc.uint8Array({ maxLength: 9 }), near).map(([bytes, end]) => toBase64url(bytes) + end)
    fc.assert(
      fc.property(fc.oneof(near, odd), text => {
        const bytes = Buffer.from(text, 'base64url')
        const due = bytes.toString('base64url') === text ? [...bytes] : null
        for (const read of [fromBase64url, lentBase64url]) expect(due).toEqual(listed(read(text)))
      }),
      { numRuns: 5000 },
    )
  })

  test('has no letter but the 64, wherever it stands', () => {
    const letters = /^[A-Za-z0-9_-]$/
    for (let unit = 0; unit <= 0xffff; unit += 1) {
      const one = String.fromCharCode(unit)
      for (const text of [`${one}AAA`, `AA${one}A`, `AAA${one}`]) {
        expect([unit, fromBase64url(text) !== null]).toEqual([unit, letters.test(one)])
        expect(lentBase64url(text) !== null).toBe(letters.test(one))
      }
    }
  })

  test('in lent memory is what it is elsewhere, of any length', () => {
    for (const length of [0, 1, 2, 3, 36_863, 36_864, 36_865, 50_000]) {
      const bytes = randomBytes(length)
      const text = toBase64url(bytes)
      expect(lentBase64url(text)?.equals(bytes)).toBe(true)
      expect(lentAscii(text).toString('latin1')).toBe(text)
    }
  })

  test('encodes a view, not what lies around it', () => {
    expect(toBase64url(Uint8Array.of(1, 2, 3, 4).subarray(1, 3))).toBe('AgM')
  })

  test.each(['A', 'AB=', 'AA==', 'AB', 'AAB', 'A+', 'A/', ' AA', 'AA\n', 'A A', 'AAAAA', 'ÄÄ', 'AA.', '\u0000'])(
    '%j is none',
    text => {
      expect(fromBase64url(text)).toBeNull()
    },
  )
})

function listed(bytes: Uint8Array | null): number[] | null {
  return bytes === null ? null : [...bytes]
}

describe('a digest', () => {
  const sound = digestOf('header.payload')
  test('is what digestOf makes', () => {
    // printf 'header.payload' | sha256sum, behind 0x12 0x20
    const hash = Buffer.from(s256('header.payload'), 'base64url')
    expect(sound).toBe(`u${Buffer.concat([Buffer.of(0x12, 0x20), hash]).toString('base64url')}`)
    expect(isDigest(sound)).toBe(true)
  })

  test.each<[string, unknown]>([
    ['too short', sound.slice(0, 46)],
    ['too long', `${sound}A`],
    ['trailing bits', `${sound.slice(0, 46)}B`],
    ['another multibase', `z${sound.slice(1)}`],
    ['another hash', `uEx${sound.slice(3)}`],
    ['another length of the same hash', `uEi_${sound.slice(4)}`],
    ['padding', `${sound.slice(0, 46)}=`],
    ['an array', [sound]],
    ['nothing', undefined],
  ])('with %s is none', (_name, value) => {
    expect(isDigest(value)).toBe(false)
  })

  test.each<[string, unknown, boolean]>([
    ['as it stands', s256(''), true],
    ['of 42 characters', s256('').slice(1), false],
    ['of 44 characters', `${s256('')}=`, false],
    ['with trailing bits', `${'A'.repeat(42)}B`, false],
    ['in hex', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649', false],
    ['as a number', 1, false],
  ])('a SHA-256 %s', (_name, value, expected) => {
    expect(isS256(value)).toBe(expected)
  })
})
