import { isDid, type Did } from '../did/did.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import { isObject, type Json, type JsonObject } from '../json.js'
import { findings, listOf, object, where, type Report, type Shape } from '../shape.js'
import { authorityShape, type AuthorityDraft, type GrantJson } from './authority.js'
import type { Budget, Rate } from './budget.js'
import type { Constraint } from './constraint.js'
import { parseArgument, parseBudget, parseRate, type NamedConstraint } from './short.js'

/** Authority as a person writes it down, and to whom and for how long. What is not said is decided elsewhere. */
export interface Written {
  readonly to: Did | null
  /** `30m`, or seconds */
  readonly ttl: string | number | null
  /** `audience` is empty if it was not said */
  readonly draft: AuthorityDraft
  /** the origins of the resources: the audience, if nothing else is said */
  readonly origins: readonly string[]
}

const anything: Shape<Json> = value => value as Json
const string = where((value): value is string => typeof value === 'string', 'is not a text')
const duration = where(
  (value): value is string | number => typeof value === 'string' || typeof value === 'number',
  'is not a duration such as 30m',
)
const did = where(isDid, 'is not a DID')
const strings = listOf(string, 0, 64)

/** Constraints by argument name, in the short form or as the profile writes them; `name?` may be left out of a call. */
const argsShape: Shape<readonly (NamedConstraint | { readonly name: string; readonly json: Json })[]> = (
  value,
  at,
  report,
) => {
  if (!isObject(value)) {
    report(new ProcuraError('SCHEMA', { at, why: 'is not a map of argument names' }))
    return []
  }
  return Object.entries(value).flatMap(
    ([name, written]): readonly (NamedConstraint | { name: string; json: Json })[] => {
      if (typeof written !== 'string') return [{ name, json: written }]
      const argument = attempt(() => parseArgument(`${name}=${written}`, `${at}.${name}`), report)
      return argument === undefined ? [] : [argument]
    },
  )
}

const writtenShape = object({
  to: { optional: did },
  ttl: { optional: duration },
  audience: { optional: strings },
  grants: listOf(
    object({
      resource: string,
      actions: strings,
      args: { optional: argsShape },
      perCall: { optional: anything },
    }),
    1,
    16,
  ),
  budgets: { optional: listOf(anything, 0, 8) },
  rate: { optional: anything },
  more: { optional: anything },
  onBehalfOf: { optional: anything },
  purpose: { optional: anything },
  /** who may receive it further down */
  recipients: { optional: anything },
})

/**
 * Reads what a person wrote: constraints, budgets and rates in their short form or as the profile writes them. Finds
 * everything that is wrong with it.
 *
 * @param place - names where a member stands, for messages: the line of a file, an option
 * @throws the gravest code; the message lists all
 */
export function readWritten(value: Json, place: (member: string) => string): Written {
  let written: Written | undefined
  const wrong = findings(report => {
    const before: ProcuraError[] = []
    const note: Report = error => void before.push(error)
    const members = writtenShape(value, '', note)
    if (before.length === 0) written = toWritten(members, note)
    if (before.length === 0 && written !== undefined) {
      // read as it will be read: what is wrong is known before anything is sent
      const { draft, origins } = written
      const audience = draft.audience.length === 0 ? origins : draft.audience
      authorityShape({ v: 1, hop: 0, more: 0, ...draft, audience } as unknown as JsonObject, '', report)
    }
    before.forEach(report)
  })
  if (written !== undefined && wrong.length === 0) return written
  const placed = wrong.map(error => atPlace(error, place))
  const [first] = placed
  const message = [...new Set(placed.map(error => error.message))].join('; ')
  throw new ProcuraError(first?.code ?? 'SCHEMA', (first?.facts ?? {}) as never, { message })
}

function toWritten(members: ReturnType<typeof writtenShape>, report: Report): Written {
  const { to = null, ttl = null, audience = [], grants, budgets, rate, recipients, ...others } = members
  const named = grants.flatMap(({ args = [] }) => args.filter(one => 'constraint' in one))
  const draft = {
    audience,
    grants: grants.map(({ args, ...grant }) => ({ ...grant, ...(args === undefined ? {} : { args: jsonOf(args) }) })),
    ...(budgets === undefined
      ? {}
      : { budgets: budgets.map((one, n) => budgetOf(one, named, `.budgets[${n}]`, report)) }),
    ...(rate === undefined ? {} : { rate: rateOf(rate, '.rate', report) }),
    ...(recipients === undefined ? {} : { to: recipients }),
    ...others,
  } as unknown as AuthorityDraft
  return { to, ttl, draft, origins: originsOf(draft.grants) }
}

function jsonOf(args: ReturnType<typeof argsShape>): Readonly<Record<string, Constraint>> {
  return Object.fromEntries(args.map(one => [one.name, ('json' in one ? one.json : one.constraint) as Constraint]))
}

function budgetOf(value: Json, args: readonly NamedConstraint[], at: string, report: Report): Budget | Json {
  if (typeof value !== 'string') return value
  return attempt(() => parseBudget(value, args, at), report) ?? value
}

function rateOf(value: Json, at: string, report: Report): Rate | Json {
  if (typeof value !== 'string') return value
  return attempt(() => parseRate(value, at), report) ?? value
}

function originsOf(grants: readonly GrantJson[]): readonly string[] {
  return [...new Set(grants.map(({ resource }) => /^https:\/\/[^/]*/.exec(resource)?.[0] ?? resource))]
}

function attempt<T>(parse: () => T, report: Report): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (!isProcuraError(error)) throw error
    report(error)
    return undefined
  }
}

function atPlace(error: ProcuraError, place: (member: string) => string): ProcuraError {
  const { at } = error.facts
  if (typeof at !== 'string') return error
  return new ProcuraError(error.code, { ...error.facts, at: place(at.replace(/^\./, '')) } as never)
}
