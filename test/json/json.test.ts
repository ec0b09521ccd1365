import fc from 'fast-check'
import reference from 'canonicalize'
import { describe, expect, test } from 'vitest'
import {
  canonicalize,
  isObject,
  isPlainlyCanonical,
  MAX_DEPTH,
  member,
  parseJson,
  requireCanonical,
  requireShallow,
  requireStrict,
  type Json,
} from '../../src/json.js'
import { outcome } from '../ground/refusal.js'

/** The package is CommonJS: its function is the module. */
const canonicalizeElsewhere = reference as unknown as (value: unknown) => string | undefined

/** As a token's payload is read: steps 2 of profile §6. */
function readStrict(bytes: string | Uint8Array): Json {
  const parsed = parseJson(Buffer.from(bytes), 'text')
  requireStrict([parsed])
  return parsed.value
}

/** The same by writing every text out again: the oracle. */
function readSlowly(bytes: string | Uint8Array): Json {
  const parsed = parseJson(Buffer.from(bytes), 'text')
  requireShallow(parsed.value, 'text')
  requireCanonical(parsed)
  return parsed.value
}

describe('canonicalize', () => {
  const names = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', '\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6')) // prettier-ignore
  const json = fc.jsonValue({ stringUnit: 'binary', maxDepth: 4 })
  const named = fc.dictionary(names, json, { noNullPrototype: true })

  test('writes what another implementation of RFC 8785 writes', () => {
    fc.assert(
      fc.property(fc.oneof(json, named, fc.double({ noNaN: true, noDefaultInfinity: true })), value => {
        expect(canonicalize(value)).toBe(canonicalizeElsewhere(value))
      }),
      { numRuns: 3000 },
    )
  })

  test('is a fixed point, and loses nothing', () => {
    fc.assert(
      fc.property(named, value => {
        const text = canonicalize(value)
        expect(canonicalize(JSON.parse(text))).toBe(text)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
      { numRuns: 1000 },
    )
  })

  test('does not depend on the order of members', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(names, json), { selector: ([name]) => name }), entries => {
        const there = canonicalize(Object.fromEntries(entries))
        expect(canonicalize(Object.fromEntries([...entries].reverse()))).toBe(there)
      }),
      { numRuns: 500 },
    )
  })

  test.each<[string, unknown, string]>([
    ['names by code unit, not by code point', { '\u{1f600}': 1, '\ufb33': 2 }, '{"\u{1f600}":1,"\ufb33":2}'],
    ['numbers that look like names of arrays', { '10': 1, '9': 2, a: 3 }, '{"10":1,"9":2,"a":3}'],
    ['an own __proto__', JSON.parse('{"b":1,"__proto__":{"a":1}}'), '{"__proto__":{"a":1},"b":1}'],
    ['a null prototype', Object.assign(Object.create(null) as object, { a: 1 }), '{"a":1}'],
    ['control characters', '\u0000\b\t\n\f\r\u001f"\\/\u007f', '"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\/\u007f"'],
    ['−0', -0, '0'],
    ['numbers as ECMAScript writes them', [1e21, 1e-7, 0.1, 333333333.33333329], '[1e+21,1e-7,0.1,333333333.3333333]'],
    ['nothing', {}, '{}'],
  ])('writes %s', (_name, value, text) => {
    expect(canonicalize(value)).toBe(text)
  })

  test.each<[string, unknown]>([
    ['NaN', NaN],
    ['an infinity', Infinity],
    ['undefined', undefined],
    ['an undefined member', { a: undefined }],
    ['an undefined item', [undefined]],
    ['a hole', new Array(2)],
    ['a bigint', 1n],
    ['a symbol', Symbol('a')],
    ['a function', () => 1],
    ['a date', new Date(0)],
    ['a map', new Map([['a', 1]])],
    ['an instance', Object.create({ a: 1 })],
    ['bytes', new Uint8Array(1)],
    ['a boxed string', new String('a')],
    ['a high surrogate', '\ud83d'],
    ['a low surrogate', 'a\ude00'],
    ['swapped surrogates', '\ude00\ud83d'],
    ['a surrogate in a name', { '\ud83d': 1 }],
    ['a surrogate deep down', [[{ a: ['\ud83d'] }]]],
  ])('refuses %s', (_name, value) => {
    expect(outcome(() => canonicalize(value))).toBe('JSON_NOT_CANONICAL')
  })

  test.each([[0.5], [2 ** 53], [-(2 ** 53)], [1e21], [[{ a: 1.5 }]]])(
    'refuses %j where only safe integers may stand',
    value => {
      expect(outcome(() => canonicalize(value, true))).toBe('JSON_NOT_CANONICAL')
      expect(outcome(() => canonicalize(value))).toBe('ok')
    },
  )
})

describe('strict reading', () => {
  const nest = (levels: number, inner = ''): string => '['.repeat(levels) + inner + ']'.repeat(levels)
  const bytes = (...values: number[]): Uint8Array => Uint8Array.of(0x22, ...values, 0x22)
  test.each<[string, string | Uint8Array, string]>([
    ['an object', '{"a":[1,true,null,"x"],"b":{}}', 'ok'],
    ['nothing', '', 'JSON_SYNTAX'],
    ['a byte order mark', '\ufeff{}', 'JSON_SYNTAX'],
    ['UTF-16', Buffer.from('{}', 'utf16le'), 'JSON_SYNTAX'],
    ['a trailing comma', '{"a":1,}', 'JSON_SYNTAX'],
    ['a comment', '{}//', 'JSON_SYNTAX'],
    ['two values', '{}{}', 'JSON_SYNTAX'],
    ['a trailing NUL', '{}\u0000', 'JSON_SYNTAX'],
    ['NaN', '{"a":NaN}', 'JSON_SYNTAX'],
    ['Infinity', '{"a":Infinity}', 'JSON_SYNTAX'],
    ['single quotes', "{'a':1}", 'JSON_SYNTAX'],
    ['a name without quotes', '{a:1}', 'JSON_SYNTAX'],
    ['a leading zero', '01', 'JSON_SYNTAX'],
    ['a plus sign', '+1', 'JSON_SYNTAX'],
    ['a hexadecimal number', '0x1', 'JSON_SYNTAX'],
    ['a bare point', '1.', 'JSON_SYNTAX'],
    ['a raw line end in a string', '"\n"', 'JSON_SYNTAX'],
    ['a raw NUL in a string', '"\u0000"', 'JSON_SYNTAX'],
    ['a bad escape', '"\\x41"', 'JSON_SYNTAX'],
    ['a lone continuation byte', bytes(0x80), 'JSON_SYNTAX'],
    ['a truncated sequence', bytes(0xe2, 0x82), 'JSON_SYNTAX'],
    ['an overlong slash', bytes(0xc0, 0xaf), 'JSON_SYNTAX'],
    ['an overlong NUL', bytes(0xc0, 0x80), 'JSON_SYNTAX'],
    ['a surrogate in UTF-8', bytes(0xed, 0xa0, 0x80), 'JSON_SYNTAX'],
    ['a pair of surrogates in UTF-8', bytes(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80), 'JSON_SYNTAX'],
    ['beyond Unicode', bytes(0xf4, 0x90, 0x80, 0x80), 'JSON_SYNTAX'],
    ['a lone surrogate, escaped', '"\\ud800"', 'JSON_NOT_CANONICAL'],
    ['a lone surrogate in a name, escaped', '{"\\udc00":1}', 'JSON_NOT_CANONICAL'],
    ['a pair, escaped', '"\\ud83d\\ude00"', 'JSON_NOT_CANONICAL'],
    ['a pair, raw', '"😀"', 'ok'],
    ['a letter, escaped', '"\\u0061"', 'JSON_NOT_CANONICAL'],
    ['a name, escaped', '{"\\u0061":1}', 'JSON_NOT_CANONICAL'],
    ['a slash, escaped', '"\\/"', 'JSON_NOT_CANONICAL'],
    ['a line end by number', '"\\u000a"', 'JSON_NOT_CANONICAL'],
    ['a control character in capitals', '"\\u001F"', 'JSON_NOT_CANONICAL'],
    ['a control character', '"\\u001f"', 'ok'],
    ['a line separator, raw', '"\u2028"', 'ok'],
    ['a line separator, escaped', '"\\u2028"', 'JSON_NOT_CANONICAL'],
    ['a delete, escaped', '"\\u007f"', 'JSON_NOT_CANONICAL'],
    ['decomposed letters', '"e\u0301"', 'ok'],
    ['a member twice', '{"a":1,"a":1}', 'JSON_NOT_CANONICAL'],
    ['a member twice, with an escape', '{"a":1,"\\u0061":1}', 'JSON_NOT_CANONICAL'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":1}', 'JSON_NOT_CANONICAL'],
    ['__proto__ once', '{"__proto__":{"a":1}}', 'ok'],
    ['another order', '{"b":1,"a":1}', 'JSON_NOT_CANONICAL'],
    ['an order by code point', '{"\ufb33":1,"\u{1f600}":1}', 'JSON_NOT_CANONICAL'],
    ['an order by code unit', '{"\u{1f600}":1,"\ufb33":1}', 'ok'],
    ['an order by number', '{"9":1,"10":1}', 'JSON_NOT_CANONICAL'],
    ['white space', '{ }', 'JSON_NOT_CANONICAL'],
    ['white space in front', ' {}', 'JSON_NOT_CANONICAL'],
    ['a line end behind', '{}\n', 'JSON_NOT_CANONICAL'],
    ['1.0', '1.0', 'JSON_NOT_CANONICAL'],
    ['1e3', '1e3', 'JSON_NOT_CANONICAL'],
    ['1E0', '1E0', 'JSON_NOT_CANONICAL'],
    ['−0', '-0', 'JSON_NOT_CANONICAL'],
    ['0', '0', 'ok'],
    ['a fraction', '1.5', 'JSON_NOT_CANONICAL'],
    ['2^53 − 1', '9007199254740991', 'ok'],
    ['2^53', '9007199254740992', 'JSON_NOT_CANONICAL'],
    ['2^53 + 1, which reads as 2^53', '9007199254740993', 'JSON_NOT_CANONICAL'],
    ['−(2^53 − 1)', '-9007199254740991', 'ok'],
    ['−2^53', '-9007199254740992', 'JSON_NOT_CANONICAL'],
    ['1e400', '1e400', 'JSON_NOT_CANONICAL'],
    ['1e-400, which reads as 0', '1e-400', 'JSON_NOT_CANONICAL'],
    ['twelve levels', nest(12), 'ok'],
    ['twelve levels and a scalar', nest(12, '1'), 'ok'],
    ['thirteen levels', nest(13), 'JSON_DEPTH'],
    ['thirteen levels of objects', `${'{"a":'.repeat(12)}{}${'}'.repeat(12)}`, 'JSON_DEPTH'],
    ['thirteen levels beside shallow ones', `{"a":1,"b":${nest(12)}}`, 'JSON_DEPTH'],
    ['thirteen levels in __proto__', `{"__proto__":${nest(12)}}`, 'JSON_DEPTH'],
    ['depth before form', ` ${nest(13)}`, 'JSON_DEPTH'],
    ['fifty thousand levels', nest(50_000), 'JSON_DEPTH'],
  ])('%s', (_name, text, code) => {
    expect(outcome(() => readStrict(text))).toBe(code)
  })

  test('says 12 where the profile says 12', () => {
    expect(MAX_DEPTH).toBe(12)
  })

  test('takes exactly the texts that canonicalize writes', () => {
    const json = fc.letrec<{ value: Json }>(tie => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, false),
        fc.maxSafeInteger(),
        fc.string({ unit: 'binary' }),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 3, noNullPrototype: true }),
      ),
    })).value
    fc.assert(
      fc.property(json, fc.nat(), fc.constantFrom(' ', '\n', '\t', '0', '\\', ','), (value, at, extra) => {
        const text = canonicalize(value, true)
        expect(canonicalize(readStrict(text))).toBe(text)
        const place = at % (text.length + 1)
        const other = text.slice(0, place) + extra + text.slice(place)
        // inserted into a string it may be another sound text, but never the same value
        if (outcome(() => readStrict(other)) === 'ok') expect(canonicalize(readStrict(other))).not.toBe(text)
      }),
      { numRuns: 1500 },
    )
  })
})

test('member reads what an object has itself, and nothing it inherits', () => {
  const value = JSON.parse('{"__proto__":1,"a":2}') as Record<string, Json>
  expect([member(value, '__proto__'), member(value, 'a'), member(value, 'toString'), member({}, '__proto__')]).toEqual([1, 2, undefined, undefined]) // prettier-ignore
  expect([{}, [], null, 'a', undefined, 1].map(isObject)).toEqual([true, false, false, false, false, false])
})

describe('one pass over a text', () => {
  const leaf = fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.boolean(),
    fc.constant(null),
    fc.string({ unit: 'binary' }),
  )
  const { tree } = fc.letrec<{ tree: unknown }>(tie => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('10', '9', 'a', 'aa', '__proto__', 'e')), tie('tree'), { maxKeys: 4 }), // prettier-ignore
    ),
  }))
  const piece = fc.oneof(
    fc.constantFrom('{', '}', '[', ']', ':', ',', '"', '\\', ' ', '\n', '0', '1', '2', '9', '-', '+', 'e', 'E', '.', 'true', 'null', '"a":', '"":', '-0', '1e5', '0.5', '01', '\\ud800', '\\u0041', '\\n', '9007199254740992', '9007199254740993', '-9007199254740992', '\u2028', '\ufeff'), // prettier-ignore
    fc.string({ unit: 'binary', maxLength: 2 }),
  )
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 2 }), piece), { maxLength: 3 })

  test('answers what writing the text out answers, and what another implementation would write', () => {
    let accepted = 0
    fc.assert(
      fc.property(tree, edits, (value, changes) => {
        let text = canonicalize(value)
        for (const [at, gone, put] of changes) {
          const from = at % (text.length + 1)
          text = text.slice(0, from) + put + text.slice(from + gone)
        }
        const slowly = outcome(() => readSlowly(text))
        expect(outcome(() => readStrict(text))).toBe(slowly)
        if (slowly !== 'ok') return
        accepted += 1
        const sent = Buffer.from(text).toString() // half a surrogate pair is sent as U+FFFD
        expect(canonicalizeElsewhere(JSON.parse(sent))).toBe(sent)
      }),
      { numRuns: 6000 },
    )
    expect(accepted).toBeGreaterThan(1000)
  })

  test('is enough for every canonical text of integers in which nothing is escaped', () => {
    fc.assert(
      fc.property(tree, value => {
        const text = canonicalize(value)
        expect(isPlainlyCanonical(text, MAX_DEPTH)).toBe(!text.includes('\\'))
      }),
      { numRuns: 1000 },
    )
  })

  test.each<[string, string]>([
    ['an exponent', '[1e5]'],
    ['a fraction', '[1.5]'],
    ['minus zero', '[-0]'],
    ['minus zero at the end', '-0'],
    ['more than a safe integer', '[9007199254740992]'],
    ['less than one', '[-9007199254740992]'],
    ['a name twice', '{"a":1,"a":1}'],
    ['names in another order', '{"b":1,"a":1}'],
    ['names in another order behind an object', '{"b":{"a":1},"a":1}'],
    ['names in the order of numbers', '{"9":1,"10":1}'],
    ['white space', '{"a": 1}'],
    ['white space at the end', '{} '],
    ['an escape', '["\\u0041"]'],
  ])('does not take %s', (_name, text) => {
    expect(isPlainlyCanonical(text, MAX_DEPTH)).toBe(false)
  })
})
