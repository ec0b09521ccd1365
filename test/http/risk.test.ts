import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createVerifier, fileAudit, remoteVerifier, sqliteState, type Verifier } from '../../src/entry/verifier.js'
import type { WalletAgent } from '../../src/entry/wallet.js'
import type { JsonObject } from '../../src/json.js'
import { recordsOf } from '../audit/records.js'
import { FRAMEWORKS, type Api } from './frameworks.js'
import { API, openTestHome, ORIGIN, POLICY, SECRET, type Home } from './home.js'

/** Writing is of high risk: it takes a nonce, and is committed. */
const RISKY = { ...POLICY, risk: { write: 'high' }, challenge: { from: 'high' }, commit: { from: 'high' } }

let home: Home
let log: string
const open: { close(): unknown }[] = []

beforeAll(async () => {
  home = await openTestHome(RISKY)
})
afterAll(async () => {
  for (const one of open.reverse()) await one.close()
  await home.close()
})

async function local(): Promise<Verifier> {
  const name = join(home.folder, `resource-${open.length}`)
  log = `${name}.audit`
  const [state, audit] = [await sqliteState(`${name}.db`), await fileAudit(log)]
  open.push(state, audit)
  return createVerifier({ policy: RISKY, state, audit, connect: home.connect })
}
function remote(): Promise<Verifier> {
  log = join(home.folder, 'audit')
  return Promise.resolve(remoteVerifier({ self: API, service: ORIGIN, secret: SECRET, connect: home.connect }))
}

const MADE = [
  ['over POST /v1/verify', remote],
  ['in the resource server', local],
] as const

describe.each(FRAMEWORKS.flatMap(([name, serve]) => MADE.map(([where, make]) => [name, where, serve, make] as const)))(
  'what the risk of a route asks for, on %s, %s',
  (_name, _where, serve, make) => {
    let api: Api
    let booker: WalletAgent
    let asked: number

    beforeAll(async () => {
      const made = await make()
      const verifier: Verifier = {
        ...made,
        decide(...call) {
          asked += 1
          return made.decide(...call)
        },
      }
      const params = () => ({})
      const write = { method: 'POST', action: 'write', params } as const
      api = await serve(verifier, [
        { method: 'GET', path: '/rooms/:id', action: 'read', params, handle: () => ({ read: true }) },
        {
          ...write,
          path: '/rooms/:id',
          reserve: true,
          handle: authority => verifier.commit(authority?.decisionId ?? ''),
        },
        { ...write, path: '/forgetful/:id', handle: () => 'never' },
      ])
      home.connect[API] = api.address
      open.push(api)
      booker = await (await home.wallet()).createAgent({ name: 'booker' })
      const authority = { audience: [API], grants: [{ resource: `${API}/**`, actions: ['read', 'write'] }] }
      await booker.receive((await home.grant({ to: booker.did, ttl: 600, authority })).credential)
    })

    const call = (method: string, path: string, action: string): Promise<Response> => {
      asked = 0
      return booker.fetch(`${API}${path}`, { method, authority: { action, params: {} } })
    }

    test('a route of low risk hands out no nonce and needs none', async () => {
      const stranger = await fetch(`${api.address}/rooms/1`)
      expect([stranger.status, stranger.headers.get('www-authenticate')]).toEqual([401, 'Agent-Proof'])
      const response = await call('GET', '/rooms/1', 'read')
      expect([response.status, asked]).toEqual([200, 1])
    })

    test('a route of high risk hands out a nonce; agent.fetch answers with it, and the effect is committed', async () => {
      const stranger = await fetch(`${api.address}/rooms/1`, { method: 'POST' })
      expect(stranger.headers.get('www-authenticate')).toMatch(/^Agent-Proof nonce="[\w-]{22,128}"$/)
      const response = await call('POST', '/rooms/1', 'write')
      expect([response.status, asked]).toEqual([200, 2])
      expect(await response.json()).toMatchObject({ allow: true })
    })

    test('the trace that a call belongs to is on record, that of its commit too', async () => {
      const trace = randomBytes(16).toString('hex')
      const headers = { traceparent: `00-${trace}-${'b7'.repeat(8)}-01` }
      const authority = { action: 'write', params: {} }
      const { status } = await booker.fetch(`${API}/rooms/1`, { method: 'POST', headers, authority })
      expect(status).toBe(200)
      const records = (await recordsOf(log)).filter(record => record['correlationId'] === trace)
      // the first attempt had no nonce
      expect(records).toMatchObject([
        { type: 'decision', code: 'PRESENTATION_NONCE' },
        { type: 'decision', allow: true },
        { type: 'commit' },
      ])
    })

    test('a route that forgot to reserve is at fault: its caller learns no more, its log does', async () => {
      const response = await call('POST', '/forgetful/1', 'write')
      expect([response.status, ((await response.json()) as JsonObject)['code']]).toEqual([500, undefined])
      const last = (await recordsOf(log)).at(-1)
      expect(last).toMatchObject({ allow: false, code: 'COMMIT_REQUIRED', kind: 'misconfigured' })
    })
  },
)
