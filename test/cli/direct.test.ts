import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestHome, type Home } from '../http/home.js'
import { killedWhen, procura } from './run.js'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openService } from '../../src/entry/service.js'

let home: Home
beforeAll(async () => (home = await openTestHome()))
afterAll(() => home.close())

const direct = (...args: string[]) => procura([...args, '--direct', '-c', home.config, '-o', 'json'])
const KEY = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'

test('is refused while a service has the storage: says who, and changes nothing', async () => {
  const { code, stdout, stderr } = await direct('organisation', 'list')
  expect([code, stdout]).toEqual([69, ''])
  const { code: name, detail } = JSON.parse(stderr) as { code: string; detail: string }
  expect(name).toBe('STORAGE_HELD')
  expect(detail).toMatch(new RegExp(`held by process ${process.pid} on \\S+ since 20`))
})

test('without one, the same commands give the same answers, on record as ever', async () => {
  const { did } = await (await home.wallet()).createAgent({ name: 'booker' })
  const { digest } = await home.grant({
    to: did,
    ttl: 3600,
    authority: {
      audience: ['https://api.acme.example'],
      grants: [{ resource: 'https://api.acme.example/**', actions: ['read'] }],
    },
  })
  await home.service.close()
  const created = await direct('organisation', 'create', 'Acme', '--did', 'did:web:acme.example', '--key', KEY)
  expect([created.code, JSON.parse(created.stdout)]).toMatchObject([0, { subject: { name: 'Acme', state: 'active' } }])
  const twice = await direct('organisation', 'create', 'Acme', '--did', 'did:web:acme.example', '--key', KEY)
  expect([twice.code, JSON.parse(twice.stderr)]).toMatchObject([73, { code: 'SUBJECT_EXISTS' }])
  const revoked = await direct('revoke', digest)
  expect([revoked.code, JSON.parse(revoked.stdout)]).toMatchObject([0, { digest }])
  const { list } = JSON.parse(revoked.stdout) as { list: string }
  const shown = await direct('status', 'show', list)
  expect(JSON.parse(shown.stdout)).toMatchObject({ list, set: 1 })
  const { stdout } = await procura(['audit', 'query', '--type', 'status', '-c', home.config, '-o', 'json'])
  expect(stdout).toContain(digest)
})

test('what was done there is what a service finds; one that was killed holds nothing', async () => {
  // killed in the middle, with the lock in its hands
  const holder = join(home.folder, 'audit', 'lock.holder')
  await rm(holder, { force: true })
  await killedWhen(['organisation', 'list', '--direct', '-c', home.config], () => existsSync(holder))
  const service = await openService({ config: home.config, environment: {} })
  expect(service.app.server.listening).toBe(true)
  await service.close()
  expect(JSON.parse((await direct('organisation', 'list')).stdout)).toMatchObject([{ name: 'Acme' }])
})
