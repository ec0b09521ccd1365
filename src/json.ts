import { ProcuraError } from './errors.js'

/** A JSON value whose numbers may be any that JSON can write. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }
/** A JSON object. Members are read with {@link member}, so names like `__proto__` mean nothing special. */
export type JsonObject = Readonly<Record<string, Json>>

/** Deepest nesting of a token: the outermost object is level 1. */
export const MAX_DEPTH = 12

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** True for an object, false for `null` and arrays. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object's own member, or `undefined`. */
export function member(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

/** A copy of the object without some of its members. */
export function without(object: JsonObject, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
}

/** A text read as JSON whose depth and canonical form are not checked yet. */
export interface Parsed {
  readonly text: string
  readonly value: Json
  /** how messages name it */
  readonly what: string
}

/**
 * Reads UTF-8 JSON. A byte order mark is not JSON.
 *
 * @param what - how messages name the bytes
 * @throws JSON_SYNTAX
 */
export function parseJson(bytes: Uint8Array, what: string): Parsed {
  try {
    const text = UTF8.decode(bytes)
    return { text, value: JSON.parse(text) as Json, what }
  } catch (cause) {
    throw new ProcuraError(
      'JSON_SYNTAX',
      { what, why: cause instanceof TypeError ? 'bad UTF-8' : 'bad syntax' },
      { cause },
    )
  }
}

/**
 * Requires texts to be as tokens are: at most {@link MAX_DEPTH} levels, and in canonical form. All are asked for their
 * depth before one is asked for its form.
 *
 * @throws JSON_DEPTH, JSON_NOT_CANONICAL
 */
export function requireStrict(all: readonly Parsed[]): void {
  if (all.every(({ text }) => isPlainlyCanonical(text, MAX_DEPTH))) return
  for (const { value, what } of all) requireShallow(value, what)
  for (const parsed of all) requireCanonical(parsed)
}

const [QUOTE, COLON, COMMA, MINUS, ZERO, NINE] = [0x22, 0x3a, 0x2c, 0x2d, 0x30, 0x39]
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]
const [A, Z, EXPONENT] = [0x61, 0x7a, 0x65]

/**
 * True for a JSON text that is plainly its own canonical form: nothing escaped, names in strictly rising order, integers
 * only, nothing between the parts. One pass, nothing is written. False says nothing: then the form has to be written out
 * and compared.
 *
 * @param text - parses as JSON and has no lone surrogate
 */
export function isPlainlyCanonical(text: string, max: number): boolean {
  if (text.includes('\\')) return false
  // the name read last in each object that is open
  const names: (string | undefined)[] = []
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      const end = text.indexOf('"', at + 1)
      const isName = text.charCodeAt(end + 1) === COLON
      if (isName) {
        const [before, name] = [names[depth], text.slice(at + 1, end)]
        if (before !== undefined && before >= name) return false
        names[depth] = name
      }
      at = isName ? end + 1 : end
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      depth += 1
      if (depth > max) return false
      names[depth] = undefined
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      depth -= 1
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      const end = endOfDigits(text, at + 1)
      const isWhole = text.charCodeAt(end) !== EXPONENT && Number.isSafeInteger(Number(text.slice(at, end)))
      if (!isWhole || text.startsWith('-0', at)) return false
      at = end - 1
    } else if (code !== COMMA && (code < A || code > Z)) {
      // a letter outside of strings belongs to `true`, `false` or `null`
      return false
    }
  }
  return true
}

function endOfDigits(text: string, from: number): number {
  let end = from
  for (let code = text.charCodeAt(end); code >= ZERO && code <= NINE; code = text.charCodeAt(end)) end += 1
  return end
}

/** Requires at most {@link MAX_DEPTH} levels. @throws JSON_DEPTH */
export function requireShallow(value: Json, what: string, max = MAX_DEPTH, left = max): void {
  if (typeof value !== 'object' || value === null) return
  if (left === 0) throw new ProcuraError('JSON_DEPTH', { what, max })
  for (const inner of Object.values(value)) requireShallow(inner, what, max, left - 1)
}

/**
 * Requires that the text is the RFC 8785 form of its value and that all numbers are safe integers.
 * Duplicate members, odd escapes, key order, white space and number tricks all fail here.
 *
 * @throws JSON_NOT_CANONICAL
 */
export function requireCanonical({ text, value, what }: Parsed): void {
  if (canonicalize(value, true) !== text) throw new ProcuraError('JSON_NOT_CANONICAL', { what, why: 'other bytes' })
}

/**
 * Writes a value in its JSON Canonicalization form: names sorted by UTF-16 code units, numbers as ECMAScript writes them.
 *
 * @param integersOnly - refuse numbers that are not safe integers, as tokens do
 * @throws JSON_NOT_CANONICAL - a lone surrogate, a number JSON cannot write, a value that is not JSON
 * @see https://www.rfc-editor.org/rfc/rfc8785#section-3.2
 */
export function canonicalize(value: unknown, integersOnly = false): string {
  switch (typeof value) {
    case 'string':
      return quoted(value)
    case 'number':
      if (!Number.isFinite(value) || (integersOnly && !Number.isSafeInteger(value))) break
      return JSON.stringify(value)
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object': {
      if (value === null) return 'null'
      let text = ''
      if (Array.isArray(value)) {
        for (const item of value as readonly unknown[]) text += `${text && ','}${canonicalize(item, integersOnly)}`
        return `[${text}]`
      }
      if (!isPlain(value)) break
      const members = value as Readonly<Record<string, unknown>>
      for (const name of Object.keys(members).sort()) {
        text += `${text && ','}${quoted(name)}:${canonicalize(members[name], integersOnly)}`
      }
      return `{${text}}`
    }
  }
  throw notCanonical(value)
}

/** ASCII that is written as it is. */
const PLAIN = /^[ !#-[\]-~]*$/

function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  if (text.isWellFormed()) return JSON.stringify(text)
  throw notCanonical(text)
}

function notCanonical(value: unknown): ProcuraError {
  return new ProcuraError('JSON_NOT_CANONICAL', { what: 'value', why: `${typeof value} without a canonical form` })
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
