import { createConfig, lintFromString } from '@redocly/openapi-core'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signatureBackend } from '../../src/ed25519.js'
import { OPERATIONS, type OperationName } from '../../src/api/operations.js'
import { openService } from '../../src/entry/service.js'
import { openWallet, type OpenWallet, type WalletAgent } from '../../src/entry/wallet.js'
import type { JsonObject } from '../../src/json.js'
import type { Signer } from '../../src/signer.js'
import { lineTo } from '../contract/line.js'
import { hasPostgres, temporaryDatabases } from '../contract/postgres.js'
import { forgetRedisOf } from '../contract/redis.js'
import { goodChain, party } from '../mint.js'
import { Asking, documented, possession, type Asked, type Asker } from './asking.js'
import { API, openTestHome, ORIGIN, SECRET, writeConfig, type Home } from './home.js'

const AGENT = { operator: 'did:web:id.acme.example', autonomy: 'L2', risk: 'low' }
const AUTHORITY = { more: 1, audience: [API], grants: [{ resource: `${API}/**`, actions: ['read'] }] }
const ROOM = { method: 'GET', url: `${API}/rooms/1`, action: 'read', resource: `${API}/rooms/1`, params: {} }
const POLICY: JsonObject = {
  self: API,
  roots: [{ issuer: 'did:web:id.acme.example', grants: [{ resource: `${API}/**`, actions: ['read', 'write'] }] }],
  challenge: 'always',
}
const SERVER = { secret: SECRET }
const REDIS = process.env['PROCURA_TEST_REDIS'] ?? ''
const NAMES = Object.keys(OPERATIONS) as OperationName[]

const { freshDatabase, dropAll } = temporaryDatabases()

let home: Home
let asking: Asking
let wallet: OpenWallet
let operators: OpenWallet
let operator: Signer
let count = 0

beforeAll(async () => {
  home = await openTestHome(POLICY)
  asking = new Asking(home.service.address)
  wallet = await home.wallet()
  operators = await openWallet({ storage: `sqlite://${join(home.folder, 'operator.db')}`, roots: [] })
  operator = (await operators.agent('operator')).holder
})
afterAll(async () => {
  await operators.close()
  await home.close()
  await dropAll()
})

const newAgent = (): Promise<WalletAgent> => wallet.createAgent({ name: `agent ${(count += 1)}` })
const registration = ({ did }: { readonly did: string }): JsonObject => ({
  kind: 'agent',
  did,
  name: 'a',
  agent: AGENT,
})
async function registered(): Promise<WalletAgent> {
  const agent = await newAgent()
  await asking.ask('register', operator, { body: registration(agent) })
  return agent
}
const of = ({ did }: { readonly did: string }) => ({ params: { did } })
const grantTo = ({ did }: { readonly did: string }, change: JsonObject = {}): JsonObject => ({
  to: did,
  ttl: 600,
  authority: { ...AUTHORITY, ...change },
})
const codes = async (name: OperationName, as: Asker, asked: Asked) => {
  const { status, code } = await asking.ask(name, as, asked)
  return [status, code]
}
/** A body that the schema of an operation takes, so that what comes behind it is reached. */
const bodyOf = (name: OperationName): Asked => {
  const digest = 'uEiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
  const { did } = party('nobody')
  const bodies: Partial<Record<OperationName, Asked['body']>> = {
    verify: { presentation: 'a.b.c', request: ROOM },
    commit: { decisionId: 'none' },
    release: { decisionId: 'none' },
    keepChain: ['a.b.c'],
    register: { kind: 'person', did, name: 'nobody' },
    rotate: { did, possession: 'a.b.c' },
    grant: grantTo({ did }),
    allocate: { chain: ['a.b.c'], count: 1 },
    revoke: { credential: digest },
  }
  const body = OPERATIONS[name].body === null ? {} : { body: bodies[name] ?? {} }
  const page = name === 'events' ? { query: '?after=0', headers: { accept: 'application/json' } } : {}
  return { params: { did, digest, list: '1', path: 'none', index: '0', size: '0' }, ...page, ...body }
}
const isProbe = (name: OperationName): boolean => name === 'healthz' || name === 'readyz'
const asDue = (name: OperationName): Asker =>
  ({ anyone: null, 'resource-server': SERVER, subject: operator })[OPERATIONS[name].caller]

test('the document is OpenAPI 3.1 without a fault, served, and readable as a page', async () => {
  const source = await (await fetch(`${home.service.address}/openapi.json`)).text()
  const config = await createConfig({ extends: ['recommended-strict'] })
  expect(await lintFromString({ source, absoluteRef: 'openapi.json', config })).toEqual([])
  const page = await fetch(`${home.service.address}/docs`)
  expect(page.status).toBe(200)
  expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
  const { paths } = JSON.parse(source) as { paths: Record<string, Record<string, { operationId: string }>> }
  const named = Object.values(paths).flatMap(methods => Object.values(methods).map(({ operationId }) => operationId))
  expect(named.sort()).toEqual([...NAMES].sort())
})

describe('what every operation refuses', () => {
  test.each(NAMES)('%s: what it does not take', async name => {
    if (name === 'hostedDocument') return // its path is anything
    expect(await codes(name, asDue(name), { ...bodyOf(name), query: '?nonsense=1' })).toEqual([400, 'SCHEMA'])
  })

  test.each(NAMES.filter(name => OPERATIONS[name].body !== null))('%s: a body with what nobody knows', async name => {
    const asked = { ...bodyOf(name), body: { nonsense: true } }
    expect(await codes(name, asDue(name), asked)).toEqual([400, 'SCHEMA'])
  })

  test.each(NAMES.filter(name => OPERATIONS[name].caller !== 'anyone'))('%s: callers it does not know', async name => {
    const asked = bodyOf(name)
    const unknown = [401, 'CALLER_UNKNOWN']
    expect(await codes(name, null, asked)).toEqual(unknown)
    const isServer = OPERATIONS[name].caller === 'resource-server'
    // a credential of the other kind
    expect(await codes(name, isServer ? operator : SERVER, asked)).toEqual(unknown)
    if (isServer) {
      expect(await codes(name, { secret: `${SECRET}x` }, asked)).toEqual(unknown)
      expect(await codes(name, null, { ...asked, headers: { authorization: `Basic ${SECRET}` } })).toEqual(unknown)
      return
    }
    // a proof that was used here, whatever came of it; one of another route; one of another key; none
    const { proof: used } = await asking.ask(name, operator, asked)
    expect(await codes(name, { proof: used }, asked)).toEqual([401, 'PRESENTATION_REPLAYED'])
    const { proof: elsewhere } = await asking.ask(
      name === 'subjects' ? 'subject' : 'subjects',
      operator,
      bodyOf('subject'),
    )
    const bound = OPERATIONS[name].method === 'GET' ? 'REQUEST_URL' : 'REQUEST_METHOD'
    expect(await codes(name, { proof: elsewhere }, asked)).toEqual([401, bound])
    const forged = { ...party('mallory'), kid: operator.kid, did: operator.did }
    expect(await codes(name, forged, asked)).toEqual([401, 'SIGNATURE_INVALID'])
    expect(await codes(name, operator, { ...asked, query: '', headers: { 'agent-proof': 'x.y.z' } })).toEqual([
      400,
      expect.stringMatching(/^J/),
    ])
  })

  test.each(NAMES.filter(name => OPERATIONS[name].repeat !== 'free'))('%s: a key of another request', async name => {
    const key = { 'idempotency-key': 'used-before' }
    await asking.ask('publish', operator, { body: {}, headers: key })
    if (name === 'publish')
      await asking.ask('grant', operator, {
        body: grantTo(await registered()),
        headers: { 'idempotency-key': 'other' },
      })
    const headers = name === 'publish' ? { 'idempotency-key': 'other' } : key
    expect(await codes(name, operator, { ...bodyOf(name), headers })).toEqual([409, 'IDEMPOTENCY_CONFLICT'])
  })

  test.each(NAMES.filter(name => OPERATIONS[name].repeat === 'free'))('%s: a key where none is taken', async name => {
    const headers = { 'idempotency-key': 'k' }
    expect(await codes(name, asDue(name), { ...bodyOf(name), headers })).toEqual([400, 'SCHEMA'])
  })
})

describe('resource servers', () => {
  test('ask, with a nonce; commit and release', async () => {
    const alice = await registered()
    const granted = await asking.ask('grant', operator, { body: grantTo(alice) })
    const credential = granted.textOf('credential')
    await alice.receive(credential)
    const nonce = (await asking.ask('challenge', SERVER, { body: {} })).textOf('nonce')
    const presentation = await alice.present({ ...ROOM, audience: API, bodyDigest: null, nonce })
    const asked = { body: { presentation, request: ROOM, reserve: true } }
    const decision = await asking.ask('verify', SERVER, asked)
    expect(decision.body['allow']).toBe(true)
    const closing = { body: { decisionId: decision.textOf('decisionId') } }
    expect((await asking.ask('commit', SERVER, closing)).body['allow']).toBe(true)
    expect((await asking.ask('release', SERVER, closing)).body).toMatchObject({ code: 'RESERVATION_CLOSED' })
    expect((await asking.ask('commit', SERVER, { body: { decisionId: 'none' } })).body['allow']).toBe(false)
    const chain = { params: { digest: granted.textOf('digest') }, body: [credential] }
    expect((await asking.ask('keepChain', SERVER, chain)).status).toBe(204)
  })

  test('a chain of a root that the policy does not name', async () => {
    const [{ token, digest }] = await goodChain()
    expect(await codes('keepChain', SERVER, { params: { digest }, body: [token] })).toEqual([401, 'ROOT_UNTRUSTED'])
  })
})

describe('the register', () => {
  test('subjects, by admins, owners and themselves', async () => {
    const [agent, other] = [await registered(), await registered()]
    expect(await codes('register', operator, { body: registration(agent) })).toEqual([409, 'SUBJECT_EXISTS'])
    const stranger = await newAgent()
    const asStranger = { ...registration(stranger), possession: await possession(stranger.holder, '/v1/subjects') }
    expect(await codes('register', stranger.holder, { body: asStranger })).toEqual([403, 'SUBJECT_UNKNOWN'])
    const below = await newAgent()
    const wider = {
      ...registration(below),
      ...{ agent: { autonomy: 'L5', risk: 'high' }, ttl: 60 },
      possession: await possession(below.holder, '/v1/subjects'),
    }
    expect(await codes('register', agent.holder, { body: wider })).toEqual([403, 'SUBJECT_LIMIT'])
    expect((await asking.ask('subjects', operator, { query: '?limit=1' })).body['next']).toEqual(expect.any(String))
    expect(await codes('subjects', agent.holder, {})).toEqual([403, 'CALLER_FORBIDDEN'])
    expect((await asking.ask('subject', agent.holder, of(agent))).status).toBe(200)
    expect(await codes('subject', other.holder, of(agent))).toEqual([403, 'CALLER_FORBIDDEN'])
    expect(await codes('subject', operator, of(stranger))).toEqual([404, 'NOT_FOUND'])
  })

  test.each(['suspend', 'resume', 'retire', 'identify'] as const)('%s', async verb => {
    const [agent, other, stranger] = [await registered(), await registered(), await newAgent()]
    const asked = (who: WalletAgent) => ({ ...of(who), body: {} })
    if (verb === 'resume') await asking.ask('suspend', operator, asked(agent))
    expect((await asking.ask(verb, operator, asked(agent))).status).toBe(OPERATIONS[verb].status)
    expect(await codes(verb, other.holder, asked(agent))).toEqual([403, 'CALLER_FORBIDDEN'])
    expect(await codes(verb, operator, asked(stranger))).toEqual([404, 'NOT_FOUND'])
    await asking.ask('retire', operator, asked(agent))
    expect(await codes(verb, operator, asked(agent))).toEqual([409, 'SUBJECT_STATE'])
  })

  test('rotate', async () => {
    const [agent, other, next] = [await registered(), await registered(), await newAgent()]
    const asked = async (who: WalletAgent, to: WalletAgent): Promise<Asked> => ({
      ...of(who),
      body: {
        did: to.did,
        possession: await possession(to.holder, `/v1/subjects/${encodeURIComponent(who.did)}/rotate`),
      },
    })
    expect(await codes('rotate', other.holder, await asked(agent, next))).toEqual([403, 'CALLER_FORBIDDEN'])
    expect(await codes('rotate', operator, await asked(next, next))).toEqual([404, 'NOT_FOUND'])
    expect(await codes('rotate', agent.holder, await asked(agent, other))).toEqual([409, 'SUBJECT_EXISTS'])
    expect((await asking.ask('rotate', agent.holder, await asked(agent, next))).status).toBe(200)
    await asking.ask('retire', operator, { ...of(other), body: {} })
    expect(await codes('rotate', operator, await asked(other, await newAgent()))).toEqual([409, 'SUBJECT_STATE'])
  })
})

describe('issuing and taking back', () => {
  test('grants', async () => {
    const [agent, stranger, gone] = [await registered(), await newAgent(), await registered()]
    expect(await codes('grant', agent.holder, { body: grantTo(agent) })).toEqual([403, 'CALLER_FORBIDDEN'])
    expect(await codes('grant', operator, { body: grantTo(stranger) })).toEqual([403, 'SUBJECT_UNKNOWN'])
    expect(await codes('grant', operator, { body: grantTo(agent, { magic: 1 }) })).toEqual([400, 'CAVEAT_UNKNOWN'])
    expect(await codes('grant', operator, { body: grantTo(agent, { more: 16 }) })).toEqual([403, 'GRANT_REFUSED'])
    await asking.ask('retire', operator, { ...of(gone), body: {} })
    expect(await codes('grant', operator, { body: grantTo(gone) })).toEqual([409, 'SUBJECT_STATE'])
  })

  test('status indexes, publications, revocations, lists', async () => {
    const [agent, other] = [await registered(), await registered()]
    const issued = await asking.ask('grant', operator, { body: grantTo(agent) })
    const leased = { body: { chain: [issued.textOf('credential')], count: 2 } }
    const { body: places } = await asking.ask('allocate', agent.holder, leased)
    const [{ url }] = places['indexes'] as unknown as readonly [{ readonly url: string }]
    expect(await codes('allocate', other.holder, leased)).toEqual([403, 'CALLER_FORBIDDEN'])
    expect((await asking.ask('publish', operator, { body: {} })).status).toBe(200)
    expect(await codes('publish', agent.holder, { body: {} })).toEqual([403, 'CALLER_FORBIDDEN'])
    const target = { body: { credential: issued.textOf('digest') } }
    expect(await codes('revoke', other.holder, target)).toEqual([403, 'CALLER_FORBIDDEN'])
    expect((await asking.ask('revoke', operator, { body: { ...target.body, dryRun: true } })).body['agents']).toEqual([
      agent.did,
    ])
    expect((await asking.ask('revoke', operator, target)).body).toMatchObject({ digest: issued.textOf('digest') })
    expect(await codes('revoke', operator, bodyOf('revoke'))).toEqual([404, 'NOT_FOUND'])
    const list = { params: { list: url.slice(url.lastIndexOf('/') + 1) } }
    const { headers } = await asking.ask('statusList', null, list)
    expect(headers.get('content-type')).toContain('application/vc+jwt')
    const etag = headers.get('etag') ?? ''
    expect((await asking.ask('statusList', null, { ...list, headers: { 'if-none-match': etag } })).status).toBe(304)
    expect(await codes('statusList', null, { params: { list: 'none' } })).toEqual([404, 'NOT_FOUND'])
    const json = { headers: { accept: 'application/json' }, query: '?after=0' }
    expect((await asking.ask('events', null, json)).body['sets']).not.toHaveLength(0)
  })
})

test('the audit log, by admins', async () => {
  const agent = await registered()
  const numbered = { auditRecord: { params: { index: '999999' } }, auditConsistency: { params: { size: '999999' } } }
  const asked = {
    audit: {},
    auditCheckpoint: {},
    auditRecord: { params: { index: '0' } },
    auditConsistency: { params: { size: '0' } },
  }
  for (const name of ['auditCheckpoint', 'auditRecord', 'auditConsistency', 'audit'] as const) {
    // a record comes under a checkpoint within a second
    while ((await asking.ask(name, operator, asked[name])).status === 404)
      await new Promise(resolve => setTimeout(resolve, 100))
    expect(await codes(name, agent.holder, asked[name])).toEqual([403, 'CALLER_FORBIDDEN'])
    const beyond = name === 'auditRecord' || name === 'auditConsistency' ? numbered[name] : null
    if (beyond !== null) expect(await codes(name, operator, beyond)).toEqual([404, 'NOT_FOUND'])
  }
  // a log without records has no checkpoint
  const early = await openTestHome(POLICY, {}, { telemetry: { metrics: true } })
  const keys = await openWallet({ storage: `sqlite://${join(early.folder, 'operator.db')}`, roots: [] })
  const empty = new Asking(early.service.address)
  expect((await empty.ask('auditCheckpoint', (await keys.agent('operator')).holder)).code).toBe('NOT_FOUND')
  expect((await empty.ask('metrics', null)).text).toContain('procura_audit_records 0\n')
  expect(await codes('metrics', null, {})).toEqual([404, 'NOT_FOUND'])
  await keys.close()
  await early.close()
  for (const one of empty.seen) asking.seen.add(one)
})

test('what everybody may see', async () => {
  expect((await asking.ask('didDocument', null)).headers.get('content-type')).toContain('application/did+json')
  const metadata = await asking.ask('metadata', null)
  for (const name of ['verify', 'openapi', 'did_document']) expect(metadata.textOf(name)).toContain(`${ORIGIN}/`)
  expect((await asking.ask('healthz', null)).body).toEqual({ status: 'ok' })
  const { body: ready } = await asking.ask('readyz', null)
  expect(ready).toEqual({
    ready: true,
    checks: Object.fromEntries(
      ['database', 'audit', 'key', 'lists', 'state', 'running'].map(name => [name, { ok: true }]),
    ),
    signatures: signatureBackend(),
  })
  expect(await codes('hostedDocument', null, { params: { path: 'agents' } })).toEqual([404, 'NOT_FOUND'])
  const did = `${home.service.did}:agents`
  const { publicKey: key } = party('planner')
  await home.service.hosting.publish(did as never, [
    { kid: `${did}#key-1` as never, key, relationships: ['authentication', 'assertionMethod'] },
  ])
  expect((await asking.ask('hostedDocument', null, { params: { path: 'agents' } })).body['id']).toBe(did)
})

test('calls over the limit: 429 that says when to come again, for each kind of caller; admins are not counted', async () => {
  const one = { max: 1, per: 600 }
  const limits = { strangers: one, subjects: one, resourceServers: one }
  const folder = join(home.folder, 'limited')
  await mkdir(folder)
  const service = await openService({ config: await writeConfig(folder, { limits }), environment: {} })
  const limited = new Asking(service.address)
  const agent = (await newAgent()).holder
  for (const name of NAMES) {
    const as = asDue(name) === operator ? agent : asDue(name)
    await limited.ask(name, as, bodyOf(name))
  }
  for (const name of NAMES) {
    if (isProbe(name)) continue
    const as = asDue(name) === operator ? agent : asDue(name)
    const { status, code, headers } = await limited.ask(name, as, bodyOf(name))
    expect([name, status, code]).toEqual([name, 429, 'RATE_LIMITED'])
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(500)
  }
  // who proved nothing is counted by its address, and not told more than that
  expect((await limited.ask('verify', { secret: 'a-guess-of-a-secret' }, bodyOf('verify'))).status).toBe(429)
  await service.close()
  for (const one of limited.seen) asking.seen.add(one)
})

test.runIf(REDIS !== '')('a count of calls that cannot be reached: no yes, but the process is alive', async () => {
  const line = await lineTo(REDIS, 6379)
  const folder = join(home.folder, 'counted')
  await mkdir(folder)
  const service = await openService({ config: await writeConfig(folder, { state: line.url }), environment: {} })
  const failing = new Asking(service.address)
  const agent = (await newAgent()).holder
  line.cut()
  for (const name of NAMES.filter(one => !isProbe(one))) {
    const as = asDue(name) === operator ? agent : asDue(name)
    expect(await failing.ask(name, as, bodyOf(name)), name).toMatchObject({ status: 503, code: 'SERVICE_UNAVAILABLE' })
  }
  expect((await failing.ask('healthz', null)).status).toBe(200)
  expect((await failing.ask('readyz', null)).body['checks']).toMatchObject({
    state: { ok: false },
    database: { ok: true },
  })
  await service.close()
  await forgetRedisOf(`sqlite://${join(folder, 'acme.db')}`)
  for (const one of failing.seen) asking.seen.add(one)
})

test.runIf(hasPostgres)('a database that cannot be reached: 503 for what needs it, and not ready', async () => {
  const line = await lineTo(await freshDatabase(), 5432)
  const broken = await openTestHome(POLICY, { PROCURA_STORAGE: line.url })
  const failing = new Asking(broken.service.address)
  const unreachable = NAMES.filter(name => OPERATIONS[name].caller === 'subject').map(name => [
    name,
    'STORAGE_UNAVAILABLE',
  ])
  line.cut()
  for (const [name, code] of [
    ...(unreachable as [OperationName, string][]),
    ['statusList', 'STORAGE_UNAVAILABLE'],
    ['events', 'STORAGE_UNAVAILABLE'],
    ['keepChain', 'LEDGER_UNAVAILABLE'],
    ['challenge', 'REPLAY_UNAVAILABLE'],
    ['readyz', 'SERVICE_UNAVAILABLE'],
  ] as const) {
    const { status, code: told, headers } = await failing.ask(name, asDue(name), bodyOf(name))
    expect([name, status, told, headers.get('retry-after')]).toEqual([name, 503, code, '1'])
  }
  await broken.close()
  for (const one of failing.seen) asking.seen.add(one)
})

test.runIf(hasPostgres && REDIS !== '')('every documented answer was produced above', () => {
  expect(documented().filter(one => !asking.seen.has(one))).toEqual([])
})
