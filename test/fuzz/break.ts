import { deflateSync, gzipSync } from 'node:zlib'
import { s256 } from '../../src/encoding.js'
import { bitsOf, encodeList, MIN_BITS } from '../../src/status/bitstring.js'
import { toDate } from '../../src/time.js'
import {
  AGENTS,
  ALICE,
  BASE_KEY,
  BASE_WEB,
  EMPTY,
  EVERYBODY,
  LISTS,
  MALLORY,
  MALLORY_WEB,
  NOW,
  OWNER,
  PERSON,
  STATUS_KEY,
  STATUS_WEB,
  TAKEN_BACK,
} from './control.js'
import { mutate, type Change } from './mutate.js'
import type { Random } from './random.js'
import {
  at,
  clone,
  signed,
  textOf,
  write,
  type Actor,
  type Asked,
  type Loose,
  type LooseObject,
  type Scene,
} from './scene.js'

/** How a token differs from the good one. */
export interface Edit {
  readonly claims?: (claims: LooseObject) => void
  readonly header?: (header: LooseObject) => void
  /** whose key signs; the header still names who should have */
  readonly signer?: Actor
  /** who signs and is named */
  readonly author?: Actor
  readonly raw?: (header: string, payload: string, signer: Actor) => string
  readonly token?: (token: string) => string
}

/** One thing that is wrong. */
export interface Break {
  /** what kind of thing, for the histogram and the list of harmless ones */
  readonly place: string
  readonly detail: string
  /** bytes or signatures are broken: nothing makes this harmless */
  readonly forged?: boolean
  readonly link?: { readonly index: number; readonly edit: Edit }
  /** links below a changed one name it by its old digest */
  readonly orphans?: boolean
  readonly order?: (tokens: readonly string[]) => readonly string[]
  readonly shown?: Edit
  readonly approval?: Edit | 'none'
  readonly list?:
    { readonly url: string; readonly edit: Edit } | { readonly url: string; readonly serve: string | null }
  readonly asked?: (asked: Asked) => void
  /** what is asked is what was signed */
  readonly isSigned?: boolean
  readonly now?: number
  readonly age?: number
  /** how often the same is sent, or sent anew */
  readonly again?: { readonly times: number; readonly fresh: boolean }
  /** whom the chain is handed to instead */
  readonly heir?: Actor
}

type Breaker = (random: Random, scene: Scene, others: readonly Scene[]) => Break | null

/** What a signer can write that JCS does not: the bytes are signed as they are. */
const TEXT_EDITS: readonly [string, (text: string, random: Random) => Uint8Array | string][] = [
  ['twice', text => text.replace(/^\{("[^"]+":(?:"[^"]*"|\d+|\[[^\]]*\]))/, '{$1,$1')],
  ['twice, the other first', text => text.replace(/^\{("[^"]+"):/, '{$1:null,$1:')],
  ['space', text => text.replace(':', ': ')],
  ['line', text => `${text}\n`],
  ['order', text => text.replace(/^\{("[^"]+":(?:"[^"]*"|\[[^\]]*\])),(.*)\}$/s, '{$2,$1}')],
  ['escape', text => text.replace('e', '\\u0065')],
  ['slash', text => text.replace('/', '\\/')],
  ['float', text => text.replace(/:(\d+)/, ':$1.0')],
  ['exponent', text => text.replace(/:(\d+)/, ':$1e0')],
  ['minus zero', text => text.replace(/:(\d+)/, ':-0')],
  ['large', text => text.replace(/:(\d+)/, ':9007199254740993')],
  ['mark', text => `\ufeff${text}`],
  ['surrogate', text => text.replace('a', '\\ud800')],
  ['bad UTF-8', text => Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xff, 0x7d])])],
  [
    'overlong',
    text => Buffer.concat([Buffer.from('{"\u00e0'.slice(0, 2)), Buffer.from([0xc1, 0xa1]), Buffer.from(text.slice(2))]),
  ],
  ['cut', (text, random) => text.slice(0, random.int(1, text.length - 1))],
  ['more', text => `${text}{}`],
  ['list', text => `[${text}]`],
  ['text', text => JSON.stringify(text)],
  ['null', () => 'null'],
  ['number', () => '1'],
  ['depth', text => text.replace(/\}$/, `,"zz":${'['.repeat(5000)}${']'.repeat(5000)}}`)],
  ['comment', text => text.replace('{', '{/**/')],
  ['comma', text => text.replace(/\}$/, ',}')],
]

const ORDER_OF_CURVE = (1n << 252n) + 27742317777372353535851937790883648493n

/** The other signature that a lenient verifier takes for the same: S + L. */
function malleable(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url')
  let s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + ORDER_OF_CURVE
  for (let index = 32; index < 64; index += 1, s >>= 8n) bytes[index] = Number(s & 255n)
  return bytes.toString('base64url')
}

function flip(text: string, random: Random): string {
  const bytes = Buffer.from(text, 'base64url')
  const place = random.int(0, bytes.length - 1)
  bytes[place] = bytes[place]! ^ (1 << random.int(0, 7))
  return bytes.toString('base64url')
}

/** What somebody without the key can do to a token. */
const TOKEN_EDITS: readonly [string, (parts: [string, string, string], random: Random, other: string) => string][] = [
  ['signature byte', ([head, body, signature], random) => [head, body, flip(signature, random)].join('.')],
  ['signature byte', ([head, body, signature], random) => [head, body, flip(signature, random)].join('.')],
  ['payload byte', ([head, body, signature], random) => [head, flip(body, random), signature].join('.')],
  ['payload byte', ([head, body, signature], random) => [head, flip(body, random), signature].join('.')],
  ['header byte', ([head, body, signature], random) => [flip(head, random), body, signature].join('.')],
  ['signature plus order', ([head, body, signature]) => [head, body, malleable(signature)].join('.')],
  ['signature of zeros', ([head, body]) => [head, body, 'A'.repeat(86)].join('.')],
  ['signature of another', ([head, body], _, other) => [head, body, other.split('.')[2] ?? ''].join('.')],
  ['payload of another', ([head, , signature], _, other) => [head, other.split('.')[1] ?? '', signature].join('.')],
  ['no signature', ([head, body]) => `${head}.${body}.`],
  ['short signature', ([head, body, signature]) => [head, body, signature.slice(0, -1)].join('.')],
  [
    'loose bits',
    ([head, body, signature]) => [head, body, `${signature.slice(0, -1)}${next(signature.at(-1)!)}`].join('.'),
  ],
  ['padding', parts => `${parts.join('.')}==`],
  ['fourth part', parts => `${parts.join('.')}.AA`],
  ['two parts', ([head, body]) => `${head}.${body}`],
  [
    'space',
    ([head, body, signature], random) =>
      random.pick([` ${head}.${body}.${signature}`, `${head}.${body}.${signature}\n`, `${head} .${body}.${signature}`]),
  ],
  [
    'standard alphabet',
    ([head, body, signature]) => [head, body, signature.replaceAll('-', '+').replaceAll('_', '/')].join('.'),
  ],
  ['cut', (parts, random) => parts.join('.').slice(0, random.int(0, parts.join('.').length - 1))],
  [
    'grown',
    ([head, body, signature], random) => [head, body + 'A'.repeat(random.pick([1, 2, 4, 50_000])), signature].join('.'),
  ],
  ['empty', () => ''],
]

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const next = (letter: string): string => ALPHABET[(ALPHABET.indexOf(letter) + 1) % 64]!

const HEADER_EDITS: readonly [string, (header: LooseObject) => void][] = [
  ['crit', header => (header['crit'] = ['b64'])],
  ['b64', header => (header['b64'] = false)],
  ['none', header => (header['alg'] = 'none')],
  ['HS256', header => (header['alg'] = 'HS256')],
  ['jwk', header => (header['jwk'] = { crv: 'Ed25519', kty: 'OKP', x: MALLORY.publicKey.x })],
  ['jku', header => (header['jku'] = 'https://mallory.example/jwks')],
  ['zip', header => (header['zip'] = 'DEF')],
  ['relative kid', header => (header['kid'] = '#k1')],
  ['kid of mallory', header => (header['kid'] = MALLORY.kid)],
  ['kid with query', header => (header['kid'] = textOf(header['kid']).replace('#', '?x=1#'))],
  ['kid with path', header => (header['kid'] = textOf(header['kid']).replace('#', '/x#'))],
  ['other fragment', header => (header['kid'] = `${textOf(header['kid'])}2`)],
  ['typ vc+jwt', header => (header['typ'] = 'vc+jwt')],
  ['typ vp+jwt', header => (header['typ'] = 'vp+jwt')],
  ['typ proof', header => (header['typ'] = 'agent-proof+jwt')],
  ['typ approval', header => (header['typ'] = 'agent-approval+jwt')],
  ['typ JWT', header => (header['typ'] = 'JWT')],
  ['typ case', header => (header['typ'] = textOf(header['typ']).toUpperCase())],
  ['Ed25519', header => (header['alg'] = 'Ed25519')],
  ['no cty', header => Reflect.deleteProperty(header, 'cty')],
  ['cty vp', header => (header['cty'] = 'vp')],
  ['cty vc', header => (header['cty'] = 'vc')],
]

/** An edit of one token, whoever makes it. */
function editOf(
  random: Random,
  good: { readonly claims: Loose; readonly header: LooseObject; readonly signer: Actor },
  donors: readonly Loose[],
  otherToken: string,
): { readonly edit: Edit; readonly what: string; readonly detail: string; readonly forged?: boolean } | null {
  const dice = random.int(0, 99)
  if (dice < 70) return change(random, good.claims as LooseObject, donors)
  if (dice < 76) {
    const [what, header] = random.pick(HEADER_EDITS)
    return { edit: { header }, what: `header ${what}`, detail: what }
  }
  if (dice < 80) {
    const header = clone(good.header)
    const change_ = mutate(random, header, [{ alg: 'EdDSA', kid: MALLORY.kid, typ: 'secevent+jwt', cty: 'vp' }])
    if (change_ === null) return null
    const { place, operation, detail } = change_
    const edit = { header: replaced(header) }
    return { edit, what: `header ${place} ${operation}`, detail }
  }
  if (dice < 87) {
    const [what, text] = random.pick(TEXT_EDITS)
    const inHeader = random.chance(0.3)
    const raw: Edit['raw'] = (header, payload, signer) =>
      inHeader ? signed(text(header, random), payload, signer) : signed(header, text(payload, random), signer)
    return { edit: { raw }, what: `text ${what}`, detail: inHeader ? 'header' : 'payload', forged: true }
  }
  if (dice < 96) {
    const [what, bend] = random.pick(TOKEN_EDITS)
    const token: Edit['token'] = whole => bend(whole.split('.') as [string, string, string], random, otherToken)
    return { edit: { token }, what: `token ${what}`, detail: what, forged: true }
  }
  const signer = random.pick(EVERYBODY.filter(one => one !== good.signer))
  const isNamed = random.chance(0.5)
  const edit = isNamed ? { author: signer } : { signer }
  return { edit, what: isNamed ? 'author' : 'key', detail: signer.did, forged: true }
}

function replaced(header: LooseObject): (target: LooseObject) => void {
  return target => {
    for (const name of Object.keys(target)) Reflect.deleteProperty(target, name)
    for (const [name, value] of Object.entries(header))
      Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
  }
}

function change(
  random: Random,
  good: LooseObject,
  donors: readonly Loose[],
): { readonly edit: Edit; readonly what: string; readonly detail: string } | null {
  // the same dice are thrown again on the document as it will be: its digests are known only then
  const seed = random.int(0, 2 ** 30)
  const told: Change | null = mutate(random.fork(seed), clone(good), donors)
  if (told === null) return null
  return {
    edit: { claims: claims => void mutate(random.fork(seed), claims, donors) },
    what: `${told.place} ${told.operation}`,
    detail: told.detail,
  }
}

const aLink: Breaker = (random, scene, others) => {
  const index = random.int(0, scene.links.length - 1)
  const elsewhere = random.pick(others)
  const donors = [...scene.links, ...elsewhere.links].map(one => one.claims)
  const found = editOf(random, scene.links[index]!, donors, random.pick([...scene.tokens, ...elsewhere.tokens]))
  if (found === null) return null
  const orphans = random.chance(0.1) && index < scene.links.length - 1
  return { place: `link ${found.what}`, link: { index, edit: found.edit }, orphans, ...rest(found, `link ${index}`) }
}

function rest(
  found: { readonly detail: string; readonly forged?: boolean },
  at_: string,
): { detail: string; forged: boolean } {
  return { detail: `${at_}: ${found.detail}`, forged: found.forged === true }
}

/** Times that belong together are moved together: around every bound that stands above, below or on the clock. */
const linkTimes: Breaker = (random, scene) => {
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
const linkNames: Breaker = (random, scene) => {
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
const handedOn: Breaker = (random, scene) => {
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

const order: Breaker = (random, scene, others) => {
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

const theShown: Breaker = (random, scene, others) => {
  const alike = others.filter(one => one.inline === scene.inline)
  const found = editOf(
    random,
    { ...scene.shown, claims: draftOfShown(scene) },
    alike.map(one => one.shown.claims),
    random.pick(scene.tokens),
  )
  if (found === null) return null
  return { place: `shown ${found.what}`, shown: found.edit, ...rest(found, 'shown') }
}

/** Like what will be shown: as many envelopes, or a leaf. */
function draftOfShown(scene: Scene): LooseObject {
  return scene.inline
    ? {
        ...(clone(scene.shown.claims) as LooseObject),
        verifiableCredential: scene.tokens.map(token => ({
          '@context': 'https://www.w3.org/ns/credentials/v2',
          id: `data:application/vc+jwt,${token}`,
          type: 'EnvelopedVerifiableCredential',
        })),
      }
    : { ...(clone(scene.shown.claims) as LooseObject), leaf: `uEi${'A'.repeat(44)}` }
}

const shownTimes: Breaker = (random, scene) => {
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

const theApproval: Breaker = (random, scene, others) => {
  if (scene.approval === null) return null
  if (random.chance(0.05)) return { place: 'approval none', detail: 'left out', approval: 'none' }
  const donors = others.flatMap(one => one.approval?.claims ?? [])
  if (donors.length === 0) return null
  const found = editOf(random, scene.approval, donors, random.pick(scene.tokens))
  if (found === null) return null
  return { place: `approval ${found.what}`, approval: found.edit, ...rest(found, 'approval') }
}

const approvalTimes: Breaker = (random, scene) => {
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

const GOOD_BITS = bitsOf(MIN_BITS, [TAKEN_BACK])
/** Encodings of lists, and the bits they stand for; `null` where they stand for none. */
export const ENCODINGS = new Map<string, Uint8Array | null>([[EMPTY, GOOD_BITS]])

function remember(encoded: string, bits: Uint8Array | null): string {
  if (ENCODINGS.size > 500) ENCODINGS.clear()
  ENCODINGS.set(EMPTY, GOOD_BITS)
  ENCODINGS.set(encoded, bits)
  return encoded
}

function usedIndexes(scene: Scene, url: string): number[] {
  return scene.links.flatMap(({ claims }) => {
    const status = at(claims, 'credentialStatus') ?? []
    const entries = (Array.isArray(status) ? status : [status]) as LooseObject[]
    return entries.filter(one => one['statusListCredential'] === url).map(one => Number(one['statusListIndex']))
  })
}

const PACKED = gzipSync(GOOD_BITS)
const LONGEST = gzipSync(new Uint8Array(131_072))
const LARGE = gzipSync(new Uint8Array(131_073))
const BOMB = gzipSync(new Uint8Array(16_000_000))

/** Other ways to write a list. */
function badEncoding(random: Random, indexes: readonly number[]): [string, string] {
  const bits = GOOD_BITS
  const packed = PACKED
  const u = (bytes: Uint8Array): string => `u${Buffer.from(bytes).toString('base64url')}`
  const bad = (what: string, bytes: Uint8Array): [string, string] => [what, remember(u(bytes), null)]
  const set = (): Uint8Array => bitsOf(MIN_BITS, [random.pick(indexes)])
  const setOne = (): [string, string] => {
    const one = set()
    return ['bit set', remember(encodeList(one), one)]
  }
  const ways: (() => [string, string])[] = [
    setOne,
    setOne,
    setOne,
    () => [
      'all bits set',
      remember(encodeList(new Uint8Array(MIN_BITS / 8).fill(255)), new Uint8Array(MIN_BITS / 8).fill(255)),
    ],
    () => ['another bit set', remember(encodeList(bitsOf(MIN_BITS, [500])), bitsOf(MIN_BITS, [500]))],
    () => ['packed otherwise', remember(u(gzipSync(bits, { level: 1 })), bits)],
    () => ['longer', remember(u(LONGEST), new Uint8Array(131_072))],
    () => bad('two members', Buffer.concat([packed, packed])),
    () => bad('member and the bits set', Buffer.concat([packed, gzipSync(set())])),
    () => bad('trailing bytes', Buffer.concat([packed, Buffer.from([0])])),
    () => bad('cut', packed.subarray(0, random.int(0, packed.length - 1))),
    () => bad('zlib', deflateSync(bits)),
    () =>
      bad(
        'named',
        Buffer.concat([
          packed.subarray(0, 3),
          Buffer.from([8]),
          packed.subarray(4, 10),
          Buffer.from('x\0'),
          packed.subarray(10),
        ]),
      ),
    () => bad('checksum', Buffer.concat([packed.subarray(0, -8), Buffer.from([1, 2, 3, 4]), packed.subarray(-4)])),
    () => bad('length', Buffer.concat([packed.subarray(0, -4), Buffer.from([1, 2, 3, 4])])),
    () => bad('a byte', flipped(packed, random)),
    () => bad('short', gzipSync(bits.subarray(1))),
    () => bad('large', LARGE),
    () => bad('bomb', BOMB),
    () => bad('empty', gzipSync(new Uint8Array(0))),
    () => ['multibase', remember(`z${EMPTY.slice(1)}`, null)],
    () => ['no multibase', remember(EMPTY.slice(1), null)],
    () => ['padding', remember(`${EMPTY}=`, null)],
  ]
  return random.pick(ways)()
}

function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Buffer.from(bytes)
  // bytes 4–7 and 9 are when and where it was packed, 8 how well: labels
  const place = random.pick([0, 1, 2, 3, ...Array.from({ length: 8 }, (_, index) => bytes.length - 1 - index)])
  copy[place] = copy[place]! ^ (1 << random.int(0, 7))
  return copy
}

const aList: Breaker = (random, scene) => {
  if (scene.lists.size === 0) return null
  const [url, good] = random.pick([...scene.lists])
  const donors = [...LISTS.values()].map(one => one.claims)
  const dice = random.int(0, 99)
  const subject = (claims: LooseObject): LooseObject => claims['credentialSubject'] as LooseObject
  if (dice < 35) {
    const [what, encodedList] = badEncoding(random, usedIndexes(scene, url))
    return {
      place: `list ${what}`,
      detail: what,
      list: { url, edit: { claims: claims => (subject(claims)['encodedList'] = encodedList) } },
    }
  }
  if (dice < 45) {
    const version = random.pick<Loose>([41, 0, -1, 43, 42.5, '42', null, Number.MAX_SAFE_INTEGER, true])
    return {
      place: 'list version',
      detail: write(version),
      list: { url, edit: { claims: claims => (subject(claims)['version'] = version) } },
    }
  }
  if (dice < 52) {
    const author = random.pick([STATUS_WEB, STATUS_KEY, MALLORY, OWNER, ALICE].filter(one => one !== good.signer))
    const claims: Edit['claims'] = document => Object.assign(document, { issuer: author.did, iss: author.did })
    return { place: 'list author', detail: author.did, list: { url, edit: { claims, author } } }
  }
  if (dice < 57) {
    const serve = random.pick([null, 'garbage', scene.tokens[0]!, ''])
    return { place: 'list served', detail: String(serve).slice(0, 20), list: { url, serve }, forged: true }
  }
  if (dice < 65) {
    const until = NOW + random.pick([-1, 0, 1, 600])
    const from = NOW - random.pick([-31, -30, -29, 299, 300, 301, 10])
    const claims: Edit['claims'] = document =>
      Object.assign(document, { iat: from, validFrom: toDate(from), validUntil: toDate(until), exp: until })
    return { place: 'list times', detail: `NOW${from - NOW} to NOW${until - NOW}`, list: { url, edit: { claims } } }
  }
  const found = editOf(random, good, donors, random.pick(scene.tokens))
  if (found === null) return null
  return { place: `list ${found.what}`, list: { url, edit: found.edit }, ...rest(found, url) }
}

const listAge: Breaker = (random, scene) => {
  if (scene.lists.size === 0) return null
  const most = scene.policy.maxStatusAge[scene.policy.risk.get(scene.asked.action) ?? 'low']
  const age = most + random.int(-1, 2)
  return { place: 'list age', detail: String(age), age, forged: age > most }
}

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

const theAsked: Breaker = (random, scene, others) => {
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
const askedAnew: Breaker = (random, scene, others) => {
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

const replay: Breaker = (random, scene) => {
  const fresh = random.chance(0.5)
  const times = fresh ? random.int(2, 6) : 2
  return {
    place: fresh ? 'again, fresh' : 'again',
    detail: `${times} ${scene.inline ? 'inline' : 'proof'}`,
    again: { times, fresh },
    forged: !fresh,
  }
}

const clock: Breaker = (random, scene) => {
  const bounds = scene.links.flatMap(({ claims }) => [
    Number(at(claims, 'exp')),
    Date.parse(textOf(at(claims, 'validFrom'))) / 1000 - 30,
  ])
  const shown = scene.shown.claims
  const near = [...bounds, Number(at(shown, 'exp')) + 30, Number(at(shown, 'iat')) - 30]
  const now = random.pick(near) + random.pick([-2, -1, 0, 1])
  return { place: 'clock', detail: `NOW${now - NOW}`, now }
}

/** A status entry that points elsewhere. */
const entryAway: Breaker = (random, scene) => {
  const index = random.int(0, scene.links.length - 1)
  if (at(scene.links[index]!.claims, 'credentialStatus') === undefined) return null
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
  return {
    place: `link entry ${to[0]}`,
    detail: `link ${index} ${to[0]} → ${textOf(to[1])}`,
    link: { index, edit: { claims } },
  }
}

const BREAKERS: readonly [number, Breaker][] = [
  [40, aLink],
  [5, linkTimes],
  [4, linkNames],
  [2, handedOn],
  [5, order],
  [14, theShown],
  [2, shownTimes],
  [5, theApproval],
  [1, approvalTimes],
  [8, aList],
  [1, listAge],
  [5, theAsked],
  [6, askedAnew],
  [2, replay],
  [2, clock],
  [3, entryAway],
]
const ALL = BREAKERS.flatMap(([weight, breaker]) => Array.from({ length: weight }, () => breaker))

/** Picks one thing to break. */
export function breakOne(random: Random, scene: Scene, others: readonly Scene[]): Break {
  for (;;) {
    const found = random.pick(ALL)(random, scene, others)
    if (found !== null) return found
  }
}

/** Breaks that a verifier may let through, each only where the second reading of the profile has no objection either. */
export const HARMLESS: readonly [RegExp, string][] = [
  [/^(link|shown|list|approval) header (Ed25519|alg \S+)$/, 'alg: EdDSA and Ed25519 are two names of one algorithm'],
  [/^(link|shown|list) header (no cty|cty delete)$/, 'cty: optional'],
  [
    /^(link|shown) header (other fragment|kid \S+)$/,
    'kid: below the root the link above holds the key; its DID is compared',
  ],
  [/^link id (swap|neighbour)$/, 'id of the leaf: a label that nobody names'],
  [
    /^(link|list) (?!credential|cnf|type|@context|iss|sub|vc|vp|nbf|iat|exp|valid)\S* add$/,
    'unknown members at the top are ignored',
  ],
  [/^link name /, 'name: an unknown member at the top, ignored'],
  [/^link credentialSubject\.authority\.purpose\.ref /, 'purpose.ref: a label'],
  [
    /^link credentialSubject\.authority[. ]/,
    'authority: the link is still within what stands above it and still allows the call',
  ],
  [/^link credentialStatus(\.#)?\.id /, 'id of a status entry: a label'],
  [
    /^link (entry|credentialStatus)/,
    'status entry: whoever issues a link chooses where its own bit stands, if it needs one',
  ],
  [
    /^link (times \S+|iat|validFrom|validUntil|exp)( \S+)?$/,
    'times: still in force and within those above and around those below',
  ],
  [/^leaf to another$/, 'subject of the leaf: no link restricts who receives it'],
  [/^shown (jti|nonce) \S+$/, 'jti: any name not used before; nonce: nobody asked for one'],
  [/^shown (times|iat \S+|exp \S+)$/, 'times: still in force and at most 120 s'],
  [/^shown identity add$/, 'identity: an empty list of what no policy asks for'],
  [/^shown request\.(provenance|purpose)/, 'provenance, purpose: nobody asks for them'],
  [/^approval approver[. ]/, 'approver: put on record, vouches for nothing'],
  [/^approval (times|jti \S+|iat \S+|exp \S+)$/, 'approval: another name, or still in force and at most 300 s'],
  [/^list (another bit set|packed otherwise|longer)$/, 'list: the bit that counts is as before'],
  [
    /^list (age|times|version|iat \S+|validFrom \S+|credentialSubject\.version \S+)$/,
    'list: still fresh, its version not lower',
  ],
  [/^list credentialSubject\.(id|ttl) /, 'list: labels'],
  [
    /^list credentialSubject (add|swap)$|^list credentialSubject\.\S* add$/,
    'list: unknown members say nothing, a list of the same bits',
  ],
  [/^list credentialSubject\.encodedList /, 'list: the same bits'],
  [/^asked anew /, 'request: signed as it is asked, and every link allows it'],
  [/^clock$/, 'clock: everything is in force at that moment too'],
  [/^again, fresh$/, 'again: budgets and rates are not used up yet'],
]

/** Says why a break is harmless, or `null`. */
export function excuse(place: string): string | null {
  return HARMLESS.find(([pattern]) => pattern.test(place))?.[1] ?? null
}
