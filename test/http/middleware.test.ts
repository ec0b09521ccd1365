import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import express, { type RequestHandler } from 'express'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { methodOverride } from 'hono/method-override'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as onExpress from '../../src/entry/express.js'
import * as onHono from '../../src/entry/hono.js'
import { testAuthority, type TestAgent, type TestAuthority } from '../../src/entry/testing.js'
import { isProcuraError } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import { listening, type Api } from './frameworks.js'
import { sendRaw, type Sent } from './raw.js'

/** What stands around a guard in Express and Hono, and must not get between it and the request. */
const API = 'https://api.example'
const POLICY = { self: API, roots: [{ issuer: 'did:web:acme.example', grants: [{ resource: `${API}/**`, actions: ['read', 'write', 'erase'] }] }] } // prettier-ignore
const BODY = '{"name":"blue"}'
const guarding = { action: 'write', params: ({ body }: { body?: unknown }) => (body ?? {}) as JsonObject }
const inContext = { action: 'write', params: (c: { get: (name: 'body') => unknown }) => (c.get('body') ?? {}) as JsonObject } // prettier-ignore

let authority: TestAuthority
let booker: TestAgent
let api: Api | undefined

beforeAll(async () => {
  authority = await testAuthority({ policy: POLICY })
  booker = await authority.agent()
})
afterEach(async () => {
  await api?.close()
  api = undefined
})

/** A signed POST of {@link BODY}. */
async function post(path: string, change: Partial<Sent> & { readonly resource?: string } = {}): Promise<Sent> {
  const { resource, ...sent } = change
  const signed = { method: 'POST', url: `${API}${path}`, action: 'write', body: BODY, params: { name: 'blue' } }
  const headers = await booker.headers(resource === undefined ? signed : { ...signed, resource: `${API}${resource}` })
  return { method: 'POST', target: path, body: BODY, ...sent, headers: { 'content-type': 'application/json', ...headers, ...sent.headers } } // prettier-ignore
}

describe('Express', () => {
  /** An app whose guarded routes count their runs, with something before the guard. */
  async function withBefore(...before: RequestHandler[]): Promise<{ readonly errors: unknown[]; runs: () => number }> {
    const app = express()
    let runs = 0
    const handler: RequestHandler = ({ body }, response) => {
      runs += 1
      response.json({ body: body as unknown })
    }
    app.set('env', 'test')
    for (const one of before) app.use(one)
    app.post('/rooms/:id', onExpress.requireAuthority(authority.verifier, guarding), handler)
    const errors: unknown[] = []
    const told: express.ErrorRequestHandler = (error, _request, _response, next) => {
      errors.push(error)
      next(error)
    }
    app.use(told)
    api = await listening(app.listen(0, '127.0.0.1'))
    return { errors, runs: () => runs }
  }

  test.each<[string, RequestHandler]>([
    ['express.json()', express.json()],
    ['express.raw()', express.raw({ type: () => true })],
    ['somebody who reads and forgets', (request, _response, next) => { request.resume().on('end', () => next()) }],
    ['somebody who listens and goes on', (request, _response, next) => { request.on('data', () => undefined); next() }],
    ['somebody who decodes', (request, _response, next) => { request.setEncoding('utf8'); next() }],
    ['somebody who says what the body is', (request, _response, next) => { request.body = { name: 'red' }; next() }],
    ['another guard', (request, response, next) => onExpress.requireAuthority(authority.verifier, guarding)(request, response, next)],
  ])('a body that was read before the guard is refused, loudly: %s', async (_name, before) => {
    const { errors, runs } = await withBefore(before)
    const { status, text } = await sendRaw(api?.address ?? '', await post('/rooms/1'))
    expect([status, runs()]).toEqual([500, 0])
    expect(errors.map(error => isProcuraError(error) && error.code)).toEqual(['CONFIG_INVALID'])
    expect(text).not.toContain('eyJ')
  }) // prettier-ignore

  test('a rewritten path is not the one that was signed', async () => {
    const { runs } = await withBefore((request, _response, next) => {
      request.url = '/rooms/2'
      next()
    })
    const { status, body } = await sendRaw(api?.address ?? '', await post('/public/1'))
    expect([status, body['code'], runs()]).toEqual([400, 'RESOURCE_SYNTAX', 0])
  })

  test('an overridden method is not the one that was signed', async () => {
    const { runs } = await withBefore((request, _response, next) => {
      request.method = 'POST'
      next()
    })
    const sent = await post('/rooms/1')
    const put = await booker.headers({ method: 'PUT', url: `${API}/rooms/1`, action: 'write', body: BODY, params: { name: 'blue' } }) // prettier-ignore
    const { status, body } = await sendRaw(api?.address ?? '', { ...sent, method: 'PUT', headers: { ...sent.headers, ...put } }) // prettier-ignore
    expect([status, body['code'], runs()]).toEqual([401, 'REQUEST_METHOD', 0])
  })

  test('a mounted router is judged by the whole path, and a route may name its resource', async () => {
    const app = express()
    const inner = express.Router()
    const guard = onExpress.requireAuthority(authority.verifier, guarding)
    const named = onExpress.requireAuthority(authority.verifier, { ...guarding, path: () => '/fixed' })
    const ok: RequestHandler = (_request, response) => void response.json({ ok: true })
    inner.post('/rooms/:id', guard, ok)
    inner.post('/', guard, ok)
    inner.post('/named', named, ok)
    app.use('/api', inner)
    api = await listening(app.listen(0, '127.0.0.1'))
    for (const [path, change] of [['/api/rooms/1', {}], ['/api', {}], ['/api?x=1', {}], ['/api/named', { resource: '/fixed' }]] as const) {
      expect([path, (await sendRaw(api.address, await post(path, change))).status]).toEqual([path, 200])
    }
    expect((await sendRaw(api.address, await post('/rooms/1', { target: '/api/rooms/1' }))).body['code']).toBe('REQUEST_URL')
  }) // prettier-ignore

  test('a body that is no JSON is handed on as its bytes, which are no parameters', async () => {
    const { runs } = await withBefore()
    const headers = { 'content-type': 'text/plain' }
    expect((await sendRaw(api?.address ?? '', await post('/rooms/1', { headers }))).body['code']).toBe(
      'JSON_NOT_CANONICAL',
    )
    expect(runs()).toBe(0)
  })

  test.each([
    ['a byte order mark', Buffer.from('\ufeff{}')],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])('JSON with %s', async (_name, body) => {
    const { runs } = await withBefore()
    const { status, body: problem } = await sendRaw(api?.address ?? '', await post('/rooms/1', { body }))
    expect([status, problem['code'], runs()]).toEqual([400, 'JSON_SYNTAX', 0])
  })
})

describe('Hono', () => {
  async function withApp(build: (app: Hono<onHono.GuardedEnv>) => void): Promise<unknown[]> {
    const app = new Hono<onHono.GuardedEnv>()
    const errors: unknown[] = []
    build(app)
    app.onError((error, c) => {
      errors.push(error)
      return c.text('no', 500)
    })
    api = await listening(serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }) as Server)
    return errors
  }
  const guard = (): ReturnType<typeof onHono.requireAuthority> => onHono.requireAuthority(authority.verifier, inContext)

  test('what the handler reads are the bytes that were judged, by whatever name', async () => {
    await withApp(app => {
      app.post('/rooms/:id', guard(), async c => c.json([await c.req.json(), await c.req.text(), c.get('body')]))
    })
    const { status, text } = await sendRaw(api?.address ?? '', await post('/rooms/1'))
    expect([status, JSON.parse(text)]).toEqual([200, [{ name: 'blue' }, BODY, { name: 'blue' }]])
  })

  test('a request that somebody puts in place of the one that came is not read by the handler', async () => {
    await withApp(app => {
      app.use(async (c, next) => {
        c.req.raw = new Request(c.req.url, { method: 'POST', body: '{"name":"red"}', headers: c.req.raw.headers })
        await next()
      })
      app.post('/rooms/:id', guard(), async c => c.json(await c.req.json()))
    })
    expect((await sendRaw(api?.address ?? '', await post('/rooms/1'))).body).toEqual({ name: 'blue' })
  })

  test('a body that was read before the guard is refused, loudly', async () => {
    let runs = 0
    const errors = await withApp(app => {
      app.use(async (c, next) => {
        await c.req.json()
        await next()
      })
      app.post('/rooms/:id', guard(), c => {
        runs += 1
        return c.json({})
      })
    })
    expect((await sendRaw(api?.address ?? '', await post('/rooms/1'))).status).toBe(500)
    expect(errors.map(error => isProcuraError(error) && error.code)).toEqual(['CONFIG_INVALID'])
    expect(runs).toBe(0)
  })

  test('the limit of Hono itself may stand before the guard', async () => {
    await withApp(app => {
      app.use(bodyLimit({ maxSize: 1000 }))
      app.post('/rooms/:id', guard(), c => c.json({ ok: true }))
    })
    expect((await sendRaw(api?.address ?? '', await post('/rooms/1'))).status).toBe(200)
  })

  test('an overridden method, or a path asked again in its name, is not what was signed', async () => {
    let runs = 0
    const erase = onHono.requireAuthority(authority.verifier, { ...inContext, action: 'erase' })
    await withApp(app => {
      app.use('/over/*', methodOverride({ app, header: 'x-http-method-override' }))
      app.delete('/over/:id', erase, c => c.json({ runs: (runs += 1) }))
      app.post('/public/:id', c => app.fetch(new Request(new URL('/rooms/2', c.req.url), { method: 'POST' }), c.env))
      app.post('/rooms/:id', guard(), c => c.json({ runs: (runs += 1) }))
    })
    const signed = { method: 'POST', url: `${API}/over/1`, action: 'erase', body: BODY, params: { name: 'blue' } }
    const headers = { ...(await booker.headers(signed)), 'x-http-method-override': 'DELETE' }
    const over = await sendRaw(api?.address ?? '', await post('/over/1', { headers }))
    const again = await sendRaw(api?.address ?? '', await post('/public/1'))
    expect([over.status, over.body['code']]).toEqual([401, 'REQUEST_METHOD'])
    expect([again.status, again.body['code'], runs]).toEqual([400, 'RESOURCE_SYNTAX', 0])
  })

  test('without the request as it came there is no answer but no', async () => {
    const app = new Hono<onHono.GuardedEnv>()
    let runs = 0
    app.use(onHono.acceptChains(authority.verifier))
    app.post('/rooms/:id', guard(), c => c.json({ runs: (runs += 1) }))
    app.get('/open', c => c.text('yes'))
    const errors: unknown[] = []
    app.onError((error, c) => {
      errors.push(error)
      return c.text('no', 500)
    })
    const { headers, body } = await post('/rooms/1')
    const response = await app.request('/rooms/1', { method: 'POST', headers: headers as Record<string, string>, body: body as string }) // prettier-ignore
    expect([response.status, runs]).toEqual([500, 0])
    const upload = await app.request('/.well-known/procura/chains/uEi', { method: 'PUT', body: '[]' })
    expect([upload.status, await (await app.request('/open')).text()]).toEqual([500, 'yes'])
    expect(errors.map(error => isProcuraError(error) && error.code)).toEqual(['CONFIG_INVALID', 'CONFIG_INVALID'])
  })
})
