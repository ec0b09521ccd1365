import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openService, type Service } from '../../src/entry/service.js'
import type { JsonObject } from '../../src/json.js'
import { Asking } from './asking.js'
import { SECRET, writeConfig } from './home.js'

let folder: string
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'procura-proxy-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

async function start(block: JsonObject = {}): Promise<Service> {
  const config = await writeConfig(await mkdtemp(join(folder, 'home-')), block)
  const service = await openService({ config, environment: {} })
  onTestFinished(() => service.close())
  return service
}

describe('addresses of callers', () => {
  const LISTEN = { host: '127.0.0.1', port: 0 }
  const limits = { strangers: { max: 2, per: 600 } }
  const ask = async ({ address }: Service, from: string): Promise<number> =>
    (await new Asking(address).ask('metadata', null, { headers: { 'x-forwarded-for': from } })).status

  test('a header that anybody can write does not make somebody else of who calls', async () => {
    const service = await start({ limits })
    expect([await ask(service, '192.0.2.1'), await ask(service, '192.0.2.2'), await ask(service, '192.0.2.3')]).toEqual(
      [200, 200, 429],
    )
  })

  test('behind a proxy that is named, each address is counted on its own', async () => {
    const service = await start({ limits, listen: { ...LISTEN, trustedProxies: ['127.0.0.0/8'] } })
    expect(await Promise.all(['192.0.2.1', '192.0.2.2', '192.0.2.3'].map(from => ask(service, from)))).toEqual([
      200, 200, 200,
    ])
    // what the client wrote stands before what the proxy added
    expect([await ask(service, '192.0.2.9, 192.0.2.1'), await ask(service, '192.0.2.8, 192.0.2.1')]).toEqual([200, 429])
  })

  test.each(['everybody', '10.0.0.0/64', ''])('no network: %j', async network => {
    await expect(start({ listen: { ...LISTEN, trustedProxies: [network] } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    })
  })
})

describe('a service that stops', () => {
  test('says so, serves on meanwhile over connections that end, and finishes what it accepted', async () => {
    const service = await start({ listen: { host: '127.0.0.1', port: 0, drain: 1 } })
    const { hostname, port } = new URL(service.address)
    const body = '{}'
    const slow = connect({ host: hostname, port: Number(port) })
    await once(slow, 'connect')
    let answer = ''
    slow.on('data', (data: Buffer) => (answer += data.toString()))
    const head = [
      'POST /v1/challenges HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${SECRET}`,
      'Content-Type: application/json',
    ]
    slow.write([...head, `Content-Length: ${body.length}`, '', body.slice(0, 1)].join('\r\n'))
    await setTimeout(100)

    const closing = service.close()
    const ready = await fetch(`${service.address}/readyz`)
    expect([ready.status, ready.headers.get('connection')]).toEqual([503, 'close'])
    expect(await ready.json()).toMatchObject({
      ready: false,
      checks: { running: { ok: false }, database: { ok: true } },
    })
    expect((await fetch(`${service.address}/healthz`, { method: 'HEAD' })).status).toBe(200)

    slow.write(body.slice(1))
    await once(slow, 'close')
    expect(answer).toMatch(/^HTTP\/1\.1 201 /)
    await closing
    await expect(fetch(`${service.address}/healthz`)).rejects.toThrow()
  })
})

test("README's curl lines do what they say", async () => {
  const service = await start()
  const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8')
  const lines = readme.split('\n').filter(line => line.startsWith('curl '))
  expect(lines.length).toBeGreaterThan(2)
  for (const line of lines) {
    const { stdout } = await promisify(execFile)('bash', ['-c', line.replace('http://127.0.0.1:8080', service.address)])
    const answer = JSON.parse(stdout) as JsonObject
    expect([Object.keys(answer).length > 1, answer['code']], line).toEqual([true, undefined])
  }
})
