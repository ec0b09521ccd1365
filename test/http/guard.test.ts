import { request as rawRequest } from 'node:http'
import { connect as connectTo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { acceptChains, requireAuthority } from '../../src/entry/fastify.js'
import { createVerifier, fileAudit, remoteVerifier, sqliteState } from '../../src/entry/verifier.js'
import { openWallet, type OpenWallet, type WalletAgent } from '../../src/entry/wallet.js'
import { join } from 'node:path'
import { bodyDigest } from '../../src/presentation/request.js'
import type { JsonObject } from '../../src/json.js'
import { API, openTestHome, ORIGIN, SECRET, type Home } from './home.js'

let home: Home
let api: FastifyInstance
let address: string
let wallet: OpenWallet
let booker: WalletAgent
let handled: number

beforeAll(async () => {
  home = await openTestHome()
  api = Fastify({ http: { maxHeaderSize: 65_536 }, bodyLimit: 10_000 })
  const verifier = remoteVerifier({ self: API, service: ORIGIN, secret: SECRET, connect: home.connect })
  const params = (request: { body: unknown }): JsonObject => (request.body ?? {}) as JsonObject
  api.post('/rooms/:id', requireAuthority(verifier, { action: 'write', params }), request => {
    handled += 1
    return { by: request.authority?.holder, body: request.body }
  })
  api.get('/rooms/:id', requireAuthority(verifier, { action: 'read', params: () => ({}) }), () => {
    handled += 1
    return { read: true }
  })
  api.get(
    '/broken/:id',
    requireAuthority(verifier, {
      action: 'read',
      params: () => {
        throw new TypeError('no such column')
      },
    }),
    () => 'never',
  )
  address = await api.listen({ host: '127.0.0.1', port: 0 })
  home.connect[API] = address
  wallet = await home.wallet()
  booker = await wallet.createAgent({ name: 'booker' })
  const authority = { audience: [API], grants: [{ resource: `${API}/**`, actions: ['read', 'write'] }] }
  await booker.receive((await home.grant({ to: booker.did, ttl: 600, authority })).credential)
  handled = 0
})
afterAll(async () => {
  await api.close()
  await home.close()
})

/** Sends exactly these bytes as target and headers; `fetch` would tidy them up. */
function raw(
  method: string,
  target: string,
  headers: Record<string, string | string[]> = {},
  body = '',
): Promise<{ status: number; body: JsonObject; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(address)
    const sent = rawRequest({ hostname, port, method, path: target, headers }, response => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body: (text === '' ? {} : JSON.parse(text)) as JsonObject,
          headers: response.headers,
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const token = (target = '/rooms/1', method = 'GET', body = '', params: JsonObject = {}, action = 'read') =>
  booker.present({
    method,
    url: `${API}${target}`,
    bodyDigest: bodyDigest(body),
    audience: API,
    action,
    resource: `${API}${target.split('?')[0]}`,
    params,
  })

test('agent.fetch: a GET, a POST with a body, a query', async () => {
  const read = await booker.fetch(`${API}/rooms/1?full=1`, { authority: { action: 'read', params: {} } })
  expect([read.status, await read.json()]).toEqual([200, { read: true }])
  const body = { name: 'blue' }
  const written = await booker.fetch(`${API}/rooms/1`, {
    method: 'POST',
    body,
    authority: { action: 'write', params: body },
  })
  expect([written.status, await written.json()]).toEqual([200, { by: booker.did, body }])
  expect(handled).toBe(2)
})

test('agent.fetch sends nothing that the agent does not hold, and nothing to plain http', async () => {
  const before = handled
  await expect(booker.fetch(`${API}/rooms/1`, { authority: { action: 'erase', params: {} } })).rejects.toMatchObject({
    code: 'DENIED_ACTION',
  })
  await expect(
    booker.fetch('https://other.example/x', { authority: { action: 'read', params: {} } }),
  ).rejects.toMatchObject({ code: 'PRESENTATION_AUDIENCE' })
  await expect(
    booker.fetch('http://api.acme.example/rooms/1', { authority: { action: 'read', params: {} } }),
  ).rejects.toMatchObject({ code: 'RESOURCE_SYNTAX' })
  expect(handled).toBe(before)
})

describe('refused before the handler', () => {
  test('no presentation: 401, a challenge, and a hint of what is checked', async () => {
    const { status, body, headers } = await raw('GET', '/rooms/1')
    expect(status).toBe(401)
    expect(headers['www-authenticate']).toBe('Agent-Proof')
    expect(body).toMatchObject({
      code: 'CALLER_UNKNOWN',
      authority: { action: 'read', resource: `${API}/rooms/1`, params: [] },
    })
  })

  test.each([
    '/rooms/%31',
    '/rooms/1/',
    '/rooms//1',
    '//rooms/1',
    '/rooms/./1',
    '/x/../rooms/1',
    '/rooms/1;v=2',
    '/rooms/1\\',
    '/rooms/%2e%2e/1',
    '/rooms/1%00',
  ])('the raw path %s', async target => {
    const { status, body } = await raw('GET', target, { 'agent-presentation': await token() })
    expect([400, 404]).toContain(status)
    if (status === 400) expect(body['code']).toBe('RESOURCE_SYNTAX')
  })

  test('a body that was not signed', async () => {
    const presentation = await token('/rooms/1', 'POST', '{"name":"blue"}', { name: 'blue' }, 'write')
    const { status, body } = await raw(
      'POST',
      '/rooms/1',
      { 'agent-presentation': presentation, 'content-type': 'application/json' },
      '{"name":"red"}',
    )
    expect([status, body['code']]).toEqual([401, 'REQUEST_BODY'])
  })

  test('the same JSON in other bytes', async () => {
    const presentation = await token('/rooms/1', 'POST', '{"name":"blue"}', { name: 'blue' }, 'write')
    const { body } = await raw(
      'POST',
      '/rooms/1',
      { 'agent-presentation': presentation, 'content-type': 'application/json' },
      '{ "name":"blue"}',
    )
    expect(body['code']).toBe('REQUEST_BODY')
  })

  test('a presentation twice in one request', async () => {
    const { status, body } = await raw('GET', '/rooms/1', { 'agent-presentation': [await token(), await token()] })
    expect([status, body['code']]).toEqual([401, 'CALLER_UNKNOWN'])
  })

  test('a content encoding', async () => {
    const { status, body } = await raw(
      'POST',
      '/rooms/1',
      { 'agent-presentation': await token(), 'content-encoding': 'gzip', 'content-type': 'application/json' },
      '{}',
    )
    expect([status, body['code']]).toEqual([401, 'REQUEST_BODY'])
  })

  test('a body over the limit', async () => {
    const { status } = await raw(
      'POST',
      '/rooms/1',
      { 'agent-presentation': await token(), 'content-type': 'application/json' },
      JSON.stringify({ a: 'x'.repeat(20_000) }),
    )
    expect(status).toBe(413)
  })

  test('another query than was signed; another method than was signed', async () => {
    expect((await raw('GET', '/rooms/1?all=1', { 'agent-presentation': await token() })).body['code']).toBe(
      'REQUEST_URL',
    )
    const post = await token('/rooms/1', 'POST')
    expect((await raw('GET', '/rooms/1', { 'agent-presentation': post })).body['code']).toBe('REQUEST_METHOD')
  })

  test('a token that proves nothing: only the kind', async () => {
    const { status, body } = await raw('GET', '/rooms/1', { 'agent-presentation': 'x.y.z' })
    expect([status, body['code'], body['detail']]).toEqual([400, undefined, undefined])
  })

  test('a route whose parameters cannot be derived', async () => {
    const { status, body } = await raw('GET', '/broken/1', { 'agent-presentation': await token('/broken/1') })
    expect([status, body['code']]).toEqual([500, undefined])
  })

  test('parameters too deep to be digested: malformed, not a defect', async () => {
    const body = `{"a":${'['.repeat(4000)}${']'.repeat(4000)}}`
    const headers = { 'content-type': 'application/json', 'agent-presentation': 'x.y.z' }
    const { status, body: problem } = await raw('POST', '/rooms/1', headers, body)
    expect([status, problem['code']]).toEqual([400, 'JSON_DEPTH'])
  })

  test.each<[string, object, number]>([
    ['a refusal without a kind', { allow: false, code: 'STATUS_REVOKED', detail: 'x', disclose: true, approval: null }, 503],
    ['a refusal of a kind nobody knows', { allow: false, code: 'BUDGET_EXHAUSTED', kind: 'gone', detail: 'x', disclose: true, approval: null }, 503],
    ['no decision', { allow: 'yes' }, 503],
  ])('a service of another version answers %s', async (_name, answer, expected) => {
    const service = Fastify()
    service.post('/v1/verify', () => answer)
    service.post('/v1/challenges', (_, reply) => reply.code(201).send({ nonce: 'a\r\nx: y' }))
    const connect = { 'https://odd.example': await service.listen({ host: '127.0.0.1', port: 0 }) }
    const other = Fastify()
    const verifier = remoteVerifier({ self: API, service: 'https://odd.example', secret: SECRET, connect })
    other.get('/rooms/:id', requireAuthority(verifier, { action: 'read', params: () => ({}) }), () => 'never')
    const response = await other.inject({ url: '/rooms/1', headers: { 'agent-presentation': 'x.y.z' } })
    expect(response.statusCode).toBe(expected)
    await Promise.all([other.close(), service.close()])
  }) // prettier-ignore

  test('a client that hangs up while the refusal is being sent does not get the handler run', async () => {
    const app = Fastify()
    const verifier = remoteVerifier({ self: API, service: ORIGIN, secret: SECRET, connect: home.connect })
    app.addHook('onSend', async () => new Promise(resolve => setTimeout(resolve, 30)))
    let ran = 0
    app.post('/rooms/:id', requireAuthority(verifier, { action: 'write', params: () => ({}) }), () => {
      ran += 1
      return {}
    })
    const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
    for (const path of ['/rooms/1', '/rooms/1', '/rooms/%31']) {
      await new Promise<void>(resolve => {
        const socket = connectTo({ host: '127.0.0.1', port: Number(port) }, () => {
          socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
          setTimeout(() => {
            socket.resetAndDestroy()
            resolve()
          }, 10)
        })
      })
    }
    await new Promise(resolve => setTimeout(resolve, 150))
    expect(ran).toBe(0)
    await app.close()
  })

  test.each<[string, unknown]>([
    ['a promise', Promise.resolve({ amount: 9 })],
    ['a Map', new Map([['amount', 9]])],
    ['a member that is undefined', { amount: undefined }],
    ['NaN', { amount: NaN }],
    ['null', null],
  ])('parameters that have no canonical form: %s', async (_name, derived) => {
    const app = Fastify()
    const verifier = remoteVerifier({ self: API, service: ORIGIN, secret: SECRET, connect: home.connect })
    app.get('/rooms/:id', requireAuthority(verifier, { action: 'read', params: () => derived as never }), () => 'never')
    const headers = { 'agent-presentation': await token() }
    const response = await app.inject({ method: 'GET', url: '/rooms/1', headers })
    expect(response.statusCode).toBeGreaterThanOrEqual(400)
    expect(response.body).not.toContain('never')
    await app.close()
  })

  test('an upload that is not what its address says, or of a stranger, is refused and tells the kind alone', async () => {
    const app = Fastify()
    const verifier = remoteVerifier({ self: API, service: ORIGIN, secret: SECRET, connect: home.connect })
    const wrong = remoteVerifier({ self: API, service: ORIGIN, secret: 'not-the-secret-of-it', connect: home.connect })
    await app.register(acceptChains(verifier))
    await app.register(acceptChains(wrong), { prefix: '/misconfigured' })
    const [held] = await booker.held()
    const put = async (digest: string, chain: unknown, prefix = ''): Promise<[number, unknown]> => {
      const url = `${prefix}/.well-known/procura/chains/${digest}`
      const headers = { 'content-type': 'application/json' }
      const response = await app.inject({ method: 'PUT', url, headers, payload: JSON.stringify(chain) })
      return [response.statusCode, response.body === '' ? undefined : response.json<{ code?: string }>().code]
    }
    const { digest, chain } = held!
    const forged = [`${chain[0]!.slice(0, -86)}${'A'.repeat(86)}`]
    expect(await put('uEiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', chain)).toEqual([400, undefined])
    expect((await put(digest, [])).at(1)).toBeUndefined()
    expect((await put(digest, forged))[0]).toBeGreaterThanOrEqual(400)
    expect(await put(digest, chain, '/misconfigured')).toEqual([503, undefined])
    expect(await put(digest, chain)).toEqual([204, undefined])
    await app.close()
  })

  test('a verifier that challenges: agent.fetch answers with the nonce, once', async () => {
    const state = await sqliteState(join(home.folder, 'challenge.db'))
    const root = { issuer: home.service.did, grants: [{ resource: `${API}/**`, actions: ['read'] }] }
    const policy = { self: API, roots: [root], challenge: 'always' }
    const audit = await fileAudit(join(home.folder, 'challenge.ndjson'))
    const verifier = await createVerifier({ policy, state, audit, connect: home.connect })
    const app = Fastify({ http: { maxHeaderSize: 65_536 } })
    let calls = 0
    app.addHook('onRequest', () => {
      calls += 1
      return Promise.resolve()
    })
    app.get('/rooms/:id', requireAuthority(verifier, { action: 'read', params: () => ({}) }), () => ({ read: true }))
    const connect = { ...home.connect, [API]: await app.listen({ host: '127.0.0.1', port: 0 }) }
    const storage = `sqlite://${join(home.folder, 'challenged.db')}`
    const own = await openWallet({ storage, roots: [home.service.did], service: ORIGIN, connect })
    const agent = await own.createAgent({ name: 'agent' })
    const authority = { audience: [API], grants: root.grants }
    await agent.receive((await home.grant({ to: agent.did, ttl: 600, authority })).credential)
    const response = await agent.fetch(`${API}/rooms/1`, { authority: { action: 'read', params: {} } })
    expect([response.status, calls]).toEqual([200, 2])
    await own.close()
    await app.close()
    await state.close()
    await audit.close()
  })

  test('the service is down: 503, never a yes', async () => {
    const down = Fastify()
    const verifier = remoteVerifier({
      self: API,
      service: ORIGIN,
      secret: SECRET,
      connect: { [ORIGIN]: 'http://127.0.0.1:1' },
    })
    down.get('/rooms/:id', requireAuthority(verifier, { action: 'read', params: () => ({}) }), () => 'never')
    const response = await down.inject({
      method: 'GET',
      url: '/rooms/1',
      headers: { 'agent-presentation': await token() },
    })
    expect([response.statusCode, response.json<{ code?: string }>().code]).toEqual([503, undefined])
    expect(response.headers['retry-after']).toBe('1')
  })
})
