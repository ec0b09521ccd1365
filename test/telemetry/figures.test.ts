import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Store } from '../../src/adapters/store/store.js'
import { ListTable } from '../../src/adapters/store/status-entities.js'
import { openService, type Service } from '../../src/entry/service.js'
import { FEED, ISSUER, openSame, until } from '../feed/feed-home.js'
import { API, openTestHome, POLICY, SECRET, writeConfig, type Home } from '../http/home.js'

let home: Home
let store: Store
let folder: string
/** another organisation's service, whose verifiers follow the feed of the first */
let other: Service

beforeAll(async () => {
  home = await openTestHome(POLICY, {}, { telemetry: { metrics: true } })
  store = await openSame(home.folder)
  folder = await mkdtemp(join(tmpdir(), 'procura-figures-'))
  const block = { origin: 'https://id.other.example', connect: home.connect, telemetry: { metrics: true } }
  const config = await writeConfig(folder, block, { ...POLICY, feeds: [{ issuer: ISSUER, url: FEED }] })
  other = await openService({ config, environment: {} })
})
afterAll(async () => {
  await other.close()
  await store.close()
  await home.close()
  await rm(folder, { recursive: true, force: true })
})

/** The value of a sample as Prometheus reads it; undefined if there is none. */
async function figure(sample: string, { address }: Service = home.service): Promise<number | undefined> {
  const text = await (await fetch(`${address}/metrics`)).text()
  const line = text.split('\n').find(one => one.startsWith(`${sample} `))
  return line === undefined ? undefined : Number(line.slice(sample.length + 1))
}

test('what is issued, remembered, served and taken back can be read as figures', async () => {
  expect(await figure('procura_status_list_age_seconds')).toBeUndefined()
  expect(await figure('procura_issued_total{kind="capability"}')).toBeUndefined()
  const wallet = await home.wallet()
  const agent = await wallet.createAgent({ name: 'agent' })
  const authority = { audience: [API], grants: [{ resource: `${API}/**`, actions: ['write'] }] }
  const root = await home.grant({ to: agent.did, ttl: 3600, authority })
  await agent.receive(root.credential)
  expect(await figure('procura_issued_total{kind="capability"}')).toBe(1)

  const url = `${API}/rooms/1`
  const request = { method: 'POST', url, bodyDigest: null, action: 'write', resource: url, params: {} }
  const presentation = await agent.present({ audience: API, ...request })
  const verify = async (): Promise<unknown> => {
    const response = await fetch(`${home.service.address}/v1/verify`, {
      method: 'POST',
      headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json' },
      body: JSON.stringify({ presentation, request }),
    })
    return ((await response.json()) as { code: unknown }).code
  }
  const before = (await figure('procura_replay_entries')) ?? NaN
  expect(await verify()).toBeNull()
  expect(await figure('procura_replay_entries')).toBe(before + 1)
  expect(await verify()).toBe('PRESENTATION_REPLAYED')
  expect(await figure('procura_replay_entries')).toBe(before + 1)
  expect(await figure('procura_decision_status_age_seconds_count')).toBeGreaterThan(0)

  // as if nobody had signed it for a while
  const lists = store.dataSource.getRepository(ListTable)
  const [list] = await lists.find({ order: { signedAt: 'DESC' } })
  await lists.update({ name: list!.name }, { signedAt: list!.signedAt - 120 })
  expect(await figure('procura_status_list_age_seconds')).toBeGreaterThanOrEqual(120)

  const [count, feed] = ['list', 'feed'].map(by => `procura_revocation_propagation_seconds_count{by="${by}"}`)
  expect(await figure(count!)).toBeUndefined()
  expect(await figure(feed!, other)).toBeUndefined()
  await home.issuer.revoke(root.digest)
  expect(await figure(count!)).toBe(1)
  await until(async () => (await figure(feed!, other)) === 1)
  expect(await figure('procura_revocation_propagation_seconds_sum{by="feed"}', other)).toBeLessThan(3600)
})
