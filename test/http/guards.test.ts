import { connect as connectTo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createVerifier, fileAudit, remoteVerifier, sqliteState, type Verifier } from '../../src/entry/verifier.js'
import type { OpenWallet, WalletAgent } from '../../src/entry/wallet.js'
import type { JsonObject } from '../../src/json.js'
import { signJws } from '../../src/jws/compact.js'
import { bodyDigest } from '../../src/presentation/request.js'
import { FRAMEWORKS, type Api, type Route } from './frameworks.js'
import { API, openTestHome, ORIGIN, POLICY, SECRET, type Home } from './home.js'
import { sendRaw, type Answer, type Sent } from './raw.js'

/** The same threats against every framework, with a verifier in the process and over `POST /v1/verify`, over real HTTP. */
const OTHER = 'https://other.example'
let home: Home
let booker: WalletAgent
let mallory: WalletAgent
const open: { close(): unknown }[] = []

beforeAll(async () => {
  home = await openTestHome()
  const wallet = await home.wallet()
  booker = await held(wallet, 'booker')
  mallory = await held(wallet, 'mallory')
})
afterAll(async () => {
  for (const one of open.reverse()) await one.close()
  await home.close()
})

async function held(wallet: OpenWallet, name: string): Promise<WalletAgent> {
  const agent = await wallet.createAgent({ name })
  const authority = { audience: [API, OTHER], more: 1, grants: [{ resource: `${API}/**`, actions: ['read', 'write'] }] }
  await agent.receive((await home.grant({ to: agent.did, ttl: 600, authority })).credential)
  return agent
}
const remote = (): Promise<Verifier> =>
  Promise.resolve(remoteVerifier({ self: API, service: ORIGIN, secret: SECRET, connect: home.connect }))
async function local(): Promise<Verifier> {
  const name = `resource-${String(open.length)}`
  const [state, audit] = [await sqliteState(join(home.folder, `${name}.db`)), await fileAudit(join(home.folder, name))]
  const verifier = await createVerifier({ policy: POLICY, state, audit, connect: home.connect })
  open.push(state, audit, verifier)
  return verifier
}

const BLUE = '{"name":"blue"}'
const JSON_BODY = { 'content-type': 'application/json' }

interface Shown {
  readonly method?: string
  readonly target?: string
  readonly body?: string
  readonly params?: JsonObject
  readonly action?: string
  readonly audience?: string
}

/** What booker signs; a GET of room 1 unless said otherwise. */
function signed({
  method = 'GET',
  target = '/rooms/1',
  body = '',
  params = {},
  action = 'read',
  audience = API,
}: Shown = {}): Promise<string> {
  const [path = ''] = target.split('?')
  const [url, resource] = [`${API}${target}`, `${API}${path}`]
  return booker.present({ method, url, bodyDigest: bodyDigest(body), audience, action, resource, params })
}
const writing = (change: Shown = {}): Promise<string> =>
  signed({ method: 'POST', body: BLUE, params: { name: 'blue' }, action: 'write', ...change })

/** The claims of a token, signed again by somebody else. */
async function stolenBy(thief: WalletAgent, token: string): Promise<string> {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as JsonObject
  return signJws({ ...claims, holder: thief.did, iss: thief.did }, 'vp+jwt', thief.holder)
}

interface Threat {
  readonly status: number
  /** `null`: the caller learns the kind alone */
  readonly code?: string | null
  readonly send: () => Promise<Sent>
  /** how often the handler runs; never unless said */
  readonly runs?: number
}
const post = async (change: Partial<Sent> = {}, shown: Promise<string> = writing()): Promise<Sent> => ({
  method: 'POST',
  target: '/rooms/1',
  body: BLUE,
  ...change,
  headers: { ...JSON_BODY, 'agent-presentation': await shown, ...change.headers },
})
const get = async (change: Partial<Sent> = {}, shown: Promise<string> = signed()): Promise<Sent> => ({
  target: '/rooms/1',
  ...change,
  headers: { 'agent-presentation': await shown, ...change.headers },
})

const PROTO = '{"name":"blue","__proto__":{"admin":true}}'
const NESTED = '{"name":"blue","constructor":{"prototype":{"admin":true}}}'
const LONG = JSON.stringify({ name: 'x'.repeat(20_000) })
const DEEP = `{"name":${'['.repeat(4000)}${']'.repeat(4000)}}`

const THREATS: Readonly<Record<string, Threat>> = {
  'an honest GET': { status: 200, runs: 1, send: () => get() },
  'an honest POST': { status: 200, runs: 1, send: () => post() },
  'an honest POST in pieces': { status: 200, runs: 1, send: () => post({ chunked: true }) },
  'no presentation': { status: 401, code: 'CALLER_UNKNOWN', send: () => Promise.resolve({ target: '/rooms/1' }) },
  'a presentation of nothing': { status: 400, code: null, send: () => get({}, Promise.resolve('x.y.z')) },
  'an empty presentation': { status: 401, code: 'CALLER_UNKNOWN', send: () => get({}, Promise.resolve('')) },
  'another audience': { status: 401, code: 'PRESENTATION_AUDIENCE', send: () => get({}, signed({ audience: OTHER })) },
  'stolen, and signed by another holder': { status: 401, code: null, send: async () => get({}, stolenBy(mallory, await signed())) },
  'two presentations': { status: 401, code: 'CALLER_UNKNOWN', send: async () => get({ headers: { 'agent-presentation': [await signed(), await signed()] } }) },
  'two presentations in one header': { status: 400, code: null, send: async () => get({ headers: { 'agent-presentation': `${await signed()}, ${await signed()}` } }) },
  'a presentation and a proof': { status: 401, code: 'CALLER_UNKNOWN', send: () => get({ headers: { 'agent-proof': 'x.y.z' } }) },
  'two approvals': { status: 401, code: 'CALLER_UNKNOWN', send: () => get({ headers: { 'agent-approval': ['a.b.c', 'a.b.c'] } }) },
  'another body': { status: 401, code: 'REQUEST_BODY', send: () => post({ body: '{"name":"red"}' }) },
  'the same JSON in other bytes': { status: 401, code: 'REQUEST_BODY', send: () => post({ body: '{ "name":"blue"}' }) },
  'a body where none was signed': { status: 401, code: 'REQUEST_BODY', send: () => post({}, writing({ body: '' })) },
  'no body where one was signed': { status: 401, send: () => post({ body: '', headers: { 'content-type': 'text/plain' } }) },
  'more parameters than were signed': { status: 401, code: 'REQUEST_PARAMS', send: () => post({ body: '{"name":"blue","admin":true}' }, writing({ body: '{"name":"blue","admin":true}' })) },
  'another query': { status: 401, code: 'REQUEST_URL', send: () => get({ target: '/rooms/1?all=1' }) },
  'another room': { status: 401, code: 'REQUEST_URL', send: () => get({ target: '/rooms/2' }) },
  'another method': { status: 401, code: 'REQUEST_METHOD', send: () => get({}, signed({ method: 'POST' })) },
  'the action of another route': { status: 401, code: 'REQUEST_ACTION', send: () => get({}, signed({ action: 'write' })) },
  'a content encoding': { status: 401, code: 'REQUEST_BODY', send: () => post({ headers: { 'content-encoding': 'identity' } }) },
  'a method to override with matters to nobody': { status: 200, runs: 1, send: () => post({ headers: { 'x-http-method-override': 'GET' } }) },
  'a path to rewrite with matters to nobody': { status: 200, runs: 1, send: () => get({ headers: { 'x-original-url': '/rooms/2', 'x-rewrite-url': '/rooms/2' } }) },
  'a body that reaches for a prototype': { status: 400, send: () => post({ body: PROTO }, writing({ body: PROTO })) },
  'a body that reaches for it by the constructor': { status: 400, send: () => post({ body: NESTED }, writing({ body: NESTED })) },
  'a body that is no JSON': { status: 400, send: () => post({ body: '{"name"' }, writing({ body: '{"name"' })) },
  'a body too deep to be digested': { status: 400, code: 'JSON_DEPTH', send: () => post({ body: DEEP }, Promise.resolve('x.y.z')) },
  'a body over the limit': { status: 413, send: () => post({ body: LONG }) },
  'a body over the limit, in pieces': { status: 413, send: () => post({ body: LONG, chunked: true }) },
  'parameters that cannot be derived': { status: 500, code: null, send: () => get({ target: '/broken/1' }, signed({ target: '/broken/1' })) },
  'a commit that is too late': { status: 409, runs: 1, send: () => post({ target: '/late/1' }, writing({ target: '/late/1' })) },
  'a commit that was not reserved': { status: 500, runs: 1, send: () => post({ target: '/forgot/1' }, writing({ target: '/forgot/1' })) },
  'a commit in time': { status: 200, runs: 1, send: () => post({ target: '/holds/1' }, writing({ target: '/holds/1' })) },
} // prettier-ignore

/** Paths that two programs may read differently. A framework may not even find a route for them. */
const TRICKS = [
  '/rooms/%31', '/rooms/1/', '/rooms//1', '//rooms/1', '/rooms/./1', '/x/../rooms/1', '/rooms/1;v=2', '/rooms/1\\',
  '\\rooms\\1', '/rooms\\1', '/rooms/%2e%2e/rooms/1', '/rooms/1%00', '/rooms%2f1', '/rooms/1%2f', '/rooms/..%2f1', '/rooms/1#x', '/rooms/1?x#/../2',
  `${API}/rooms/1`, '/rooms/1/?x=1', '/./rooms/1', '/rooms/1/.',
] // prettier-ignore

describe.each(FRAMEWORKS)('%s', (_name, serve) => {
  describe.each([
    ['over POST /v1/verify', remote],
    ['in the resource server', local],
  ])('%s', (_where, make) => {
    let api: Api
    let wallet: OpenWallet
    let caller: WalletAgent
    let runs: number
    let done: number

    beforeAll(async () => {
      const verifier = await make()
      const params = (body: unknown): JsonObject => (body ?? {}) as JsonObject
      const write = { method: 'POST', action: 'write', params } as const
      const routes: Route[] = [
        { ...write, path: '/rooms/:id', handle: (authority, body) => ran({ by: authority?.holder, body }) },
        { method: 'GET', path: '/rooms/:id', action: 'read', params: () => ({}), handle: () => ran({ read: true }) },
        { method: 'GET', path: '/broken/:id', action: 'read', params: () => { throw new TypeError('no such column') }, handle: () => ran({}) },
        { ...write, path: '/holds/:id', reserve: true, handle: async authority => { ran({}); await authority?.commit(); return effect() } },
        { ...write, path: '/late/:id', reserve: true, handle: async authority => { ran({}); await authority?.release(); await authority?.commit(); return effect() } },
        { ...write, path: '/forgot/:id', handle: async authority => { ran({}); await authority?.commit(); return effect() } },
      ] // prettier-ignore
      const ran = (answer: object): object => {
        runs += 1
        return answer
      }
      const effect = (): object => {
        done += 1
        return { done: true }
      }
      api = await serve(verifier, routes)
      open.push(api)
      home.connect[API] = api.address
      wallet = await home.wallet()
      caller = await held(wallet, 'caller')
    })
    beforeEach(() => {
      runs = done = 0
    })

    test.each(Object.entries(THREATS))('%s', async (name, { status, code, send, runs: due = 0 }) => {
      const sent = await send()
      const answer = await sendRaw(api.address, sent)
      expect([answer.status, runs]).toEqual([status, due])
      if (code !== undefined) expect(answer.body['code'] ?? null).toBe(code)
      if (code === null) expect(answer.body['detail']).toBeUndefined()
      expect(done).toBe(name === 'a commit in time' ? 1 : 0)
      requireSilent(answer, sent)
    })

    test.each(TRICKS)('the raw path %s', async target => {
      const { status, body } = await sendRaw(api.address, await get({ target }))
      expect([400, 404]).toContain(status)
      if (status === 400 && typeof body['code'] === 'string') expect(body['code']).toBe('RESOURCE_SYNTAX')
      expect(runs).toBe(0)
    })

    test('no presentation: a challenge, and a hint of what is checked', async () => {
      const { body, headers } = await sendRaw(api.address, { target: '/rooms/1' })
      expect(headers['www-authenticate']).toBe('Agent-Proof')
      expect(headers['content-type']).toBe('application/problem+json; charset=utf-8')
      expect(body).toMatchObject({ authority: { action: 'read', resource: `${API}/rooms/1`, params: [] } })
    })

    test('a presentation is good once', async () => {
      const sent = await post()
      const statuses = [await sendRaw(api.address, sent), await sendRaw(api.address, sent)]
      expect(statuses.map(({ status, body }) => [status, body['code']])).toEqual([[200, undefined], [401, 'PRESENTATION_REPLAYED']]) // prettier-ignore
      expect(runs).toBe(1)
    })

    test('agent.fetch: the handler gets the decision and the body that was judged', async () => {
      const body = { name: 'green' }
      const written = await caller.fetch(`${API}/rooms/1`, {
        method: 'POST',
        body,
        authority: { action: 'write', params: body },
      })
      expect([written.status, await written.json()]).toEqual([200, { by: caller.did, body }])
    })

    test('agent.fetch uploads a chain that is too long for a header, and names it from then on', async () => {
      const helper = await wallet.createAgent({ name: 'helper' })
      const grants = [
        { resource: `${API}/rooms/1`, actions: ['read'], args: { pad: { op: 'text', maxBytes: 1, req: false } } },
      ] as const
      const padded = [
        ...grants,
        ...[...Array(12).keys()].map(n => ({ ...grants[0], resource: `${API}/rooms/${'x'.repeat(80)}${n}` })),
      ]
      await helper.receive((await caller.delegate({ to: helper.did, grants: padded, ttl: 300 })).chain)
      const read = () => helper.fetch(`${API}/rooms/1`, { authority: { action: 'read', params: {} } })
      expect([(await read()).status, (await read()).status, runs]).toEqual([200, 200, 2])
    })

    test('an upload of what no chain is: the kind alone', async () => {
      const put = (digest: string, body: string): Promise<Answer> =>
        sendRaw(api.address, {
          method: 'PUT',
          target: `/.well-known/procura/chains/${digest}`,
          headers: JSON_BODY,
          body,
        })
      const [held] = await booker.held()
      const { digest, chain } = held!
      const forged = `${chain[0]!.slice(0, -86)}${'A'.repeat(86)}`
      for (const body of ['[]', '{}', JSON.stringify([forged])]) {
        const answer = await put(digest, body)
        expect(answer.status).toBeGreaterThanOrEqual(400)
        expect([answer.body['code'], answer.body['detail']]).toEqual([undefined, undefined])
      }
      for (const body of ['', '[[[[', '{"__proto__":[]}', JSON.stringify(['x'.repeat(70_000)])]) {
        expect([400, 413]).toContain((await put(digest, body)).status)
      }
      expect((await put('uEiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', JSON.stringify(chain))).body).toEqual({
        type: 'about:blank',
        title: 'The request is malformed',
        status: 400,
      })
      expect((await put(digest, JSON.stringify(chain))).status).toBe(204)
    })
  })

  test('a client that hangs up while it is being refused does not get the handler run', async () => {
    let [ran, asked] = [0, 0]
    const verifier: Verifier = {
      ...(await remote()),
      async challenge() {
        asked += 1
        await new Promise(resolve => setTimeout(resolve, 30))
        return null
      },
    }
    const handle = (): object => {
      ran += 1
      return {}
    }
    const api = await serve(verifier, [
      { method: 'POST', path: '/rooms/:id', action: 'write', params: () => ({}), handle },
    ])
    const { port } = new URL(api.address)
    for (let tries = 0; tries < 3; tries += 1) {
      const before = asked
      const socket = connectTo({ host: '127.0.0.1', port: Number(port) })
      socket.on('error', () => undefined)
      socket.write('POST /rooms/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n')
      while (asked === before) await new Promise(resolve => setTimeout(resolve, 2))
      socket.resetAndDestroy()
    }
    await new Promise(resolve => setTimeout(resolve, 60))
    await api.close()
    expect([ran, asked]).toEqual([0, 3])
  })

  test('the service is down: 503, never a yes', async () => {
    const connect = { [ORIGIN]: 'http://127.0.0.1:1' }
    const verifier = remoteVerifier({ self: API, service: ORIGIN, secret: SECRET, connect })
    const api = await serve(verifier, [
      { method: 'GET', path: '/rooms/:id', action: 'read', params: () => ({}), handle: () => ({ yes: true }) },
    ])
    const { status, body, headers } = await sendRaw(api.address, await get())
    await api.close()
    expect([status, body['code'], headers['retry-after']]).toEqual([503, undefined, '1'])
  })
})

/** Nothing of a token is in an answer. */
function requireSilent({ text, headers }: Answer, sent: Sent): void {
  const tokens = [sent.headers?.['agent-presentation'] ?? []].flat().flatMap(token => token.split('.'))
  for (const part of tokens.filter(({ length }) => length > 10)) {
    expect(text).not.toContain(part)
    expect(JSON.stringify(headers)).not.toContain(part)
  }
}
