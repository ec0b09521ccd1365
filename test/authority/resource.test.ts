import { describe, expect, test } from 'vitest'
import { covers, isPath, isResource, isSelector } from '../../src/authority/resource.js'

const A = 'https://a.example'
/** A path that fills `length` characters in all behind `head`. */
const fill = (head: string, length: number, tail = ''): string =>
  `${head}/${'a'.repeat(length - head.length - 1 - tail.length)}${tail}`

/** Nobody's resource, selector or path, wherever it stands. */
const MISTAKES: readonly [string, string][] = [
  ['a dot segment', '/a/../admin'],
  ['an encoded dot segment', '/a/%2e%2e/admin'],
  ['one encoded dot', '/a/.%2e/admin'],
  ['a dot segment at the end', '/a/..'],
  ['a single dot', '/a/./b'],
  ['a single dot at the end', '/a/.'],
  ['a leading dot segment', '/../a'],
  ['two slashes', '/a//b'],
  ['two slashes in front', '//a'],
  ['a trailing slash', '/a/'],
  ['a lone slash', '/'],
  ['a path parameter', '/a;v=1'],
  ['a dot segment with a parameter', '/a/..;/admin'],
  ['a query', '/a?x=1'],
  ['an empty query', '/a?'],
  ['a fragment', '/a#x'],
  ['an empty fragment', '/a#'],
  ['a percent', '/a%2Fb'],
  ['a harmless percent', '/%41'],
  ['a backslash', '/a\\b'],
  ['a backslash for a slash', '\\a'],
  ['a wildcard', '/a/*'],
  ['a wildcard in a segment', '/a*'],
  ['a wildcard in between', '/a/**/b'],
  ['a NUL', '/a\u0000'],
  ['a tab', '/a\tb'],
  ['a line end', '/a\n'],
  ['a line end in front', '\n/a'],
  ['a space', '/a b'],
  ['a space at the end', '/a '],
  ['an umlaut', '/ä'],
  ['a full-width dot segment', '/\uff0e\uff0e/a'],
  ['a full-width slash', '/a\uff0fb'],
  ['a zero-width joiner', '/a\u200db'],
  ['a right-to-left override', '/a\u202eb'],
  ['a byte order mark', '/\ufeffa'],
  ['a quote', '/a"b'],
  ['a bracket', '/a[1]'],
  ['a brace', '/{a}'],
  ['a pipe', '/a|b'],
  ['a caret', '/a^b'],
  ['a backtick', '/a`b'],
  ['an angle bracket', '/<a>'],
]

describe.each([
  ['resource', isResource, A],
  ['selector', isSelector, A],
  ['path', isPath, ''],
])('a %s', (noun, is, head) => {
  test.each(MISTAKES)('with %s is none', (_name, path) => {
    expect(is(`${head}${path}`)).toBe(false)
    if (noun === 'selector') expect(is(`${head}${path}/**`)).toBe(false)
  })

  test.each<[string, string]>([
    ['one segment', '/a'],
    ['several', '/a/b/c'],
    ['upper case', '/Bookings'],
    ['three dots', '/...'],
    ['dots within', '/a..b/.well-known/x.'],
    ['every allowed character', "/A-Za-z0-9._~:@!$&'()+,=-"],
    ['512 characters', fill(head, 512).slice(head.length)],
  ])('with %s is one', (_name, path) => {
    expect(is(`${head}${path}`)).toBe(true)
  })

  test('of 513 characters is none', () => {
    expect(is(fill(head, 513))).toBe(false)
  })

  test.each([
    [undefined],
    [null],
    [7],
    [true],
    [[`${head}/a`]],
    [{ toString: () => `${head}/a` }],
    [new String(`${head}/a`)],
  ])('%j is none', value => {
    expect(is(value)).toBe(false)
  })
})

describe('the origin of a resource', () => {
  test.each<[string]>([
    ['https://a.example'],
    ['https://a'],
    ['https://a-b.c9.example'],
    ['https://xn--bcher-kva.example'],
    ['https://a.example:1'],
    ['https://a.example:80'],
    ['https://a.example:65535'],
    ['https://a.example:4430'],
    ['https://127.0.0.1'],
    [`https://${'a'.repeat(63)}.example`],
  ])('%s is one', value => {
    expect(isResource(value)).toBe(true)
    expect(isSelector(value)).toBe(true)
    expect(isSelector(`${value}/**`)).toBe(true)
    expect(isSelector(`${value}/a/**`)).toBe(true)
  })

  test.each<[string]>([
    [''],
    ['https://'],
    ['https:///a'],
    ['https:/a.example'],
    ['https:a.example'],
    ['//a.example'],
    ['a.example/a'],
    ['http://a.example'],
    ['HTTPS://a.example'],
    ['Https://a.example'],
    ['wss://a.example'],
    [' https://a.example'],
    ['https://a.example '],
    ['https://a.example\n'],
    ['https://a.example\t/a'],
    ['https://a.example\u0000'],
    ['https://A.example'],
    ['https://a.exAmple/a'],
    ['https://a.example:443'],
    ['https://a.example:443/a'],
    ['https://a.example:0'],
    ['https://a.example:0443'],
    ['https://a.example:00080'],
    ['https://a.example:65536'],
    ['https://a.example:99999'],
    ['https://a.example:100000'],
    ['https://a.example:'],
    ['https://a.example:/a'],
    ['https://a.example:80:80'],
    ['https://a.example:+80'],
    ['https://a.example:8a'],
    ['https://mallory@a.example'],
    ['https://a.example@mallory.example/a'],
    ['https://a:b@c.example'],
    ['https://@a.example'],
    ['https://a.example?x'],
    ['https://a.example#x'],
    ['https://a.example;x'],
    ['https://a.example\\@mallory.example'],
    ['https://a.example.'],
    ['https://a.example./a'],
    ['https://.a.example'],
    ['https://a..example'],
    ['https://-a.example'],
    ['https://a-.example'],
    ['https://a_b.example'],
    ['https://*.example'],
    ['https://[::1]'],
    ['https://[::1]:8443/a'],
    ['https://::1/a'],
    ['https://bücher.example'],
    ['https://а.example'], // Cyrillic а
    ['https://a\u3002example'], // ideographic full stop
    ['https://a\uff0eexample'],
    ['https://\u24d0.example'], // circled a
    ['https://a\u00ad.example'], // soft hyphen
    ['https://a\u200b.example'],
    ['https://a%2eexample'],
    ['https://%61.example'],
    [`https://${'a'.repeat(64)}.example`],
    ['https://a.example/**'],
    ['https://a.example/a/**'],
  ])('%j is none', value => {
    expect(isResource(value)).toBe(false)
  })

  test.each<[string]>([
    ['https://a.example**'],
    ['https://a.example/a**'],
    ['https://a.example/**/**'],
    ['https://a.example//**'],
    ['https://a.example/a//**'],
    ['https://a.example/***'],
    ['https://a.example/*'],
    ['https://a.example/**/'],
    ['https://**'],
    ['https:///**'],
    ['/**'],
    ['**'],
    ['https://a.example/../**'],
    ['https://a.example:443/**'],
    [fill(A, 513, '/**')],
  ])('%j is no selector', value => {
    expect(isSelector(value)).toBe(false)
  })

  test('a selector holds 512 characters with its wildcard', () => {
    expect(isSelector(fill(A, 512, '/**'))).toBe(true)
  })
})

describe('covers', () => {
  test.each<[string, string, boolean]>([
    ['https://a.example/bookings/**', 'https://a.example/bookings', true],
    ['https://a.example/bookings/**', 'https://a.example/bookings/**', true],
    ['https://a.example/bookings/**', 'https://a.example/bookings/1', true],
    ['https://a.example/bookings/**', 'https://a.example/bookings/1/**', true],
    ['https://a.example/**', 'https://a.example', true],
    ['https://a.example', 'https://a.example', true],
    ['https://a.example/bookings', 'https://a.example/bookings/1', false],
    ['https://a.example/bookings', 'https://a.example/bookings/**', false],
    ['https://a.example/bookings/**', 'https://a.example/bookings2', false],
    ['https://a.example/bookings/**', 'https://a.example/bookings2/**', false],
    ['https://a.example/bookings/**', 'https://a.example/booking', false],
    ['https://a.example/bookings/**', 'https://a.example', false],
    ['https://a.example/bookings/**', 'https://a.example/**', false],
    ['https://a.example/**', 'https://a.example.mallory.example/a', false],
    ['https://a.example/**', 'https://a.example:8443/a', false],
    ['https://a.example:8443/**', 'https://a.example/a', false],
    ['https://a.example:80/**', 'https://a.example:8080/a', false],
    ['https://a.example/**', 'https://b.a.example/a', false],
    ['https://a.example', 'https://a.example/a', false],
  ] as const)('%s covers %s: %s', (parent, child, expected) => {
    expect(covers(parent as `https://${string}`, child as `https://${string}`)).toBe(expected)
  })
})
