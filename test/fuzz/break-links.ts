import { toDate } from '../../src/time.js'
import {
  AGENTS,
  BASE_KEY,
  BASE_WEB,
  EVERYBODY,
  LISTS,
  MALLORY,
  MALLORY_WEB,
  NOW,
  OWNER,
  PERSON,
  TAKEN_BACK,
} from './cast.js'
import { type Breaker, type Edit, editOf, rest } from './edit.js'
import type { Random } from './random.js'
import { type Draft, type Loose, type LooseObject, at, textOf } from './scene.js'

export const aLink: Breaker = (random, scene, others) => {
  const index = random.int(0, scene.links.length - 1)
  const elsewhere = random.pick(others)
  const donors = [...scene.links, ...elsewhere.links].map(one => one.claims)
  const found = editOf(random, scene.links[index]!, donors, random.pick([...scene.tokens, ...elsewhere.tokens]))
  if (found === null) return null
  const orphans = random.chance(0.1) && index < scene.links.length - 1
  return { place: `link ${found.what}`, link: { index, edit: found.edit }, orphans, ...rest(found, `link ${index}`) }
}

/** Times that belong together are moved together: around every bound that stands above, below or on the clock. */
export const linkTimes: Breaker = (random, scene) => {
  const index = random.int(0, scene.links.length - 1)
  const near = [index - 1, index, index + 1].flatMap(one => {
    const claims = scene.links[one]?.claims
    return claims === undefined
      ? []
      : [at(claims, 'exp'), at(claims, 'iat'), Date.parse(textOf(at(claims, 'validFrom'))) / 1000]
  })
  const bound = Number(random.pick([...near, NOW, NOW + 30, NOW - 30, NOW + 300, NOW + 86_400]))
  const to = bound + random.pick([-31, -30, -1, 0, 1, 30, 31, 86_400])
  const member = random.pick(['from', 'until', 'iat', 'both'])
  const claims: Edit['claims'] = document => {
    if (member === 'iat') document['iat'] = to
    if (member === 'from' || member === 'both') document['validFrom'] = toDate(to)
    if (member === 'both') document['iat'] = to
    if (member === 'until') Object.assign(document, { exp: to, validUntil: toDate(to) })
  }
  return {
    place: `link times ${member}`,
    detail: `link ${index} ${member} → NOW${to - NOW}`,
    link: { index, edit: { claims } },
  }
}

/** Members that have to agree are changed together, so that only the chain itself can tell. */
export const linkNames: Breaker = (random, scene) => {
  const index = random.int(0, scene.links.length - 1)
  const who = random.pick(EVERYBODY.filter(one => one !== OWNER && one !== PERSON))
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
  return {
    place: `link names ${which}`,
    detail: `link ${index} ${which} → ${who.did}`,
    link: { index, edit },
    forged: which === 'issuer, signed' && who !== scene.links[index]!.signer,
  }
}

/** The leaf is made out to somebody else, who presents it. */
export const handedOn: Breaker = (random, scene) => {
  const index = scene.links.length - 1
  const heir = random.pick([MALLORY, MALLORY_WEB, ...AGENTS].filter(one => !scene.holders.includes(one)))
  const claims: Edit['claims'] = document => {
    document['sub'] = heir.did
    ;(document['credentialSubject'] as LooseObject)['id'] = heir.did
    document['cnf'] = { jwk: { crv: 'Ed25519', kty: 'OKP', x: heir.publicKey.x } }
  }
  const shown: Edit = { author: heir, claims: document => Object.assign(document, { holder: heir.did, iss: heir.did }) }
  return { place: 'leaf to another', detail: heir.did, link: { index, edit: { claims } }, shown, heir }
}

export const order: Breaker = (random, scene, others) => {
  const elsewhere = random.pick(others)
  const foreign = random.pick(elsewhere.tokens)
  const length = scene.tokens.length
  const [one, two] = [random.int(0, length - 1), random.int(0, length - 1)]
  const ways: [string, (tokens: readonly string[]) => readonly string[]][] = [
    ['reversed', tokens => [...tokens].reverse()],
    [
      'swapped',
      tokens => tokens.map((token, index) => (index === one ? tokens[two]! : index === two ? tokens[one]! : token)),
    ],
    ['dropped', tokens => tokens.filter((_, index) => index !== one)],
    ['twice', tokens => [...tokens.slice(0, one + 1), ...tokens.slice(one)]],
    ['replaced', tokens => tokens.map((token, index) => (index === one ? foreign : token))],
    ['inserted', tokens => [...tokens.slice(0, one), foreign, ...tokens.slice(one)]],
    ['appended', tokens => [...tokens, foreign]],
    ['spliced', tokens => [...elsewhere.tokens.slice(0, one + 1), ...tokens.slice(one + 1)]],
    ['none', () => []],
    ['many', tokens => Array.from({ length: 6 }, (_, index) => tokens[index % length]!)],
  ]
  const [way, arranged] = random.pick(ways)
  const sent = arranged(scene.tokens)
  if (!scene.inline && sent.length === 0) return null
  // a whole other chain may well be one that the same holder may present
  if (sent.length > 0 && !sent.some(token => scene.tokens.includes(token))) return null
  return { place: `order ${way}`, detail: `${way} ${one} ${two}`, order: arranged, forged: true }
}

/** A status entry that points elsewhere. */
export const entryAway: Breaker = (random, scene) => {
  const index = random.int(0, scene.links.length - 1)
  const found = awayOf(random, scene.links[index]!)
  if (found === null) return null
  const { member, detail, edit } = found
  return { place: `link entry ${member}`, detail: `link ${index} ${detail}`, link: { index, edit } }
}

/** Has the first entry of a credential's status point elsewhere. */
export function awayOf(
  random: Random,
  good: Draft,
): { readonly member: string; readonly detail: string; readonly edit: Edit } | null {
  if (at(good.claims, 'credentialStatus') === undefined) return null
  const to = random.pick<[string, Loose]>([
    ['statusListIndex', String(TAKEN_BACK)],
    ['statusListIndex', '131072'],
    ['statusListIndex', '01'],
    ['statusListIndex', '9999999999'],
    ['statusListIndex', '99999999999'],
    ['statusListIndex', 5],
    ['statusListIndex', '131071'],
    ['statusListCredential', 'https://mallory.example/sl/1'],
    ['statusListCredential', `${BASE_WEB}../sl/1`],
    ['statusListCredential', BASE_WEB],
    ['statusListCredential', `${BASE_WEB}2`],
    ['statusListCredential', `${BASE_KEY}r.1?x`],
    ...[...LISTS.keys()].map((url): [string, Loose] => ['statusListCredential', url]),
  ])
  const claims: Edit['claims'] = document => {
    const status = document['credentialStatus'] as Loose
    const entries = (Array.isArray(status) ? status : [status]) as LooseObject[]
    entries[0]![to[0]] = to[1]
  }
  return { member: to[0], detail: `${to[0]} → ${textOf(to[1])}`, edit: { claims } }
}
