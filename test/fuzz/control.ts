import { CONTEXTS } from '../../src/credential/credential.js'
import { digestOf, s256 } from '../../src/encoding.js'
import { canonicalize } from '../../src/json.js'
import { parsePolicy } from '../../src/policy/policy.js'
import { envelope } from '../../src/presentation/presentation.js'
import { toDate } from '../../src/time.js'
import { bitsOf, encodeList, MIN_BITS } from '../../src/status/bitstring.js'
import { Random } from './random.js'
import {
  textOf,
  actor,
  seal,
  signingInput,
  type Actor,
  type Draft,
  type Loose,
  type LooseObject,
  type Scene,
} from './scene.js'

/** The verifier's clock. */
export const NOW = 1_795_255_500
export const SELF = 'https://api.travel.example'
export const VERSION = 42
/** A bit that is set in every list. */
export const TAKEN_BACK = 77
/** What the host of every list answered, this many seconds ago. */
export const AGE = 3

export const OWNER = actor('owner', 'did:web:travel.example')
export const PERSON = actor('person')
export const STATUS_WEB = actor('status', 'did:web:status.acme.example')
export const STATUS_KEY = actor('status two')
export const ALICE = actor('alice')
export const BOB = actor('bob', 'did:web:people.example:bob')
export const MALLORY = actor('mallory')
export const MALLORY_WEB = actor('mallory web', 'did:web:mallory.example')
export const AGENTS: readonly Actor[] = [
  ...Array.from({ length: 7 }, (_, index) => actor(`agent ${index}`)),
  ...Array.from({ length: 5 }, (_, index) => actor(`web agent ${index}`, `did:web:acme.example:agents:a${index}`)),
]
export const EVERYBODY: readonly Actor[] = [
  ...[OWNER, PERSON, STATUS_WEB, STATUS_KEY, ALICE, BOB, MALLORY, MALLORY_WEB],
  ...AGENTS,
]

export const BASE_WEB = 'https://status.acme.example/sl/'
export const BASE_KEY = 'https://status.beta.example/lists/v1/'
export const EMPTY = encodeList(bitsOf(MIN_BITS, [TAKEN_BACK]))

/** Every list there is: two publishers, two purposes. */
export const LISTS: ReadonlyMap<string, Draft> = new Map(
  [
    listDraft(`${BASE_WEB}1`, STATUS_WEB, 'revocation'),
    listDraft(`${BASE_WEB}s-1`, STATUS_WEB, 'suspension'),
    listDraft(`${BASE_KEY}r.1`, STATUS_KEY, 'revocation'),
    listDraft(`${BASE_KEY}s_1`, STATUS_KEY, 'suspension'),
  ].map(draft => [(draft.claims as LooseObject)['id'] as string, draft]),
)

function listDraft(url: string, signer: Actor, statusPurpose: string): Draft {
  const times = { iat: NOW - 10, exp: NOW + 590, validFrom: toDate(NOW - 10), validUntil: toDate(NOW + 590) }
  const subject = { id: `${url}#list`, type: 'BitstringStatusList', statusPurpose, encodedList: EMPTY, ttl: 5000 }
  const claims = {
    '@context': [...CONTEXTS],
    id: url,
    type: ['VerifiableCredential', 'BitstringStatusListCredential'],
    issuer: signer.did,
    iss: signer.did,
    ...times,
    credentialSubject: { ...subject, version: VERSION },
  }
  return { header: headerOf('vc+jwt', signer), claims, signer }
}

export function headerOf(typ: string, { kid }: Actor): LooseObject {
  const cty = typ === 'vc+jwt' ? { cty: 'vc' } : typ === 'vp+jwt' ? { cty: 'vp' } : {}
  return { alg: 'EdDSA', kid, typ, ...cty }
}

export function digestOfToken(token: string): string {
  return digestOf(signingInput(token))
}

type Narrow = (random: Random, value: Loose, above: LooseObject) => LooseObject

const ACTIONS = ['book', 'quote', 'search', 'mcp:tools/call:pay', 'a2a:message/send']
const VALUES: Readonly<Record<string, (random: Random) => Loose>> = {
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

function rootGrants(random: Random, action: string, params: LooseObject): LooseObject[] {
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

function childGrants(random: Random, above: LooseObject[], action: string, params: LooseObject): LooseObject[] {
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

function names(params: LooseObject, random: Random): [string, Loose][] {
  return Object.entries(params).map(([name, value]) => [name, widest(random, name, value)])
}

function canMeter(grants: LooseObject[], name: string): boolean {
  return grants.every(({ args, actions }) => {
    const constraint = (args as LooseObject | undefined)?.[name] as LooseObject | undefined
    return (actions as string[]).includes('cancel') || (constraint?.['req'] === true && !isHotel(actions as string[]))
  })
}

const isHotel = (actions: readonly string[]): boolean => actions.length === 1 && actions[0] === 'search'

function budgetsFor(random: Random, grants: LooseObject[], action: string, params: LooseObject): LooseObject[] {
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

function budgetsBelow(random: Random, above: LooseObject[], amount: Loose | undefined): LooseObject[] {
  return random.some(above).map(budget => {
    const least = budget['meter'] === '#calls' ? 1 : Number(amount)
    return { ...budget, max: random.int(least, budget['max'] as number) }
  })
}

/** A good scene: chain, presentation, lists and request that the verifier allows. */
export function control(...seeds: readonly number[]): Scene {
  const random = new Random(...seeds)
  const length = random.pick([1, 1, 2, 2, 3, 3, 4, 5])
  const rootIssuer = random.pick([OWNER, OWNER, PERSON])
  const holders: Actor[] = []
  while (holders.length < length) {
    const next = random.pick(AGENTS)
    if (!holders.includes(next)) holders.push(next)
  }
  const action = random.pick(ACTIONS)
  const params: LooseObject = Object.fromEntries(
    random.some(Object.keys(VALUES)).map(name => [name, VALUES[name]!(random)]),
  )
  const statuses = random.some([
    { iss: STATUS_WEB.did, base: BASE_WEB },
    { iss: STATUS_KEY.did, base: BASE_KEY },
  ])
  if (statuses.length === 0) statuses.push({ iss: STATUS_WEB.did, base: BASE_WEB })
  const binding = random.chance(0.8) ? 'cnf+did' : 'cnf'
  const mission = s256(`mission ${random.int(0, 3)}`)
  const hasTo = binding === 'cnf+did'
  const counter = random.int(0, 999_999)

  const links: Draft[] = []
  const tokens: string[] = []
  const used = new Set<string>()
  let purpose: string | null = null
  let inForce: LooseObject[] = []
  let rate: LooseObject | null = null
  let [iat, from, until] = [NOW - random.int(200, 2000), NOW - random.int(0, 99), NOW + random.int(301, 40_000)]
  if (random.chance(0.2)) from = NOW + random.int(1, 30)
  for (const [index, holder] of holders.entries()) {
    const above = links[index - 1]?.claims as LooseObject | undefined
    const signer = holders[index - 1] ?? rootIssuer
    const parent =
      above === undefined ? undefined : ((above['credentialSubject'] as LooseObject)['authority'] as LooseObject)
    const grants =
      parent === undefined
        ? rootGrants(random, action, params)
        : childGrants(random, parent['grants'] as LooseObject[], action, params)
    const audience =
      parent === undefined
        ? random.some([SELF, 'https://other.example'], SELF)
        : random.some(parent['audience'] as Loose[], SELF)
    const authority: LooseObject = {
      v: 1,
      hop: index,
      more:
        parent === undefined
          ? random.int(length - 1, 16)
          : random.int(length - 1 - index, (parent['more'] as number) - 1),
      audience,
      grants,
    }
    if (parent === undefined) {
      if (random.chance(0.5))
        authority['onBehalfOf'] = random.pick(['did:web:acme.example', 'urn:x:1', 'https://a.example/p'])
      authority['statusIssuers'] = statuses
    } else {
      authority['parent'] = { id: above!['id']!, digest: digestOfToken(tokens.at(-1)!) }
      const root = (links[0]!.claims as LooseObject)['credentialSubject'] as LooseObject
      const principal = (root['authority'] as LooseObject)['onBehalfOf']
      if (principal !== undefined && random.chance(0.3)) authority['onBehalfOf'] = principal
    }
    if (random.chance(0.3)) {
      purpose = mission
      authority['purpose'] = { s256: mission, ...(random.chance(0.5) ? { ref: 'https://missions.example/1' } : {}) }
    }
    if (audience.length === 1) {
      const own =
        inForce.length > 0
          ? budgetsBelow(random, inForce, params['amount'])
          : budgetsFor(random, grants, action, params)
      const sound = own.filter(({ on, meter, unitArg }) =>
        grants
          .filter(({ actions }) => on === undefined || (actions as Loose[]).some(one => (on as Loose[]).includes(one)))
          .every(
            ({ args }) =>
              [meter, unitArg].every(
                name => name === undefined || name === '#calls' || at(args, name as string)?.['req'] === true,
              ) &&
              (unitArg === undefined || at(args, unitArg as string)?.['op'] === 'eq'),
          ),
      )
      if (sound.length > 0) {
        authority['budgets'] = sound
        inForce = [...sound, ...inForce.filter(one => !sound.some(two => sameMeter(one, two)))]
      }
    }
    if (random.chance(0.25)) {
      rate = {
        max: random.int(1, (rate?.['max'] as number | undefined) ?? 9),
        per: random.int((rate?.['per'] as number | undefined) ?? 1, 3600),
      }
      authority['rate'] = rate
    }
    if (hasTo && random.chance(0.25)) {
      const later = holders.slice(index + 1).map(one => one.did)
      authority['to'] = [...new Set([...later, ALICE.did, ...(random.chance(0.5) ? ['did:web:acme.example:**'] : [])])]
    }
    if (index > 0) {
      const window = [from, until] as const
      iat += random.int(0, 5)
      from = Math.min(NOW + 30, from + random.int(0, 5))
      until -= random.int(0, 60)
      if (random.chance(0.2) && until - from > 300) until = from + random.int(NOW - from + 40, 300)
      until = Math.max(until, NOW + 1)
      if (until <= from) [from, until] = window
    }
    const claims: LooseObject = {
      '@context': [...CONTEXTS],
      id: `urn:uuid:0192f5c2-${String(index).padStart(4, '0')}-7000-8000-${String(counter).padStart(12, '0')}`,
      type: ['VerifiableCredential', index === 0 ? 'AgentCapabilityCredential' : 'AgentDelegationCredential'],
      issuer: signer.did,
      iss: signer.did,
      sub: holder.did,
      iat,
      exp: until,
      validFrom: toDate(from),
      validUntil: toDate(until),
      cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: holder.publicKey.x } },
      credentialSubject: { id: holder.did, authority },
    }
    if (random.chance(0.1)) claims['name'] = 'a label'
    if (until - from > 300 || random.chance(0.5)) {
      const { base } = random.pick(statuses)
      const web = base === BASE_WEB
      const entries = [entry(`${base}${web ? '1' : 'r.1'}`, 'revocation', random)]
      if (random.chance(0.3)) entries.push(entry(`${base}${web ? 's-1' : 's_1'}`, 'suspension', random))
      if (random.chance(0.3)) entries.reverse()
      for (const one of entries) used.add(one['statusListCredential'] as string)
      claims['credentialStatus'] = entries.length === 1 && random.chance(0.7) ? entries[0]! : entries
    }
    const draft = { header: headerOf('vc+jwt', signer), claims, signer }
    links.push(draft)
    tokens.push(seal(draft))
  }

  const holder = holders.at(-1)!
  const url = `${SELF}/bookings/SYD-2231${random.chance(0.3) ? '?x=1&y=%2F' : ''}`
  const asked = {
    method: random.pick(['POST', 'PUT', 'GET']),
    url,
    bodyDigest: random.chance(0.8) ? s256(canonicalize(params)) : null,
    action,
    resource: `${SELF}/bookings/SYD-2231`,
    params,
  }
  const nonce = random.chance(0.25) ? 'N'.repeat(22) : null
  const inline = random.chance(0.75)
  const request: LooseObject = {
    htm: asked.method,
    htu: url,
    ...(asked.bodyDigest === null ? {} : { bodyDigest: asked.bodyDigest }),
    action,
    resource: asked.resource,
    paramsDigest: s256(canonicalize(params)),
    ...(purpose === null ? {} : { purpose }),
    ...(random.chance(0.2) ? { provenance: [{ source: ALICE.did, s256: mission }] } : {}),
  }
  const typ = inline ? 'vp+jwt' : 'agent-proof+jwt'
  const iatShown = NOW - random.int(0, 40)
  const shown: LooseObject = {
    '@context': [...CONTEXTS],
    holder: holder.did,
    iss: holder.did,
    aud: SELF,
    iat: iatShown,
    exp: iatShown + random.int(42, 120),
    jti: s256(`jti ${seeds.join(' ')}`).slice(0, random.int(22, 43)),
    request,
    ...(inline ? { type: ['VerifiablePresentation', 'AgentRequestPresentation'] } : {}),
    ...(nonce === null ? {} : { nonce }),
  }

  const policyJson = {
    self: SELF,
    subjectKeyBinding: binding,
    challenge: nonce === null ? 'never' : 'always',
    risk: random.chance(0.3) ? { [action]: 'medium' } : {},
    roots: [OWNER, PERSON].map(root => ({
      issuer: root.did,
      maxTtl: 50_000,
      grants: [{ resource: `${SELF}/**`, actions: [...ACTIONS] }],
      approvers: [ALICE.did, BOB.did],
      ...(random.chance(0.2) ? { rate: { max: 3, per: 60 } } : {}),
      ...(random.chance(0.25)
        ? { jwks: { keys: [{ kid: root.kid, kty: 'OKP', crv: 'Ed25519', x: root.publicKey.x }] } }
        : {}),
    })),
  }
  const approver = random.pick([ALICE, BOB])
  const approval = links.some(({ claims }) => needsApproval(claims as LooseObject, action))
    ? approvalDraft(approver, digestOfToken(tokens.at(-1)!), request, seeds)
    : null
  return {
    links,
    tokens,
    holders,
    inline,
    shown: { header: headerOf(typ, holder), claims: shown, signer: holder },
    approval,
    asked,
    lists: new Map([...LISTS].filter(([list]) => used.has(list))),
    policyJson,
    policy: parsePolicy(policyJson),
    nonce,
  }
}

const at = (args: Loose | undefined, name: string): LooseObject | undefined =>
  (args as LooseObject | undefined)?.[name] as LooseObject | undefined

const sameMeter = (one: LooseObject, two: LooseObject): boolean =>
  ['unit', 'meter', 'unitArg'].every(name => one[name] === two[name])

function entry(url: string, statusPurpose: string, random: Random): LooseObject {
  const index = random.int(1000, 131_000)
  return {
    id: `${url}#${index}`,
    type: 'BitstringStatusListEntry',
    statusPurpose,
    statusListIndex: String(index),
    statusListCredential: url,
    ...(random.chance(0.1) ? { statusSize: 1 } : {}),
  }
}

function needsApproval({ credentialSubject }: LooseObject, action: string): boolean {
  const { grants } = (credentialSubject as LooseObject)['authority'] as LooseObject
  return (grants as LooseObject[]).some(grant => isMain(grant, action) && grant['perCall'] === true)
}

function approvalDraft(signer: Actor, leaf: string, request: LooseObject, seeds: readonly number[]): Draft {
  const claims: LooseObject = {
    iss: signer.did,
    aud: SELF,
    iat: NOW - 20,
    exp: NOW + 200,
    jti: s256(`approval ${seeds.join(' ')}`).slice(0, 22),
    leaf,
    action: request['action']!,
    resource: request['resource']!,
    paramsDigest: request['paramsDigest']!,
    decision: 'approve',
    approver: { id: signer.did, method: 'terminal' },
  }
  return { header: headerOf('agent-approval+jwt', signer), claims, signer }
}

/** The claims of what is shown, with its chain. */
export function withChain(claims: LooseObject, inline: boolean, tokens: readonly string[]): LooseObject {
  return inline
    ? { ...claims, verifiableCredential: tokens.map(token => envelope(token) as Loose) }
    : { ...claims, leaf: digestOfToken(tokens.at(-1)!) }
}
