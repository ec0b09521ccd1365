import { Resolver } from 'did-resolver'
import { describe, expect, test, vi } from 'vitest'
import { MAX_DOCUMENT_BYTES } from '../../src/adapters/resolve/documents.js'
import type { Lookup } from '../../src/adapters/resolve/fetch.js'
import type { Did } from '../../src/did/did.js'
import { toDidDocument } from '../../src/did/document.js'
import { ALICE, alicesHost, documentOf, find, KEY, keysWith, KID, OTHER } from './alice.js'
import { codeOf, watchAttempts } from './host.js'

describe('did:web through a host', () => {
  test('a bare host keeps its document at a well-known place', async () => {
    const { host, keys } = await alicesHost()
    expect(await find(keys)).toBe(KEY.x)
    expect(host.requests[0]?.url).toBe('/.well-known/did.json')
  })

  test('a path of the DID is a path of the URL', async () => {
    const { host, keys, serve } = await alicesHost()
    const did = `${ALICE}:agents:planner` as const
    serve(documentOf(did))
    expect((await keys.find(`${did}#k`, 'authentication'))?.x).toBe(KEY.x)
    expect(host.requests[0]?.url).toBe('/agents/planner/did.json')
  })

  test.each([
    ['bad JSON', '{'],
    ['an array', '[]'],
    ['bad UTF-8', Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1')],
    ['nothing', ''],
    ['a body over the cap', documentOf(ALICE).padEnd(MAX_DOCUMENT_BYTES + 1)],
  ])('%s is DID_RESOLUTION', async (_, body) => {
    const { keys, serve } = await alicesHost()
    serve(body)
    expect(await codeOf(() => find(keys))).toBe('DID_RESOLUTION')
  })

  test('a document as large as the cap', async () => {
    const { keys, serve } = await alicesHost()
    serve(documentOf(ALICE).padEnd(MAX_DOCUMENT_BYTES))
    expect(await find(keys)).toBe(KEY.x)
  })

  test.each([
    ['a redirect', 302],
    ['not found', 404],
    ['a 304 that nobody asked for', 304],
  ])('%s is DID_RESOLUTION', async (_, status) => {
    const { host, keys } = await alicesHost()
    host.answer((_request, response) => response.writeHead(status, { location: 'https://mallory.example/' }).end())
    expect(await codeOf(() => find(keys))).toBe('DID_RESOLUTION')
  })
})

describe('hosts that nobody is sent to', () => {
  test.each<[string, Did]>([
    ['loopback', 'did:web:127.0.0.1'],
    ['loopback with a port', 'did:web:127.0.0.1%3A8021'],
    ['link-local', 'did:web:169.254.169.254'],
    ['private', 'did:web:10.0.0.1'],
    ['decimal', 'did:web:2130706433'],
    ['octal', 'did:web:0177.0.0.1'],
    ['octal in one number', 'did:web:017700000001'],
    ['hex', 'did:web:0x7f000001'],
    ['short', 'did:web:127.1'],
    ['localhost', 'did:web:localhost'],
    ['localhost with a port', 'did:web:localhost%3A8021'],
    ['below localhost', 'did:web:x.localhost'],
    ['mDNS', 'did:web:x.local'],
    ['internal', 'did:web:x.internal'],
    ['a single label', 'did:web:intranet'],
  ])('%s: DID_FORBIDDEN_HOST', async (_, did) => {
    const lookup = vi.fn<Lookup>()
    const attempts = watchAttempts()
    expect(await codeOf(() => keysWith({}, {}, lookup).find(`${did}#k`, 'assertionMethod'))).toBe('DID_FORBIDDEN_HOST')
    expect(lookup).not.toHaveBeenCalled()
    expect(attempts).toEqual([])
  })

  test.each<[string, Did]>([
    ['%2F', 'did:web:alice.example%2Fx'],
    ['IPv6, mapped', 'did:web:%5B%3A%3Affff%3A127.0.0.1%5D'],
    ['upper case', 'did:web:Alice.example'],
  ])('%s is malformed: DID_RESOLUTION without any I/O', async (_, did) => {
    const lookup = vi.fn<Lookup>()
    expect(await codeOf(() => keysWith({}, {}, lookup).find(`${did}#k`, 'assertionMethod'))).toBe('DID_RESOLUTION')
    expect(lookup).not.toHaveBeenCalled()
  })

  test('a name that resolves to loopback, though a host is there and others are excepted', async () => {
    const { host } = await alicesHost()
    const lookup: Lookup = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }])
    const keys = keysWith({ 'https://other.example': host.address }, {}, lookup)
    expect(await codeOf(() => find(keys))).toBe('DID_FORBIDDEN_HOST')
    expect(host.requests).toHaveLength(0)
  })

  test('an exception is for one origin, port included', async () => {
    const { host, keys, serve } = await alicesHost()
    const did = 'did:web:alice.example%3A8443'
    serve(documentOf(did))
    const lookup: Lookup = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }])
    const same = keysWith({ 'https://alice.example:8443': host.address }, {}, lookup)
    expect((await same.find(`${did}#k`, 'authentication'))?.x).toBe(KEY.x)
    expect(host.requests[0]?.headers.host).toBe('alice.example:8443')
    expect(
      await codeOf(() => keysWith({ 'https://alice.example': host.address }, {}, lookup).all(did, 'authentication')),
    ).toBe('DID_FORBIDDEN_HOST')
    expect(keys).toBeDefined()
  })

  test('an exception may name localhost, because the operator does', async () => {
    const { host, serve } = await alicesHost()
    const did = 'did:web:localhost%3A8021'
    serve(documentOf(did))
    const keys = keysWith({ 'https://localhost:8021': host.address })
    expect((await keys.find(`${did}#k`, 'authentication'))?.x).toBe(KEY.x)
  })
})

describe('DIDs of the service itself', () => {
  test('are answered without network; others are asked for', async () => {
    const { host, keys, serve } = await alicesHost({
      hosted: did => (did === ALICE ? toDidDocument(ALICE, [{ kid: KID, key: OTHER }]) : null),
    })
    expect(await find(keys)).toBe(OTHER.x)
    expect(host.requests).toHaveLength(0)
    const other = `${ALICE}:x` as const
    serve(documentOf(other))
    expect((await keys.all(other, 'authentication')).map(key => key.x)).toEqual([KEY.x])
  })
})

describe('as a resolver for agents', () => {
  test('the same document from the same copy; what an agent writes into it stays with the agent', async () => {
    const { host, keys } = await alicesHost()
    const resolver = new Resolver({ ...keys.methods })
    const { didDocument } = await resolver.resolve(ALICE)
    expect(JSON.stringify(didDocument)).toBe(documentOf(ALICE))
    didDocument!.id = 'did:web:mallory.example'
    didDocument!.verificationMethod!.pop()
    expect(JSON.stringify((await resolver.resolve(`${ALICE}#k`)).didDocument)).toBe(documentOf(ALICE))
    expect(await find(keys)).toBe(KEY.x)
    expect(host.requests).toHaveLength(1)
  })

  test.each([
    ['malformed', 'did:web:alice.example%2Fx', 'invalidDid'],
    ['too long', `did:web:${'a'.repeat(600)}`, 'invalidDid'],
    ['too long, though each part is not', `did:web:a.example${':x'.repeat(300)}`, 'invalidDid'],
    ['forbidden', 'did:web:localhost', 'notFound'],
    ['not there', `${ALICE}:nobody`, 'notFound'],
  ])('%s: %s', async (_, did, error) => {
    const { host, keys } = await alicesHost()
    host.answer((_request, response) => response.writeHead(404).end())
    const result = await new Resolver({ ...keys.methods }).resolve(did)
    expect(result.didDocument).toBeNull()
    expect(result.didResolutionMetadata.error).toBe(error)
  })
})
