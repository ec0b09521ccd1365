import { toDate } from '../../src/time.js'
import { awayOf } from './break-links.js'
import { AGENTS, EVERYBODY, NOW } from './cast.js'
import { type Break, type Breaker, type Edit, editOf } from './edit.js'
import { isRead } from './identities.js'
import type { LooseObject, Scene } from './scene.js'

/** What it breaks, the model judges from the bytes: that nobody reads them makes much of it harmless. */
const placeOf = (scene: Scene, what: string): string => `${isRead(scene) ? '' : 'unread '}identity ${what}`

function edited(scene: Scene, index: number, what: string, detail: string, edit: Edit): Break {
  return { place: placeOf(scene, what), detail: `identity ${index}: ${detail}`, identity: { index, edit } }
}

export const anIdentity: Breaker = (random, scene, others) => {
  if (scene.identities.length === 0) return null
  const index = random.int(0, scene.identities.length - 1)
  const good = scene.identities[index]!
  if (random.chance(0.12)) {
    const away = awayOf(random, good)
    return away && edited(scene, index, `entry ${away.member}`, away.detail, away.edit)
  }
  const donors = [scene, ...others].flatMap(one => one.identities.map(({ claims }) => claims))
  const tokens = others.flatMap(one => [...one.tokens, ...one.identityTokens])
  const found = editOf(random, good, donors, random.pick(tokens))
  return found && edited(scene, index, found.what, found.detail, found.edit)
}

/** Members that have to agree are changed together. */
export const identityNames: Breaker = (random, scene) => {
  if (scene.identities.length === 0) return null
  const index = random.int(0, scene.identities.length - 1)
  const who = random.pick([...EVERYBODY, ...scene.holders])
  const which = random.pick(['issuer', 'subject', 'key', 'subject and key', 'issuer, signed'])
  const claims: Edit['claims'] = document => {
    if (which.startsWith('issuer')) Object.assign(document, { issuer: who.did, iss: who.did })
    if (which.startsWith('subject')) {
      document['sub'] = who.did
      ;(document['credentialSubject'] as LooseObject)['id'] = who.did
    }
    if (which.endsWith('key')) document['cnf'] = { jwk: { crv: 'Ed25519', kty: 'OKP', x: who.publicKey.x } }
  }
  const edit = which === 'issuer, signed' ? { claims, author: who } : { claims }
  return edited(scene, index, `names ${which}`, `${which} → ${who.did}`, edit)
}

export const identityTimes: Breaker = (random, scene) => {
  if (scene.identities.length === 0) return null
  const index = random.int(0, scene.identities.length - 1)
  const from = NOW + random.pick([-301, -300, -10, 0, 29, 30, 31])
  const until = from + random.pick([1, 10, 300, 301, NOW - from, NOW - from + 1])
  const claims: Edit['claims'] = document =>
    Object.assign(document, { iat: from, exp: until, validFrom: toDate(from), validUntil: toDate(until) })
  return edited(scene, index, 'times', `NOW${from - NOW} to NOW${until - NOW}`, { claims })
}

/** Left out, doubled, in another order, and others in their place. */
export const vouchedOtherwise: Breaker = (random, scene, others) => {
  const { identities, identityTokens, tokens } = scene
  const elsewhere = random.pick(others)
  const foreign = random.pick(elsewhere.identityTokens.length > 0 ? elsewhere.identityTokens : elsewhere.tokens)
  const place = random.int(0, Math.max(0, identities.length - 1))
  const put = (token: string) => (all: readonly string[]) => all.map((one, index) => (index === place ? token : one))
  const again = `${identityTokens[place]?.slice(0, -86) ?? ''}${'A'.repeat(86)}`
  const ways: [string, (tokens: readonly string[]) => readonly string[]][] = [
    ['none', () => []],
    ['dropped', all => all.filter((_, index) => index !== place)],
    ['reversed', all => [...all].reverse()],
    ['twice', all => [...all, ...all.slice(place, place + 1)]],
    ['twice, signed otherwise', all => [...all, again]],
    ['delegation', put(random.pick(tokens))],
    ['delegation of another', put(random.pick(elsewhere.tokens))],
    ['other', put(foreign)],
    ['appended', all => [...all, foreign]],
    ['many', () => others.flatMap(one => one.identityTokens).slice(0, 6)],
  ]
  const [way, vouching] = random.pick(ways)
  if (way !== 'appended' && way !== 'many' && identities.length === 0) return null
  return { place: placeOf(scene, way), detail: `${way} ${place}`, vouching }
}

/** A credential that describes one agent of the chain is made to describe another one; or it stands in the chain. */
export const misplaced: Breaker = (random, scene) => {
  const { identities, identityTokens, holders } = scene
  if (identities.length === 0) return null
  if (random.chance(0.3)) {
    const token = random.pick(identityTokens)
    const order: Break['order'] = tokens => [...tokens.slice(0, -1), token]
    return { place: 'order identity', detail: 'an identity credential for the leaf', order, forged: true }
  }
  const index = random.int(0, identities.length - 1)
  const who = random.pick(holders.length > 1 ? holders : AGENTS)
  const claims: Edit['claims'] = document => {
    const subject = { ...(document['credentialSubject'] as LooseObject), id: who.did }
    const jwk = { crv: 'Ed25519', kty: 'OKP', x: who.publicKey.x }
    Object.assign(document, { sub: who.did, credentialSubject: subject, cnf: { jwk } })
  }
  return edited(scene, index, 'names subject and key', who.did, { claims })
}
