import type { Did } from '../../src/did/did.js'
import type { PublicKey } from '../../src/ed25519.js'
import type { RevocationEvent } from '../../src/ports/deciding.js'
import type { ReceivedRequest } from '../../src/presentation/request.js'
import type { Shown } from '../../src/verifier/verifier.js'
import { EVERYBODY, MALLORY } from './cast.js'
import { type Change, mutate } from './mutate.js'
import type { Random } from './random.js'
import { type Actor, type Asked, type Loose, type LooseObject, type Scene, clone, signed, textOf } from './scene.js'

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
  readonly identity?: { readonly index: number; readonly edit: Edit }
  /** identity credentials, arranged otherwise */
  readonly vouching?: (tokens: readonly string[]) => readonly string[]
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
  /** false: the server does not reserve what the policy wants committed */
  readonly reserve?: boolean
  /** whom the chain is handed to instead */
  readonly heir?: Actor
  /** what is shown in place of a token, by callers without types */
  readonly showing?: (token: Shown) => unknown
  /** what is received in place of a request, by servers without types */
  readonly receiving?: (received: ReceivedRequest) => unknown
  /** a DID document with another key, without a key, or out of reach */
  readonly document?: { readonly did: Did; readonly key: PublicKey | null | 'gone' }
  /** what was pushed before it decides */
  readonly event?: RevocationEvent
  /** the one answer that is right, where it follows from what was broken */
  readonly due?: string
  /** the same verifier has allowed the unbroken one before */
  readonly isWarm?: boolean
}

export const UNBROKEN: Break = { place: 'nothing', detail: 'nothing' }

export type Breaker = (random: Random, scene: Scene, others: readonly Scene[]) => Break | null

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
  return flipped(text, random.int(0, Buffer.from(text, 'base64url').length - 1), random.int(0, 7))
}

/** One letter replaced by one of the same low byte, which Node's decoders take for it. */
function wide(text: string, random: Random): string {
  const place = random.int(0, text.length - 1)
  return text.slice(0, place) + String.fromCharCode(text.charCodeAt(place) + 0x100) + text.slice(place + 1)
}

/** The text with one bit of its bytes turned. */
export function flipped(text: string, place: number, bit: number): string {
  const bytes = Buffer.from(text, 'base64url')
  bytes[place] = bytes[place]! ^ (1 << bit)
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
  ['wide letter', ([head, body, signature], random) => [head, wide(body, random), signature].join('.')],
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
export const next = (letter: string): string => ALPHABET[(ALPHABET.indexOf(letter) + 1) % 64]!

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
export function editOf(
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

export function rest(
  found: { readonly detail: string; readonly forged?: boolean },
  at_: string,
): { detail: string; forged: boolean } {
  return { detail: `${at_}: ${found.detail}`, forged: found.forged === true }
}
