import { context, propagation, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import Fastify, { type FastifyInstance } from 'fastify'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { delegationsOf, formatDelegations } from '../../src/audit/delegations.js'
import { acceptChains, requireAuthority } from '../../src/entry/fastify.js'
import { createVerifier, fileAudit, sqliteState } from '../../src/entry/verifier.js'
import type { WalletAgent } from '../../src/entry/wallet.js'
import type { JsonObject } from '../../src/json.js'
import { recordsOf } from '../audit/records.js'
import { API, openTestHome, type Home } from '../http/home.js'
import { recordOfSpan } from './span-records.js'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })

let home: Home
let api: FastifyInstance
let log: string
const opened: { close(): unknown }[] = []

beforeAll(async () => {
  provider.register()
  home = await openTestHome()
  log = join(home.folder, 'api.audit')
  const [state, audit] = [await sqliteState(join(home.folder, 'api.db')), await fileAudit(log)]
  const policy = {
    self: API,
    roots: [{ issuer: home.service.did, grants: [{ resource: `${API}/**`, actions: ['read', 'write'] }] }],
  }
  const verifier = await createVerifier({ policy, state, audit, connect: home.connect })
  api = Fastify({ http: { maxHeaderSize: 65_536 } })
  await api.register(acceptChains(verifier))
  api.get('/data/:name', requireAuthority(verifier, { action: 'read', params: () => ({}) }), () => ({ ok: true }))
  api.post('/models/:name', requireAuthority(verifier, { action: 'write', params: () => ({}) }), () => ({ ok: true }))
  home.connect[API] = await api.listen({ host: '127.0.0.1', port: 0 })
  opened.push(api, verifier, state, audit)
})
afterAll(async () => {
  for (const one of opened) await one.close()
  await home.close()
  await provider.shutdown()
  for (const one of [trace, context, propagation]) one.disable()
})

test('the delegation graph of a mission is rebuilt from exported spans alone, and is the one of the log', async () => {
  const wallet = await home.wallet()
  const make = (name: string): Promise<WalletAgent> => wallet.createAgent({ name })
  const [alice, orchestrator, data, training] = await Promise.all(
    ['alice', 'orchestrator', 'data', 'training'].map(make),
  )
  const grants = [{ resource: `${API}/**`, actions: ['read', 'write'] }]
  const authority = { more: 3, audience: [API], grants, onBehalfOf: alice!.did }
  await alice!.receive((await home.grant({ to: alice!.did, ttl: 600, authority })).credential)
  await orchestrator!.receive((await alice!.delegate({ to: orchestrator!.did, grants, ttl: 300, more: 1 })).chain)
  const reading = [{ resource: `${API}/data/**`, actions: ['read'] }]
  await data!.receive((await orchestrator!.delegate({ to: data!.did, grants: reading, ttl: 200 })).chain)
  const writing = [{ resource: `${API}/models/**`, actions: ['write'] }]
  await training!.receive((await orchestrator!.delegate({ to: training!.did, grants: writing, ttl: 200 })).chain)

  const call = (agent: WalletAgent, method: string, path: string, action: string) =>
    agent.fetch(`${API}${path}`, { method, authority: { action, params: {} } })
  const tracer = trace.getTracer('mission')
  const statuses = await tracer.startActiveSpan('mission', async span => {
    const answers = [
      await call(data!, 'GET', '/data/october', 'read'),
      await call(data!, 'GET', '/data/october', 'read'),
      await call(training!, 'POST', '/models/churn', 'write'),
    ]
    span.end()
    return answers.map(({ status }) => status)
  })
  expect(statuses).toEqual([200, 200, 200])

  const spans = exporter.getFinishedSpans()
  const mission = spans.find(({ name }) => name === 'mission')!
  const decided = spans.filter(({ name }) => name === 'procura.decide')
  // what the wallet sent along led the guard's spans and the log's records to the same trace
  expect(new Set(decided.map(span => span.spanContext().traceId))).toEqual(new Set([mission.spanContext().traceId]))
  const records = (await recordsOf(log)).filter(({ type }) => type === 'decision')
  expect(new Set(records.map(({ correlationId }) => correlationId))).toEqual(new Set([mission.spanContext().traceId]))

  const told = decided.map(({ attributes }) => recordOfSpan(attributes))
  const graph = formatDelegations(delegationsOf(told))
  expect(graph).toEqual(formatDelegations(delegationsOf(records as readonly JsonObject[])))
  expect(graph.map(line => line.replace(/ {2}uEi.*$/, '').replace(/^.*─ /, ''))).toEqual([
    home.service.did,
    ...[alice, orchestrator, data, training].map(agent => agent!.did),
  ])
  for (const { attributes } of decided.filter(one => one.attributes['procura.decision'] === 'allow')) {
    expect(attributes).toMatchObject({
      'trust.principal_id': alice!.did,
      'trust.hop_kind': 'delegation',
      'procura.chain.depth': 3,
      'gen_ai.agent.id': attributes['trust.caller_id'],
    })
  }
  expect(JSON.stringify(spans.map(({ attributes }) => attributes))).not.toMatch(/eyJ/)
})
