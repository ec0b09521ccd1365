import { context, propagation, trace } from '@opentelemetry/api'
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { expect, onTestFinished, test } from 'vitest'
import { agentTools, authorityOf, guardTools, toolDigest } from '../../src/entry/mcp.js'
import { testAuthority } from '../../src/entry/testing.js'
import type { JsonObject } from '../../src/json.js'

const URL_OF_SERVER = 'https://mcp.example/mcp'

test('the trace of a call of a tool is on record with the decision, and with what became of it', async () => {
  const provider = new NodeTracerProvider()
  provider.register()
  onTestFinished(async () => {
    await provider.shutdown()
    for (const one of [trace, context, propagation]) one.disable()
  })
  const grants = [{ resource: URL_OF_SERVER, actions: ['mcp:tools/call:book'] }]
  const policy = { self: 'https://mcp.example', roots: [{ issuer: 'did:web:acme.example', grants }] }
  const authority = await testAuthority({ policy })
  const server = new McpServer({ name: 'trips', version: '1.0.0' })
  const metas: unknown[] = []
  server.registerTool('book', {}, async extra => {
    metas.push(extra._meta)
    if (metas.length < 3) await authorityOf(extra).commit()
    else await authorityOf(extra).release()
    return { content: [] }
  })
  const [[first, second], [client, looking]] = [
    [InMemoryTransport.createLinkedPair(), InMemoryTransport.createLinkedPair()],
    [new Client({ name: 'agent', version: '1.0.0' }), new Client({ name: 'reviewer', version: '1.0.0' })],
  ]
  await Promise.all([server.connect(first[1]), looking.connect(first[0])])
  const { tools } = await looking.listTools()
  await looking.close()
  const guard = guardTools(authority.verifier, {
    url: URL_OF_SERVER,
    tools: { book: { digest: toolDigest(tools[0]!), reserve: true } },
  })
  await Promise.all([server.connect(guard(second[1])), client.connect(second[0])])
  onTestFinished(() => client.close())

  const callTool = agentTools(await authority.agent({ grants }), client, URL_OF_SERVER)
  const call = (): Promise<string> =>
    trace.getTracer('test').startActiveSpan('call', async span => {
      await callTool({ name: 'book' })
      span.end()
      return span.spanContext().traceId
    })
  const [one, other] = [await call(), await call()]
  const released = await call()
  await callTool({ name: 'book' })
  expect((authority.records as readonly JsonObject[]).map(one => [one['type'], one['correlationId']])).toEqual([
    ['decision', one],
    ['commit', one],
    ['decision', other],
    ['commit', other],
    ['decision', released],
    ['release', released],
    ['decision', null],
    ['release', null],
  ])
  expect(new Set([one, other, released]).size).toBe(3)
  expect(metas[0]).toEqual({ traceparent: expect.stringContaining(one) as unknown })
})
