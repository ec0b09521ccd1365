import { onTestFinished, describe, expect, test } from 'vitest'
import { createFetch } from '../../src/adapters/resolve/fetch.js'
import { createKeys } from '../../src/adapters/resolve/keys.js'
import type { Did, DidUrl } from '../../src/did/did.js'
import { toDidDocument } from '../../src/did/document.js'
import { didKeyUrl } from '../../src/did/key.js'
import { didWebUrl } from '../../src/did/web.js'
import { base58btc } from 'multiformats/bases/base58'
import type { JsonObject } from '../../src/json.js'
import type { Keys, Relationship } from '../../src/ports/deciding.js'
import type { Clock } from '../../src/ports/world.js'
import { party } from '../mint.js'
import { codeOf, startHost, testClock } from '../resolve/host.js'
import { tableFetch } from '../table.js'

/** The did:web documents of the world, as a map that may change. */
type Documents = ReadonlyMap<Did, JsonObject>

/** Opens keys in a world where exactly these documents are served; the host of any other did:web is down. */
interface Backend {
  readonly name: string
  readonly open: (documents: Documents, clock: Clock) => Promise<Keys>
}

const ALICE = 'did:web:alice.example'
const AGENT = 'did:web:alice.example:agents:planner'
const BOTH = ['authentication', 'assertionMethod'] as const satisfies readonly Relationship[]
const HOST = ['https://alice.example', 'https://down.example'] as const

/** Another adapter joins with one more row. */
const backends: readonly Backend[] = [
  {
    name: 'over HTTP',
    async open(documents, clock) {
      const host = await startHost()
      host.answer(({ headers, url }, response) => {
        const asked = `https://${String(headers.host)}${String(url)}`
        const document = bodyAt(documents, asked)
        if (document === null) response.destroy()
        else response.end(document)
      })
      const fetch = createFetch({ connect: Object.fromEntries(HOST.map(origin => [origin, host.address])) })
      onTestFinished(() => fetch.close())
      return createKeys({ fetch, clock, uptime: () => 0 })
    },
  },
  {
    name: 'hosted by the service itself',
    open(documents, clock) {
      const fetch = tableFetch(() => null)
      return Promise.resolve(createKeys({ fetch, clock, uptime: () => 0, hosted: did => documents.get(did) ?? null }))
    },
  },
  {
    name: 'the table of tests',
    open: (documents, clock) =>
      Promise.resolve(
        createKeys({ fetch: tableFetch(url => bodyAt(documents, url)), clock, uptime: () => 0, maxKeys: 100 }),
      ),
  },
]

function bodyAt(documents: Documents, url: string): string | null {
  const found = [...documents].find(([did]) => didWebUrl(did) === url)
  return found === undefined ? null : JSON.stringify(found[1])
}

const [k1, k2] = [party('one'), party('two')]
const kid = (name: string, did: Did = ALICE): DidUrl => `${did}#${name}`
const both = toDidDocument(ALICE, [
  { kid: kid('k1'), key: k1.publicKey },
  { kid: kid('k2'), key: k2.publicKey },
])
const onlyOne = toDidDocument(ALICE, [{ kid: kid('k1'), key: k1.publicKey }])
/** The same document with members of its first method replaced. */
const changed = (members: JsonObject): JsonObject => {
  const [first, ...others] = both['verificationMethod'] as readonly JsonObject[]
  return { ...both, verificationMethod: [{ ...first, ...members }, ...others] }
}
const prefixed = (...bytes: number[]): Did => `did:key:${base58btc.encode(Uint8Array.from(bytes))}`
const WEAK = Buffer.from([1, ...Buffer.alloc(31)])

describe.each(backends)('$name', ({ open }) => {
  const world = async (...served: readonly (readonly [Did, JsonObject])[]) => {
    const documents = new Map(served)
    const clock = testClock()
    const keys = await open(documents, clock)
    const found = async (name: string, relationship: Relationship) =>
      (await keys.find(kid(name), relationship))?.x ?? null
    const all = async (did: Did, relationship: Relationship) => (await keys.all(did, relationship)).map(({ x }) => x)
    /** What both questions are refused with. */
    const refused = async (did: Did, name = 'k1') => [
      await codeOf(() => keys.find(kid(name, did), 'assertionMethod')),
      await codeOf(() => keys.all(did, 'assertionMethod')),
    ]
    return { documents, clock, keys, found, all, refused }
  }

  test.each(BOTH)('did:key is its own key under %s, and has one name only', async relationship => {
    const { keys, all } = await world()
    const { did, publicKey } = k1
    expect((await keys.find(didKeyUrl(did), relationship))?.bytes).toEqual(publicKey.bytes)
    expect(await all(did, relationship)).toEqual([publicKey.x])
    for (const name of ['k1', did, '0', didKeyUrl(k2.did).split('#')[1]!]) {
      expect(await keys.find(kid(name, did), relationship)).toBeNull()
    }
  })

  test.each<[string, string, Did]>([
    ['X25519', 'DID_METHOD', prefixed(0xec, 1, ...Buffer.alloc(32, 9))],
    ['another length', 'DID_METHOD', prefixed(0xed, 1, ...Buffer.alloc(33, 9))],
    ['not base58btc', 'DID_METHOD', 'did:key:uabc'],
    ['a weak key', 'KEY_WEAK', prefixed(0xed, 1, ...WEAK)],
    ['another method', 'DID_METHOD', 'did:ion:abc'],
    ['a method like web', 'DID_METHOD', 'did:webvh:alice.example'],
  ])('%s is %s', async (_, code, did) => {
    const { refused } = await world([ALICE, both])
    expect(await refused(did, did.slice('did:key:'.length))).toEqual([code, code])
  })

  test('did:web has the keys of its document', async () => {
    const agent = toDidDocument(AGENT, [{ kid: kid('k1', AGENT), key: k2.publicKey }])
    const { keys, found, all } = await world([ALICE, both], [AGENT, agent])
    for (const relationship of BOTH) {
      expect(await found('k1', relationship)).toBe(k1.publicKey.x)
      expect(await found('k2', relationship)).toBe(k2.publicKey.x)
      expect(await all(ALICE, relationship)).toEqual([k1.publicKey.x, k2.publicKey.x])
      expect((await keys.find(kid('k1', AGENT), relationship))?.x).toBe(k2.publicKey.x)
    }
  })

  test('a name that the document does not list is null, not an error', async () => {
    const { keys, found } = await world([ALICE, both])
    for (const name of ['k3', 'K1', 'k1?', 'k1#k1']) expect(await found(name, 'assertionMethod')).toBeNull()
    expect(await keys.find(`${ALICE}#`, 'assertionMethod')).toBeNull()
  })

  test('a key counts only for the relationship it is listed under', async () => {
    const split = { ...both, authentication: [kid('k1')], assertionMethod: [kid('k2')] }
    const { found, all } = await world([ALICE, split])
    expect([await found('k1', 'authentication'), await found('k2', 'authentication')]).toEqual([k1.publicKey.x, null])
    expect([await found('k1', 'assertionMethod'), await found('k2', 'assertionMethod')]).toEqual([null, k2.publicKey.x])
    expect([await all(ALICE, 'authentication'), await all(ALICE, 'assertionMethod')]).toEqual([
      [k1.publicKey.x],
      [k2.publicKey.x],
    ])
  })

  test('a document that lists nothing has no keys, which is no failure', async () => {
    const { found, all } = await world([ALICE, { id: ALICE }])
    expect([await found('k1', 'authentication'), await all(ALICE, 'authentication')]).toEqual([null, []])
  })

  test.each<[string, string, JsonObject]>([
    ['weak', 'KEY_WEAK', { kty: 'OKP', crv: 'Ed25519', x: WEAK.toString('base64url') }],
    ['private', 'KEY_PRIVATE', { kty: 'OKP', crv: 'Ed25519', x: k1.publicKey.x, d: k1.publicKey.x }],
  ])('a %s key is never handed out: %s by name, and not among all', async (_, code, publicKeyJwk) => {
    const { found, all } = await world([ALICE, changed({ publicKeyJwk })])
    expect(await codeOf(() => found('k1', 'assertionMethod'))).toBe(code)
    expect(await all(ALICE, 'assertionMethod')).toEqual([k2.publicKey.x])
    expect(await found('k2', 'assertionMethod')).toBe(k2.publicKey.x)
  })

  test('a key that another DID controls is not lent', async () => {
    const { found, all } = await world([ALICE, changed({ controller: 'did:web:mallory.example' })])
    expect([await found('k1', 'assertionMethod'), await all(ALICE, 'assertionMethod')]).toEqual([
      null,
      [k2.publicKey.x],
    ])
  })

  test('a key ends when its document says so, also while the document is kept', async () => {
    const { clock, found, all } = await world([ALICE, changed({ expires: '2027-01-01T00:00:00Z' })])
    clock.seconds = Date.parse('2027-01-01T00:00:00Z') / 1000 - 1
    expect(await found('k1', 'assertionMethod')).toBe(k1.publicKey.x)
    clock.seconds += 1
    expect([await found('k1', 'assertionMethod'), await all(ALICE, 'assertionMethod')]).toEqual([
      null,
      [k2.publicKey.x],
    ])
  })

  test.each<[string, JsonObject]>([
    ['about another DID', { ...both, id: 'did:web:mallory.example' }],
    [
      'with one id twice',
      { ...both, verificationMethod: [...(both['verificationMethod'] as []), onlyOne['verificationMethod']!].flat() },
    ],
    ['whose relationship is no list', { ...both, keyAgreement: kid('k1') }],
  ])('a document %s is DID_RESOLUTION', async (_, document) => {
    const { refused } = await world([ALICE, document])
    expect(await refused(ALICE)).toEqual(['DID_RESOLUTION', 'DID_RESOLUTION'])
  })

  test('a host that is down is DID_RESOLUTION, never "no"', async () => {
    const { refused } = await world([ALICE, both])
    expect(await refused('did:web:down.example')).toEqual(['DID_RESOLUTION', 'DID_RESOLUTION'])
  })

  test.each<Did>(['did:web:127.0.0.1%3A8021', 'did:web:169.254.169.254', 'did:web:localhost', 'did:web:intranet'])(
    '%s is DID_FORBIDDEN_HOST',
    async did => {
      const { refused } = await world()
      expect(await refused(did)).toEqual(['DID_FORBIDDEN_HOST', 'DID_FORBIDDEN_HOST'])
    },
  )

  test('what changed is seen after 300 s, whatever was kept', async () => {
    const { documents, clock, found, all } = await world([ALICE, both])
    expect(await found('k2', 'assertionMethod')).toBe(k2.publicKey.x)
    documents.set(ALICE, onlyOne)
    clock.seconds += 300
    expect(await found('k2', 'assertionMethod')).toBeNull()
    expect(await all(ALICE, 'authentication')).toEqual([k1.publicKey.x])
  })

  test('a host that went away is gone after 300 s', async () => {
    const { documents, clock, found, refused } = await world([ALICE, both])
    expect(await found('k1', 'assertionMethod')).toBe(k1.publicKey.x)
    documents.delete(ALICE)
    clock.seconds += 300
    expect(await refused(ALICE)).toEqual(['DID_RESOLUTION', 'DID_RESOLUTION'])
  })

  test('a failure is not kept', async () => {
    const { documents, found, refused } = await world()
    expect(await refused(ALICE)).toEqual(['DID_RESOLUTION', 'DID_RESOLUTION'])
    documents.set(ALICE, both)
    expect(await found('k1', 'assertionMethod')).toBe(k1.publicKey.x)
  })
})
