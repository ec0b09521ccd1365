import { toDate } from '../../src/time.js'
import { EVERYBODY } from './cast.js'
import type { Random } from './random.js'
import { at, clone, type Loose, type LooseObject } from './scene.js'

interface Node {
  readonly holder: LooseObject | Loose[]
  readonly name: string | number
  readonly path: readonly (string | number)[]
  readonly value: Loose
}

/** What was changed in a document. */
export interface Change {
  /** the place, positions left out */
  readonly place: string
  readonly operation: string
  readonly detail: string
}

/** Every member of a document, outer before inner. */
export function nodes(value: Loose, path: readonly (string | number)[] = [], found: Node[] = []): Node[] {
  if (typeof value !== 'object' || value === null) return found
  const members: [string | number, Loose][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  for (const [name, inner] of members) {
    const here = [...path, name]
    found.push({ holder: value, name, path: here, value: inner })
    nodes(inner, here, found)
  }
  return found
}

export function put(holder: LooseObject | Loose[], name: string | number, value: Loose): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true })
}

const FOREIGN = [
  ...[
    'x',
    '__proto__',
    'constructor',
    'toString',
    'crit',
    'nbf',
    'vc',
    'vp',
    'proof',
    'termsOfUse',
    'exp',
    'iat',
    'sub',
  ],
  ...[
    'hop',
    'req',
    'min',
    'max',
    'perCall',
    'args',
    'parent',
    'd',
    'kid',
    'on',
    'unitArg',
    'ref',
    'statusSize',
    'nonce',
  ],
  ...['leaf', 'identity', 'to', 'values', 'value', 'op', 'id', 'type', 'bodyDigest', 'purpose', '', 'a\u0000b', 'é'],
]

const TYPES: readonly ((value: Loose) => Loose)[] = [
  () => null,
  () => true,
  () => false,
  () => 0,
  () => '',
  () => [],
  () => ({}),
  value => [value],
  value => ({ value }),
  value => (typeof value === 'string' ? Number(value) || 1 : typeof value === 'object' ? 'x' : String(value)),
  value => [value, value],
  value => ({ length: 1, 0: value }),
]

const NUMBERS: readonly ((value: number) => number)[] = [
  ...[1, -1, 2, 30, -30, 31, -31, 60, -60, 120, -120, 301, -301, 1000].map(step => (value: number) => value + step),
  ...[0, 1, -1, 16, 17, 2 ** 31, 2 ** 32, 1e15, 1e15 - 1, 2 ** 53 - 1, 2 ** 53, -(2 ** 53), 1e21, 0.5, 1e-7].map(
    value => () => value,
  ),
  value => value * 2,
  value => -value,
  value => value / 2,
]

const TEXTS: readonly ((value: string, random: Random) => string)[] = [
  ...['a', '/', '/**', '/..', '\u0000', ' ', '.', '#', '?', '=', ':**', '%2f', 'é', '\u202e', '0', '\n'].map(
    more => (value: string) => value + more,
  ),
  value => ` ${value}`,
  value => value.slice(1),
  value => value.slice(0, -1),
  value => value.toUpperCase(),
  value => value.toLowerCase(),
  value => value.split('').reverse().join(''),
  value => value.replace('https:', 'http:'),
  value => value.replace('.', '-'),
  value => value.replace('/', '//'),
  value => value.replace('a', '\u0430'),
  value => value + value,
  value => value.slice(0, value.lastIndexOf('/')) + (value.endsWith('/**') ? '/**' : ''),
  value => `${value.replace(/\/[^/]*$/, '')}/**`,
  (value, random) => {
    const place = random.int(0, Math.max(0, value.length - 1))
    return value.slice(0, place) + random.pick(['A', 'z', '9', '_', '-', '/']) + value.slice(place + 1)
  },
  () => '',
  () => 'x',
  () => 'a'.repeat(513),
  () => '__proto__',
  () => '/',
  () => 'range',
  () => 'any',
  () => 'revocation',
  () => 'suspension',
  (_, random) => random.pick(EVERYBODY).did,
  (_, random) => random.pick(EVERYBODY).kid,
  (_, random) => random.pick(EVERYBODY).publicKey.x,
  () => 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
]

const DATES: readonly ((value: string, random: Random) => string)[] = [
  (value, random) => toDate(Date.parse(value) / 1000 + random.pick([1, -1, 30, -30, 31, -31, 300, -300, 86_400])),
  value => value.replace('Z', '+00:00'),
  value => value.replace('Z', '.000Z'),
  value => value.replace('T', ' '),
  value => value.replace(/-\d\dT/, '-31T').replace(/-\d\d-/, '-02-'),
  value => value.replace(/T\d\d/, 'T24'),
  value => value.replace(/\d\dZ/, '60Z'),
]

/** Values that claim more than the one in this place. */
function wider(name: string | number, value: Loose, random: Random): Loose | undefined {
  if (typeof value === 'number') return random.pick([value + 1, value * 10 + 1, Number.MAX_SAFE_INTEGER, 16])
  if (typeof value === 'boolean') return !value
  if (Array.isArray(value)) {
    const more: Loose[] = [
      'https://evil.example',
      'delete',
      'drop',
      'first',
      3,
      'did:key:**',
      MANY,
      ...EVERYBODY.map(one => one.did),
    ]
    return [...value, random.pick(more)]
  }
  if (name === 'resource')
    return random.pick(['https://api.travel.example/**', 'https://api.travel.example', 'https://**'])
  if (name === 'base') return random.pick(['/', '/data', '/dat', ''])
  if (typeof value === 'object' && value !== null && 'op' in value) {
    return random.pick<Loose>([
      { op: 'any', req: value['req'] ?? true },
      { op: 'any', req: false },
      { op: 'text', maxBytes: 100_000, req: true },
      { op: 'range', min: -1_000_000, req: true },
      { op: 'under', base: '/d', req: true },
      { op: 'regex', value: '.*', req: true },
      { ...value, req: value['req'] !== true },
    ])
  }
  return undefined
}

const MANY = Array.from({ length: 70 }, (_, index) => index)

/**
 * Changes one thing in a document.
 *
 * @param donors - documents of the same kind, for what stands in the same place there
 */
export function mutate(random: Random, document: LooseObject, donors: readonly Loose[]): Change | null {
  const all = nodes(document)
  const isTop = random.chance(0.25)
  const found = random.pick(isTop ? all.filter(({ path }) => path.length === 1) : all)
  const { holder, name, path, value } = found
  const place = path.map(step => (typeof step === 'number' ? '#' : step)).join('.')
  const change = (operation: string, after: Loose | undefined, show: unknown = after): Change | null => {
    if (after === undefined) return null
    put(holder, name, after)
    const told = `${path.join('.')}: ${JSON.stringify(value).slice(0, 200)} → ${JSON.stringify(show).slice(0, 200)}`
    return { place, operation, detail: told }
  }
  switch (random.int(0, 7)) {
    case 0: {
      if (Array.isArray(holder)) holder.splice(Number(name), 1)
      else Reflect.deleteProperty(holder, name)
      return { place, operation: 'delete', detail: path.join('.') }
    }
    case 1:
      return change('retype', random.pick(TYPES)(clone(value)))
    case 2: {
      if (typeof value === 'number') return change('neighbour', random.pick(NUMBERS)(value))
      if (typeof value === 'boolean') return change('neighbour', !value)
      if (typeof value !== 'string') return null
      const isDate = /^\d{4}-\d\d-\d\dT/.test(value) && random.chance(0.7)
      return change('neighbour', random.pick(isDate ? DATES : TEXTS)(value, random))
    }
    case 3:
      return change('widen', wider(name, clone(value), random))
    case 4: {
      const donor = random.chance(0.7) ? at(random.pick(donors), ...path) : random.pick(all).value
      return change('swap', donor === undefined ? undefined : clone(donor))
    }
    case 5: {
      if (!Array.isArray(holder)) return null
      holder.splice(Number(name), 0, clone(value))
      return { place, operation: 'duplicate', detail: path.join('.') }
    }
    case 6: {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
      const foreign = random.pick(FOREIGN)
      if (Object.hasOwn(value, foreign)) return null
      const inner = random.pick<Loose>([0, 1, true, 'x', null, {}, [], [{}], clone(random.pick(all).value)])
      put(value, foreign, inner)
      return {
        place: `${place}.${foreign}`,
        operation: 'add',
        detail: `${path.join('.')}.${foreign} = ${JSON.stringify(inner).slice(0, 100)}`,
      }
    }
    default: {
      const foreign = random.pick(FOREIGN)
      if (Object.hasOwn(document, foreign)) return null
      const inner = random.pick<Loose>([
        0,
        true,
        'x',
        null,
        {},
        [],
        clone(random.pick(all).value),
        nested(random.int(9, 40)),
      ])
      put(document, foreign, inner)
      return { place: foreign, operation: 'add', detail: `${foreign} = ${JSON.stringify(inner).slice(0, 100)}` }
    }
  }
}

function nested(levels: number): Loose {
  return levels === 0 ? 0 : [nested(levels - 1)]
}
