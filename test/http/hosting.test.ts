import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Did } from '../../src/did/did.js'
import { openNetwork } from '../../src/entry/parts.js'
import type { Relationship } from '../../src/ports/deciding.js'
import type { HostedKey } from '../../src/ports/register.js'
import { party } from '../mint.js'
import { codeOf } from '../resolve/host.js'
import { openTestHome, type Home } from './home.js'

let home: Home
beforeAll(async () => (home = await openTestHome()))
afterAll(() => home.close())

const BOTH: readonly Relationship[] = ['authentication', 'assertionMethod']
const did = (path: string): Did => `${home.service.did}:${path}` as Did
const keyOf = (owner: Did, name: string, relationships = BOTH): HostedKey => ({
  kid: `${owner}#${name}`,
  key: party(name).publicKey,
  relationships,
})

/** What stands at a path, sent as it is: `fetch` would tidy it up. */
function get(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
  const { hostname, port } = new URL(home.service.address)
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, headers }, response => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
    })
      .on('error', reject)
      .end()
  })
}

test('a long-lived agent is resolved over its path until it is withdrawn', async () => {
  const planner = did('agents:planner')
  const [speaks, grants] = [keyOf(planner, 'one', ['authentication']), keyOf(planner, 'two', ['assertionMethod'])]
  await home.service.hosting.publish(planner, [speaks, grants])
  const network = openNetwork(home.connect)
  try {
    expect((await network.keys.all(planner, 'authentication')).map(({ x }) => x)).toEqual([speaks.key.x])
    expect((await network.keys.find(grants.kid, 'assertionMethod'))?.x).toBe(grants.key.x)
    expect(await network.keys.find(grants.kid, 'authentication')).toBeNull()

    const { status, headers, body } = await get('/agents/planner/did.json')
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([
      200,
      'application/did+json; charset=utf-8',
      'public, max-age=60, must-revalidate',
    ])
    expect(JSON.parse(body)).toMatchObject({ id: planner, authentication: [speaks.kid], assertionMethod: [grants.kid] })
    const again = await get('/agents/planner/did.json', { 'if-none-match': String(headers['etag']) })
    expect([again.status, again.body]).toEqual([304, ''])

    expect(await home.service.hosting.withdraw(planner)).toBe(true)
    expect((await get('/agents/planner/did.json')).status).toBe(404)
    network.keys.evict(planner)
    expect(await codeOf(() => network.keys.all(planner, 'authentication'))).toBe('DID_RESOLUTION')
  } finally {
    await network.close()
  }
})

test('a key that is replaced stops counting', async () => {
  const agent = did('agents:rotates')
  await home.service.hosting.publish(agent, [keyOf(agent, 'old')])
  await home.service.hosting.publish(agent, [keyOf(agent, 'new')])
  const { body } = await get('/agents/rotates/did.json')
  expect(body).not.toContain(party('old').publicKey.x)
  expect(body).toContain(party('new').publicKey.x)
})

describe('one path for one document', () => {
  beforeAll(async () => {
    const agent = did('agents:alice')
    await home.service.hosting.publish(agent, [keyOf(agent, 'alice')])
  })

  test('which is this one', async () => {
    expect((await get('/agents/alice/did.json')).status).toBe(200)
    expect((await get('/.well-known/did.json')).status).toBe(200)
  })

  test.each([
    '/agents/alice',
    '/agents/alice/',
    '/agents/alice/did.json/',
    '/agents/alice/did.json?x',
    '/agents/alice/did.json#x',
    '/agents//alice/did.json',
    '//agents/alice/did.json',
    '/agents/./alice/did.json',
    '/agents/x/../alice/did.json',
    '/agents/%61lice/did.json',
    '/agents%2Falice/did.json',
    '/agents/alice/did%2Ejson',
    '/agents/alice;x/did.json',
    '/agents:alice/did.json',
    '/agents\\alice/did.json',
    '/Agents/alice/did.json',
    '/agents/ALICE/did.json',
    '/agents/alice/DID.JSON',
    '/agents/alice/x/did.json',
    '/agents/did.json',
    '/did.json',
    `/agents/${'a'.repeat(5000)}/did.json`,
    '/agents/alice%00/did.json',
  ])('and not %s', async path => {
    const { status, body } = await get(path)
    expect([400, 404]).toContain(status)
    expect(body).not.toContain(party('alice').publicKey.x)
  })
})

describe('is not hosted:', () => {
  test.each<[string, () => Did]>([
    ['the service itself', () => home.service.did],
    ['another host', () => 'did:web:mallory.example:agents:x'],
    ['a host that begins alike', () => `${home.service.did}x:agents:x` as Did],
    ['a key', () => party('one').did],
    ['a place of the API', () => did('v1:status')],
    ['a well-known place', () => did('.well-known:x')],
    ['a dot segment', () => did('..:agents')],
    ['an encoded segment', () => did('agents:%61')],
    ['an empty segment', () => did('agents::x')],
    ['what is longer than a DID', () => did('a'.repeat(600))],
  ])('%s', async (_name, who) => {
    const agent = who()
    expect(await codeOf(() => home.service.hosting.publish(agent, [keyOf(agent, 'x')]))).toBe('SCHEMA')
    expect(await home.service.hosting.document(agent)).toBeNull()
    expect(await home.service.hosting.withdraw(agent)).toBe(false)
  })

  test.each<[string, (agent: Did) => readonly HostedKey[]]>([
    ['no key', () => []],
    ['a key of another', () => [keyOf(did('agents:other'), 'x')]],
    ['a key for nothing', agent => [keyOf(agent, 'x', [])]],
    ['a key twice', agent => [keyOf(agent, 'x'), keyOf(agent, 'x')]],
    [
      'too many keys',
      agent => Array.from({ length: 65 }, (_, n) => ({ ...keyOf(agent, 'x'), kid: `${agent}#${n}` as const })),
    ],
  ])('%s', async (_name, keys) => {
    const agent = did('agents:keyless')
    expect(await codeOf(() => home.service.hosting.publish(agent, keys(agent)))).toBe('SCHEMA')
    expect(await home.service.hosting.document(agent)).toBeNull()
  })
})
