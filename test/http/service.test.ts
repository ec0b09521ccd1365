import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemIds } from '../../src/adapters/system.js'
import { signProof } from '../../src/presentation/proof.js'
import { bodyDigest } from '../../src/presentation/request.js'
import type { JsonObject } from '../../src/json.js'
import type { Signer } from '../../src/signer.js'
import type { WalletAgent } from '../../src/entry/wallet.js'
import { party } from '../mint.js'
import { recordsOf } from '../audit/records.js'
import { API, openTestHome, ORIGIN, SECRET, type Home } from './home.js'

let home: Home
let alice: WalletAgent
let planner: WalletAgent
let booker: WalletAgent
let given: string

const now = () => Math.floor(Date.now() / 1000)
const AUTHORITY = { more: 3, audience: [API], grants: [{ resource: `${API}/**`, actions: ['read', 'write'] }] }

beforeAll(async () => {
  home = await openTestHome()
  const wallet = await home.wallet()
  alice = await wallet.createAgent({ name: 'alice' })
  planner = await wallet.createAgent({ name: 'planner' })
  booker = await wallet.createAgent({ name: 'booker' })
  await alice.receive((await home.grant({ to: alice.did, ttl: 3600, authority: AUTHORITY })).credential)
  const held = await alice.delegate({ to: planner.did, grants: AUTHORITY.grants, more: 2, ttl: 1800 })
  given = held.digest
  await planner.receive(held.chain)
  await booker.receive(
    (await planner.delegate({ to: booker.did, grants: [{ resource: `${API}/rooms/**`, actions: ['read'] }], ttl: 300 }))
      .chain,
  )
})
afterAll(() => home.close())

/** Where the list of the credential that an agent holds is served. */
async function listOf(agent: WalletAgent): Promise<string> {
  const [token = ''] = (await agent.held())[0]?.chain.slice(-1) ?? []
  const { credentialStatus } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    credentialStatus: { statusListCredential: string }
  }
  return credentialStatus.statusListCredential.replace(ORIGIN, home.service.address)
}

async function post(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown> }> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`${home.service.address}${path}`, {
    method: 'POST',
    body: text,
    headers: { 'content-type': 'application/json', ...headers },
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

/** Posts as `signer`; what is signed can differ from what is sent. */
async function postProved(
  signer: Signer,
  path: string,
  body: unknown,
  signed: { url?: string; method?: string; aud?: string; body?: string; at?: number } = {},
) {
  const text = JSON.stringify(body)
  const { url = `${ORIGIN}${path}`, method = 'POST', aud = ORIGIN, at = now() } = signed
  const proof = await signProof(
    signer,
    aud,
    { method, url, bodyDigest: bodyDigest(signed.body ?? text) },
    systemIds.token(),
    at,
  )
  return { proof, ...(await post(path, text, { 'agent-proof': proof })) }
}

const room = {
  method: 'GET',
  url: `${API}/rooms/1`,
  bodyDigest: null,
  action: 'read',
  resource: `${API}/rooms/1`,
  params: {},
}
const ask = async (agent: WalletAgent = booker, request: JsonObject = {}, secret = SECRET) => {
  const presentation = await agent.present({ ...room, audience: API })
  return post('/v1/verify', { presentation, request: { ...room, ...request } }, { authorization: `Bearer ${secret}` })
}

describe('public routes', () => {
  test('healthz, did.json', async () => {
    expect(await (await fetch(`${home.service.address}/healthz`)).json()).toEqual({ status: 'ok' })
    const response = await fetch(`${home.service.address}/.well-known/did.json`)
    expect(response.headers.get('content-type')).toContain('application/did+json')
    expect(await response.json()).toMatchObject({ id: 'did:web:id.acme.example' })
  })

  test("a status list: strong ETag, 304 on match, the profile's Cache-Control", async () => {
    const url = await listOf(planner)
    const first = await fetch(url)
    const etag = first.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[A-Za-z0-9_-]{43}"$/)
    expect(first.headers.get('cache-control')).toBe('public, max-age=5, must-revalidate')
    expect(first.headers.get('content-type')).toContain('application/vc+jwt')
    expect((await first.text()).split('.')).toHaveLength(3)
    const second = await fetch(url, { headers: { 'if-none-match': etag } })
    expect([second.status, await second.text()]).toEqual([304, ''])
    expect((await fetch(url, { headers: { 'if-none-match': '"other"' } })).status).toBe(200)
  })

  test('an unknown list or route is a problem', async () => {
    for (const path of ['/v1/status/99', '/v1/status/..%2f1', '/v1/nothing']) {
      const response = await fetch(`${home.service.address}${path}`)
      expect(response.status).toBe(404)
      expect(response.headers.get('content-type')).toContain('application/problem+json')
      expect(await response.json()).toMatchObject({ code: 'NOT_FOUND', status: 404 })
    }
  })
})

describe('POST /v1/verify', () => {
  test('allows, and says who acts for whom', async () => {
    const { status, body } = await ask()
    expect(status).toBe(200)
    expect(body).toMatchObject({
      allow: true,
      holder: booker.did,
      path: [alice.did, planner.did, booker.did],
      root: 'did:web:id.acme.example',
    })
  })

  test('refuses with the exact code, and 200: the question was well asked', async () => {
    const { status, body } = await ask(booker, { url: `${API}/rooms/2` })
    expect([status, body['allow'], body['code']]).toEqual([200, false, 'REQUEST_URL'])
  })

  test('the same presentation twice', async () => {
    const presentation = await booker.present({ ...room, audience: API })
    const body = { presentation, request: room }
    const headers = { authorization: `Bearer ${SECRET}` }
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => post('/v1/verify', body, headers)))
    expect(answers.filter(({ body: one }) => one['allow'] === true)).toHaveLength(1)
    expect(answers.filter(({ body: one }) => one['code'] === 'PRESENTATION_REPLAYED')).toHaveLength(4)
  })

  test.each([
    ['no secret', {}],
    ['a wrong secret', { authorization: 'Bearer wrong-wrong-wrong-wrong' }],
    ['the hash instead of the secret', { authorization: 'Bearer ' + bodyDigest(SECRET)! }],
    ['basic', { authorization: 'Basic ' + Buffer.from(`api:${SECRET}`).toString('base64') }],
  ])('%s', async (_name, headers) => {
    const { status, body } = await post('/v1/verify', {}, headers)
    expect([status, body['code']]).toEqual([401, 'CALLER_UNKNOWN'])
  })

  test.each<[string, string | object, number]>([
    ['not JSON', '{"presentation"', 400],
    ['__proto__', '{"__proto__":{"x":1}}', 400],
    ['constructor.prototype', '{"constructor":{"prototype":{"x":1}}}', 400],
    ['an unknown member', { presentation: 'x', request: room, skipStatus: true }, 400],
    ['no request', { presentation: 'x' }, 400],
    ['an array', '[]', 400],
    ['params that are not an object', { presentation: 'x', request: { ...room, params: [] } }, 400],
    ['too large', { presentation: 'x'.repeat(300_000), request: room }, 413],
  ])('%s', async (_name, body, expected) => {
    const answer = await post('/v1/verify', body, { authorization: `Bearer ${SECRET}` })
    expect([answer.status, answer.body['code']]).toEqual([expected, 'SCHEMA'])
  })

  test('another content type', async () => {
    const answer = await post('/v1/verify', 'a=1', { authorization: `Bearer ${SECRET}`, 'content-type': 'text/plain' })
    expect(answer.status).toBe(415)
  })
})

describe('callers that prove themselves', () => {
  const grant = () => ({ to: alice.did, ttl: 60, authority: AUTHORITY })

  test('no proof', async () => {
    expect(await post('/v1/grants', grant())).toMatchObject({ status: 401, body: { code: 'CALLER_UNKNOWN' } })
  })

  test('a proof of somebody who is no admin', async () => {
    expect(await postProved(alice.holder, '/v1/grants', grant())).toMatchObject({
      status: 403,
      body: { code: 'CALLER_FORBIDDEN' },
    })
  })

  test.each<[string, Parameters<typeof postProved>[3], string]>([
    ['for another URL', { url: `${ORIGIN}/v1/revocations` }, 'REQUEST_URL'],
    ['for another method', { method: 'GET' }, 'REQUEST_METHOD'],
    ['for another body', { body: '{}' }, 'REQUEST_BODY'],
    ['for another service', { aud: 'https://other.example' }, 'PRESENTATION_AUDIENCE'],
    ['of yesterday', { at: now() - 86_400 }, 'PRESENTATION_EXPIRED'],
    ['of tomorrow', { at: now() + 86_400 }, 'TIME_NOT_YET_VALID'],
  ])('a proof %s', async (_name, signed, code) => {
    expect(await postProved(alice.holder, '/v1/grants', grant(), signed)).toMatchObject({ status: 401, body: { code } })
  })

  test('a proof used twice', async () => {
    const { proof } = await postProved(alice.holder, '/v1/grants', grant())
    expect(await post('/v1/grants', grant(), { 'agent-proof': proof })).toMatchObject({
      status: 401,
      body: { code: 'PRESENTATION_REPLAYED' },
    })
  })

  test('a did:web that is no admin is not looked up', async () => {
    const stranger = party('stranger', 'did:web:evil.example')
    expect(await postProved(stranger, '/v1/grants', grant())).toMatchObject({
      status: 401,
      body: { code: 'CALLER_UNKNOWN' },
    })
  })

  test("mallory under alice's name", async () => {
    const forged = { ...party('mallory'), did: alice.did, kid: alice.holder.kid }
    expect(await postProved(forged, '/v1/grants', grant())).toMatchObject({
      status: 401,
      body: { code: 'SIGNATURE_INVALID' },
    })
  })
})

describe('grants', () => {
  test.each<[string, JsonObject, string]>([
    ['a root for longer than a day', { ttl: 90_000 }, 'SCHEMA'],
    ['a member the issuer sets itself', { authority: { ...AUTHORITY, statusIssuers: [] } }, 'SCHEMA'],
    [
      'an operator nobody knows',
      {
        authority: {
          ...AUTHORITY,
          grants: [{ resource: `${API}/**`, actions: ['read'], args: { a: { op: 'regex', req: true } } }],
        },
      },
      'CAVEAT_UNKNOWN',
    ],
    [
      'a resource with a trick',
      { authority: { ...AUTHORITY, grants: [{ resource: `${API}/a/../b`, actions: ['read'] }] } },
      'RESOURCE_SYNTAX',
    ],
    [
      'a budget that can be dodged',
      { authority: { ...AUTHORITY, budgets: [{ unit: 'USD', decimals: 2, max: 1, meter: 'amount' }] } },
      'BUDGET_METER',
    ],
    ['somebody who is not registered', { to: 'did:web:bob.example' }, 'SUBJECT_UNKNOWN'],
  ])('%s', async (_name, change, code) => {
    const grant = { to: alice.did, ttl: 60, authority: AUTHORITY, ...change } as unknown as Parameters<
      typeof home.issuer.grant
    >[0]
    await expect(home.issuer.grant(grant)).rejects.toMatchObject({ code })
  })
})

describe('status indexes', () => {
  test('are leased to the holder of a chain rooted here, to nobody else', async () => {
    const chain = await planner.chainOf(given)
    expect(await postProved(planner.holder, '/v1/status/allocations', { chain, count: 3 })).toMatchObject({
      status: 201,
    })
    expect(await postProved(booker.holder, '/v1/status/allocations', { chain, count: 1 })).toMatchObject({
      status: 403,
      body: { code: 'CALLER_FORBIDDEN' },
    })
    expect(await postProved(planner.holder, '/v1/status/allocations', { chain, count: 100_000 })).toMatchObject({
      status: 400,
    })
  })
})

describe('revocation', () => {
  test('is for the issuer of a link, an issuer above it, or an admin', async () => {
    const chain = await planner.chainOf(given)
    expect(await postProved(booker.holder, '/v1/revocations', { chain })).toMatchObject({
      status: 403,
      body: { code: 'CALLER_FORBIDDEN' },
    })
    expect(await postProved(planner.holder, '/v1/revocations', { chain })).toMatchObject({ status: 403 })
    await expect(home.issuer.revoke('uEi-nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test("nobody revokes another's credential by copying its index", async () => {
    const wallet = await home.wallet()
    const mallory = await wallet.createAgent({ name: 'mallory' })
    const held = await alice.delegate({ to: mallory.did, grants: AUTHORITY.grants, more: 1, ttl: 1200 })
    await mallory.receive(held.chain)
    const { delegateWith } = await import('./rogue.js')
    const [, middle] = await planner.chainOf(given)
    const copied = await delegateWith(
      mallory,
      held,
      booker,
      JSON.parse(Buffer.from(middle!.split('.')[1]!, 'base64url').toString()) as JsonObject,
    )
    expect(await postProved(mallory.holder, '/v1/revocations', { chain: copied })).toMatchObject({
      status: 403,
      body: { code: 'CALLER_FORBIDDEN' },
    })
    expect((await ask()).body['allow']).toBe(true)
  })

  test("nobody revokes a root by signing under the service's name", async () => {
    const wallet = await home.wallet()
    const [mallory, victim] = [
      await wallet.createAgent({ name: 'mallory2' }),
      await wallet.createAgent({ name: 'victim' }),
    ]
    const grants = AUTHORITY.grants
    const grantTo = (did: typeof alice.did) => home.grant({ to: did, ttl: 3600, authority: AUTHORITY })
    const own = await mallory.receive((await grantTo(mallory.did)).credential)
    const victims = await victim.receive((await grantTo(victim.did)).credential)
    const puppet = party('puppet', home.service.did)
    const named = await mallory.delegate({ to: puppet.did, key: puppet.publicKey, grants, more: 1, ttl: 300 })
    const { credentialStatus } = JSON.parse(
      Buffer.from(victims.chain[0]!.split('.')[1]!, 'base64url').toString(),
    ) as JsonObject
    const { delegateWith } = await import('./rogue.js')
    const model = JSON.parse(Buffer.from(named.chain[1]!.split('.')[1]!, 'base64url').toString()) as JsonObject
    const agent = { did: puppet.did, holder: { ...puppet, alias: 'puppet' } } as unknown as WalletAgent
    const chain = await delegateWith(agent, named, booker, { ...model, credentialStatus: credentialStatus! })
    for (const caller of [mallory.holder, booker.holder]) {
      expect(await postProved(caller, '/v1/revocations', { chain })).toMatchObject({
        body: { code: expect.stringMatching(/KEY_BINDING|CALLER_FORBIDDEN/) as string },
      })
    }
    expect((await ask(victim)).body['allow']).toBe(true)
    expect(own.subject).toBe(mallory.did)
  })

  test('one bit ends the subtree, twice is the same as once, and others go on', async () => {
    const wallet = await home.wallet()
    const other = await wallet.createAgent({ name: 'other' })
    await other.receive(
      (await alice.delegate({ to: other.did, grants: [{ resource: `${API}/rooms/**`, actions: ['read'] }], ttl: 300 }))
        .chain,
    )
    const first = await alice.revoke(given)
    expect((await ask()).body).toMatchObject({ allow: false, code: 'STATUS_REVOKED', link: 1 })
    expect((await ask(planner)).body).toMatchObject({ allow: false, code: 'STATUS_REVOKED' })
    expect((await ask(other)).body['allow']).toBe(true)
    expect(await alice.revoke(given)).toEqual(first)
    await expect(planner.delegate({ to: other.did, grants: AUTHORITY.grants, ttl: 600 })).rejects.toMatchObject({
      code: 'STATUS_REVOKED',
    })
  })
})

test('no token, nonce or parameter is in the audit log, and nothing was a defect', async () => {
  const lines = await recordsOf(join(home.folder, 'audit'))
  const log = JSON.stringify(lines)
  expect(lines.length).toBeGreaterThan(5)
  expect(log).not.toMatch(/eyJ[A-Za-z0-9_-]{20,}/)
  expect(log).not.toContain(SECRET)
  expect(lines.every(line => !('params' in line))).toBe(true)
  const types = new Set(lines.filter(line => !('decisionId' in line)).map(line => line['type']))
  expect([...types].sort()).toEqual(['grant', 'status'])
  expect(home.defects).toEqual([])
})
