import Fastify from 'fastify'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { IDENTITY } from '../../src/credential/identity.js'
import { toCredentialJson } from '../../src/credential/credential.js'
import { requireAuthority } from '../../src/entry/fastify.js'
import { createVerifier, fileAudit, remoteVerifier, sqliteState, type Verifier } from '../../src/entry/verifier.js'
import type { OpenWallet, WalletAgent } from '../../src/entry/wallet.js'
import type { JsonObject } from '../../src/json.js'
import { signJws } from '../../src/jws/compact.js'
import { API, openTestHome, ORIGIN, POLICY, SECRET, type Home } from './home.js'

let home: Home
let wallet: OpenWallet
let booker: WalletAgent
const open: { close(): unknown }[] = []

beforeAll(async () => {
  home = await openTestHome()
})
afterAll(async () => {
  for (const one of open) await one.close()
  await home.close()
})

/** How the handler of a guarded route ends its effect. */
let effect: (decisionId: string, verifier: Verifier) => Promise<unknown>

/** A resource server that reserves, and has `effect` commit or release. */
async function serve(verifier: Verifier): Promise<void> {
  const api = Fastify({ routerOptions: { maxParamLength: 200 }, http: { maxHeaderSize: 65_536 } })
  const options = { action: 'write', params: () => ({}), reserve: true }
  api.post('/rooms/:id', requireAuthority(verifier, options), request =>
    effect(request.authority?.decisionId ?? '', verifier),
  )
  home.connect[API] = await api.listen({ host: '127.0.0.1', port: 0 })
  open.push(api)
  // a wallet reads the map of addresses when it is opened
  wallet = await home.wallet()
}

const call = (said: object = {}): Promise<Response> =>
  booker.fetch(`${API}/rooms/1`, { method: 'POST', authority: { action: 'write', params: {}, ...said } })

/** Two calls may be made under the root. */
async function grantTwoCalls(): Promise<string> {
  booker = await wallet.createAgent({ name: `booker ${(names += 1)}` })
  const budgets = [{ unit: '#calls', decimals: 0, max: 2, meter: '#calls' }]
  const authority = { audience: [API], grants: [{ resource: `${API}/**`, actions: ['write'] }], budgets }
  const { credential, digest } = await home.grant({ to: booker.did, ttl: 600, authority })
  await booker.receive(credential)
  return digest
}
let names = 0

async function local(policy: JsonObject): Promise<Verifier> {
  const file = join(home.folder, `resource ${(names += 1)}`)
  const [state, audit] = [await sqliteState(`${file}.db`), await fileAudit(`${file}.audit`)]
  open.push(state, audit)
  return createVerifier({ policy, state, audit, connect: home.connect })
}

describe.each([
  ['over POST /v1/verify', () => remoteVerifier({ self: API, service: ORIGIN, secret: SECRET, connect: home.connect })],
  ['in the resource server', () => local({ ...POLICY, risk: { write: 'critical' } })],
])('a handler that commits, %s', (_name, make) => {
  let digest: string
  beforeAll(async () => {
    await serve(await make())
  })
  beforeEach(async () => {
    digest = await grantTwoCalls()
  })

  test('is allowed as often as the budget says', async () => {
    effect = (id, verifier) => verifier.commit(id)
    for (let n = 0; n < 2; n += 1) expect(await (await call()).json()).toMatchObject({ allow: true })
    const third = await call()
    expect([third.status, ((await third.json()) as JsonObject)['code']]).toEqual([403, 'BUDGET_EXHAUSTED'])
  })

  test('gives back what it could not do', async () => {
    effect = (id, verifier) => verifier.release(id)
    for (let n = 0; n < 4; n += 1) expect(await (await call()).json()).toMatchObject({ allow: true })
  })

  test('is told when the authority was taken back between decision and effect', async () => {
    effect = async (id, verifier) => {
      await home.issuer.revoke(digest)
      return [await verifier.commit(id), await verifier.release(id)]
    }
    const [committed, released] = (await (await call()).json()) as JsonObject[]
    expect(committed).toMatchObject({ allow: false, code: 'STATUS_REVOKED', link: 0 })
    expect(released).toMatchObject({ allow: true })
  })
})

describe('the routes', () => {
  const post = async (path: string, body: object, secret = SECRET): Promise<[number, JsonObject]> => {
    const headers = { authorization: `Bearer ${secret}`, 'content-type': 'application/json' }
    const response = await fetch(`${home.service.address}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    return [response.status, (await response.json()) as JsonObject]
  }
  test.each(['/v1/commit', '/v1/release'])('%s', async path => {
    expect(await post(path, { decisionId: 'none' })).toMatchObject([200, { allow: false, code: 'NOT_FOUND' }])
    expect(await post(path, { decisionId: 'none', force: true })).toMatchObject([400, { code: 'SCHEMA' }])
    expect(await post(path, {})).toMatchObject([400, { code: 'SCHEMA' }])
    expect(await post(path, { decisionId: 'none' }, 'another-bearer-secret')).toMatchObject([
      401,
      { code: 'CALLER_UNKNOWN' },
    ])
  })
})

describe('a policy that asks who calls', () => {
  let registrar: WalletAgent
  beforeAll(async () => {
    registrar = await (await home.wallet()).createAgent({ name: 'registrar' })
    await serve(await local({ ...POLICY, identity: 'leaf', identityIssuers: [registrar.did] }))
    await grantTwoCalls()
    effect = (id, verifier) => verifier.commit(id)
  })

  test('is answered by agent.fetch with the identity credential it is given', async () => {
    const now = Math.floor(Date.now() / 1000)
    const claims = toCredentialJson({
      id: 'urn:uuid:0192f5c2-1111-7000-8000-000000000001',
      type: IDENTITY,
      issuer: registrar.did,
      subject: booker.did,
      key: booker.holder.publicKey,
      issuedAt: now,
      validFrom: now,
      validUntil: now + 300,
      claims: { agent: { name: 'booker', operator: registrar.did, autonomy: 'L2', risk: 'low' } },
    })
    const identity = [await signJws(claims, 'vc+jwt', registrar.holder)]
    const without = await call()
    expect([without.status, ((await without.json()) as JsonObject)['code']]).toEqual([403, 'IDENTITY_REQUIRED'])
    expect(await (await call({ identity })).json()).toMatchObject({ allow: true })
  })

  test('and one that asks what told it to, with the provenance', async () => {
    await serve(await local({ ...POLICY, provenance: ['https://acme.example/missions/7'] }))
    await grantTwoCalls()
    const source = 'https://acme.example/missions/7'
    const told = { provenance: [{ source, s256: '7uV5hUNIdQ-y1tf0gBzz8vq1tEeQc4_ITr6nFdEdg7w' }] }
    const without = await call()
    expect([without.status, ((await without.json()) as JsonObject)['code']]).toEqual([403, 'PROVENANCE_MISSING'])
    expect(await (await call(told)).json()).toMatchObject({ allow: true })
  })
})
