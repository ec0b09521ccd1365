import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { type AddressInfo } from 'node:net'
import { connect as connectTls, type TlsOptions } from 'node:tls'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createFetch, type FetchOptions, type GuardedFetch, type Reply } from '../../src/adapters/resolve/fetch.js'
import { selfSigned } from './certificate.js'
import { startHost, type Host } from './host.js'

const ORIGIN = 'https://registry.acme.example'

function fetchWith(options: FetchOptions): GuardedFetch {
  const fetch = createFetch({ deadline: 500, ...options })
  onTestFinished(() => fetch.close())
  return fetch
}

async function connected(options: FetchOptions = {}): Promise<{ host: Host; get: (etag?: string) => Promise<Reply> }> {
  const host = await startHost()
  const fetch = fetchWith({ connect: { [ORIGIN]: host.address }, ...options })
  return { host, get: etag => fetch.get(`${ORIGIN}/a?b=c`, { maxBytes: 1000, accept: 'text/plain', etag }) }
}

describe('a host that misbehaves', () => {
  test('a good answer, its body and ETag; the origin is named, nothing else is given away', async () => {
    const { host, get } = await connected()
    host.answer((_, response) => response.writeHead(200, { etag: '"1"' }).end('hello'))
    expect(await get()).toEqual({ kind: 'content', body: Buffer.from('hello'), etag: '"1"' })
    const [{ url, headers }] = host.requests as [(typeof host.requests)[0]]
    expect(url).toBe('/a?b=c')
    expect(headers).toEqual({
      host: 'registry.acme.example',
      accept: 'text/plain',
      'accept-encoding': 'identity',
      connection: 'keep-alive',
    })
  })

  test('connections are used again', async () => {
    const { host, get } = await connected()
    const sockets = new Set<Socket>()
    host.answer((request, response) => {
      sockets.add(request.socket)
      response.end('x')
    })
    await get()
    await new Promise(resolve => setTimeout(resolve, 20))
    await get()
    expect(host.requests).toHaveLength(2)
    expect(sockets.size).toBe(1)
  })

  test.each([301, 302, 303, 307, 308])('a redirect (%i) is not followed', async status => {
    const { host, get } = await connected()
    const other = await startHost()
    host.answer((_, response) => response.writeHead(status, { location: `${other.address}/` }).end())
    expect(await get()).toEqual({ kind: 'failed', why: `status ${status}` })
    expect(other.requests).toHaveLength(0)
  })

  test.each([204, 206, 401, 404, 500, 503])('status %i is no answer', async status => {
    const { host, get } = await connected()
    host.answer((_, response) => response.writeHead(status).end(status === 204 ? undefined : 'x'))
    expect(await get()).toEqual({ kind: 'failed', why: `status ${status}` })
  })

  test('304 counts only for a conditional request', async () => {
    const { host, get } = await connected()
    host.answer((_, response) => response.writeHead(304).end())
    expect(await get('"1"')).toEqual({ kind: 'unchanged' })
    expect(host.requests[0]?.headers['if-none-match']).toBe('"1"')
    expect(await get()).toEqual({ kind: 'failed', why: 'status 304' })
  })

  test.each([
    [1000, 'content'],
    [1001, 'failed'],
  ])('a body of %i bytes of 1000', async (size, kind) => {
    const { host, get } = await connected()
    host.answer((_, response) => response.end(Buffer.alloc(size)))
    expect((await get()).kind).toBe(kind)
  })

  test('an endless body is cut off at the cap, and so is its connection', async () => {
    const { host, get } = await connected({ deadline: 5000 })
    let closed: Promise<unknown> = Promise.resolve()
    host.answer((request, response) => {
      closed = new Promise(resolve => request.socket.once('close', resolve))
      const timer = setInterval(() => response.write(Buffer.alloc(400)), 5)
      request.socket.once('close', () => clearInterval(timer))
    })
    const started = performance.now()
    expect(await get()).toEqual({ kind: 'failed', why: 'more than 1000 bytes' })
    expect(performance.now() - started).toBeLessThan(4000)
    await closed
  })

  test('a body of one byte per 50 ms ends at the deadline, and so does its connection', async () => {
    const { host, get } = await connected({ deadline: 300 })
    let closed: Promise<unknown> = Promise.resolve()
    host.answer((request, response) => {
      closed = new Promise(resolve => request.socket.once('close', resolve))
      const timer = setInterval(() => response.write('x'), 50)
      request.socket.once('close', () => clearInterval(timer))
    })
    const started = performance.now()
    expect(await get()).toEqual({ kind: 'failed', why: 'DEADLINE' })
    expect(performance.now() - started).toBeLessThan(3000)
    await closed
  })

  test('headers that never come end at the deadline', async () => {
    const { host, get } = await connected({ deadline: 100 })
    host.answer(() => undefined)
    expect(await get()).toEqual({ kind: 'failed', why: 'DEADLINE' })
  })

  test('a content encoding is refused, because it would unpack beyond the cap', async () => {
    const { host, get } = await connected()
    host.answer((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'))
    expect(await get()).toEqual({ kind: 'failed', why: 'content encoding' })
  })

  test('a body shorter than announced is no body', async () => {
    const { host, get } = await connected()
    host.answer((request, response) => {
      response.writeHead(200, { 'content-length': '10' }).write('x', () => request.socket.destroy())
    })
    expect((await get()).kind).toBe('failed')
  })

  test('requests under way and waiting are bounded per origin', async () => {
    const { host, get } = await connected({ parallel: 2, queue: 3 })
    const open: (() => void)[] = []
    host.answer((_, response) => open.push(() => response.end('x')))
    const replies = [get(), get(), get(), get()]
    expect(await replies[3]).toEqual({ kind: 'failed', why: 'too many requests at once' })
    await vi.waitFor(() => expect(open).toHaveLength(2))
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(open).toHaveLength(2)
    open.splice(0).forEach(release => release())
    await vi.waitFor(() => expect(open).toHaveLength(1))
    open.forEach(release => release())
    expect((await Promise.all(replies.slice(0, 3))).map(({ kind }) => kind)).toEqual(['content', 'content', 'content'])
    host.answer((_, response) => response.end('x'))
    expect((await get()).kind).toBe('content')
  })

  test('proxies from the environment are not asked', async () => {
    const proxy = await startHost()
    for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'https_proxy', 'http_proxy']) vi.stubEnv(name, proxy.address)
    onTestFinished(() => void vi.unstubAllEnvs())
    const { host, get } = await connected()
    host.answer((_, response) => response.end('x'))
    expect((await get()).kind).toBe('content')
    expect(proxy.requests).toHaveLength(0)
  })
})

test('an https exception is asked under the name of the origin and must hold its certificate', async () => {
  const tls = selfSigned('registry.acme.example')
  const names: string[] = []
  const SNICallback: TlsOptions['SNICallback'] = (name, done) => {
    names.push(name)
    done(null)
  }
  const server = createTlsServer({ ...tls, SNICallback }, (_, response) => response.end('x'))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo

  await new Promise<void>((resolve, reject) => {
    const probe = connectTls({ port, host: '127.0.0.1', servername: 'registry.acme.example', ca: tls.cert }, () => {
      probe.end()
      resolve()
    })
    probe.on('error', reject)
  })

  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
  onTestFinished(() => void vi.unstubAllEnvs())
  for (const address of ['127.0.0.1', 'localhost']) {
    const fetch = fetchWith({ connect: { [ORIGIN]: `https://${address}:${port}` } })
    expect(await fetch.get(`${ORIGIN}/`, { maxBytes: 10, accept: '*/*' })).toEqual({
      kind: 'failed',
      why: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
  }
  expect(names).toEqual(Array(3).fill('registry.acme.example'))
})
