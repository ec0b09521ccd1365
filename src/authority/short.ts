import { ProcuraError } from '../errors.js'
import { toSeconds } from '../time.js'
import { CALLS, type Budget, type Rate } from './budget.js'
import { isScalar, type Constraint, type Scalar } from './constraint.js'

/**
 * What people write for constraints, budgets and rates, and the text of the profile they mean (§4.1, §3.2):
 *
 * ```text
 * any · eq:VALUE · in:VALUE,… · range:MIN..MAX (either may be left out) · under:/path · subset:COUNT:VALUE,… · text:BYTES
 * 2000USD [of ARGUMENT] [on ACTION,…] · 5 calls [on ACTION,…]
 * 10/min · 100/30s
 * ```
 *
 * A value is `true`, `false`, an integer, a JSON string, or text as it is. An amount is an integer, or a decimal number with
 * an ISO 4217 currency: `20.50USD` is 2050, because the wire knows integers of the smallest unit only.
 */

/** An argument of a grant as a person wrote it. */
export interface NamedConstraint {
  readonly name: string
  readonly constraint: Constraint
  /** the currency its amounts were written in */
  readonly unit: string | null
}

/** Reads `amount=range:0..2000USD`; `note?=text:280` names an argument that may be left out. @throws SCHEMA */
export function parseArgument(text: string, at: string): NamedConstraint {
  const [, name, optional, written] = /^([^=?]+)(\?)?=(.*)$/s.exec(text) ?? []
  if (name === undefined || written === undefined) throw wrong(at, `is not NAME=CONSTRAINT: ${text}`)
  return { name, ...parseConstraint(written, optional === undefined, at) }
}

/** Reads the short form of a constraint. @throws SCHEMA */
export function parseConstraint(
  text: string,
  req: boolean,
  at: string,
): { readonly constraint: Constraint; readonly unit: string | null } {
  const [, op = '', rest = ''] = /^([a-z]+)(?::(.*))?$/s.exec(text) ?? []
  const plain = (constraint: Constraint) => ({ constraint, unit: null })
  switch (op) {
    case 'any':
      return plain({ op, req })
    case 'eq':
      return plain({ op, req, value: valueOf(rest, at) })
    case 'in':
      return plain({ op, req, values: valuesOf(rest, at) })
    case 'under':
      return plain({ op, req, base: rest })
    case 'text':
      return plain({ op, req, maxBytes: countOf(rest, at) })
    case 'subset': {
      const [, count = '', values = ''] = /^([^:]*):(.*)$/s.exec(rest) ?? []
      return plain({ op, req, values: valuesOf(values, at), maxItems: countOf(count, at) })
    }
    case 'range':
      return rangeOf(rest, req, at)
    default:
      throw wrong(at, `is none of any, eq:…, in:…, range:…, under:…, subset:…, text:…: ${text}`)
  }
}

/** A unit after its amount (profile §3.2); what looks like an exponent is none. */
const UNIT = /(?!E\d+$)[A-Z#][\w-]*$/

function rangeOf(text: string, req: boolean, at: string): ReturnType<typeof parseConstraint> {
  const [from, to, ...more] = text.split('..')
  if (from === undefined || to === undefined || more.length > 0 || from + to === '') {
    throw wrong(at, `is not range:MIN..MAX: ${text}`)
  }
  const units = [from, to].map(one => UNIT.exec(one)?.[0]).filter(one => one !== undefined)
  const [unit = null] = units
  if (units.some(one => one !== unit)) throw wrong(at, `names two units: ${text}`)
  const bound = (one: string): number => amountOf(one.replace(UNIT, ''), unit, at).amount
  const constraint = {
    op: 'range' as const,
    req,
    ...(from === '' ? {} : { min: bound(from) }),
    ...(to === '' ? {} : { max: bound(to) }),
  }
  return { constraint, unit }
}

/**
 * Reads a budget. Left out, the argument it sums is the one whose range was written in its unit; the argument that names
 * the unit is the one that is fixed to it.
 *
 * @throws SCHEMA - no such form; no argument, or several, could be meant
 */
export function parseBudget(text: string, args: readonly NamedConstraint[], at: string): Budget {
  const [, amount = '', unit = '', meter, actions] =
    /^(-?[\d.]+) ?((?!E\d)[A-Z#][\w-]*|calls?)(?: of ([^\s]+))?(?: on (\S+(?:, ?\S+)*))?$/.exec(text) ?? []
  if (unit === '') throw wrong(at, `is not a budget such as '2000USD of amount on book', or '5 calls': ${text}`)
  const on = actions === undefined ? {} : { on: actions.split(/, ?/) }
  if (/^calls?$/.test(unit) && meter === undefined) {
    return { unit: CALLS, decimals: 0, max: countOf(amount, at), meter: CALLS, ...on }
  }
  const metered = meter ?? onlyOne(args.filter(one => one.unit === unit).map(({ name }) => name))
  if (metered === null) throw wrong(at, `does not say what is summed: write '${text} of ARGUMENT'`)
  const names = args.filter(({ constraint: c }) => c.op === 'eq' && c.value === unit).map(({ name }) => name)
  const unitArg = onlyOne(names)
  const { amount: max, decimals } = amountOf(amount, unit, at)
  return { unit, decimals, max, meter: metered, ...(unitArg === null ? {} : { unitArg }), ...on }
}

const PERIODS: Readonly<Record<string, string>> = {
  s: '1s',
  sec: '1s',
  min: '1m',
  h: '1h',
  hour: '1h',
  d: '1d',
  day: '1d',
}

/** Reads `10/min`, `100/30s`. @throws SCHEMA */
export function parseRate(text: string, at: string): Rate {
  const [, max = '', period = ''] = /^(\d+)\/(\w+)$/.exec(text) ?? []
  const per = toSeconds(PERIODS[period] ?? period)
  if (per === null) throw wrong(at, `is not a rate such as 10/min or 100/30s: ${text}`)
  return { max: countOf(max, at), per }
}

/** An amount in its smallest unit. Without a currency only an integer can be meant. */
function amountOf(
  text: string,
  unit: string | null,
  at: string,
): { readonly amount: number; readonly decimals: number } {
  const decimals = unit === null ? 0 : decimalsOf(unit)
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === '') throw wrong(at, `is not an amount: ${text}${unit ?? ''}`)
  if (fraction.length > decimals) {
    const why = unit === null ? 'an amount without a unit is an integer' : `${unit} has ${decimals} decimals`
    throw wrong(at, `${why}: ${text}${unit ?? ''}`)
  }
  const amount = Number(`${sign}${whole}${fraction.padEnd(decimals, '0')}`)
  if (!isScalar(amount)) throw wrong(at, `is too large an amount, or -0: ${text}${unit ?? ''}`)
  return { amount, decimals }
}

const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'))

/** Decimals of a currency; what is none is counted in whole units. */
function decimalsOf(unit: string): number {
  if (!CURRENCIES.has(unit)) return 0
  const { maximumFractionDigits } = new Intl.NumberFormat('en', { style: 'currency', currency: unit }).resolvedOptions()
  return maximumFractionDigits ?? 0
}

function countOf(text: string, at: string): number {
  const count = Number(text)
  if (/^(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(count)) return count
  throw wrong(at, `is not a count: ${text}`)
}

function valueOf(text: string, at: string): Scalar {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^-?(0|[1-9]\d*)$/.test(text)) {
    const value = Number(text)
    if (isScalar(value)) return value
    throw wrong(at, `is not a safe integer; write it as a JSON string if text is meant: ${text}`)
  }
  if (!text.startsWith('"')) return text
  try {
    return JSON.parse(text) as string
  } catch {
    throw wrong(at, `is not a JSON string: ${text}`)
  }
}

/** Values between commas; a JSON string may hold commas. */
function valuesOf(text: string, at: string): readonly Scalar[] {
  const parts = text.match(/"(?:[^"\\]|\\.)*"|[^,]+|(?<=^|,)(?=,|$)/gs) ?? []
  return parts.map(part => valueOf(part, at))
}

function onlyOne(names: readonly string[]): string | null {
  return names.length === 1 ? (names[0] ?? null) : null
}

function wrong(at: string, why: string): ProcuraError {
  return new ProcuraError('SCHEMA', { at, why })
}
