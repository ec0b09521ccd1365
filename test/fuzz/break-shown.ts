import { s256 } from '../../src/encoding.js'
import { MALLORY, NOW, digestOfToken } from './cast.js'
import { type Break, type Breaker, type Edit, editOf, rest } from './edit.js'
import { withChain } from './prepare.js'
import { type LooseObject, type Scene, clone, textOf } from './scene.js'

export const theShown: Breaker = (random, scene, others) => {
  const found = editOf(
    random,
    { ...scene.shown, claims: wholeShown(scene) },
    strangers(scene, others).map(wholeShown),
    random.pick(scene.tokens),
  )
  if (found === null) return null
  return { place: `shown ${found.what}`, shown: found.edit, ...rest(found, 'shown') }
}

const wholeShown = ({ shown, inline, tokens }: Scene): LooseObject =>
  withChain(clone(shown.claims) as LooseObject, inline, tokens)

/** Scenes of the same form whose chains this holder may not present. */
function strangers(scene: Scene, others: readonly Scene[]): readonly Scene[] {
  return others.filter(one => one.inline === scene.inline && one.holders.at(-1) !== scene.holders.at(-1))
}

/** Members of what is shown that are well-formed and say something else, or nothing. */
const OTHERWISE: readonly [string, (claims: LooseObject, request: LooseObject) => void][] = [
  ['nonce other', claims => (claims['nonce'] = 'M'.repeat(22))],
  ['nonce none', claims => Reflect.deleteProperty(claims, 'nonce')],
  ['aud other', claims => (claims['aud'] = 'https://other.example')],
  ['request.purpose other', (_, request) => (request['purpose'] = s256('another mission'))],
  ['request.purpose none', (_, request) => Reflect.deleteProperty(request, 'purpose')],
  ['request.bodyDigest other', (_, request) => (request['bodyDigest'] = s256('another body'))],
  ['request.bodyDigest none', (_, request) => Reflect.deleteProperty(request, 'bodyDigest')],
  ['request.paramsDigest other', (_, request) => (request['paramsDigest'] = s256('{}'))],
  ['request.provenance none', (_, request) => Reflect.deleteProperty(request, 'provenance')],
  [
    'request.provenance other',
    (_, request) => (request['provenance'] = [{ source: MALLORY.did, s256: s256('an instruction') }]),
  ],
  [
    'verifiableCredential envelope',
    claims => {
      const [first] = (claims['verifiableCredential'] ?? []) as LooseObject[]
      if (first !== undefined) first['id'] = textOf(first['id']).replace('vc+jwt', 'vc+sd-jwt')
    },
  ],
]

export const shownOtherwise: Breaker = random => {
  const [what, bend] = random.pick(OTHERWISE)
  const claims: Edit['claims'] = document => bend(document, document['request'] as LooseObject)
  return { place: `shown ${what}`, detail: what, shown: { claims } }
}

/** The chain of somebody else, in place of one's own. */
export const shownChain: Breaker = (random, scene, others) => {
  const { tokens } = random.pick(strangers(scene, others))
  const claims: Edit['claims'] = document => Object.assign(document, withChain({}, scene.inline, tokens))
  return { place: 'shown chain', detail: digestOfToken(tokens.at(-1)!), shown: { claims }, forged: true }
}

/** What callers without types show. */
const UNTYPED: readonly ((token: string) => unknown)[] = [
  ...[null, undefined, 0, NaN, 1n, true, '', [], {}, Symbol('x')].map(value => () => value),
  ...[null, undefined, 1, true, '', [], {}, NaN].map(proof => () => ({ proof })),
  token => [token],
  token => ({ proof: [token] }),
  token => ({ proof: { proof: token } }),
  token => ({ token }),
  token => Object(token) as unknown,
  token => Buffer.from(token),
  token => () => token,
  token => Promise.resolve(token),
  token => ({ toString: () => token, length: token.length }),
  token => ({ proof: { toString: () => token, length: token.length } }),
]

export const shownUntyped: Breaker = (random, { inline }) => {
  const bend = random.pick([...UNTYPED, inline ? (proof: string) => ({ proof }) : (token: string) => token])
  const showing: Break['showing'] = shown => bend(typeof shown === 'string' ? shown : shown.proof)
  return { place: 'shown untyped', detail: bend.toString(), showing, forged: true }
}

export const shownTimes: Breaker = (random, scene) => {
  const shift = random.pick([NOW + 30, NOW + 31, NOW - 30, NOW - 31, NOW, NOW - 120, NOW + 120])
  const claims: Edit['claims'] = document => {
    const life = Number(document['exp']) - Number(document['iat'])
    if (random.chance(0.5)) Object.assign(document, { iat: shift, exp: shift + life })
    else Object.assign(document, { iat: shift - life, exp: shift })
  }
  return {
    place: 'shown times',
    detail: `around NOW${shift - NOW} ${scene.inline ? 'inline' : 'proof'}`,
    shown: { claims },
  }
}

export const theApproval: Breaker = (random, scene, others) => {
  if (scene.approval === null) return null
  if (random.chance(0.05)) return { place: 'approval none', detail: 'left out', approval: 'none' }
  const donors = others.flatMap(one => one.approval?.claims ?? [])
  if (donors.length === 0) return null
  const found = editOf(random, scene.approval, donors, random.pick(scene.tokens))
  if (found === null) return null
  return { place: `approval ${found.what}`, approval: found.edit, ...rest(found, 'approval') }
}

export const approvalTimes: Breaker = (random, scene) => {
  if (scene.approval === null) return null
  const [iat, exp] = [
    NOW + random.pick([30, 31, -300, -330, -331, 0]),
    NOW + random.pick([-30, -29, -31, 0, 270, 300, 301]),
  ]
  return {
    place: 'approval times',
    detail: `NOW${iat - NOW} to NOW${exp - NOW}`,
    approval: { claims: claims => Object.assign(claims, { iat, exp }) },
  }
}
