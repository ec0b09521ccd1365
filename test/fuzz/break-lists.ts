import { deflateSync, gzipSync } from 'node:zlib'
import { MIN_BITS, bitsOf, encodeList } from '../../src/status/bitstring.js'
import { toDate } from '../../src/time.js'
import { ALICE, EMPTY, LISTS, MALLORY, NOW, OWNER, STATUS_KEY, STATUS_WEB, TAKEN_BACK } from './cast.js'
import { type Breaker, type Edit, editOf, rest } from './edit.js'
import { isRead } from './identities.js'
import type { Random } from './random.js'
import { type Loose, type LooseObject, type Scene, at, write } from './scene.js'

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
  return [...scene.links, ...(isRead(scene) ? scene.identities : [])].flatMap(({ claims }) => {
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

export const aList: Breaker = (random, scene) => {
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

export const listAge: Breaker = (random, scene) => {
  if (scene.lists.size === 0) return null
  const most = scene.policy.maxStatusAge[scene.policy.risk.get(scene.asked.action) ?? 'low']
  const age = most + random.int(-1, 2)
  return { place: 'list age', detail: String(age), age, forged: age > most }
}
