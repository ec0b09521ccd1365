import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { digestOf, toBase64url } from '../../src/encoding.js'
import { canonicalize, type Json, type JsonObject } from '../../src/json.js'
import { openJws, readJws, signJws, type Typ } from '../../src/jws/compact.js'
import { but } from '../ground/but.js'
import { outcome, settled } from '../ground/refusal.js'
import { goodChain, mallory, owner, planner, present } from '../mint.js'

const MAX = 8192
const CLAIMS = { iss: planner.did, n: 1 }

/** A token of any bytes, signed all the same: only its form can be wrong. */
async function seal(header: string | Uint8Array, payload: string | Uint8Array): Promise<string> {
  const input = `${toBase64url(Buffer.from(header))}.${toBase64url(Buffer.from(payload))}`
  return `${input}.${toBase64url(await planner.sign(Buffer.from(input)))}`
}
const headerOf = (change: JsonObject = {}): JsonObject => ({ alg: 'EdDSA', kid: planner.kid, typ: 'vc+jwt', ...change })
const withHeader = (header: Json): Promise<string> => seal(canonicalize(header), canonicalize(CLAIMS))
const withPayload = (payload: string | Uint8Array): Promise<string> => seal(canonicalize(headerOf()), payload)
const read = (token: string, typ: Typ = 'vc+jwt', max = MAX) => readJws(token, typ, max, 'token')

/** JSON that a token may carry: safe integers, well-formed strings, any names. */
const tokenJson = fc.letrec<{ value: Json; claims: JsonObject }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map(n => (Object.is(n, -0) ? 0 : n)),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('claims'),
  ),
  claims: fc.dictionary(
    fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor')),
    tie('value'),
    {
      maxKeys: 4,
      noNullPrototype: true,
    },
  ),
}))

describe('open ∘ sign', () => {
  test('is the identity', async () => {
    await fc.assert(
      fc.asyncProperty(tokenJson.claims, async claims => {
        const token = await signJws(claims, 'vc+jwt', planner)
        const sealed = read(token, 'vc+jwt', 1e6)
        expect(openJws(sealed, planner.publicKey)).toEqual(claims)
        expect([sealed.kid, sealed.signer]).toEqual([planner.kid, planner.did])
        expect(sealed.digest).toBe(digestOf(token.slice(0, token.lastIndexOf('.'))))
        expect(sealed.digest).toMatch(/^uEi[A-D][\w-]{43}$/)
      }),
      { numRuns: 300 },
    )
  })

  test('the digest leaves the signature out and nothing else', async () => {
    const token = await withHeader(headerOf())
    const other = `${token.slice(0, token.lastIndexOf('.'))}.${toBase64url(new Uint8Array(64))}`
    expect(read(other).digest).toBe(read(token).digest)
    expect(read(await withPayload('{"n":2}')).digest).not.toBe(read(token).digest)
    expect(read(await withHeader(headerOf({ alg: 'Ed25519' }))).digest).not.toBe(read(token).digest)
  })

  test.each<[string, object]>([
    ['a fraction', { n: 0.5 }],
    ['2^53', { n: 2 ** 53 }],
    ['NaN', { n: NaN }],
    ['a lone surrogate', { s: '\ud800' }],
    ['a lone surrogate in a name', { '\udc00': 1 }],
    ['undefined', { u: undefined }],
    ['a date', { d: new Date(0) }],
    ['a map', { m: new Map() }],
    ['a bigint', { b: 1n }],
    ['a function', { f: () => 1 }],
    ['a hole', { a: new Array(1) }],
  ])('%s is not signed', async (_name, claims) => {
    expect(await settled(() => signJws(claims, 'vc+jwt', planner))).toBe('JSON_NOT_CANONICAL')
  })

  test.each<[Typ, string | undefined]>([
    ['vc+jwt', 'vc'],
    ['vp+jwt', 'vp'],
    ['agent-proof+jwt', undefined],
    ['agent-approval+jwt', undefined],
    ['secevent+jwt', undefined],
  ])('a signed %s is read as one and as nothing else', async (typ, cty) => {
    const token = await signJws(CLAIMS, typ, planner)
    const header = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as JsonObject
    expect(header['cty']).toBe(cty)
    for (const due of ['vc+jwt', 'vp+jwt', 'agent-proof+jwt', 'agent-approval+jwt', 'secevent+jwt'] as const) {
      expect(outcome(() => read(token, due))).toBe(due === typ ? 'ok' : 'JWS_TYP')
    }
  })
})

describe('a changed token', () => {
  let tokens: readonly [string, string, Typ, typeof planner][] = []
  beforeAll(async () => {
    const [root, link] = await goodChain()
    tokens = [
      ['credential', root.token, 'vc+jwt', owner],
      ['presentation', await present(planner, [link], { claims: { verifiableCredential: [] } }), 'vp+jwt', planner],
    ]
  })

  test('is refused whatever one character of it becomes', () => {
    let tried = 0
    for (const [name, token, typ, { publicKey }] of tokens) {
      expect(outcome(() => openJws(read(token, typ, 1e5), publicKey))).toBe('ok')
      for (let at = 0; at < token.length; at += 1) {
        const code = token.charCodeAt(at)
        const others = [code ^ 1, code ^ 4, code ^ 0x20, code ^ 0x80, 0, 0x0a, 0x2e, 0x3d, 0x41, 0x5f].map(one => String.fromCharCode(one)) // prettier-ignore
        for (const other of new Set(['', `${token[at]}${token[at]}`, ...others])) {
          if (other === token[at]) continue
          const changed = token.slice(0, at) + other + token.slice(at + 1)
          tried += 1
          const answer = outcome(() => openJws(read(changed, typ, 1e5), publicKey))
          expect(answer, `${name} at ${at}: ${JSON.stringify(other)}`).toMatch(/^(JWS|JSON|SIGNATURE|SCHEMA)/)
        }
      }
    }
    expect(tried).toBeGreaterThan(15_000)
  })

  test('is refused whatever one bit of its signature becomes', () => {
    const [, token, typ, { publicKey }] = tokens[0]!
    const dot = token.lastIndexOf('.')
    const signature = Buffer.from(token.slice(dot + 1), 'base64url')
    for (let bit = 0; bit < 512; bit += 1) {
      const changed = Buffer.from(signature)
      changed[bit >>> 3]! ^= 1 << (bit & 7)
      const sealed = read(`${token.slice(0, dot)}.${toBase64url(changed)}`, typ)
      expect(
        outcome(() => openJws(sealed, publicKey)),
        `${bit}`,
      ).toBe('SIGNATURE_INVALID')
    }
  })

  test('the second signature that S + L would make is refused', () => {
    const [, token, typ, { publicKey }] = tokens[0]!
    const dot = token.lastIndexOf('.')
    const signature = Buffer.from(token.slice(dot + 1), 'base64url')
    const L = (1n << 252n) + 27742317777372353535851937790883648493n
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + L
    const twin = Buffer.concat([
      signature.subarray(0, 32),
      Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse(),
    ])
    const sealed = read(`${token.slice(0, dot)}.${toBase64url(twin)}`, typ)
    expect(outcome(() => openJws(sealed, publicKey))).toBe('SIGNATURE_INVALID')
  })

  test('is refused under another key', () => {
    const [, token, typ] = tokens[0]!
    expect(outcome(() => openJws(read(token, typ), mallory.publicKey))).toBe('SIGNATURE_INVALID')
  })
})

describe('the form', () => {
  let token = ''
  beforeAll(async () => {
    token = await withHeader(headerOf())
  })
  const parts = () => token.split('.') as [string, string, string]
  /** Sets the bits that a canonical last character leaves zero. */
  const trailing = (segment: string): string => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return segment.slice(0, -1) + alphabet[alphabet.indexOf(segment.at(-1)!) + 1]!
  }
  /** The token with one letter of a part replaced: a decoder that looks at low bytes reads the same. */
  const twin = (part: number): string => {
    const all = parts()
    all[part] = all[part]!.replace(/./, one => String.fromCharCode(one.charCodeAt(0) + 0x100))
    return all.join('.')
  }
  test.each<[string, () => string, string]>([
    ['as it stands', () => token, 'ok'],
    ['nothing', () => '', 'JWS_FORMAT'],
    ['two dots', () => '..', 'JWS_FORMAT'],
    ['two segments', () => parts().slice(0, 2).join('.'), 'JWS_FORMAT'],
    ['an empty signature', () => `${parts().slice(0, 2).join('.')}.`, 'JWS_FORMAT'],
    ['an empty header', () => `.${parts().slice(1).join('.')}`, 'JWS_FORMAT'],
    ['an empty payload', () => `${parts()[0]}..${parts()[2]}`, 'JWS_FORMAT'],
    ['four segments', () => `${token}.${parts()[2]}`, 'JWS_FORMAT'],
    ['a dot at the end', () => `${token}.`, 'JWS_FORMAT'],
    ['a letter of the payload by one of the same low byte', () => twin(1), 'JWS_FORMAT'],
    ['a letter of the header by one of the same low byte', () => twin(0), 'JWS_FORMAT'],
    ['a blank in front', () => ` ${token}`, 'JWS_FORMAT'],
    ['a line end', () => `${token}\n`, 'JWS_FORMAT'],
    ['a line end within', () => token.replace('.', '\n.'), 'JWS_FORMAT'],
    ['padding', () => `${token}==`, 'JWS_FORMAT'],
    ['padding of the payload', () => `${parts()[0]}.${parts()[1]}=.${parts()[2]}`, 'JWS_FORMAT'],
    ['base64 for base64url', () => `${parts()[0]}.${parts()[1]}+/.${parts()[2]}`, 'JWS_FORMAT'],
    ['a NUL', () => `${token}\u0000`, 'JWS_FORMAT'],
    ['a letter beyond ASCII', () => `${token.slice(0, -1)}Ａ`, 'JWS_FORMAT'],
    ['JSON serialization', () => JSON.stringify({ payload: parts()[1], protected: parts()[0], signature: parts()[2] }), 'JWS_FORMAT'], // prettier-ignore
    [
      'a signature of 63 bytes',
      () => `${parts().slice(0, 2).join('.')}.${toBase64url(new Uint8Array(63))}`,
      'JWS_FORMAT',
    ],
    [
      'a signature of 65 bytes',
      () => `${parts().slice(0, 2).join('.')}.${toBase64url(new Uint8Array(65))}`,
      'JWS_FORMAT',
    ],
    ['trailing bits in the signature', () => `${parts().slice(0, 2).join('.')}.${trailing(parts()[2])}`, 'JWS_BASE64'],
    ['a segment of 4n + 1 characters', () => `${parts()[0]}.${'A'.repeat(5)}.${parts()[2]}`, 'JWS_BASE64'],
    ['trailing bits in the payload', () => `${parts()[0]}.QR.${parts()[2]}`, 'JWS_BASE64'],
    ['trailing bits in the header', () => `QR.${parts()[1]}.${parts()[2]}`, 'JWS_BASE64'],
  ])('%s -> %s', (_name, make, code) => {
    expect(outcome(() => read(make()))).toBe(code)
  })

  test('the bound is in characters and includes itself', () => {
    expect(outcome(() => read(token, 'vc+jwt', token.length))).toBe('ok')
    expect(outcome(() => read(token, 'vc+jwt', token.length - 1))).toBe('INPUT_TOO_LARGE')
    expect(outcome(() => read(' '.repeat(MAX + 1)))).toBe('INPUT_TOO_LARGE')
  })
})

describe('the header', () => {
  const [noTyp, noAlg, noKid] = ['typ', 'alg', 'kid'].map(name => but(headerOf(), name)) as [
    JsonObject,
    JsonObject,
    JsonObject,
  ]
  const long = (length: number): string => `${planner.did}#${'k'.repeat(length - planner.did.length - 1)}`
  test.each<[string, Json, string]>([
    ['as it stands', headerOf(), 'ok'],
    ['Ed25519 as alg', headerOf({ alg: 'Ed25519' }), 'ok'],
    ['the fitting cty', headerOf({ cty: 'vc' }), 'ok'],
    ['another cty', headerOf({ cty: 'vp' }), 'JWS_HEADER'],
    ['a long cty', headerOf({ cty: 'application/vc' }), 'JWS_HEADER'],
    ['an empty cty', headerOf({ cty: '' }), 'JWS_HEADER'],
    ['cty null', headerOf({ cty: null }), 'JWS_HEADER'],
    ['cty in an array', headerOf({ cty: ['vc'] }), 'JWS_HEADER'],
    ['crit', headerOf({ crit: ['exp'] }), 'JWS_CRIT'],
    ['an empty crit', headerOf({ crit: [] }), 'JWS_CRIT'],
    ['crit null', headerOf({ crit: null }), 'JWS_CRIT'],
    ['crit with b64', headerOf({ crit: ['b64'], b64: false }), 'JWS_CRIT'],
    ['b64', headerOf({ b64: true }), 'JWS_HEADER'],
    ['zip', headerOf({ zip: 'DEF' }), 'JWS_HEADER'],
    ['jku', headerOf({ jku: 'https://mallory.example/keys' }), 'JWS_HEADER'],
    ['jwk', headerOf({ jwk: { kty: 'OKP' } }), 'JWS_HEADER'],
    ['x5u', headerOf({ x5u: 'https://mallory.example/x' }), 'JWS_HEADER'],
    ['x5c', headerOf({ x5c: [] }), 'JWS_HEADER'],
    ['x5t', headerOf({ x5t: 'A' }), 'JWS_HEADER'],
    ['epk', headerOf({ epk: {} }), 'JWS_HEADER'],
    ['iss', headerOf({ iss: planner.did }), 'JWS_HEADER'],
    ['a member named __proto__', JSON.parse(`{"__proto__":{},"alg":"EdDSA","kid":"${planner.kid}","typ":"vc+jwt"}`) as Json, 'JWS_HEADER'], // prettier-ignore
    ['ALG beside alg', headerOf({ ALG: 'none' }), 'JWS_HEADER'],
    ['no alg', noAlg, 'JWS_HEADER'],
    ['no typ', noTyp, 'JWS_HEADER'],
    ['no kid', noKid, 'JWS_HEADER'],
    ['nothing at all', {}, 'JWS_HEADER'],
    ['an array', [], 'JWS_HEADER'],
    ['null', null, 'JWS_HEADER'],
    ['a string', 'EdDSA', 'JWS_HEADER'],
    ...['none', 'None', 'nOnE', '', 'HS256', 'RS256', 'ES256', 'ES256K', 'Ed448', 'eddsa', 'EDDSA', 'EdDSA ', 'ed25519', null, 1, true, ['EdDSA'], {}].map(
      (alg): [string, Json, string] => [`alg ${JSON.stringify(alg)}`, headerOf({ alg }), 'JWS_ALG'],
    ), // prettier-ignore
    ...['vp+jwt', 'VC+JWT', 'vc+jwt ', 'vc+ld+jwt', 'application/vc+jwt', 'jwt', 'JWT', '', null, 1, ['vc+jwt']].map(
      (typ): [string, Json, string] => [`typ ${JSON.stringify(typ)}`, headerOf({ typ }), 'JWS_TYP'],
    ),
    ['crit before an unknown member', headerOf({ crit: [], x: 1, alg: 'none' }), 'JWS_CRIT'],
    ['an unknown member before alg', headerOf({ x: 1, alg: 'none' }), 'JWS_HEADER'],
    ['cty before alg', headerOf({ cty: 'x', alg: 'none' }), 'JWS_HEADER'],
    ['alg before typ', headerOf({ alg: 'none', typ: 'x' }), 'JWS_ALG'],
    ['typ before kid', headerOf({ typ: 'x', kid: 'x' }), 'JWS_TYP'],
    ['kid of 512 characters', headerOf({ kid: long(512) }), 'ok'],
    ['kid of 513 characters', headerOf({ kid: long(513) }), 'JWS_KID'],
    ['kid of did:web', headerOf({ kid: 'did:web:acme.example%3A8443:agents#k-1' }), 'ok'],
    ...[
      '', '#k1', planner.did, `${planner.did}#`, `${planner.did}/x#k1`, `${planner.did}?x=1#k1`, `${planner.did};x#k1`,
      'k1', 'https://a.example#k1', 'did:web:#k1', 'did::a#k1', 'DID:web:a.example#k1', 'did:Web:a.example#k1',
      'did:web:a.example:#k1', ' did:web:a.example#k1', 'did:web:a.example#k1 ', 'did:web:a.example#k1#k2',
      'did:web:a.example#k1\n', 'did:web:a.example#k\u00e9', 'did:web:ex\u00e4mple#k1', 'did:web:a%2#k1', null, 1, [planner.kid], {},
    ].map((kid): [string, Json, string] => [`kid ${JSON.stringify(kid)}`, headerOf({ kid }), 'JWS_KID']),
  ])('%s', async (_name, header, code) => {
    const token = await withHeader(header)
    expect(outcome(() => read(token))).toBe(code)
  }) // prettier-ignore

  test.each<[Typ, string, string]>([
    ['vp+jwt', 'vp', 'ok'],
    ['vp+jwt', 'vc', 'JWS_HEADER'],
    ['agent-proof+jwt', 'vc', 'JWS_HEADER'],
    ['agent-proof+jwt', 'vp', 'JWS_HEADER'],
    ['agent-approval+jwt', 'vc', 'JWS_HEADER'],
    ['secevent+jwt', 'vc', 'JWS_HEADER'],
  ])('a %s with cty %s -> %s', async (typ, cty, code) => {
    const token = await withHeader(headerOf({ typ, cty }))
    expect(outcome(() => read(token, typ))).toBe(code)
  })

  test.each<[string, string, string]>([
    ['other key order', `{"kid":"${planner.kid}","alg":"EdDSA","typ":"vc+jwt"}`, 'JSON_NOT_CANONICAL'],
    ['white space', `{"alg":"EdDSA", "kid":"${planner.kid}","typ":"vc+jwt"}`, 'JSON_NOT_CANONICAL'],
    ['a member twice', `{"alg":"none","alg":"EdDSA","kid":"${planner.kid}","typ":"vc+jwt"}`, 'JSON_NOT_CANONICAL'],
    ['an escape', `{"\\u0061lg":"EdDSA","kid":"${planner.kid}","typ":"vc+jwt"}`, 'JSON_NOT_CANONICAL'],
    ['no JSON', '{', 'JSON_SYNTAX'],
    ['too deep', '['.repeat(13) + ']'.repeat(13), 'JSON_DEPTH'],
  ])('%s in its bytes -> %s', async (_name, header, code) => {
    const token = await seal(header, '{}')
    expect(outcome(() => read(token))).toBe(code)
  })

  test('names what is wrong without control characters', async () => {
    const token = await withHeader(headerOf({ alg: 'x\u001b[31m\u202e' }))
    expect(() => read(token)).toThrow(/^JWS_ALG: alg x\ufffd\[31m\ufffd is not accepted$/)
  })
})

describe('the payload', () => {
  test.each<[string, string | Uint8Array, string]>([
    ['an object', '{}', 'ok'],
    ['an array', '[]', 'SCHEMA'],
    ['null', 'null', 'SCHEMA'],
    ['a string', '"x"', 'SCHEMA'],
    ['two members of one name', '{"a":1,"a":2}', 'JSON_NOT_CANONICAL'],
    ['bad UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'JSON_SYNTAX'],
    ['a syntax error before a depth error in the header', '{"a":1,}', 'JSON_SYNTAX'],
    ['13 levels', `${'{"a":'.repeat(12)}{}${'}'.repeat(12)}`, 'JSON_DEPTH'],
    ['12 levels', `${'{"a":'.repeat(11)}{}${'}'.repeat(11)}`, 'ok'],
  ])('%s', async (_name, payload, code) => {
    const token = await withPayload(payload)
    expect(outcome(() => openJws(read(token), planner.publicKey))).toBe(code)
    // whether it is an object is a claim: nobody learns it before the signature holds
    expect(outcome(() => openJws(read(token), mallory.publicKey))).toMatch(
      code === 'ok' || code === 'SCHEMA' ? 'SIGNATURE_INVALID' : code,
    )
  })

  test('what is wrong with it comes before what is wrong with the header', async () => {
    expect(outcome(() => read(''))).toBe('JWS_FORMAT')
    const both = await seal('{"alg":"none"}', '{ }')
    expect(outcome(() => read(both))).toBe('JSON_NOT_CANONICAL')
    const noObject = await seal('{"alg":"none"}', '[]')
    expect(outcome(() => read(noObject))).toBe('JWS_HEADER')
  })
})
