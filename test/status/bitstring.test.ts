import { constants, crc32, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toBase64url } from '../../src/encoding.js'
import { bitAt, bitsOf, decodeList, encodeList, MAX_BYTES, MIN_BITS } from '../../src/status/bitstring.js'
import { outcome } from '../ground/refusal.js'

const NAME = 'https://status.acme.example/sl/1'
const u = (bytes: Uint8Array): string => `u${toBase64url(bytes)}`
/** 16 KiB of bits, few of them set. */
const LIST = bitsOf(MIN_BITS, [0, 7, 8, 4711, MIN_BITS - 1])
/** Bytes nothing can pack. */
const noise = (length: number): Uint8Array => {
  let state = 0x9e3779b9
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x165667b1
    return state >>> 24
  })
}

/** A gzip member of our own making, each part replaceable. */
function member(
  parts: { header?: readonly number[]; fields?: Uint8Array; body?: Uint8Array; crc?: number; size?: number } = {},
): Buffer {
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(parts.crc ?? crc32(LIST), 0)
  trailer.writeUInt32LE(parts.size ?? LIST.length, 4)
  const header = Uint8Array.from(parts.header ?? [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
  return Buffer.concat([header, parts.fields ?? new Uint8Array(0), parts.body ?? deflateRawSync(LIST), trailer])
}

describe('bits', () => {
  const index = fc.integer({ min: 0, max: 1023 })

  test('those that were set are set, and no others', () => {
    fc.assert(
      fc.property(fc.uniqueArray(index, { maxLength: 40 }), indexes => {
        const list = bitsOf(1024, indexes)
        const set = Array.from({ length: 1024 }, (_, at) => at).filter(at => bitAt(list, at))
        expect(set).toEqual([...indexes].sort((a, b) => a - b))
      }),
      { numRuns: 200 },
    )
  })

  test('index 0 is the most significant bit of the first byte', () => {
    expect(bitsOf(16, [0])).toEqual(Uint8Array.of(0x80, 0))
    expect(bitsOf(16, [7, 8])).toEqual(Uint8Array.of(0x01, 0x80))
    expect(bitsOf(16, [15])).toEqual(Uint8Array.of(0, 0x01))
  })

  test('setting twice is setting once', () => {
    expect(bitsOf(64, [9, 9, 9])).toEqual(bitsOf(64, [9]))
  })

  test.each([[-1], [-0.5], [0.5], [1024], [2 ** 32], [2 ** 32 + 1], [2 ** 53], [NaN], [Infinity], [-Infinity]])(
    '%s is no index of 1024 bits',
    at => {
      expect(outcome(() => bitAt(bitsOf(1024, []), at))).toBe('STATUS_INDEX')
      expect(outcome(() => bitsOf(1024, [at]))).toBe('STATUS_INDEX')
    },
  )

  test('an empty list has no index 0', () => {
    expect(outcome(() => bitAt(new Uint8Array(0), 0))).toBe('STATUS_INDEX')
  })
})

describe('decode ∘ encode', () => {
  test.each<[string, Uint8Array]>([
    ['131 072 bits, few set', LIST],
    ['131 072 bits, none set', new Uint8Array(MIN_BITS / 8)],
    ['131 072 bits, all set', new Uint8Array(MIN_BITS / 8).fill(255)],
    ['131 072 bits that nothing can pack', noise(MIN_BITS / 8)],
    ['1 048 576 bits, few set', bitsOf(MAX_BYTES * 8, [0, MAX_BYTES * 8 - 1])],
    ['1 048 576 bits that nothing can pack', noise(MAX_BYTES)],
    ['131 080 bits', new Uint8Array(MIN_BITS / 8 + 1)],
  ])('%s', (_name, list) => {
    expect(Buffer.from(decodeList(encodeList(list), NAME)).equals(list)).toBe(true)
  })

  test('takes what others pack, at every level and strategy', () => {
    for (const level of [0, 1, 6, 9]) expect(Buffer.from(decodeList(u(gzipSync(LIST, { level })), NAME)).equals(LIST)).toBe(true) // prettier-ignore
    for (const strategy of [constants.Z_HUFFMAN_ONLY, constants.Z_FIXED]) {
      expect(Buffer.from(decodeList(u(gzipSync(LIST, { strategy })), NAME)).equals(LIST)).toBe(true)
    }
    expect(Buffer.from(decodeList(u(member()), NAME)).equals(LIST)).toBe(true)
  })

  test("takes what Python's gzip.compress(mtime=0) makes of one set bit", () => {
    // import gzip, base64; b = bytearray(16384); b[589] |= 0x80 >> 0; base64.urlsafe_b64encode(gzip.compress(bytes(b), mtime=0)).rstrip(b'=')
    const list = decodeList(PYTHON, NAME)
    expect(list.length).toBe(16_384)
    expect([4711, 4712, 4713].map(at => bitAt(list, at))).toEqual([false, true, false])
    expect(list.reduce((sum, byte) => sum + byte, 0)).toBe(0x80)
  })
})

const PYTHON = 'uH4sIAAAAAAACA-3QQREAAAwCIKMb3Q67PSECCTypAgAAAAAAAAAAAAAAAAAAgKsBs6EgzABAAAA'

describe('a list that lies', () => {
  const empty = gzipSync(new Uint8Array(0))
  const whole = gzipSync(LIST)
  const at = (index: number, value: number): number[] => [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].map((byte, i) => (i === index ? value : byte)) // prettier-ignore
  test.each<[string, string, string]>([
    ['as it should be', u(whole), 'ok'],
    ['nothing', '', 'STATUS_ENCODING'],
    ['multibase alone', 'u', 'STATUS_ENCODING'],
    ['no multibase', toBase64url(whole), 'STATUS_ENCODING'],
    ['multibase m', `m${whole.toString('base64').replace(/=+$/, '')}`, 'STATUS_ENCODING'],
    ['multibase U, padded', `U${whole.toString('base64')}`, 'STATUS_ENCODING'],
    ['multibase z', `z${toBase64url(whole)}`, 'STATUS_ENCODING'],
    ['multibase twice', `u${u(whole)}`, 'STATUS_ENCODING'],
    ['padding', `${u(Buffer.concat([whole.subarray(0, whole.length - (whole.length % 3)), Buffer.of(1)]))}==`, 'STATUS_ENCODING'],
    ['base64 with plus and slash', `u${Buffer.of(0xfb, 0xff, 0xff).toString('base64')}`, 'STATUS_ENCODING'],
    ['a line end', `${u(whole)}\n`, 'STATUS_ENCODING'],
    ['two members', u(Buffer.concat([whole, whole])), 'STATUS_ENCODING'],
    ['an empty member first', u(Buffer.concat([empty, whole])), 'STATUS_ENCODING'],
    ['an empty member behind', u(Buffer.concat([whole, empty])), 'STATUS_ENCODING'],
    ['a byte behind', u(Buffer.concat([whole, Buffer.of(0)])), 'STATUS_ENCODING'],
    ['a member header behind', u(Buffer.concat([whole, whole.subarray(0, 10)])), 'STATUS_ENCODING'],
    ['a byte in front', u(Buffer.concat([Buffer.of(0), whole])), 'STATUS_ENCODING'],
    ['a byte before the trailer', u(Buffer.concat([whole.subarray(0, -8), Buffer.of(0), whole.subarray(-8)])), 'STATUS_ENCODING'],
    ['no trailer', u(whole.subarray(0, -8)), 'STATUS_ENCODING'],
    ['half a trailer', u(whole.subarray(0, -4)), 'STATUS_ENCODING'],
    ['cut off', u(whole.subarray(0, whole.length >> 1)), 'STATUS_ENCODING'],
    ['a header alone', u(whole.subarray(0, 10)), 'STATUS_ENCODING'],
    ['less than a header', u(whole.subarray(0, 3)), 'STATUS_ENCODING'],
    ['zlib', u(deflateSync(LIST)), 'STATUS_ENCODING'],
    ['raw deflate', u(deflateRawSync(LIST)), 'STATUS_ENCODING'],
    ['the bits themselves', u(LIST), 'STATUS_ENCODING'],
    ['another magic number', u(member({ header: at(1, 0x8c) })), 'STATUS_ENCODING'],
    ['another method', u(member({ header: at(2, 7) })), 'STATUS_ENCODING'],
    ...[1, 2, 4, 8, 16, 32, 64, 128].map((flag): [string, string, string] => [`flag ${flag}`, u(member({ header: at(3, flag) })), 'STATUS_ENCODING']),
    ['a name with its flag', u(member({ header: at(3, 8), fields: Buffer.from('list\0') })), 'STATUS_ENCODING'],
    ['an extra field with its flag', u(member({ header: at(3, 4), fields: Uint8Array.of(2, 0, 1, 2) })), 'STATUS_ENCODING'],
    ['a wrong checksum', u(member({ crc: crc32(LIST) ^ 1 })), 'STATUS_ENCODING'],
    ['the checksum of another list', u(member({ crc: crc32(bitsOf(MIN_BITS, [])) })), 'STATUS_ENCODING'],
    ['a wrong length', u(member({ size: LIST.length + 1 })), 'STATUS_ENCODING'],
    ['a length of 0', u(member({ size: 0 })), 'STATUS_ENCODING'],
    ['another body under the trailer', u(member({ body: deflateRawSync(bitsOf(MIN_BITS, [])) })), 'STATUS_ENCODING'],
    ['a body that does not end', u(member({ body: deflateRawSync(LIST, { finishFlush: constants.Z_SYNC_FLUSH }) })), 'STATUS_ENCODING'],
    ['a bad block', u(member({ body: Uint8Array.of(7, 7, 7) })), 'STATUS_ENCODING'],
    ['an empty list', u(empty), 'STATUS_LENGTH'],
    ['a byte too short', u(gzipSync(new Uint8Array(MIN_BITS / 8 - 1))), 'STATUS_LENGTH'],
    ['half as long', u(gzipSync(new Uint8Array(MIN_BITS / 16))), 'STATUS_LENGTH'],
    ['a byte too long', u(gzipSync(new Uint8Array(MAX_BYTES + 1))), 'STATUS_SIZE'],
    ['a bomb of 64 MiB', u(gzipSync(new Uint8Array(64 * 1024 * 1024))), 'STATUS_SIZE'],
    ['as long as may be', u(gzipSync(new Uint8Array(MAX_BYTES))), 'ok'],
  ])('%s', (_name, encoded, code) => {
    expect(outcome(() => decodeList(encoded, NAME))).toBe(code)
  }) // prettier-ignore

  test('every changed byte of a packed list is refused or changes no bit', () => {
    const small = gzipSync(LIST)
    for (let position = 0; position < small.length; position += 1) {
      for (const mask of [1, 0x80, 0xff]) {
        const changed = Buffer.from(small)
        changed[position]! ^= mask
        let list: Uint8Array | null = null
        const code = outcome(() => {
          list = decodeList(u(changed), NAME)
        })
        if (code === 'ok') expect(Buffer.from(list!).equals(LIST), `${position}`).toBe(true)
        else expect(['STATUS_ENCODING', 'STATUS_SIZE'], `${position}`).toContain(code)
        // the magic number, method, flags, checksum and length have one value each
        if (position < 4 || position >= small.length - 8) expect(code, `${position}`).toBe('STATUS_ENCODING')
      }
    }
  })
})
