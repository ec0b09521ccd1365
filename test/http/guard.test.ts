import { connect as connectTo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { acceptChains, requireAuthority } from '../../src/entry/fastify.js'
import { createVerifier, fileAudit, remoteVerifier, sqliteState } from '../../src/entry/verifier.js'
import { openWallet, type OpenWallet, type WalletAgent } from '../../src/entry/wallet.js'
import { join } from 'node:path'
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

const token = (): Promise<string> => {
  const [url, resource] = [`${API}/rooms/1`, `${API}/rooms/1`]
  return booker.present({ method: 'GET', url, bodyDigest: null, audience: API, action: 'read', resource, params: {} })
}

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

describe('around the handler', () => {
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

  test('half a guard is none: the body would be unbound', async () => {
    const app = Fastify()
    const verifier = remoteVerifier({ self: API, service: ORIGIN, secret: SECRET, connect: home.connect })
    const { preHandler } = requireAuthority(verifier, { action: 'read', params: () => ({}) })
    app.get('/rooms/:id', { preHandler }, () => 'never')
    const response = await app.inject({
      method: 'GET',
      url: '/rooms/1',
      headers: { 'agent-presentation': await token() },
    })
    expect([response.statusCode, response.json<{ code: string }>().code]).toEqual([500, 'CONFIG_INVALID'])
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
    const audit = await fileAudit(join(home.folder, 'challenge.audit'))
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
})
