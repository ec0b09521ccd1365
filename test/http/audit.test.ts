import { readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { systemClock, systemIds } from '../../src/adapters/system.js'
import { openCheckpoint } from '../../src/audit/checkpoint.js'
import { parseKey } from '../../src/audit/note.js'
import { isConsistent, isIncluded } from '../../src/audit/proof.js'
import { leafHash } from '../../src/audit/tree.js'
import { openWallet, type WalletAgent } from '../../src/entry/wallet.js'
import { signProof } from '../../src/presentation/proof.js'
import type { Signer } from '../../src/signer.js'
import { party } from '../mint.js'
import { API, openTestHome, ORIGIN, type Home } from './home.js'

const auditor = party('auditor')
const AUTHORITY = { audience: [API], grants: [{ resource: `${API}/**`, actions: ['read'] }] }

let home: Home
let alice: WalletAgent
beforeAll(async () => {
  home = await openTestHome(undefined, {}, { auditors: [auditor.did] })
  alice = await (await home.wallet()).createAgent({ name: 'alice' })
  await home.grant({ to: alice.did, ttl: 600, authority: AUTHORITY })
})
afterAll(() => home.close())

async function get(path: string, by: Signer = auditor, at = home.service.address) {
  const request = { method: 'GET', url: `${ORIGIN}${path}`, bodyDigest: null }
  const proof = await signProof(by, ORIGIN, request, systemIds.token(), systemClock.now())
  const response = await fetch(`${at}${path}`, { headers: { 'agent-proof': proof } })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') === true
  return { status: response.status, body: (isJson ? JSON.parse(text) : {}) as Record<string, unknown> }
}

interface Page {
  readonly records: readonly { readonly index: number; readonly record: Record<string, unknown> }[]
  readonly next: string | null
}

/** A record comes under a checkpoint within a second. */
async function signed(path: string) {
  for (;;) {
    const answer = await get(path)
    if (answer.status !== 404) return answer
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

describe('GET /v1/audit', () => {
  test('auditors and admins read it, others do not', async () => {
    expect((await get('/v1/audit')).status).toBe(200)
    const operator = await openWallet({ storage: `sqlite://${join(home.folder, 'operator.db')}`, roots: [] })
    onTestFinished(() => operator.close())
    const stranger = await get('/v1/audit', party('mallory'))
    expect([stranger.status, stranger.body['code']]).toEqual([403, 'CALLER_FORBIDDEN'])
    for (const path of ['checkpoint', 'records/0', 'consistency/0'])
      expect((await get(`/v1/audit/${path}`, party('mallory'))).status, path).toBe(403)
    expect((await fetch(`${home.service.address}/v1/audit`)).status).toBe(401)
  })

  test('answers what was granted to whom, by whom', async () => {
    const { records, next } = (await get(`/v1/audit?agent=${alice.did}&type=grant`)).body as unknown as Page
    expect(next).toBeNull()
    expect(records).toMatchObject([
      { record: { type: 'grant', to: alice.did, by: home.service.operator, issuer: home.service.did } },
    ])
  })

  test('in pages', async () => {
    for (let n = 0; n < 3; n += 1) await home.issuer.grant({ to: alice.did, ttl: 600, authority: AUTHORITY })
    const seen: number[] = []
    for (let after = ''; ;) {
      const page = (await get(`/v1/audit?type=grant&limit=2${after}`)).body as unknown as Page
      expect(page.records.length).toBeLessThanOrEqual(2)
      seen.push(...page.records.map(({ index }) => index))
      if (page.next === null) break
      after = `&after=${page.next}`
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.length).toBe(4)
  })

  test.each(['since=yesterday', 'what=1', 'type=a&type=b', 'after=1', 'after=1.2.3', 'limit=-1'])(
    '%s is refused',
    async query => {
      const answer = await get(`/v1/audit?${query}`)
      expect([answer.status, answer.body['code']]).toEqual([400, 'SCHEMA'])
    },
  )
})

test('a record is proved under the checkpoint, and the checkpoint under an earlier one', async () => {
  const key = parseKey((await signed('/v1/audit/checkpoint')).body['key'] as string)
  const { body } = await signed('/v1/audit/records/1')
  const at = openCheckpoint(Buffer.from(body['checkpoint'] as string), key)
  const hashes = (list: unknown) => (list as string[]).map(one => Buffer.from(one, 'base64'))
  const leaf = leafHash(Buffer.from(body['record'] as string))
  expect(isIncluded(1, at.size, leaf, hashes(body['proof']), at.root)).toBe(true)
  const earlier = openCheckpoint(Buffer.from((await get('/v1/audit/checkpoint')).body['checkpoint'] as string), key)
  await home.issuer.grant({ to: alice.did, ttl: 600, authority: AUTHORITY })
  const { body: shown } = await signed(`/v1/audit/consistency/${earlier.size}`)
  const later = openCheckpoint(Buffer.from(shown['checkpoint'] as string), key)
  expect(isConsistent(earlier.size, later.size, earlier.root, later.root, hashes(shown['proof']))).toBe(true)
  expect((await get('/v1/audit/records/99999')).status).toBe(404)
})

test('a log that cannot be written: 503, nothing is issued or revoked, and it goes on by itself', async () => {
  const agent = await (await home.wallet()).createAgent({ name: 'agent' })
  const root = await home.grant({ to: agent.did, ttl: 600, authority: AUTHORITY })
  const grant = () => home.issuer.grant({ to: agent.did, ttl: 600, authority: AUTHORITY })
  const told = async () => ((await get(`/v1/audit?agent=${agent.did}`)).body as unknown as Page).records.length
  expect(await told()).toBe(1)

  const restore = await takeJournalsAway()
  const refused = { code: 'AUDIT_UNAVAILABLE', kind: 'unavailable' }
  await expect(grant()).rejects.toMatchObject(refused)
  await expect(home.issuer.revoke(root.digest)).rejects.toMatchObject(refused)
  expect((await home.service.app.inject({ method: 'GET', url: '/healthz' })).statusCode).toBe(200)
  await agent.receive(root.credential)
  expect(await agent.held({})).toHaveLength(1)

  await restore()
  expect(await home.issuer.revoke(root.digest)).toMatchObject({ digest: root.digest })
  await grant()
  const { records } = (await get(`/v1/audit?agent=${agent.did}`)).body as unknown as Page
  expect(records.map(({ record }) => record['type'])).toEqual(['grant', 'grant'])
})

/** The folder of journals is gone as soon as none is open; what this returns brings it back. */
async function takeJournalsAway(): Promise<() => Promise<void>> {
  const journals = join(home.folder, 'audit/journal')
  while ((await readdir(journals)).length > 0) await new Promise(resolve => setTimeout(resolve, 50))
  await rename(journals, `${journals}.away`)
  return () => rename(`${journals}.away`, journals)
}
