import Fastify from 'fastify'
import { expect, test } from 'vitest'
import { requireAuthority } from '../../src/entry/fastify.js'
import { testAuthority, type TestAgent, type TestAuthority } from '../../src/entry/testing.js'
import type { JsonObject } from '../../src/json.js'

/** What a resource server's own unit tests do with `procura/testing`. */
const API = 'https://api.example'
const NOW = '2026-11-26T12:00:00Z'
const policy = (change: JsonObject = {}, root: JsonObject = {}): JsonObject => ({
  self: API,
  roots: [
    {
      issuer: 'did:web:acme.example',
      grants: [{ resource: `${API}/rooms/**`, actions: ['book'], audit: ['amount'] }],
      ...root,
    },
  ],
  ...change,
})

/** Asks a guarded app, and names the code of its answer. */
async function book({ verifier }: TestAuthority, headers: Promise<Record<string, string>>): Promise<string> {
  const app = Fastify()
  const guard = requireAuthority(verifier, { action: 'book', params: ({ body }) => body as JsonObject })
  app.post('/rooms/:id', guard, ({ authority }) => ({ code: `yes to ${String(authority?.path.length)}` }))
  const answer = await app.inject({ method: 'POST', url: '/rooms/1', headers: await headers, payload: '{"amount":5}' })
  await app.close()
  return answer.json<{ code?: string }>().code ?? String(answer.statusCode)
}
const booking = (agent: TestAgent, change: JsonObject = {}): Promise<Record<string, string>> =>
  agent.headers({ method: 'POST', url: `${API}/rooms/1`, action: 'book', body: { amount: 5 }, params: { amount: 5 }, ...change }) // prettier-ignore

test('the policy of the server decides, by its file too; nobody’s keys are looked up', async () => {
  const authority = await testAuthority({ policy: policy() })
  const agent = await authority.agent()
  expect(await book(authority, booking(agent))).toBe('yes to 1')
  expect(await book(authority, booking(await (await agent.delegate()).delegate()))).toBe('yes to 3')
  expect(authority.records).toMatchObject([{ allow: true }, { allow: true }])
  const example = await testAuthority({ policy: 'data/policies/example.json' })
  const { verifier } = example
  const request = { method: 'POST', url: `${API}/bookings/1`, bodyDigest: null, action: 'book', resource: `${API}/bookings/1`, params: {} } // prettier-ignore
  const token = await (await example.agent()).present({ ...request, audience: API })
  expect(await verifier.decide(token, request)).toMatchObject({ allow: true })
})

test('the clock stands until it is moved: presentation and credentials end', async () => {
  const authority = await testAuthority({ policy: policy(), now: NOW })
  expect(authority.clock.now()).toBe(Date.parse(NOW) / 1000)
  const agent = await authority.agent({ ttl: 200 })
  const signed = await booking(agent)
  authority.clock.advance(89)
  expect(await book(authority, Promise.resolve(signed))).toBe('yes to 1')
  authority.clock.advance(1)
  expect(await book(authority, Promise.resolve(signed))).toBe('PRESENTATION_EXPIRED')
  authority.clock.advance(109)
  expect(await book(authority, booking(agent))).toBe('yes to 1')
  authority.clock.advance(1)
  expect(await book(authority, booking(agent))).toBe('TIME_EXPIRED')
})

test.each<[string, (authority: TestAuthority, agent: TestAgent) => Promise<Record<string, string>>]>([
  ['REQUEST_PARAMS', (_, agent) => booking(agent, { params: { amount: 6 } })],
  ['REQUEST_URL', (_, agent) => booking(agent, { url: `${API}/rooms/2` })],
  ['DENIED_ARG', async ({ agent }) => booking(await agent({ grants: [{ resource: `${API}/rooms/1`, actions: ['book'], args: { amount: { op: 'range', max: 4, req: true } } }] }))],
  ['DENIED_RESOURCE', async ({ agent }) => booking(await agent({ grants: [{ resource: `${API}/rooms/2`, actions: ['book'] }] }))],
  ['DENIED_ACTION', async ({ agent }) => booking(await agent({ grants: [{ resource: `${API}/rooms/1`, actions: ['quote'] }] }))],
  ['WIDENED_RESOURCE', async (_, agent) => booking(await agent.delegate({ grants: [{ resource: `${API}/**`, actions: ['book'] }] }))],
  ['PRESENTATION_AUDIENCE', async ({ agent }) => booking(await agent({ audience: ['https://else.example'] }))],
  ['STATUS_REVOKED', async ({ revoke }, agent) => { const below = await agent.delegate(); await revoke(agent); return booking(below) }],
  ['BUDGET_EXHAUSTED', async ({ agent }) => booking(await agent({ grants: [{ resource: `${API}/rooms/1`, actions: ['book'], args: { amount: { op: 'range', min: 0, max: 9, req: true } } }], budgets: [{ unit: 'GPU', decimals: 0, max: 4, meter: 'amount' }] }))],
])('a test sees %s', async (code, headers) => {
  const authority = await testAuthority({ policy: policy() })
  expect(await book(authority, headers(authority, await authority.agent()))).not.toMatch(/^yes/)
  expect(authority.records).toMatchObject([{ allow: false, code }])
}) // prettier-ignore

test('what else a policy asks for can be had: keys of its own, identities, an approval, a nonce', async () => {
  const jwks = { keys: [{ kid: 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK#k', kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }] } // prettier-ignore
  const own = { issuer: 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK', jwks, approvers: ['did:web:boss.example'] } // prettier-ignore
  const asked = {
    identity: 'every',
    identityIssuers: ['did:web:acme.example'],
    approval: 'always',
    challenge: 'always',
  }
  const authority = await testAuthority({ policy: policy(asked, own) })
  const agent = await (await authority.agent()).delegate()
  const nonce = async (): Promise<string> => (await authority.verifier.challenge()) ?? ''
  expect(await book(authority, booking(agent))).toBe('PRESENTATION_NONCE')
  expect(await book(authority, booking(agent, { nonce: await nonce() }))).toBe('APPROVAL_REQUIRED')
  const decision = await authority.verifier.decide(await agent.present({ ...REQUEST, nonce: await nonce() }), REQUEST)
  const approval = await authority.approve(decision.allow ? (null as never) : decision.approval!)
  const headers = { ...(await booking(agent, { nonce: await nonce() })), 'agent-approval': approval }
  expect(await book(authority, Promise.resolve(headers))).toBe('yes to 2')
})

test('a policy or a time that is none is refused', async () => {
  await expect(testAuthority({ policy: {} })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(testAuthority({ policy: policy(), now: 'tomorrow' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(testAuthority({ policy: 'no/such/file.json' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

const REQUEST = {
  method: 'POST',
  url: `${API}/rooms/1`,
  bodyDigest: null,
  action: 'book',
  resource: `${API}/rooms/1`,
  params: { amount: 5 },
  audience: API,
}
