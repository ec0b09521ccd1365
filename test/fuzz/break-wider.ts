import { AGENTS, ALICE, BASE_KEY, BASE_WEB, MALLORY, SELF, STATUS_KEY, STATUS_WEB } from './cast.js'
import type { Breaker, Edit } from './edit.js'
import type { Random } from './random.js'
import { at, clone, textOf, type Loose, type LooseObject } from './scene.js'

/** Makes one member of an authority claim a little more, well-formed as before; false where it cannot. */
type Widen = (authority: LooseObject, random: Random) => boolean

const list = (authority: LooseObject, name: string): LooseObject[] => (authority[name] ?? []) as LooseObject[]

function add(target: LooseObject, name: string, ...more: readonly Loose[]): boolean {
  const before = target[name]
  if (!Array.isArray(before)) return false
  const fresh = more.find(one => !before.some(other => JSON.stringify(other) === JSON.stringify(one)))
  if (fresh !== undefined) before.push(fresh)
  return fresh !== undefined
}

function count(target: LooseObject | undefined, name: string, step: number): boolean {
  const before = target?.[name]
  if (target === undefined || typeof before !== 'number') return false
  target[name] = before + step
  return true
}

/** Does something to one grant. */
const inGrant =
  (bend: (grant: LooseObject, random: Random) => boolean): Widen =>
  (authority, random) =>
    bend(random.pick(list(authority, 'grants')), random)

/** Does something to the constraint of one argument. */
const inArgs = (bend: (args: LooseObject, name: string, random: Random) => boolean): Widen =>
  inGrant((grant, random) => {
    const args = (grant['args'] ?? {}) as LooseObject
    const names = Object.keys(args)
    return names.length > 0 && bend(args, random.pick(names), random)
  })

const constraintOf = (args: LooseObject, name: string): LooseObject => args[name] as LooseObject

const WIDER: Readonly<Record<string, Widen>> = {
  audience: authority => add(authority, 'audience', 'https://other.example', 'https://third.example'),
  more: (authority, random) => count(authority, 'more', random.pick([1, 2, 16])),
  hop: (authority, random) => count(authority, 'hop', random.pick([1, -1])),
  'grants.resource': inGrant((grant, random) => {
    const before = textOf(grant['resource'])
    grant['resource'] = random.pick([`${SELF}/**`, `${SELF}/bookings/**`, `${SELF}/book/**`, `${before}/**`])
    return grant['resource'] !== before && !before.endsWith('/**')
  }),
  'grants.actions': inGrant((grant, random) => add(grant, 'actions', random.pick(['drop', 'pay']), 'drop')),
  'grants.perCall': inGrant(grant => grant['perCall'] === true && Reflect.deleteProperty(grant, 'perCall')),
  'grants.args': inGrant(grant => grant['args'] !== undefined && Reflect.deleteProperty(grant, 'args')),
  'grants.args.more': inGrant(grant => {
    const { args } = grant
    if (args === undefined) return false
    Object.assign(args as LooseObject, { more: { op: 'any', req: false } })
    return true
  }),
  'grants.args.less': inArgs((args, name) => Reflect.deleteProperty(args, name)),
  'grants.args.req': inArgs((args, name) => {
    const before = constraintOf(args, name)
    if (before['req'] !== true) return false
    before['req'] = false
    return true
  }),
  'grants.args.any': inArgs((args, name) => {
    const { op, req } = constraintOf(args, name)
    args[name] = { op: 'any', req: req! }
    return op !== 'any'
  }),
  'grants.args.bound': inArgs((args, name, random) => {
    const constraint = constraintOf(args, name)
    const bounds: readonly [string, number][] = [
      ['min', -1],
      ['max', 1],
      ['maxItems', 1],
      ['maxBytes', 1],
    ]
    const [bound, step] = random.pick(bounds.filter(([one]) => one in constraint).concat([['none', 0]]))
    return count(constraint, bound, step) || add(constraint, 'values', 'more', 'most')
  }),
  'grants.more': authority => add(authority, 'grants', { resource: `${SELF}/more`, actions: ['search'] }),
  'budgets.max': (authority, random) => count(list(authority, 'budgets')[0], 'max', random.pick([1, 1000])),
  'budgets.decimals': authority => count(list(authority, 'budgets')[0], 'decimals', 1),
  'rate.max': authority => count(authority['rate'] as LooseObject | undefined, 'max', 1),
  'rate.per': authority => count(authority['rate'] as LooseObject | undefined, 'per', -1),
  purpose: authority => {
    authority['purpose'] = { s256: 'A'.repeat(43) }
    return true
  },
  onBehalfOf: (authority, random) => {
    authority['onBehalfOf'] = random.pick([MALLORY.did, 'urn:x:2'])
    return true
  },
  statusIssuers: (authority, random) => {
    const pairs = [STATUS_WEB, STATUS_KEY, MALLORY].flatMap(({ did: iss }) =>
      [BASE_WEB, BASE_KEY].map(base => ({ iss, base })),
    )
    authority['statusIssuers'] = [random.pick(pairs)]
    return true
  },
  to: (authority, random) => {
    authority['to'] = [random.pick([ALICE, MALLORY, ...AGENTS]).did]
    return true
  },
}

/** A link that claims, in one member and without any other fault, what the links around it do not agree to. */
export const widened: Breaker = (random, scene) => {
  const index = random.int(0, scene.links.length - 1)
  const what = random.pick(Object.keys(WIDER))
  const seed = random.int(0, 2 ** 30)
  const bend = (claims: LooseObject): boolean =>
    WIDER[what]!(at(claims, 'credentialSubject', 'authority') as LooseObject, random.fork(seed))
  if (!bend(clone(scene.links[index]!.claims) as LooseObject)) return null
  const claims: Edit['claims'] = document => void bend(document)
  return {
    place: `link credentialSubject.authority.${what} wider`,
    detail: `link ${index}, dice ${seed}`,
    link: { index, edit: { claims } },
  }
}
