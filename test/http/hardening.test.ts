import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHash } from 'node:crypto'
import { openService, type Service } from '../../src/entry/service.js'
import { recordsOf } from '../audit/records.js'
import { Asking } from './asking.js'
import { ORIGIN, SECRET, writeConfig } from './home.js'

let folder: string
let service: Service
const defects: unknown[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'procura-hard-'))
  const config = await writeConfig(folder, { limits: { arrival: 1 }, cors: ['https://console.acme.example'] })
  service = await openService({ config, environment: {}, onDefect: defect => defects.push(defect) })
})
afterAll(async () => {
  await service.close()
  await rm(folder, { recursive: true, force: true })
  expect(defects).toEqual([])
})

interface Heard {
  readonly status: number
  readonly text: string
  /** the service ended the connection */
  readonly isOver: boolean
}

/** Sends bytes over a connection of their own and hears the first answer, or the end. */
async function say(bytes: string | readonly string[], wait = 4000): Promise<Heard> {
  const socket = await open()
  const heard = { text: '', isOver: false }
  socket.on('data', (data: Buffer) => (heard.text += data.toString('latin1')))
  socket.on('error', () => undefined).on('close', () => (heard.isOver = true))
  const until = async (isEnough: () => boolean, milliseconds: number): Promise<void> => {
    const end = performance.now() + milliseconds
    while (!heard.isOver && performance.now() < end && !isEnough()) await setTimeout(10)
  }
  for (const some of typeof bytes === 'string' ? [bytes] : bytes) if (!socket.destroyed) socket.write(some, 'latin1')
  await until(() => isWhole(heard.text), wait)
  // one that is to be ended is given the time for it
  if (/connection: close/i.test(heard.text)) await until(() => false, wait)
  socket.destroy()
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(heard.text)?.[1] ?? 0), ...heard }
}

function isWhole(text: string): boolean {
  const [head = '', ...body] = text.split('\r\n\r\n')
  const length = /content-length: (\d+)/i.exec(head)?.[1]
  return length !== undefined && body.join('\r\n\r\n').length >= Number(length)
}

async function open(): Promise<Socket> {
  const { hostname, port } = new URL(service.address)
  const socket = connect({ host: hostname, port: Number(port) })
  await once(socket, 'connect')
  return socket
}

const request = (headers: readonly string[], body = '', line = 'POST /v1/verify HTTP/1.1'): string =>
  [line, ...headers, ...(body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]), '', body].join('\r\n')
const HOST = 'Host: id.acme.example'
const JSON_TYPE = 'Content-Type: application/json'
const AUTH = `Authorization: Bearer ${SECRET}`

describe('bytes that are no honest request', () => {
  const big = 'x'.repeat(10 * 1024 * 1024)
  test.each<[string, string | readonly string[], number]>([
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['headers of 64 KiB', request([HOST, `X-Much: ${'y'.repeat(65_536)}`]), 431],
    ['thousands of headers', request([HOST, ...Array.from({ length: 5000 }, (_, n) => `X-${n}: y`)]), 431],
    ['a body of 10 MB', request([HOST, JSON_TYPE, AUTH], JSON.stringify({ big })), 413],
    ['a body that is announced and does not come', request([HOST, JSON_TYPE, AUTH, 'Content-Length: 10']), 408],
    ['headers that do not end', ['POST /v1/verify HTTP/1.1\r\n', `${HOST}\r\n`], 408],
    ['two lengths', request([HOST, JSON_TYPE, 'Content-Length: 2', 'Content-Length: 3']) + '{}', 400],
    ['a length and chunks', request([HOST, JSON_TYPE, 'Content-Length: 2', 'Transfer-Encoding: chunked']) + '{}', 400],
    ['no Host', request([JSON_TYPE, AUTH], '{}'), 400],
    ['two Hosts', request([HOST, 'Host: evil.example', JSON_TYPE, AUTH], '{}'), 400],
    ['another media type', request([HOST, 'Content-Type: text/plain', AUTH], '{}'), 415],
    ['a form', request([HOST, 'Content-Type: application/x-www-form-urlencoded', AUTH], 'a=b'), 415],
    ['no media type', request([HOST, AUTH], '{}'), 415],
    ['a coding of its own', request([HOST, JSON_TYPE, AUTH, 'Content-Encoding: gzip'], '{}'), 400],
    ['an empty body', request([HOST, JSON_TYPE, AUTH, 'Content-Length: 0']), 400],
    ['no JSON', request([HOST, JSON_TYPE, AUTH], '{"a":'), 400],
    ['__proto__', request([HOST, JSON_TYPE, AUTH], '{"__proto__":{"admin":true}}'), 400],
    ['constructor.prototype', request([HOST, JSON_TYPE, AUTH], '{"constructor":{"prototype":{"admin":true}}}'), 400],
    ['JSON 100 000 deep', request([HOST, JSON_TYPE, AUTH], '['.repeat(100_000) + ']'.repeat(100_000)), 400],
    ['params 10 000 deep', request([HOST, JSON_TYPE, AUTH], deepParams(10_000)), 200],
    ['two bearer secrets', request([HOST, JSON_TYPE, AUTH, AUTH], '{}'), 401],
    ['a method by header', request([HOST, JSON_TYPE, AUTH, 'X-HTTP-Method-Override: GET'], '{}'), 400],
    ['a method that is none', request([HOST], '', 'BREW /v1/verify HTTP/1.1'), 400],
    ['TRACE', request([HOST], '', 'TRACE / HTTP/1.1'), 404],
    ['a target that does not decode', request([HOST], '', 'GET /v1/status/%zz HTTP/1.1'), 400],
    ['a target of another host', request([HOST], '', 'GET https://evil.example/v1/status/1 HTTP/1.1'), 404],
  ])('%s', async (_name, bytes, status) => {
    const heard = await say(bytes)
    expect(heard.status, heard.text.slice(0, 300)).toBe(status)
    if (status === 200) return
    expect(heard.text).toContain('application/problem+json')
    const problem = JSON.parse(heard.text.slice(heard.text.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>
    expect(problem).toMatchObject({ status, code: expect.any(String) as string })
    // what is not understood to its end must not be read on as another request
    if ([408, 413, 431].includes(status) || /^(no HTTP|two lengths|a length)/.test(_name))
      expect(heard.isOver).toBe(true)
  })

  function deepParams(depth: number): string {
    const request = {
      method: 'GET',
      url: 'https://a.example/',
      action: 'a',
      resource: 'https://a.example/x',
      params: 0,
    }
    const deep = `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`
    return JSON.stringify({ presentation: 'a.b.c', request }).replace('"params":0', `"params":${deep}`)
  }

  test('a foreign Host changes nothing: names are the configured ones', async () => {
    const { text } = await say(request(['Host: evil.example'], '', 'GET /.well-known/procura HTTP/1.1'))
    expect(text).toContain(`"issuer":"did:web:id.acme.example"`)
    expect(text).not.toContain('evil.example')
  })

  test('pages of other origins are refused, those that are named are not, and no page is let in by default', async () => {
    const ask = async (origin: string, line = 'GET /healthz HTTP/1.1') =>
      say(request([HOST, `Origin: ${origin}`], '', line))
    expect((await ask('https://evil.example')).status).toBe(403)
    expect((await ask('null')).status).toBe(403)
    const named = await ask('https://console.acme.example')
    expect([named.status, /access-control-allow-origin: (.*)\r/i.exec(named.text)?.[1]]).toEqual([
      200,
      'https://console.acme.example',
    ])
    const page = `Origin: https://console.acme.example`
    const feed = await say(request([HOST, page], '', 'GET /v1/events HTTP/1.1'), 500)
    expect(/access-control-allow-origin: (.*)\r/i.exec(feed.text)?.[1]).toBe('https://console.acme.example')
    expect((await ask(ORIGIN)).text).not.toContain(`access-control-allow-origin: ${ORIGIN}`)
  })

  test.each(['/healthz', '/nothing', '/docs'])('what browsers are told at %s', async path => {
    const { text } = await say(request([HOST], '', `GET ${path} HTTP/1.1`))
    for (const header of ['x-content-type-options: nosniff', 'strict-transport-security', 'content-security-policy']) {
      expect(text.toLowerCase()).toContain(header)
    }
    expect(text.toLowerCase()).not.toContain('x-powered-by')
  })
})

test('a secret is replaced without a gap: both count while both are named', async () => {
  const next = 'another-secret-of-the-api-server'
  const [first, second] = [SECRET, next].map(one => createHash('sha256').update(one).digest('base64url'))
  const policy = join(folder, 'policy.json')
  const home = await mkdtemp(join(tmpdir(), 'procura-rotate-'))
  const config = await writeConfig(home, { resourceServers: [{ name: 'api', secretHash: [second!, first!], policy }] })
  const both = await openService({ config, environment: {} })
  const asking = new Asking(both.address)
  for (const secret of [SECRET, next])
    expect((await asking.ask('challenge', { secret }, { body: {} })).status).toBe(201)
  expect((await asking.ask('challenge', { secret: `${next}x` }, { body: {} })).status).toBe(401)
  await both.close()
  await rm(home, { recursive: true, force: true })
})

test('neither problems nor logs tell a token, a key or a nonce', async () => {
  const asking = new Asking(service.address)
  const secrets = [SECRET, 'eyJhbGciOiJFZERTQSJ9.eyJzZWNyZXQiOiJwYXlsb2FkIn0.c2lnbmF0dXJl', 'AbCdEfGhIjKlMnOpQrStUv']
  const told: string[] = []
  for (const token of secrets) {
    const server = { secret: SECRET }
    const request = { method: token, url: token, action: token, resource: token, params: { [token]: token } }
    for (const [name, as, asked] of [
      ['verify', server, { body: { presentation: token, request } }],
      ['verify', server, { body: { proof: token, request } }],
      ['verify', { secret: token }, { body: {} }],
      ['commit', server, { body: { decisionId: token.slice(0, 60), [token]: 1 } }],
      ['keepChain', server, { params: { digest: token.slice(0, 60) }, body: [token] }],
      ['grant', { proof: token }, { body: { to: token } }],
    ] as const) {
      const { status, text } = await asking.ask(name, as, asked)
      // a decision is the resource server's own: it may name what that server said
      if (status !== 200) told.push(text)
    }
  }
  const log = JSON.stringify(await recordsOf(join(folder, 'audit')))
  for (const token of secrets.slice(0, 2)) {
    expect(told.filter(text => text.includes(token))).toEqual([])
    expect(log.includes(`"presentation":"${token}`)).toBe(false)
  }
})
