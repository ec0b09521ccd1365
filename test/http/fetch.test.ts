import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requireAuthority } from '../../src/entry/fastify.js'
import { createVerifier, sqliteState, type DatabaseState } from '../../src/entry/verifier.js'
import { openWallet, type OpenWallet, type WalletAgent } from '../../src/entry/wallet.js'
import type { JsonObject } from '../../src/json.js'
import { API, openTestHome, POLICY, type Home } from './home.js'

/** The server's own word of what a call does. */
const params = (request: { readonly body: unknown }): JsonObject => request.body as JsonObject

let home: Home
let approvers: OpenWallet
let wallet: OpenWallet
let booker: WalletAgent
let api: FastifyInstance
let state: DatabaseState
const asked: unknown[] = []

beforeAll(async () => {
  home = await openTestHome()
  approvers = await openWallet({
    storage: 'sqlite::memory:',
    roots: [],
    confirm: required => Promise.resolve(asked.push(required.display) > 0),
  })
  const alice = await approvers.createAgent({ name: 'alice' })
  const grants = [
    { resource: `${API}/rooms/**`, actions: ['write'] },
    { resource: `${API}/suites/**`, actions: ['write'], perCall: true },
  ]
  const [root] = POLICY['roots'] as readonly JsonObject[]
  const policy = { ...POLICY, roots: [{ ...root, approvers: [alice.did] }] } as JsonObject
  const audit = { record: () => Promise.resolve() }
  // the memory of a process refuses what is as old as itself
  state = await sqliteState(join(home.folder, 'api.db'))
  const verifier = await createVerifier({ policy, state, audit, connect: home.connect })
  api = Fastify()
  for (const path of ['/rooms/:id', '/suites/:id']) {
    api.post(path, requireAuthority(verifier, { action: 'write', params }), () => ({ done: true }))
  }
  home.connect[API] = await api.listen({ host: '127.0.0.1', port: 0 })
  wallet = await home.wallet()
  booker = await wallet.createAgent({ name: 'booker' })
  await booker.receive(
    (await home.grant({ to: booker.did, ttl: 600, authority: { audience: [API], grants } })).credential,
  )
})
afterAll(async () => {
  await approvers.close()
  await api.close()
  await state.close()
  await home.close()
})

type Change = Partial<{ action: string; params: JsonObject; resource: string; approval: string; signal: AbortSignal }>
const call = (
  path: string,
  { action = 'write', params: said = { nights: 2 }, resource, approval, signal }: Change = {},
) =>
  booker.fetch(`${API}${path}`, {
    method: 'POST',
    body: { nights: 2 },
    authority: { action, params: said, ...(resource === undefined ? {} : { resource }) },
    ...(approval === undefined ? {} : { approval }),
    ...(signal === undefined ? {} : { signal }),
  })

describe('agent.fetch', () => {
  test('an answer that is no refusal has none', async () => {
    const response = await call('/rooms/1')
    expect([response.status, response.refusal, await response.json()]).toEqual([200, null, { done: true }])
  })

  test('APPROVAL_REQUIRED is a value: a person approves what it names, and the call is made again', async () => {
    const response = await call('/suites/1')
    expect([response.status, response.refusal?.code]).toEqual([403, 'APPROVAL_REQUIRED'])
    expect(response.refusal?.advice).toMatch(/^a person has to approve/)
    const approval = await approvers.approve(response.refusal!.approval!)
    expect(asked).toEqual([{ nights: 2 }])
    expect((await call('/suites/1', { approval })).status).toBe(200)
    // once, and no other call
    expect((await call('/suites/1', { approval })).refusal?.code).toBe('PRESENTATION_REPLAYED')
    expect((await call('/suites/2', { approval: await approvers.approve(response.refusal!.approval!) })).status).toBe(
      403,
    )
    expect(await response.json()).toMatchObject({ code: 'APPROVAL_REQUIRED' })
  })

  test.each<[string, Change, RegExp]>([
    [
      'another resource',
      { resource: `${API}/rooms/9` },
      /^the server checks resource .*\/rooms\/1, signed was .*\/rooms\/9$/,
    ],
    ['a parameter short', { params: {} }, /^the server also checks the parameters nights$/],
    ['a parameter too many', { params: { nights: 2, stars: 5 } }, /^the server does not know the parameters stars$/],
    ['another value', { params: { nights: 3 } }, /^the server derived other values of the same parameters$/],
  ])('says what was signed wrongly: %s', async (_name, change, advice) => {
    const { status, refusal } = await call('/rooms/1', change)
    expect([status, refusal?.authority]).toEqual([
      401,
      { action: 'write', resource: `${API}/rooms/1`, params: ['nights'] },
    ])
    expect(refusal?.advice).toMatch(advice)
  })

  /** What booker makes of the refusal of another server under the same name. */
  async function refusalOf(status: number, problem: JsonObject, headers: Record<string, string> = {}) {
    const odd = Fastify()
    odd.post('/rooms/:id', (_, reply) =>
      reply.code(status).headers(headers).type('application/problem+json').send(problem),
    )
    const address = await odd.listen({ host: '127.0.0.1', port: 0 })
    const connect = { ...home.connect, [API]: address }
    const other = await openWallet({ veramo: wallet.veramo, roots: [home.service.did], connect })
    const same = await other.agent('booker')
    for (const { chain } of await booker.held()) await same.receive(chain)
    const authority = { action: 'write', params: { nights: 2 } }
    const { refusal } = await same.fetch(`${API}/rooms/1`, { method: 'POST', body: { nights: 2 }, authority })
    await other.close()
    await odd.close()
    return refusal
  }

  test('a clock that is wrong is named, from the Date of the answer', async () => {
    const date = new Date(Date.now() + 90_000).toUTCString()
    const refusal = await refusalOf(401, { type: 'about:blank', title: 'x', status: 401 }, { date })
    expect(refusal?.clockAhead).toBeGreaterThan(80)
    expect(refusal?.advice).toMatch(/^this clock is \d+ s behind the server's/)
  })

  test('what a server says is not believed further than it can be shown', async () => {
    const refusal = await refusalOf(403, {
      code: 'APPROVAL_\u001b[2JREQUIRED',
      detail: 7,
      authority: { action: 1 },
      approval: { audience: API, display: { pay: 1 } },
    })
    expect(refusal).toMatchObject({ detail: null, approval: null, authority: null, advice: null })
    expect(refusal?.code).not.toContain('\u001b')
  })

  test('a signal ends it', async () => {
    await expect(call('/rooms/1', { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  })
})
