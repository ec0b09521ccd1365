import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Pool } from 'undici'
import { openIssuer, type OpenIssuer } from '../../src/entry/issuer.js'
import { openService } from '../../src/entry/service.js'
import { openWallet, type OpenWallet, type WalletAgent } from '../../src/entry/wallet.js'
import type { JsonObject } from '../../src/json.js'
import { recordsOf } from '../audit/records.js'
import { procura } from '../cli/run.js'
import { API, ORIGIN, SECRET, writeConfig } from './home.js'

const CLI = join(import.meta.dirname, '../../dist/entry/cli.js')
const AUTHORITY = { more: 1, audience: [API], grants: [{ resource: `${API}/**`, actions: ['read'] }] }
const ROOM = { method: 'GET', url: `${API}/rooms/1`, bodyDigest: null, action: 'read', resource: `${API}/rooms/1`, params: {} } // prettier-ignore
const STRANGERS = 40

let folder: string
let config: string
let main: ChildProcess
let printed = ''
let address: string
let issuer: OpenIssuer
let wallet: OpenWallet
let alice: WalletAgent
let booker: WalletAgent
/** Each one connection, handed to the workers in turn. */
let ways: readonly Pool[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'procura-processes-'))
  const limits = { strangers: { max: STRANGERS, per: 3600 } }
  config = await writeConfig(folder, { listen: { host: '127.0.0.1', port: 0, processes: 2 }, telemetry: { metrics: true }, limits }) // prettier-ignore
  main = spawn(process.execPath, [CLI, 'serve', '--config', config], { env: { PATH: process.env['PATH'] } })
  main.stderr?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  address = await new Promise((resolve, reject) => {
    let text = ''
    main.stdout?.on('data', (chunk: Buffer) => {
      const [, found] = /listens on (\S+) [\s\S]*processes 2/.exec((text += chunk.toString())) ?? []
      if (found !== undefined) resolve(found)
    })
    main.once('exit', code => reject(new Error(`it ended with ${code ?? 'a signal'}: ${printed}`)))
  })
  ways = Array.from({ length: 8 }, () => new Pool(address, { connections: 1 }))
  const connect = { [ORIGIN]: address }
  issuer = await openIssuer({ service: ORIGIN, storage: `sqlite://${join(folder, 'operator.db')}`, connect })
  wallet = await openWallet({
    storage: 'sqlite::memory:',
    roots: ['did:web:id.acme.example'],
    service: ORIGIN,
    connect,
  })
  alice = await wallet.createAgent({ name: 'alice' })
  booker = await wallet.createAgent({ name: 'booker' })
  await issuer.register({ kind: 'person', did: alice.did, name: 'alice' })
  await alice.receive((await issuer.grant({ to: alice.did, ttl: 3600, authority: AUTHORITY })).credential)
}, 60_000)
afterAll(async () => {
  await Promise.all(ways.map(way => way.destroy()))
  await issuer.close()
  await wallet.close()
  if (main.exitCode === null && main.kill('SIGKILL')) await once(main, 'exit')
  await rm(folder, { recursive: true, force: true })
})

async function delegated(ttl = 300): Promise<string> {
  const { chain, digest } = await alice.delegate({ to: booker.did, grants: AUTHORITY.grants, ttl })
  await booker.receive(chain)
  return digest
}
const present = (): Promise<string> => booker.present({ ...ROOM, audience: API })
async function ask(way: number, presentation: string): Promise<JsonObject> {
  const answer = await ways[way % ways.length]?.request({
    method: 'POST',
    path: '/v1/verify',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${SECRET}` },
    body: JSON.stringify({ presentation, request: ROOM }),
  })
  return (await answer?.body.json()) as JsonObject
}
async function workers(): Promise<readonly number[]> {
  const pid = String(main.pid)
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').filter(Boolean).map(Number) // prettier-ignore
}
async function until(isTime: () => Promise<boolean>): Promise<void> {
  while (!(await isTime())) await new Promise(resolve => setTimeout(resolve, 50))
}

describe('one service in two processes', () => {
  test('figures are those of both', async () => {
    await delegated()
    for (let way = 0; way < 4; way += 1) expect(await ask(way, await present())).toMatchObject({ allow: true })
    for (const way of ways.slice(0, 4)) {
      const text = await (await way.request({ method: 'GET', path: '/metrics' })).body.text()
      expect(text).toMatch(/^procura_decisions_total\{outcome="allow",code=""\} 4$/m)
      expect(text).toMatch(/^process_cpu_seconds_total/m)
    }
  })

  test('one presentation shown over every connection at once is accepted once', async () => {
    await delegated()
    for (let round = 0; round < 5; round += 1) {
      const presentation = await present()
      const answers = await Promise.all(ways.map((_, way) => ask(way, presentation)))
      expect(answers.filter(({ allow }) => allow === true)).toHaveLength(1)
      expect(answers.filter(({ code }) => code === 'PRESENTATION_REPLAYED')).toHaveLength(ways.length - 1)
    }
  })

  test('what one process revoked every other refuses, from the answer on', async () => {
    // what lives longer than 300 s can be revoked
    const digest = await delegated(600)
    const shown = await Promise.all(ways.map(present))
    await alice.revoke(digest)
    const answers = await Promise.all(shown.map((presentation, way) => ask(way, presentation)))
    expect(answers.map(({ code }) => code)).toEqual(ways.map(() => 'STATUS_REVOKED'))
  })

  test('calls are counted together', async () => {
    const statuses: number[] = []
    for (let n = 0; n < STRANGERS + 4; n += 1) {
      const answer = await ways[n % ways.length]?.request({ method: 'GET', path: '/.well-known/procura' })
      await answer?.body.dump()
      statuses.push(answer?.statusCode ?? 0)
    }
    expect(statuses.filter(status => status === 200).length).toBeLessThanOrEqual(STRANGERS)
    expect(statuses.slice(-4)).toEqual([429, 429, 429, 429])
  })

  test('a worker that is killed is replaced; what was answered is used up and on record', async () => {
    await delegated(1200)
    const acknowledged: { readonly decisionId: unknown; readonly presentation: string }[] = []
    const before = await workers()
    expect(before).toHaveLength(2)
    let isOver = false
    let count = 0
    const load = ways.map(async (_, way) => {
      while (!isOver) {
        const presentation = await present()
        const answer = await ask(way, presentation).catch(() => null)
        if (answer?.['allow'] !== true) continue
        acknowledged.push({ decisionId: answer['decisionId'], presentation })
        count += 1
        if (count === 30) process.kill(before[0] ?? 0, 'SIGKILL')
      }
    })
    await until(async () => count > 40 && (await workers()).filter(pid => !before.includes(pid)).length === 1)
    const [now, then] = [await workers(), count]
    expect(now).toHaveLength(2)
    await until(() => Promise.resolve(count > then + 20))
    isOver = true
    await Promise.all(load)
    for (const { presentation } of acknowledged.slice(20, 40))
      expect(await ask(count, presentation)).toMatchObject({ code: 'PRESENTATION_REPLAYED' })

    main.kill('SIGTERM')
    expect(await once(main, 'exit')).toEqual([0, null])
    expect(printed).toContain('has ended (SIGKILL)')
    const decisions = (await recordsOf(join(folder, 'audit'))).map(({ decisionId }) => decisionId)
    expect(acknowledged.filter(({ decisionId }) => !decisions.includes(decisionId))).toEqual([])
    expect(await procura(['audit', 'verify', join(folder, 'audit')])).toMatchObject({ code: 0 })
  })
})

test('a program that opens a service opens one', async () => {
  const home = await mkdtemp(join(folder, 'one-'))
  const path = await writeConfig(home, { listen: { host: '127.0.0.1', port: 0, processes: 2 } })
  await expect(openService({ config: path, environment: {} })).rejects.toThrow(/processes.*procura serve/)
})
