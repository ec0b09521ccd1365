import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import Fastify from 'fastify'
import { createBounds } from '../../src/adapters/http/limits.js'
import { isProcuraError } from '../../src/errors.js'
import { openStore } from '../../src/adapters/store/store.js'
import { openService, type Service } from '../../src/entry/service.js'
import { openWallet, type OpenWallet } from '../../src/entry/wallet.js'
import { toDidDocument } from '../../src/did/document.js'
import type { Signer } from '../../src/signer.js'
import { party } from '../mint.js'
import { Asking } from './asking.js'
import { API, writeConfig } from './home.js'

const CALLS = 12
const SLOW = party('slow', 'did:web:slow.example')
const AUTHORITY = { more: 1, audience: [API], grants: [{ resource: `${API}/**`, actions: ['read'] }] }

let folder: string
let service: Service
let asking: Asking
let operators: OpenWallet
let operator: Signer
/** Serves a DID document when the test says so. */
let host: Server
let asked: Promise<void>
let serveDocument: () => void
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'procura-strangers-'))
  const document = JSON.stringify(toDidDocument(SLOW.did, [{ kid: SLOW.kid, key: SLOW.publicKey }]))
  let arrive: () => void
  asked = new Promise(resolve => (arrive = resolve))
  const let_ = new Promise<void>(resolve => (serveDocument = resolve))
  host = createServer((_request, response) => {
    arrive()
    void let_.then(() => response.setHeader('content-type', 'application/did+json').end(document))
  }).listen(0, '127.0.0.1')
  await once(host, 'listening')
  const config = await writeConfig(folder, {
    limits: { strangers: { max: CALLS, per: 600 } },
    connect: { 'https://slow.example': `http://127.0.0.1:${(host.address() as AddressInfo).port}` },
  })
  service = await openService({ config, environment: {} })
  asking = new Asking(service.address)
  operators = await openWallet({ storage: `sqlite://${join(folder, 'operator.db')}`, roots: [] })
  operator = (await operators.agent('operator')).holder
})
afterAll(async () => {
  await operators.close()
  await service.close()
  host.close()
  await rm(folder, { recursive: true, force: true })
})

test('a holder whose DID is looked up elsewhere holds up nobody while its document is under way', async () => {
  const body = { kind: 'organisation', did: SLOW.did, key: SLOW.publicKey.x, name: 'slow' }
  expect((await asking.ask('register', operator, { body })).status).toBe(201)
  const granted = await asking.ask('grant', operator, { body: { to: SLOW.did, ttl: 600, authority: AUTHORITY } })
  const leasing = asking.ask('allocate', SLOW, {
    body: { chain: [granted.textOf('credential')], count: 1 },
    headers: { 'idempotency-key': 'lease' },
  })
  await asked
  // the document is served only once this was answered: it must not wait for that
  expect((await asking.ask('subject', operator, { params: { did: SLOW.did } })).status).toBe(200)
  serveDocument()
  expect((await leasing).status).toBe(201)
})

describe('who made a key a moment ago', () => {
  let strangers = 0
  const stranger = () => party(`stranger ${(strangers += 1)}`)

  test('leaves no row behind under a key: a refusal is not kept', async () => {
    const asks = { headers: { 'idempotency-key': 'mine' } }
    const one = stranger()
    expect((await asking.ask('revoke', one, { body: { credential: 'x' }, ...asks })).code).toBe('NOT_FOUND')
    expect((await asking.ask('publish', one, { body: {}, ...asks })).code).toBe('CALLER_FORBIDDEN')
    const store = await openStore(`sqlite://${join(folder, 'acme.db')}`)
    const rows = await store.dataSource.query<{ name: string }[]>('SELECT name FROM answer')
    await store.close()
    expect(rows.filter(({ name }) => name.includes(one.did))).toEqual([])
  })

  test('is counted by its address, however many keys it makes', async () => {
    const codes: unknown[] = []
    for (let n = 0; n <= CALLS; n += 1) codes.push((await asking.ask('subjects', stranger())).code)
    expect(codes).toContain('CALLER_FORBIDDEN')
    expect(codes.at(-1)).toBe('RATE_LIMITED')
    // who is registered, or an admin, is not kept out by them
    expect((await asking.ask('subject', SLOW, { params: { did: SLOW.did } })).status).toBe(200)
  })
})

test('a caller is remembered, though thousands of others come after it', async () => {
  const app = Fastify()
  const [few, many] = [
    { max: 1, per: 600 },
    { max: 100, per: 600 },
  ]
  const bounds = await createBounds(app, { strangers: many, subjects: few, resourceServers: many }, null, null)
  app.get('/', async (request, reply) => {
    await bounds.subject(request, reply, 'first')
    for (let n = 0; n < 15_000; n += 1) await bounds.subject(request, reply, `other ${n}`)
    const again = await bounds.subject(request, reply, 'first').catch((error: unknown) => error)
    return { code: isProcuraError(again) ? again.code : null }
  })
  expect((await app.inject('/')).json()).toEqual({ code: 'RATE_LIMITED' })
  await app.close()
})
