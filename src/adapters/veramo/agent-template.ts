import { isProcuraError, type ProcuraError } from '../../errors.js'
import { isObject, member, type Json, type JsonObject } from '../../json.js'
import { isKnownSecret } from './known-secrets.js'

/** Where a value stands in the file: member names and zero-based positions, from the top. */
export type Path = readonly PropertyKey[]

/** Makes what a `$require` names from its `$args`. `at` is where it stands. */
export type Construct = (required: string, args: readonly unknown[], at: Path) => Promise<unknown>

/** What `$env` may name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A file's content as it is written, and how to complain about a place in it. */
export interface Source {
  readonly content: Json
  readonly env: Environment
  readonly invalid: (path: Path, why: string) => ProcuraError<'CONFIG_INVALID'>
}

/** A `$require` of a file and where it stands. */
export interface Required {
  readonly at: Path
  readonly required: string
}

/** What was found in a file. */
export interface Checked {
  readonly requirements: readonly Required[]
  readonly problems: readonly ProcuraError[]
}
interface Found extends Checked {
  readonly requirements: Required[]
  readonly problems: ProcuraError[]
}

const PLAIN_NAME = /^[\w$:-]+$/

/**
 * Checks the form of every member that starts with `$`, that what `$ref` and `$env` name is there, and that no secret
 * everybody knows is used.
 *
 * @returns every `$require`, used or not; and CONFIG_INVALID for each place that is wrong
 */
export function checkTemplate(source: Source): Checked {
  const checked = { requirements: [], problems: [] }
  check(source.content, [], source, checked)
  return checked
}

function check(value: Json, at: Path, source: Source, seen: Found): void {
  if (typeof value === 'string') attempt(seen, () => refuseKnown(value, at, source))
  if (Array.isArray(value)) value.forEach((item: Json, index) => check(item, [...at, index], source, seen))
  if (!isObject(value)) return
  for (const [name, inner] of Object.entries(value)) check(inner, [...at, name], source, seen)
  if (Object.keys(value).some(name => name.startsWith('$'))) {
    attempt(seen, () => checkDirective(value, at, source, seen.requirements))
  }
}

function attempt({ problems }: Found, work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!isProcuraError(error)) throw error
    problems.push(error)
  }
}

function checkDirective(value: JsonObject, at: Path, source: Source, seen: Required[]): void {
  switch (Object.keys(value).sort().join()) {
    case '$env':
      refuseKnown(readEnv(value, at, source), at, source)
      return
    case '$ref':
      targetOf(value, at, source)
      return
    case '$require':
    case '$args,$require': {
      const { $require: required, $args: args = [] } = value
      if (typeof required !== 'string') throw source.invalid([...at, '$require'], 'is not a text')
      if (!Array.isArray(args)) throw source.invalid([...at, '$args'], 'is not a list')
      seen.push({ at, required })
      return
    }
    default:
      throw source.invalid(at, 'must be $ref alone, $env alone, or $require with or without $args')
  }
}

function refuseKnown(text: string, at: Path, { invalid }: Source): void {
  if (isKnownSecret(text)) throw invalid(at, 'is a secret that everybody knows; make your own')
}

/**
 * The value at `start` with `$env`, `$ref` and `$require` put in. What several `$ref` name is made once.
 *
 * @throws CONFIG_INVALID, and whatever `construct` throws
 */
export async function resolveTemplate(start: Path, source: Source, construct: Construct | undefined): Promise<unknown> {
  const { content, invalid } = source
  const made = new Map<string, unknown>()

  async function valueOf(at: Path, under: readonly string[], from: Path): Promise<unknown> {
    const name = formatPath(at)
    if (made.has(name)) return made.get(name)
    if (under.includes(name)) throw invalid(from, 'leads back to itself')
    const found = valueAt(content, at)
    if (found === undefined) throw invalid(at, 'is missing')
    const value = await make(found, at, [...under, name])
    made.set(name, value)
    return value
  }

  async function make(value: Json, at: Path, under: readonly string[]): Promise<unknown> {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return inOrder(value.map((_, index) => () => valueOf([...at, index], under, at)))
    const members = value as JsonObject
    if (member(members, '$env') !== undefined) return readEnv(members, at, source)
    if (member(members, '$ref') !== undefined) return valueOf(targetOf(members, at, source), under, at)
    const required = member(members, '$require')
    if (required !== undefined) {
      if (construct === undefined) throw invalid(at, 'is $require, only a plain value may stand here')
      const args = member(members, '$args') === undefined ? [] : await valueOf([...at, '$args'], under, at)
      return construct(required as string, args as readonly unknown[], at)
    }
    const names = Object.keys(members)
    const values = await inOrder(names.map(name => () => valueOf([...at, name], under, at)))
    return Object.fromEntries(names.map((name, index) => [name, values[index]]))
  }

  return valueOf(start, [], start)
}

async function inOrder<T>(tasks: readonly (() => Promise<T>)[]): Promise<readonly T[]> {
  const results: T[] = []
  for (const task of tasks) results.push(await task())
  return results
}

function readEnv(value: JsonObject, at: Path, { env, invalid }: Source): string {
  const name = value['$env']
  if (typeof name !== 'string') throw invalid(at, 'names no environment variable')
  const found = Object.hasOwn(env, name) ? env[name] : undefined
  if (found === undefined || found === '') throw invalid(at, `environment variable ${name} is not set`)
  return found
}

/** @see https://www.rfc-editor.org/rfc/rfc6901#section-4 */
function targetOf(value: JsonObject, at: Path, { content, invalid }: Source): Path {
  const pointer = value['$ref']
  if (typeof pointer !== 'string' || !pointer.startsWith('/'))
    throw invalid(at, '$ref is not a JSON pointer: write /section')
  const steps = pointer
    .slice(1)
    .split('/')
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  const target: PropertyKey[] = []
  for (const step of steps) target.push(Array.isArray(valueAt(content, target)) ? Number(step) : step)
  if (valueAt(content, target) === undefined) throw invalid(at, `$ref names ${pointer}, which is not in the file`)
  return target
}

function valueAt(content: Json, path: Path): Json | undefined {
  let value: Json | undefined = content
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Readonly<Record<PropertyKey, Json>>)[step]
  }
  return value
}

/** `procura.connect["https://a.example"]`, as messages name a place. */
export function formatPath(path: Path): string {
  return path
    .map(step => {
      if (typeof step === 'number') return `[${step}]`
      const name = String(step)
      return PLAIN_NAME.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
    })
    .join('')
    .replace(/^\./, '')
}
