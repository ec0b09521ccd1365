import { sha256 } from '../../src/encoding.js'
import { ALICE, BASE_KEY, BASE_WEB, BOB, SELF, VERSION } from './control.js'
import {
  textOf,
  at,
  write,
  type Actor,
  type Asked,
  type Draft,
  type Loose,
  type LooseObject,
  type Scene,
} from './scene.js'

/**
 * The profile read a second time, without its code and over claims instead of tokens: says why a request must not be
 * allowed. Signatures are not looked at: whoever calls knows whether they were broken. It may be stricter than the
 * verifier in what no break here reaches, never more lenient in what one does.
 */
export interface Outcome {
  readonly links: readonly Draft[]
  readonly shown: Draft
  readonly approval: Draft | null
  readonly lists: ReadonlyMap<string, Draft>
  readonly asked: Asked
  readonly now: number
  readonly age: number
  /** the bits of each list that are set, `null` where its encoding is broken */
  readonly bits: (encoded: Loose) => Uint8Array | null
  /** of the tokens, root first */
  readonly digests: readonly string[]
  /** who the chain is handed to */
  readonly holders: readonly Actor[]
}

class Wrong extends Error {}

function must(holds: boolean, why: string): asserts holds {
  if (!holds) throw new Wrong(why)
}

/** Why it must not be allowed, or `null` if nothing speaks against it. */
export function objection(outcome: Outcome, scene: Scene): string | null {
  try {
    judge(outcome, scene)
    return null
  } catch (error) {
    if (error instanceof Wrong) return error.message
    throw error
  }
}

const same = (one: Loose | undefined, two: Loose | undefined): boolean =>
  one !== undefined && two !== undefined && write(one) === write(two)

function judge(outcome: Outcome, scene: Scene): void {
  const { links, shown, approval, asked, now } = outcome
  const wanting: Grant[] = [{ resource: `${SELF}/**`, actions: [asked.action] }]
  const authorities: Authority[] = []
  const entries: { readonly entry: LooseObject; readonly issuers: readonly LooseObject[] }[] = []
  links.forEach((link, index) => {
    const good = scene.links[index]
    must(good !== undefined, 'a link that was not there')
    headerFits(link, 'vc+jwt', 'vc', index > 0)
    const claims = objectOf(link.claims, 'claims')
    envelopeFits(claims, good.claims as LooseObject, outcome.holders[index]!)
    const { from, until, iat } = times(claims)
    must(now >= from - 30 && now < until, 'out of time')
    const above = links[index - 1]
    if (above === undefined) must(until - from <= 50_000, 'root lives too long')
    else {
      const over = times(objectOf(above.claims, 'claims'))
      must(from >= over.from && until <= over.until && iat >= over.iat, 'window wider than above')
    }
    const authority = authorityOf(at(claims, 'credentialSubject', 'authority'))
    narrows(authority, authorities, above, index, outcome.digests[index - 1])
    authorities.push(authority)
    for (const { to } of authorities.slice(0, -1))
      if (to !== undefined)
        must(
          to.some(one => names(one, outcome.holders[index]!.did)),
          'not a recipient',
        )
    wanting.push(allowing(authority.grants, asked))
    spends(authority, asked)
    const issuers = authorities.findLast(one => one.statusIssuers !== undefined)?.statusIssuers ?? []
    const status = claims['credentialStatus']
    if (status === undefined) must(until - from <= 300, 'no status')
    else for (const entry of statusOf(status)) entries.push({ entry, issuers })
  })
  const purposes = authorities.flatMap(one => one.purpose ?? [])
  shownFits(outcome, scene)
  const purpose = at(shown.claims, 'request', 'purpose')
  must(
    purposes.every(one => one === purpose),
    'another mission',
  )
  for (const { entry, issuers } of entries) unset(outcome, entry, issuers)
  if (wanting.some(grant => grant.perCall === true)) approved(approval, outcome)
}

function objectOf(value: Loose | undefined, what: string): LooseObject {
  must(typeof value === 'object' && value !== null && !Array.isArray(value), `${what} is no object`)
  return value
}

function exactly(value: LooseObject, needed: readonly string[], optional: readonly string[] = []): void {
  must(
    needed.every(name => Object.hasOwn(value, name)),
    `lacks one of ${needed.join()}`,
  )
  for (const name of Object.keys(value)) must(needed.includes(name) || optional.includes(name), `knows no ${name}`)
}

/** @param isNamed - whose key it is, the link above says: of the name, only the DID counts */
function headerFits({ header, signer }: Draft, typ: string, cty: string | null, isNamed = false): void {
  exactly(header, ['alg', 'kid', 'typ'], cty === null ? [] : ['cty'])
  must(header['alg'] === 'EdDSA' || header['alg'] === 'Ed25519', 'alg')
  const kid = textOf(header['kid'])
  must(header['typ'] === typ && (kid === signer.kid || (isNamed && kid.split('#')[0] === signer.did)), 'typ or kid')
  must(header['cty'] === undefined || header['cty'] === cty, 'cty')
}

function envelopeFits(claims: LooseObject, good: LooseObject, holder: Actor): void {
  for (const name of ['@context', 'type', 'issuer', 'iss']) must(same(claims[name], good[name]), name)
  must(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(textOf(claims['id'])), 'id')
  must(claims['sub'] === holder.did, 'sub')
  must(same(claims['cnf'], { jwk: { crv: 'Ed25519', kty: 'OKP', x: holder.publicKey.x } }), 'cnf')
  for (const name of ['vc', 'vp', 'nbf', 'proof', 'termsOfUse']) must(!Object.hasOwn(claims, name), name)
  const subject = objectOf(claims['credentialSubject'], 'credentialSubject')
  exactly(subject, ['id', 'authority'])
  must(subject['id'] === holder.did, 'subject')
}

function times(claims: LooseObject): { readonly from: number; readonly until: number; readonly iat: number } {
  const { iat, exp, validFrom, validUntil } = claims
  const second = (text: Loose | undefined): number => {
    must(typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text), 'no date')
    const instant = Date.parse(text)
    must(!Number.isNaN(instant), 'no date')
    return instant / 1000
  }
  const [from, until] = [second(validFrom), second(validUntil)]
  must(isInt(iat) && exp === until && iat <= from && from < until, 'times contradict each other')
  return { from, until, iat }
}

const isInt = (value: unknown): value is number => Number.isSafeInteger(value) && !Object.is(value, -0)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '' && value.length <= 512
const isCount = (value: unknown, min: number, max: number): boolean => isInt(value) && value >= min && value <= max

interface Grant {
  readonly resource: string
  readonly actions: readonly string[]
  readonly args?: LooseObject
  readonly perCall?: boolean
}

interface Authority {
  readonly hop: number
  readonly more: number
  readonly audience: readonly string[]
  readonly grants: readonly Grant[]
  readonly budgets: readonly LooseObject[]
  readonly rate?: { readonly max: number; readonly per: number }
  readonly purpose?: string
  readonly onBehalfOf?: string
  readonly to?: readonly string[]
  readonly statusIssuers?: readonly LooseObject[]
  readonly parent?: LooseObject
}

function setOf(value: Loose | undefined, max: number, what: string): Loose[] {
  must(Array.isArray(value) && value.length > 0 && value.length <= max, `${what} is no list`)
  must(new Set(value.map(write)).size === value.length, `${what} is no set`)
  return value
}

const OPTIONAL = ['budgets', 'rate', 'purpose', 'onBehalfOf', 'to', 'statusIssuers', 'parent']

function authorityOf(value: Loose | undefined): Authority {
  const raw = objectOf(value, 'authority')
  exactly(raw, ['v', 'hop', 'more', 'audience', 'grants'], OPTIONAL)
  must(raw['v'] === 1 && isCount(raw['hop'], 0, 16) && isCount(raw['more'], 0, 16), 'counters')
  const audience = setOf(raw['audience'], 8, 'audience')
  must(audience.every(isText) && audience.includes(SELF), 'audience')
  const grants = setOf(raw['grants'], 16, 'grants').map(grantOf)
  const budgets =
    raw['budgets'] === undefined ? [] : setOf(raw['budgets'], 8, 'budgets').map(one => budgetOf(one, grants))
  must(budgets.length === 0 || audience.length === 1, 'budget for several audiences')
  const { rate, purpose, onBehalfOf, to, statusIssuers, parent } = raw
  if (rate !== undefined) {
    exactly(objectOf(rate, 'rate'), ['max', 'per'])
    must(isCount(at(rate, 'max'), 1, Infinity) && isCount(at(rate, 'per'), 1, 86_400), 'rate')
  }
  if (purpose !== undefined) {
    exactly(objectOf(purpose, 'purpose'), ['s256'], ['ref'])
    must(isText(at(purpose, 's256')) && (at(purpose, 'ref') === undefined || isText(at(purpose, 'ref'))), 'purpose')
  }
  if (onBehalfOf !== undefined) must(isText(onBehalfOf) && /^(did|urn|https):/.test(onBehalfOf), 'onBehalfOf')
  if (to !== undefined)
    must(
      setOf(to, 64, 'to').every(one => isText(one) && one.startsWith('did:')),
      'to',
    )
  for (const one of statusIssuers === undefined ? [] : setOf(statusIssuers, 8, 'statusIssuers')) {
    exactly(objectOf(one, 'status issuer'), ['iss', 'base'])
    must(isText(at(one, 'iss')) && /^https:\/\/[^?#]*\/$/.test(textOf(at(one, 'base'))), 'status issuer')
  }
  if (parent !== undefined) exactly(objectOf(parent, 'parent'), ['id', 'digest'])
  return {
    ...raw,
    grants,
    budgets,
    ...(purpose === undefined ? {} : { purpose: at(purpose, 's256') }),
  } as unknown as Authority
}

const SELECTOR = /^https:\/\/[a-z0-9.-]+(:\d+)?(\/[A-Za-z0-9._~:@!$&'()+,=-]+)*(\/\*\*)?$/

function grantOf(value: Loose): Grant {
  const raw = objectOf(value, 'grant')
  exactly(raw, ['resource', 'actions'], ['args', 'perCall'])
  must(typeof raw['resource'] === 'string' && SELECTOR.test(raw['resource']), 'resource')
  must(!/\/\.{1,2}(\/|$)/.test(raw['resource']), 'resource')
  const actions = setOf(raw['actions'], 32, 'actions')
  must(
    actions.every(one => typeof one === 'string' && /^[a-z0-9][A-Za-z0-9_.:/-]{0,127}$/.test(one)),
    'actions',
  )
  must(raw['perCall'] === undefined || typeof raw['perCall'] === 'boolean', 'perCall')
  if (raw['args'] !== undefined) {
    const args = objectOf(raw['args'], 'args')
    must(Object.keys(args).length <= 32, 'args')
    for (const [name, one] of Object.entries(args)) {
      must(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/.test(name), 'argument')
      constraintFits(objectOf(one, 'constraint'))
    }
  }
  return raw as unknown as Grant
}

const isPlain = (value: Loose): boolean =>
  isInt(value) || typeof value === 'boolean' || (typeof value === 'string' && value.length <= 512)

function constraintFits(raw: LooseObject): void {
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

function admits(constraint: LooseObject, value: Loose): boolean {
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
function probes(one: LooseObject): Loose[] {
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

function within(child: LooseObject, parent: LooseObject): boolean {
  return [...probes(child), ...probes(parent)].every(value => !admits(child, value) || admits(parent, value))
}

function selects(selector: string, resource: string): boolean {
  if (!selector.endsWith('/**')) return selector === resource
  const node = selector.slice(0, -3)
  return resource === node || resource.startsWith(`${node}/`)
}

function covered(child: Grant, parent: Grant): boolean {
  const node = child.resource.replace(/\/\*\*$/, '')
  const places = child.resource === node ? [node] : [node, `${node}/x`, `${node}/x/y`]
  if (!places.every(place => selects(parent.resource, place))) return false
  if (!child.actions.every(action => parent.actions.includes(action))) return false
  if (parent.perCall === true && child.perCall !== true) return false
  const { args: above } = parent
  if (above === undefined) return true
  const { args } = child
  if (args === undefined) return false
  const isRequired = (map: LooseObject, name: string): boolean => at(map, name, 'req') === true
  return (
    Object.keys(args).every(
      name => Object.hasOwn(above, name) && within(args[name] as LooseObject, above[name] as LooseObject),
    ) && Object.keys(above).every(name => !isRequired(above, name) || isRequired(args, name))
  )
}

function budgetOf(value: Loose, grants: readonly Grant[]): LooseObject {
  const raw = objectOf(value, 'budget')
  exactly(raw, ['unit', 'decimals', 'max', 'meter'], ['unitArg', 'on'])
  const { unit, decimals, max, meter, unitArg } = raw
  must(/^[A-Z#][A-Za-z0-9_-]{0,31}$/.test(textOf(unit)), 'unit')
  must(isCount(decimals, 0, 9) && isCount(max, 0, 10 ** 15 - 1) && isText(meter), 'budget')
  const on = raw['on'] === undefined ? null : setOf(raw['on'], 32, 'on')
  for (const grant of grants) {
    if (on !== null && !grant.actions.some(action => on.includes(action))) continue
    const metered = grant.args?.[meter] as LooseObject | undefined
    if (meter !== '#calls') {
      must(metered?.['req'] === true, 'meter is not required')
      must(
        [-1, Number.MIN_SAFE_INTEGER, 'a', '', true, false, []].every(one => !admits(metered, one)) &&
          probes(metered).every(one => !admits(metered, one) || (isInt(one) && one >= 0)),
        'meter may fall',
      )
    }
    if (unitArg === undefined) continue
    const fixed = grant.args?.[unitArg as string] as LooseObject | undefined
    must(fixed?.['req'] === true && fixed['op'] === 'eq' && fixed['value'] === unit, 'unit is not fixed')
  }
  return raw
}

function narrows(
  child: Authority,
  above: readonly Authority[],
  over: Draft | undefined,
  index: number,
  digest: string | undefined,
): void {
  must(child.hop === index, 'hop')
  const parent = above.at(-1)
  if (parent === undefined || over === undefined) {
    must(child.parent === undefined, 'a root with a parent')
    return
  }
  must(child.parent !== undefined && child.parent['id'] === at(over.claims, 'id'), 'parent')
  must(child.parent['digest'] === digest, 'parent')
  must(parent.more >= 1 && child.more <= parent.more - 1, 'more')
  must(
    child.audience.every(one => parent.audience.includes(one)),
    'audience',
  )
  must(
    child.grants.every(grant => parent.grants.some(one => covered(grant, one))),
    'grants',
  )
  for (const budget of child.budgets) {
    const isSame = (one: LooseObject): boolean => ['unit', 'meter', 'unitArg'].every(name => one[name] === budget[name])
    const nearest = above.findLast(one => one.budgets.some(isSame))?.budgets.filter(isSame) ?? []
    must(
      nearest.every(one => Number(budget['max']) <= Number(one['max']) && budget['decimals'] === one['decimals']),
      'budget',
    )
  }
  const rate = above.findLast(one => one.rate !== undefined)?.rate
  if (rate !== undefined && child.rate !== undefined)
    must(child.rate.max <= rate.max && child.rate.per >= rate.per, 'rate')
  const principal = above[0]?.onBehalfOf
  must(child.onBehalfOf === undefined || child.onBehalfOf === principal, 'principal')
  const issuers = above.findLast(one => one.statusIssuers !== undefined)?.statusIssuers ?? []
  for (const one of child.statusIssuers ?? [])
    must(
      issuers.some(other => same(one, other)),
      'status issuers',
    )
}

const names = (entry: string, did: string): boolean =>
  entry.endsWith(':**') ? did.startsWith(entry.slice(0, -2)) : entry === did

/** A grant that allows what is asked; one that wants an approval if any does. */
function allowing(grants: readonly Grant[], { action, resource, params }: Asked): Grant {
  const found = grants.filter(
    ({ resource: selector, actions, args }) =>
      selects(selector, resource) &&
      actions.includes(action) &&
      (args === undefined ||
        (Object.keys(params).every(
          name => Object.hasOwn(args, name) && admits(args[name] as LooseObject, params[name]!),
        ) &&
          Object.keys(args).every(name => at(args, name, 'req') !== true || Object.hasOwn(params, name)))),
  )
  must(found.length > 0, 'no grant allows it')
  return found.find(grant => grant.perCall === true) ?? found[0]!
}

function spends({ budgets }: Authority, { action, params }: Asked): void {
  for (const { max, meter, on } of budgets) {
    if (on !== undefined && !(on as Loose[]).includes(action)) continue
    const cost = meter === '#calls' ? 1 : params[meter as string]
    must(isInt(cost) && cost >= 0 && cost <= Number(max), 'beyond the budget')
  }
}

const SHOWN = ['@context', 'holder', 'iss', 'aud', 'iat', 'exp', 'jti', 'request']

function shownFits({ shown, now, asked, holders, digests }: Outcome, { inline, shown: good, nonce }: Scene): void {
  headerFits(shown, inline ? 'vp+jwt' : 'agent-proof+jwt', inline ? 'vp' : null, true)
  const claims = objectOf(shown.claims, 'presentation')
  exactly(
    claims,
    [...SHOWN, ...(inline ? ['type', 'verifiableCredential'] : ['leaf'])],
    ['nonce', ...(inline ? ['identity'] : [])],
  )
  const due = good.claims as LooseObject
  for (const name of inline ? ['@context', 'aud', 'type'] : ['@context', 'aud'])
    must(same(claims[name], due[name]), name)
  const holder = holders.at(-1)?.did
  must(claims['holder'] === holder && claims['iss'] === holder && shown.signer.did === holder, 'holder')
  if (!inline) must(claims['leaf'] === digests.at(-1), 'leaf')
  const { iat, exp, jti } = claims
  must(isInt(iat) && isInt(exp) && exp > iat && exp - iat <= 120, 'lifetime')
  must(iat <= now + 30 && now < exp + 30 && iat >= 0, 'presentation out of time')
  must(/^[A-Za-z0-9_-]{22,64}$/.test(textOf(jti)) && typeof jti === 'string', 'jti')
  if (nonce === null) must(claims['nonce'] === undefined || isText(claims['nonce']), 'nonce')
  else must(claims['nonce'] === nonce, 'nonce')
  if (claims['identity'] !== undefined) must(same(claims['identity'], []), 'identity')
  const request = objectOf(claims['request'], 'request')
  exactly(request, ['htm', 'htu', 'action', 'resource', 'paramsDigest'], ['bodyDigest', 'purpose', 'provenance'])
  const { htm, htu, action, resource, paramsDigest, bodyDigest, provenance } = request
  must(htm === asked.method && htu === asked.url && action === asked.action && resource === asked.resource, 'request')
  must((bodyDigest ?? null) === asked.bodyDigest && (bodyDigest === undefined || bodyDigest !== null), 'body')
  must(paramsDigest === Buffer.from(sha256(write(asked.params))).toString('base64url'), 'params')
  if (provenance !== undefined) {
    must(Array.isArray(provenance) && provenance.length > 0 && provenance.length <= 8, 'provenance')
    for (const one of provenance) {
      exactly(objectOf(one, 'provenance'), ['source', 's256'])
      must(/^(did:|https:)/.test(textOf(at(one, 'source'))) && isText(at(one, 's256')), 'provenance')
    }
  }
}

const ENTRY = ['type', 'statusPurpose', 'statusListIndex', 'statusListCredential']

function statusOf(status: Loose): LooseObject[] {
  const entries = (Array.isArray(status) ? status : [status]).map(one => objectOf(one, 'status entry'))
  must(entries.length > 0 && entries.length <= 2, 'status entries')
  const purposes = entries.map(one => one['statusPurpose'])
  must(purposes.includes('revocation') && new Set(purposes).size === purposes.length, 'purposes')
  return entries
}

function unset(outcome: Outcome, entry: LooseObject, issuers: readonly LooseObject[]): void {
  const { lists, now, age, bits } = outcome
  exactly(entry, ENTRY, ['id', 'statusSize'])
  must(entry['type'] === 'BitstringStatusListEntry' && (entry['statusSize'] ?? 1) === 1, 'entry')
  must(entry['statusSize'] !== null, 'entry')
  const { statusListIndex: index, statusListCredential: url, statusPurpose: purpose } = entry
  must(typeof index === 'string' && /^(0|[1-9]\d{0,9})$/.test(index), 'index')
  must(typeof url === 'string' && (purpose === 'revocation' || purpose === 'suspension'), 'entry')
  const list = lists.get(url)
  must(list !== undefined, 'no such list')
  const trusted = issuers.filter(({ base }) => url.startsWith(textOf(base)))
  must(
    trusted.some(({ iss }) => iss === list.signer.did),
    'list of a stranger',
  )
  must(
    [BASE_KEY, BASE_WEB].some(base => url.startsWith(base)),
    'no such host',
  )
  headerFits(list, 'vc+jwt', 'vc')
  const claims = objectOf(list.claims, 'list')
  must(claims['id'] === url && claims['iss'] === list.signer.did && claims['issuer'] === list.signer.did, 'list')
  const type = ['VerifiableCredential', 'BitstringStatusListCredential']
  must(same(claims['type'], type), 'type')
  must(same(claims['@context'], ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1']), 'context')
  for (const name of ['sub', 'nbf', 'vc', 'vp']) must(!Object.hasOwn(claims, name), name)
  const { from, until } = times(claims)
  must(now >= from - 30 && now < until && now - from <= 300 && age <= 300, 'list out of time')
  const subject = objectOf(claims['credentialSubject'], 'list subject')
  must(subject['type'] === 'BitstringStatusList' && subject['statusPurpose'] === purpose, 'list subject')
  must(isInt(subject['version']) && subject['version'] >= VERSION, 'version')
  const map = bits(subject['encodedList'] ?? null)
  must(map !== null && map.length >= 16_384 && map.length <= 131_072 && Number(index) < map.length * 8, 'bits')
  must(((map[Number(index) >> 3]! >> (7 - (Number(index) & 7))) & 1) === 0, 'taken back')
}

function approved(approval: Draft | null, { asked, shown, digests, now }: Outcome): void {
  must(approval !== null, 'no approval')
  headerFits(approval, 'agent-approval+jwt', null)
  must([ALICE, BOB].includes(approval.signer), 'no approver')
  const claims = objectOf(approval.claims, 'approval')
  exactly(claims, [
    'iss',
    'aud',
    'iat',
    'exp',
    'jti',
    'leaf',
    'action',
    'resource',
    'paramsDigest',
    'decision',
    'approver',
  ])
  const { iss, aud, iat, exp, jti, action, resource, paramsDigest, decision, approver } = claims
  must(claims['leaf'] === digests.at(-1), 'approval of another chain')
  must(iss === approval.signer.did && aud === SELF && decision === 'approve', 'approval')
  must(action === asked.action && resource === asked.resource, 'approval of another action')
  must(paramsDigest === at(shown.claims, 'request', 'paramsDigest'), 'approval of other parameters')
  must(
    isInt(iat) && isInt(exp) && iat >= 0 && exp > iat && exp - iat <= 300 && iat <= now + 30 && now < exp + 30,
    'approval',
  )
  must(/^[A-Za-z0-9_-]{22,64}$/.test(textOf(jti)), 'jti')
  const who = objectOf(approver, 'approver')
  exactly(who, ['id', 'method'])
  must(isText(who['id']) && isText(who['method']), 'approver')
}
