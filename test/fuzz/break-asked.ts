import { s256 } from '../../src/encoding.js'
import type { Break, Breaker } from './edit.js'
import { mutate } from './mutate.js'
import type { Random } from './random.js'
import { type Asked, type LooseObject, clone, textOf } from './scene.js'

const STRANGE: readonly ((params: LooseObject) => void)[] = [
  params => Object.assign(params, { amount: undefined }),
  params => Object.assign(params, { amount: NaN }),
  params => Object.assign(params, { amount: 10n }),
  params => Object.assign(params, { note: new Date(0) }),
  params => Object.assign(params, { note: new Map() }),
  params => Object.assign(params, { note: '\ud800' }),
  params => Object.assign(params, { note: Symbol('x') }),
  params => Object.assign(params, { loop: params }),
  params => Object.assign(params, { tags: new Array(3) }),
]

export const theAsked: Breaker = (random, scene, others) => {
  const member = random.pick([
    'method',
    'url',
    'bodyDigest',
    'action',
    'resource',
    'params',
    'params',
    'strange',
  ] as const)
  const place = `asked ${member}`
  if (member === 'strange') {
    const strange = random.pick(STRANGE)
    return { place, detail: strange.toString(), asked: asked => strange(asked.params), forged: true }
  }
  const seed = random.int(0, 2 ** 30)
  const bend = (asked: Asked): string => {
    const dice = random.fork(seed)
    const document = asked as unknown as LooseObject
    if (member === 'params')
      return (
        mutate(
          dice,
          asked.params,
          others.map(one => one.asked.params),
        )?.detail ?? ''
      )
    if (member === 'bodyDigest')
      asked.bodyDigest = dice.pick([null, s256('other'), s256(''), '', `${asked.bodyDigest ?? ''}A`])
    else document[member] = textNear(dice, textOf(document[member]))
    return JSON.stringify(document[member])
  }
  if (member === 'params' && Object.keys(scene.asked.params).length === 0) return null
  return {
    place,
    detail: bend(clone(scene.asked as unknown as LooseObject) as unknown as Asked),
    asked: asked => void bend(asked),
  }
}

function textNear(random: Random, value: string): string {
  return random.pick([
    ...[
      `${value}/`,
      `${value}?`,
      `${value}#x`,
      `${value}/..`,
      `${value}/x`,
      `${value};a`,
      `${value}%00`,
      value.toLowerCase(),
    ],
    ...[
      value.toUpperCase(),
      value.slice(0, -1),
      `${value} `,
      `${value}\u0000`,
      '',
      '*',
      '__proto__',
      value.replace('/bookings', '/hotels'),
    ],
    ...[
      value.replace('https', 'http'),
      value.replace('api.', 'api2.'),
      value.replace('travel.example', 'travel.example:443'),
      `${value}&z=1`,
    ],
  ])
}

/** The holder signs for something else, and the server is about to do just that. */
export const askedAnew: Breaker = (random, scene, others) => {
  const { params } = scene.asked
  const seed = random.int(0, 2 ** 30)
  const member = random.pick(['action', 'resource', 'params', 'params', 'params'] as const)
  if (member === 'params' && Object.keys(params).length === 0) return null
  let detail = ''
  const asked = (target: Asked): void => {
    const dice = random.fork(seed)
    if (member === 'action')
      target.action = dice.pick(['book', 'quote', 'search', 'cancel', 'delete', 'mcp:tools/call:pay'])
    else if (member === 'resource') target.resource = dice.pick([...RESOURCES, textNear(dice, target.resource)])
    else
      detail =
        mutate(
          dice,
          target.params,
          others.map(one => one.asked.params),
        )?.detail ?? ''
  }
  asked(clone(scene.asked as unknown as LooseObject) as unknown as Asked)
  return { place: `asked anew ${member}`, detail: `${detail} ${seed}`, asked, isSigned: true }
}

const RESOURCES = [
  ...[
    '',
    '/bookings',
    '/bookings/SYD-2231',
    '/bookings/SYD-2231/seats',
    '/bookings2',
    '/bookings/SYD-22310',
    '/hotels/1',
    '/Bookings/x',
  ].map(path => `https://api.travel.example${path}`),
  'https://api.travel.example.mallory.example/bookings/1',
]

/** What servers without types hand over in place of one member. */
const MISTYPED: readonly ((value: unknown) => unknown)[] = [
  ...[null, undefined, 0, NaN, 1n, true, '', {}, [], Symbol('x')].map(value => () => value),
  value => [value],
  value => ({ value }),
  value => ({ toString: () => String(value) }),
  value => new Map(Object.entries(Object(value) as object)),
  value => () => value,
  value => (typeof value === 'string' && URL.canParse(value) ? new URL(value) : Buffer.from('x')),
]

/** The same text in a box: not a string where strings are compared. */
const boxed = (value: unknown): unknown => Object(value)

const MEMBERS = ['method', 'url', 'bodyDigest', 'action', 'resource', 'params', 'approval'] as const

/** A request that is none, or has one member of a type it may not have, or lacks it. */
export const receivedUntyped: Breaker = (random, { approval, asked }) => {
  if (random.chance(0.15)) {
    const nothing = random.pick([null, undefined, 0, 'x', true, [], {}, () => 0])
    return { place: 'asked untyped', detail: typeof nothing, receiving: () => nothing, forged: true }
  }
  const member = random.pick(MEMBERS.filter(one => one !== 'approval' || approval !== null))
  const isLeftOut = random.chance(0.15)
  const bend = random.pick([...MISTYPED, boxed])
  const after = isLeftOut ? undefined : bend(asked[member as keyof Asked])
  // no approval is judged elsewhere, and no parameters are none whatever holds them
  const isEmpty = member === 'params' && Object.keys(asked.params).length === 0
  if (isEmpty || Object.is(after, asked[member as keyof Asked])) return null
  const receiving: Break['receiving'] = ({ ...received }) => {
    if (isLeftOut) Reflect.deleteProperty(received, member)
    else Reflect.set(received, member, bend(received[member]))
    return received
  }
  const detail = isLeftOut ? 'left out' : bend.toString()
  return { place: `asked untyped ${member}`, detail: `${detail} → ${typeof after}`, receiving, forged: true }
}
