import { SELF } from './cast.js'
import type { Random } from './random.js'
import { type Loose, type LooseObject, textOf } from './scene.js'

type Narrow = (random: Random, value: Loose, above: LooseObject) => LooseObject

export const ACTIONS = ['book', 'quote', 'search', 'mcp:tools/call:pay', 'a2a:message/send']
export const VALUES: Readonly<Record<string, (random: Random) => Loose>> = {
  amount: random => random.int(0, 100_000),
  currency: () => 'USD',
  fare: random => random.pick(['economy', 'premium']),
  path: random => random.pick(['/data/a/b/c', '/data/a/b', '/data/a/x.y']),
  tags: random => random.some(['x', 'y', 7, true]),
  note: random => random.pick(['', 'hello', 'é😀', 'a'.repeat(100)]),
  flag: random => random.chance(0.5),
  'mixed.Case-1': random => random.pick<Loose>([{ deep: [1, { er: 'x' }] }, [[]], 'text', -5]),
}

/** The widest constraint of the operators that fit a value. */
function widest(random: Random, name: string, value: Loose): LooseObject {
  const req = random.chance(0.5)
  const rest: readonly LooseObject[] = [{ op: 'any', req }]
  switch (name) {
    case 'amount':
      return { op: 'range', min: 0, max: 200_000, req: true }
    case 'currency':
      return { op: 'eq', value: 'USD', req: true }
    case 'fare':
      return random.pick<LooseObject>([
        ...rest,
        { op: 'in', values: ['economy', 'premium', 'first', 3], req },
        { op: 'text', maxBytes: 20, req },
      ])
    case 'path':
      return random.pick<LooseObject>([
        ...rest,
        { op: 'under', base: '/data', req },
        { op: 'under', base: '/data/a', req },
      ])
    case 'tags':
      return random.pick<LooseObject>([...rest, { op: 'subset', values: ['x', 'y', 7, true, 'z'], maxItems: 6, req }])
    case 'note':
      return random.pick<LooseObject>([...rest, { op: 'text', maxBytes: 280, req }])
    case 'flag':
      return random.pick<LooseObject>([...rest, { op: 'eq', value, req }, { op: 'in', values: [true, false], req }])
    default:
      return { op: 'any', req }
  }
}

const isScalar = (value: Loose): value is string | number | boolean => typeof value !== 'object'

/** A constraint that is at most the one above and still accepts the value. */
const narrower: Narrow = (random, value, above) => {
  const req = above['req'] === true || random.chance(0.3)
  const fixed: LooseObject[] = isScalar(value)
    ? [
        { op: 'eq', value, req },
        { op: 'in', values: [value], req },
      ]
    : []
  const same = { ...above, req }
  if (random.chance(0.5)) return same
  switch (above['op']) {
    case 'any': {
      const fitting: LooseObject[] = [...fixed, same]
      if (typeof value === 'number')
        fitting.push({ op: 'range', min: value, req }, { op: 'range', max: value + 5, req })
      if (typeof value === 'string') fitting.push({ op: 'text', maxBytes: 500, req })
      if (typeof value === 'string' && value.startsWith('/')) fitting.push({ op: 'under', base: '/data', req })
      if (Array.isArray(value) && value.length > 0 && value.every(isScalar))
        fitting.push({ op: 'subset', values: [...new Set(value)], maxItems: value.length, req })
      return random.pick(fitting)
    }
    case 'range': {
      const max = random.int(value as number, (above['max'] as number | undefined) ?? (value as number) + 10)
      const min = random.int((above['min'] as number | undefined) ?? (value as number), value as number)
      return random.pick<LooseObject>([...fixed, { op: 'range', min, max, req }])
    }
    case 'in':
      return random.pick([...fixed, { op: 'in', values: random.some(above['values'] as Loose[], value), req }])
    case 'under': {
      const cut = (value as string).indexOf('/', textOf(above['base']).length + 1)
      return random.pick([...fixed, { op: 'under', base: cut < 0 ? value : (value as string).slice(0, cut), req }])
    }
    case 'subset': {
      const values = random.some(above['values'] as Loose[], ...(value as Loose[]))
      if (values.length === 0) return same
      return { op: 'subset', values, maxItems: random.int((value as Loose[]).length, above['maxItems'] as number), req }
    }
    case 'text': {
      const size = Buffer.byteLength(value as string)
      return random.pick([...fixed, { op: 'text', maxBytes: random.int(size, above['maxBytes'] as number), req }])
    }
    default:
      return same
  }
}

function narrowedArgs(random: Random, above: LooseObject, params: LooseObject): LooseObject {
  const args: LooseObject = {}
  for (const [name, constraint] of Object.entries(above)) {
    const value = params[name]
    const kept = value !== undefined || (constraint as LooseObject)['req'] === true || random.chance(0.5)
    if (kept) args[name] = value === undefined ? constraint : narrower(random, value, constraint as LooseObject)
  }
  return args
}

const RESOURCES = [`${SELF}/**`, `${SELF}/bookings/**`, `${SELF}/bookings/SYD-2231/**`, `${SELF}/bookings/SYD-2231`]

export function rootGrants(random: Random, action: string, params: LooseObject): LooseObject[] {
  const args: LooseObject = {}
  for (const [name, value] of Object.entries(params)) args[name] = widest(random, name, value)
  if (random.chance(0.5)) args['unused'] = { op: 'range', min: -5, max: 5, req: false }
  const main: LooseObject = {
    resource: random.pick(RESOURCES.slice(0, 3)),
    actions: random.some(ACTIONS, action),
    ...(random.chance(0.85) ? { args } : {}),
    ...(random.chance(0.25) ? { perCall: true } : {}),
  }
  const decoys: LooseObject[] = [
    { resource: `${SELF}/hotels/**`, actions: ['search'], args: { city: { op: 'text', maxBytes: 40, req: true } } },
    { resource: `${SELF}/bookings/SYD-2231`, actions: ['cancel'], perCall: false },
  ]
  return random.chance(0.5) ? [main, ...random.some(decoys)] : [...random.some(decoys), main]
}

function isMain(grant: LooseObject, action: string): boolean {
  return (grant['actions'] as string[]).includes(action) && textOf(grant['resource']) !== `${SELF}/hotels/**`
}

export function childGrants(random: Random, above: LooseObject[], action: string, params: LooseObject): LooseObject[] {
  return above.flatMap((grant): LooseObject[] => {
    if (!isMain(grant, action)) return random.chance(0.6) ? [grant] : []
    const place = RESOURCES.indexOf(textOf(grant['resource']))
    const args = grant['args'] as LooseObject | undefined
    const own = args ?? (random.chance(0.5) ? Object.fromEntries(names(params, random)) : undefined)
    return [
      {
        resource: random.pick(RESOURCES.slice(place)),
        actions: random.some(grant['actions'] as string[], action),
        ...(own === undefined ? {} : { args: args === undefined ? own : narrowedArgs(random, own, params) }),
        ...(grant['perCall'] === true || random.chance(0.1) ? { perCall: true } : {}),
      },
    ]
  })
}

export function names(params: LooseObject, random: Random): [string, Loose][] {
  return Object.entries(params).map(([name, value]) => [name, widest(random, name, value)])
}

function canMeter(grants: LooseObject[], name: string): boolean {
  return grants.every(({ args, actions }) => {
    const constraint = (args as LooseObject | undefined)?.[name] as LooseObject | undefined
    return (actions as string[]).includes('cancel') || (constraint?.['req'] === true && !isHotel(actions as string[]))
  })
}

const isHotel = (actions: readonly string[]): boolean => actions.length === 1 && actions[0] === 'search'

export function budgetsFor(random: Random, grants: LooseObject[], action: string, params: LooseObject): LooseObject[] {
  const calls: LooseObject = { unit: '#calls', decimals: 0, max: random.int(1, 5), meter: '#calls' }
  const on: { on?: Loose[] } = random.chance(0.5) ? { on: [action] } : {}
  const found: LooseObject[] = random.chance(0.3) ? [{ ...calls, ...on }] : []
  const main = grants.filter(grant => isMain(grant, action))
  const amount = params['amount']
  if (typeof amount === 'number' && canMeter(main, 'amount') && canMeter(main, 'currency') && random.chance(0.7)) {
    const max = random.pick([amount, amount + 1, amount * 3 + 10])
    const unitArg: { unitArg?: string } = 'currency' in params && random.chance(0.7) ? { unitArg: 'currency' } : {}
    found.push({ unit: 'USD', decimals: 2, max, meter: 'amount', ...unitArg, on: [action] })
  }
  return found
}

export function budgetsBelow(random: Random, above: LooseObject[], amount: Loose | undefined): LooseObject[] {
  return random.some(above).map(budget => {
    const least = budget['meter'] === '#calls' ? 1 : Number(amount)
    return { ...budget, max: random.int(least, budget['max'] as number) }
  })
}

export const sameMeter = (one: LooseObject, two: LooseObject): boolean =>
  ['unit', 'meter', 'unitArg'].every(name => one[name] === two[name])

export function needsApproval({ credentialSubject }: LooseObject, action: string): boolean {
  const { grants } = (credentialSubject as LooseObject)['authority'] as LooseObject
  return (grants as LooseObject[]).some(grant => isMain(grant, action) && grant['perCall'] === true)
}
