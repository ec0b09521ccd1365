import { ProcuraError, rankOf } from './errors.js'
import { canonicalize, isObject, type Json } from './json.js'

/** Takes note of one thing wrong; reading goes on, so that the gravest can be answered and all can be listed. */
export type Report = (error: ProcuraError) => void

/**
 * Reads an untrusted value into `T`. What it returns may be used only if nothing was reported;
 * {@link read} sees to that.
 */
export type Shape<T> = (value: Json | undefined, at: string, report: Report) => T

/** Marks a member that may be left out. */
export interface Optional<T> {
  readonly optional: Shape<T>
}

type Members = Readonly<Record<string, Shape<unknown> | Optional<unknown>>>
type Of<S> = S extends Optional<infer T> ? T : S extends Shape<infer T> ? T : never
type OptionalNames<M> = { [K in keyof M]: M[K] extends Optional<unknown> ? K : never }[keyof M]
type Flat<T> = { readonly [K in keyof T]: T[K] }
/** What {@link object} makes of its members. */
export type Read<M> = Flat<
  { [K in Exclude<keyof M, OptionalNames<M>>]: Of<M[K]> } & { [K in OptionalNames<M>]?: Of<M[K]> }
>

/** All that is wrong with a value, in the order of the error table; empty if it may be used. */
export function findings(run: (report: Report) => void): readonly ProcuraError[] {
  const found: ProcuraError[] = []
  run(error => found.push(error))
  return found.sort((a, b) => rankOf(a.code) - rankOf(b.code))
}

/** Reads a value or throws the gravest finding: within a row of profile §6 the codes stand in order. */
export function read<T>(shape: Shape<T>, value: Json | undefined, at: string): T {
  let result: T | undefined
  const [gravest] = findings(report => {
    result = shape(value, at, report)
  })
  if (gravest !== undefined) throw gravest
  return result as T
}

/** A shape that accepts what `test` accepts, and reports `code` (SCHEMA unless said) otherwise. */
export function where<T extends Json>(test: (value: Json) => value is T, why: string): Shape<T> {
  return (value, at, report) => {
    if (value === undefined || !test(value)) report(new ProcuraError('SCHEMA', { at, why }))
    return value as T
  }
}

/** A well-formed string of at most `max` UTF-16 code units, not empty, that matches `pattern`. */
export function text(pattern?: RegExp, max = 512): Shape<string> {
  return where(
    (value): value is string =>
      typeof value === 'string' &&
      value.isWellFormed() &&
      value.length > 0 &&
      value.length <= max &&
      (pattern?.test(value) ?? true),
    pattern === undefined ? `is not a string of 1 to ${max} characters` : `does not match ${pattern.source}`,
  )
}

/** One of the given strings. */
export function oneOf<const T extends string>(...values: readonly T[]): Shape<T> {
  return where((value): value is T => values.includes(value as T), `is not one of ${values.join(', ')}`)
}

/** A safe integer within the bounds; −0 is none. */
export function integer(min: number = Number.MIN_SAFE_INTEGER, max: number = Number.MAX_SAFE_INTEGER): Shape<number> {
  return where(
    (value): value is number =>
      typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0) && value >= min && value <= max,
    `is not an integer from ${min} to ${max}`,
  )
}

/** True or false. */
export const boolean: Shape<boolean> = where(
  (value): value is boolean => typeof value === 'boolean',
  'is not a boolean',
)

/** An array of `min` to `max` items. */
export function listOf<T>(item: Shape<T>, min: number, max: number): Shape<readonly T[]> {
  return (value, at, report) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      report(new ProcuraError('SCHEMA', { at, why: `is not an array of ${min} to ${max} items` }))
      return []
    }
    return (value as readonly Json[]).map((one, index) => item(one, `${at}[${index}]`, report))
  }
}

/** An array that is a set: `min` to `max` items, no two of the same canonical form. */
export function setOf<T>(item: Shape<T>, min: number, max: number): Shape<readonly T[]> {
  const list = listOf(item, min, max)
  return (value, at, report) => {
    const items = list(value, at, report)
    if (Array.isArray(value) && value.length > 1 && new Set(value.map(identityOf)).size < value.length) {
      report(new ProcuraError('SCHEMA', { at, why: 'holds an item twice' }))
    }
    return items
  }
}

/** Equal for items of the same canonical form, and only for those. */
function identityOf(item: Json): unknown {
  return typeof item === 'object' ? canonicalize(item) : typeof item === 'string' ? `"${item}` : item
}

/** An object as a map: names of one form, so that `__proto__` and its like are names as any other. */
export function mapOf<T>(name: RegExp, item: Shape<T>): Shape<ReadonlyMap<string, T>> {
  return (value, at, report) => {
    if (!isObject(value) || !Object.keys(value).every(key => name.test(key))) {
      report(new ProcuraError('SCHEMA', { at, why: `is not an object with names like ${name.source}` }))
      return new Map<string, T>()
    }
    return new Map(Object.entries(value).map(([key, one]) => [key, item(one, `${at}.${key}`, report)]))
  }
}

/** An object with exactly the members named; any other is reported with the code `unknown`. */
export function object<M extends Members>(members: M, unknown: 'SCHEMA' | 'CAVEAT_UNKNOWN' = 'SCHEMA'): Shape<Read<M>> {
  const known = new Map(
    Object.entries(members).map(([name, shape]) => [
      name,
      typeof shape === 'object' ? { reader: shape.optional, isOptional: true } : { reader: shape, isOptional: false },
    ]),
  )
  return (value, at, report) => {
    const result: Record<string, unknown> = {}
    if (!isObject(value)) {
      report(new ProcuraError('SCHEMA', { at, why: 'is not an object' }))
      return result as Read<M>
    }
    for (const name of Object.keys(value)) if (!known.has(name)) report(unknownMember(unknown, `${at}.${name}`))
    for (const [name, { reader, isOptional }] of known) {
      const present = Object.hasOwn(value, name)
      if (present || !isOptional) result[name] = reader(present ? value[name] : undefined, `${at}.${name}`, report)
    }
    return result as Read<M>
  }
}

/** A shape with a further rule over the whole value, asked only if the value itself is well shaped. */
export function also<T>(shape: Shape<T>, rule: (value: T, at: string, report: Report) => void): Shape<T> {
  return (value, at, report) => {
    const wrong: ProcuraError[] = []
    const result = shape(value, at, error => wrong.push(error))
    if (wrong.length === 0) rule(result, at, report)
    else wrong.forEach(report)
    return result
  }
}

/** Reads a string with the first shape, anything else with the second. */
export function either<A, B>(string: Shape<A>, other: Shape<B>): Shape<A | B> {
  return (value, at, report) => (typeof value === 'string' ? string(value, at, report) : other(value, at, report))
}

function unknownMember(code: 'SCHEMA' | 'CAVEAT_UNKNOWN', at: string): ProcuraError {
  return code === 'SCHEMA'
    ? new ProcuraError(code, { at, why: 'is not a known member' })
    : new ProcuraError(code, { at })
}
