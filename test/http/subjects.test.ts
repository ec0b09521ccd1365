import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemIds } from '../../src/adapters/system.js'
import type { WalletAgent } from '../../src/entry/wallet.js'
import type { Json, JsonObject } from '../../src/json.js'
import { bodyDigest } from '../../src/presentation/request.js'
import { signProof } from '../../src/presentation/proof.js'
import type { Signer } from '../../src/signer.js'
import { openTestHome, ORIGIN, type Home } from './home.js'

let home: Home
let operator: Signer
let names = 0

const now = (): number => Math.floor(Date.now() / 1000)
const PROFILE = { operator: 'did:web:id.acme.example', autonomy: 'L2', risk: 'low' }

beforeAll(async () => {
  home = await openTestHome()
  const { openWallet } = await import('../../src/entry/wallet.js')
  const wallet = await openWallet({ storage: `sqlite://${home.folder}/operator.db`, roots: [] })
  operator = (await wallet.agent('operator')).holder
})
afterAll(() => home.close())

const newAgent = async (): Promise<WalletAgent> => (await home.wallet()).createAgent({ name: `agent ${(names += 1)}` })

/** A request as `by`, its body proved or another one. */
async function call(
  by: Signer | null,
  method: 'GET' | 'POST',
  path: string,
  body?: JsonObject,
  signed: { readonly path?: string; readonly body?: JsonObject; readonly proof?: string } = {},
): Promise<{ readonly status: number; readonly body: JsonObject; readonly proof: string }> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const bound = signed.body === undefined ? text : JSON.stringify(signed.body)
  const request = {
    method,
    url: `${ORIGIN}${signed.path ?? path}`,
    bodyDigest: bound === undefined ? null : bodyDigest(bound),
  }
  const proof = signed.proof ?? (by === null ? '' : await signProof(by, ORIGIN, request, systemIds.token(), now()))
  const response = await fetch(`${home.service.address}${path}`, {
    method,
    ...(text === undefined ? {} : { body: text }),
    headers: {
      ...(proof === '' ? {} : { 'agent-proof': proof }),
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    },
  })
  return { status: response.status, body: (await response.json()) as JsonObject, proof }
}

const possession = (who: Signer, path = '/v1/subjects'): Promise<string> =>
  signProof(who, ORIGIN, { method: 'POST', url: `${ORIGIN}${path}`, bodyDigest: null }, systemIds.token(), now())
const subject = (of: Json): JsonObject => (of as JsonObject)['subject'] as JsonObject
const registration = ({ did }: { readonly did: string }, change: JsonObject = {}): JsonObject => ({
  kind: 'agent',
  did,
  name: 'planner',
  agent: PROFILE,
  ...change,
})

describe('POST /v1/subjects', () => {
  test('an admin registers an agent, which gets its identity credential', async () => {
    const agent = await newAgent()
    const { status, body } = await call(operator, 'POST', '/v1/subjects', registration(agent))
    expect(status).toBe(201)
    expect(subject(body)).toMatchObject({ did: agent.did, kind: 'agent', state: 'active', owner: null })
    expect(body['identity']).toMatchObject({ digest: expect.stringMatching(/^uEi/) as string })
    const again = await call(operator, 'POST', '/v1/subjects', registration(agent))
    expect([again.status, again.body['code']]).toEqual([409, 'SUBJECT_EXISTS'])
  })

  test('nobody, a stranger, a stolen proof, a proof of another body or route: refused', async () => {
    const agent = await newAgent()
    const body = registration(agent)
    expect((await call(null, 'POST', '/v1/subjects', body)).status).toBe(401)
    const stranger = await call(agent.holder, 'POST', '/v1/subjects', {
      ...body,
      possession: await possession(agent.holder),
    })
    expect([stranger.status, stranger.body['code']]).toEqual([403, 'SUBJECT_UNKNOWN'])
    const other = await newAgent()
    const used = await call(operator, 'POST', '/v1/subjects', registration(other))
    const stolen = await call(null, 'POST', '/v1/subjects', registration(other), { proof: used.proof })
    expect([stolen.status, stolen.body['code']]).toEqual([401, 'PRESENTATION_REPLAYED'])
    const changed = await call(operator, 'POST', '/v1/subjects', body, { body: registration(other) })
    expect([changed.status, changed.body['code']]).toEqual([401, 'REQUEST_BODY'])
    const elsewhere = await call(operator, 'POST', '/v1/subjects', body, { path: '/v1/grants' })
    expect([elsewhere.status, elsewhere.body['code']]).toEqual([401, 'REQUEST_URL'])
  })

  test('malformed: a 400 problem, nothing stored', async () => {
    const agent = await newAgent()
    for (const change of [
      { name: 'x'.repeat(65_536) },
      { name: 'al\u001bice' },
      { kind: 'robot' },
      { did: 'planner' },
      { key: 'short' },
      { key: (await newAgent()).holder.publicKey.x },
      { ttl: 0 },
      { agent: { ...PROFILE, autonomy: 'L9' } },
      { agent: null as unknown as Json },
      { admin: true },
    ]) {
      const { status, body } = await call(operator, 'POST', '/v1/subjects', registration(agent, change))
      expect([status, body['status']], JSON.stringify(change).slice(0, 60)).toEqual([400, 400])
    }
    const { body } = await call(operator, 'GET', `/v1/subjects/${agent.did}`)
    expect(body['code']).toBe('NOT_FOUND')
  })

  test('a did:web is registered with its key', async () => {
    const did = 'did:web:acme.example:agents:planner'
    const { body } = await call(operator, 'POST', '/v1/subjects', registration({ did }))
    expect(body['code']).toBe('SCHEMA')
    const key = (await newAgent()).holder.publicKey.x
    expect((await call(operator, 'POST', '/v1/subjects', registration({ did }, { key }))).status).toBe(201)
  })

  test('an agent registers its own sub-agents, who agree to it', async () => {
    const [above, below] = [await newAgent(), await newAgent()]
    await call(operator, 'POST', '/v1/subjects', registration(above))
    const body = registration(below, { agent: { autonomy: 'L1', risk: 'low' }, ttl: 600 })
    const alone = await call(above.holder, 'POST', '/v1/subjects', body)
    expect([alone.status, alone.body['code']]).toEqual([400, 'SCHEMA'])
    const forged = await call(above.holder, 'POST', '/v1/subjects', {
      ...body,
      possession: await possession(above.holder),
    })
    expect([forged.status, forged.body['code']]).toEqual([401, 'CALLER_UNKNOWN'])
    const proof = await possession(below.holder)
    const done = await call(above.holder, 'POST', '/v1/subjects', { ...body, possession: proof })
    expect(done.status).toBe(201)
    const replayed = await call(above.holder, 'POST', '/v1/subjects', { ...body, possession: proof })
    expect([replayed.status, replayed.body['code']]).toEqual([401, 'PRESENTATION_REPLAYED'])
    const seen = await call(above.holder, 'GET', `/v1/subjects/${below.did}`)
    expect(seen.body).toMatchObject({ did: below.did, agent: { operator: PROFILE.operator } })
    const ended = await call(above.holder, 'POST', `/v1/subjects/${below.did}/retire`, {})
    expect(ended.body['state']).toBe('retired')
  })
})

describe('the life of a subject', () => {
  test.each(['suspend', 'resume', 'retire', 'identity'] as const)('%s is not for strangers', async verb => {
    const [agent, stranger] = [await newAgent(), await newAgent()]
    await call(operator, 'POST', '/v1/subjects', registration(agent))
    const path = `/v1/subjects/${agent.did}/${verb}`
    expect((await call(null, 'POST', path, {})).status).toBe(401)
    const { status, body } = await call(stranger.holder, 'POST', path, {})
    expect([status, body['code']]).toEqual([403, 'CALLER_FORBIDDEN'])
  })

  test('suspended, it proves itself but may do nothing; resumed, it may; retired, never again', async () => {
    const agent = await newAgent()
    await call(operator, 'POST', '/v1/subjects', registration(agent))
    const identify = () => call(agent.holder, 'POST', `/v1/subjects/${agent.did}/identity`, {})
    expect((await identify()).status).toBe(201)
    await call(operator, 'POST', `/v1/subjects/${agent.did}/suspend`, {})
    expect((await identify()).body['code']).toBe('SUBJECT_STATE')
    await call(operator, 'POST', `/v1/subjects/${agent.did}/resume`, {})
    expect((await identify()).status).toBe(201)
    await call(agent.holder, 'POST', `/v1/subjects/${agent.did}/retire`, {})
    const { status, body } = await identify()
    expect([status, body['code']]).toEqual([409, 'SUBJECT_STATE'])
  })

  test('who is stopped by a revocation is retired too, and comes back under no other key', async () => {
    const [agent, next] = [await newAgent(), await newAgent()]
    await call(operator, 'POST', '/v1/subjects', registration(agent))
    const state = async () => (await call(operator, 'GET', `/v1/subjects/${agent.did}`)).body['state']
    for (const [change, expected] of [
      ['suspend', 'suspended'],
      ['suspend', 'suspended'],
      ['resume', 'active'],
      ['revoke', 'retired'],
      ['revoke', 'retired'],
      ['resume', 'retired'],
    ] as const) {
      const { status } = await call(operator, 'POST', '/v1/revocations', { agent: agent.did, change })
      expect([status, await state()]).toEqual([200, expected])
    }
    const path = `/v1/subjects/${agent.did}/rotate`
    const body = { did: next.did, possession: await possession(next.holder, path) }
    for (const by of [agent.holder, operator])
      expect(
        (await call(by, 'POST', path, { ...body, possession: await possession(next.holder, path) })).body['code'],
      ).toBe('SUBJECT_STATE')
  })

  test('a rotated key takes over; the old one is a stranger', async () => {
    const [before, after] = [await newAgent(), await newAgent()]
    await call(operator, 'POST', '/v1/subjects', registration(before))
    const path = `/v1/subjects/${before.did}/rotate`
    const body = { did: after.did, possession: await possession(after.holder, path) }
    const unproved = await call(before.holder, 'POST', path, {
      did: after.did,
      possession: await possession(before.holder, path),
    })
    expect([unproved.status, unproved.body['code']]).toEqual([401, 'CALLER_UNKNOWN'])
    const { status, body: rotated } = await call(before.holder, 'POST', path, body)
    expect([status, subject(rotated)['did']]).toEqual([200, after.did])
    expect(rotated).toMatchObject({ identity: { credential: expect.any(String) as string }, credentials: [] })
    expect((await call(before.holder, 'GET', `/v1/subjects/${after.did}`)).status).toBe(403)
    expect((await call(after.holder, 'GET', `/v1/subjects/${after.did}`)).status).toBe(200)
  })
})

describe('GET /v1/subjects', () => {
  test('pages through all of them, by kind and state; for admins', async () => {
    for (let n = 0; n < 3; n += 1)
      await call(
        operator,
        'POST',
        '/v1/subjects',
        registration(await newAgent(), { kind: 'person', agent: undefined as never }),
      )
    const seen: string[] = []
    for (let after = ''; ;) {
      const { body } = await call(operator, 'GET', `/v1/subjects?kind=person&limit=2${after}`)
      seen.push(...(body['subjects'] as { id: string }[]).map(one => one.id))
      if (body['next'] === null) break
      after = `&after=${body['next'] as string}`
    }
    expect(new Set(seen).size).toBe(3)
    expect((await call(null, 'GET', '/v1/subjects')).status).toBe(401)
    expect((await call((await newAgent()).holder, 'GET', '/v1/subjects')).status).toBe(403)
    for (const query of ['limit=0', 'limit=201', 'after=x', 'kind=robot', 'all=1'])
      expect((await call(operator, 'GET', `/v1/subjects?${query}`)).status, query).toBe(400)
  })
})

describe('an agent of a wallet', () => {
  test('registers its sub-agent, and hands itself over to a new key with all it holds', async () => {
    const wallet = await home.wallet()
    const [planner, helper, next] = [
      await wallet.createAgent({ name: 'planner' }),
      await wallet.createAgent({ name: 'helper' }),
      await wallet.createAgent({ name: 'planner, next' }),
    ]
    await call(operator, 'POST', '/v1/subjects', registration(planner))
    const authority = {
      audience: ['https://api.acme.example'],
      grants: [{ resource: 'https://api.acme.example/**', actions: ['read'] }],
    }
    await planner.receive((await home.issuer.grant({ to: planner.did, ttl: 600, authority })).credential)

    const below = await planner.register(helper, { name: 'helper', autonomy: 'L1', risk: 'low', ttl: 600 })
    expect(below.subject.did).toBe(helper.did)
    await expect(helper.register(next, { name: 'next', autonomy: 'L2', risk: 'low', ttl: 600 })).rejects.toMatchObject({
      code: 'SUBJECT_LIMIT',
    })

    expect((await planner.rotateTo(next))?.split('.')).toHaveLength(3)
    expect(await next.held()).toHaveLength(1)
    expect((await call(next.holder, 'GET', `/v1/subjects/${helper.did}`)).status).toBe(200)
    await expect(planner.register(helper, { name: 'x', autonomy: 'L1', risk: 'low', ttl: 60 })).rejects.toMatchObject({
      code: 'SUBJECT_UNKNOWN',
    })
  })
})

test('nothing was a defect', () => expect(home.defects).toEqual([]))
