import { exactly, isCount, isInt, must, setOf } from './must.js'
import { type Loose, type LooseObject, textOf } from './scene.js'

const isPlain = (value: Loose): boolean =>
  isInt(value) || typeof value === 'boolean' || (typeof value === 'string' && value.length <= 512)

export function constraintFits(raw: LooseObject): void {
  must(typeof raw['req'] === 'boolean', 'req')
  const members = {
    any: [],
    eq: ['value'],
    in: ['values'],
    under: ['base'],
    subset: ['values', 'maxItems'],
    text: ['maxBytes'],
  }
  const op = textOf(raw['op'])
  must(typeof raw['op'] === 'string' && (op === 'range' || Object.hasOwn(members, op)), 'op')
  if (op === 'range') {
    exactly(raw, ['op', 'req'], ['min', 'max'])
    must('min' in raw || 'max' in raw, 'range without bounds')
    must([raw['min'] ?? 0, raw['max'] ?? 0].every(isInt), 'range')
  } else exactly(raw, ['op', 'req', ...members[op as keyof typeof members]])
  if (op === 'eq') must(isPlain(raw['value']!), 'value')
  if (op === 'in' || op === 'subset') must(setOf(raw['values'], 64, 'values').every(isPlain), 'values')
  if (op === 'under') must(isPath(raw['base']!), 'base')
  if (op === 'subset') must(isCount(raw['maxItems'], 0, Infinity), 'maxItems')
  if (op === 'text') must(isCount(raw['maxBytes'], 0, Infinity), 'maxBytes')
}

function isPath(value: Loose): value is string {
  if (typeof value !== 'string' || !value.startsWith('/') || value.length > 512) return false
  const segments = value.slice(1).split('/')
  return segments.every(one => /^[A-Za-z0-9._~:@!$&'()+,=-]+$/.test(one) && one !== '.' && one !== '..')
}

export function admits(constraint: LooseObject, value: Loose): boolean {
  const { op, values, min, max } = constraint
  const isIn = (one: Loose): boolean => isPlain(one) && (values as Loose[]).some(other => other === one)
  if (op === 'any') return true
  if (op === 'eq') return value === constraint['value']
  if (op === 'in') return isIn(value)
  if (op === 'range')
    return isInt(value) && (min === undefined || value >= Number(min)) && (max === undefined || value <= Number(max))
  if (op === 'text') return typeof value === 'string' && Buffer.byteLength(value) <= Number(constraint['maxBytes'])
  if (op === 'subset')
    return Array.isArray(value) && value.length <= Number(constraint['maxItems']) && value.every(isIn)
  const base = textOf(constraint['base'])
  return isPath(value) && (value === base || value.startsWith(`${base}/`))
}

/** Values that tell constraints apart: at, just inside and just outside of what one of them says. */
export function probes(one: LooseObject): Loose[] {
  const bounds = [one['min'], one['max']].filter(bound => typeof bound === 'number')
  const values = [one['value'], ...(Array.isArray(one['values']) ? one['values'] : [])].filter(
    value => value !== undefined,
  )
  const size = Math.min(Number(one['maxBytes'] ?? 0), 4000)
  const items = Math.min(Number(one['maxItems'] ?? 0), 80)
  const base = typeof one['base'] === 'string' ? one['base'] : '/q'
  return [
    ...bounds.flatMap(bound => [bound - 1, bound, bound + 1]),
    ...values,
    ...values.map(value => [value]),
    [],
    values,
    ...[items, items + 1].map(count => Array.from({ length: count }, () => values[0] ?? 0)),
    ...['a'.repeat(size), 'a'.repeat(size + 1), base, `${base}/x`, `${base}x`, '/', '', 'a'],
    ...[0, -1, 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, true, false, null, [[]], {}],
  ]
}

export function within(child: LooseObject, parent: LooseObject): boolean {
  return [...probes(child), ...probes(parent)].every(value => !admits(child, value) || admits(parent, value))
}
