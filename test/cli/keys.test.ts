import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openService } from '../../src/entry/service.js'
import { openWallet } from '../../src/entry/wallet.js'
import { recordsOf } from '../audit/records.js'
import { openTestHome } from '../http/home.js'
import { procura } from './run.js'

test('keys of a wallet: list, rotate, drop', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'procura-keys-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'wallet.db')
  const storage = `sqlite://${file}`
  const missing = await procura(['keys', 'list', '--wallet', storage])
  expect(missing).toEqual({ code: 66, stdout: '', stderr: `procura: NOT_FOUND: no database ${file}\n` })

  const wallet = await openWallet({ storage, roots: [] })
  for (const name of ['a', 'b', 'c']) await wallet.createAgent({ name })
  const first = readFileSync(`${file}.key`, 'latin1').trim()
  expect((await procura(['keys', 'list', '--wallet', storage])).stdout).toMatch(
    /^version 1 {2}[\w-]{12} {2}3 private keys {2}newest\n$/,
  )
  // the wallet is open all the time
  const rotated = await procura(['keys', 'rotate', '--drop-old', '--wallet', storage, '-o', 'json'])
  expect(rotated).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(rotated.stdout)).toEqual({ version: 2, resealed: 3, dropped: [1] })
  expect(readFileSync(`${file}.key`, 'latin1')).not.toContain(first)
  expect(rotated.stdout).not.toMatch(/[0-9a-f]{64}/)
  await wallet.createAgent({ name: 'd' })
  await wallet.close()
  const listed = await procura(['keys', 'list', '--wallet', storage, '-o', 'json'])
  expect(JSON.parse(listed.stdout)).toMatchObject({ versions: [{ version: 2, keys: 4 }], issuer: null })

  for (const flags of [['--wait'], ['--emergency'], ['--issuer'], ['--issuer', '--drop-old']]) {
    expect((await procura(['keys', 'rotate', '--wallet', storage, ...flags])).code).toBe(64)
  }
})

test('what is done to the keys of a service stands in its log once, however often it starts', async () => {
  const home = await openTestHome()
  onTestFinished(() => home.close())
  const { did } = home.service
  const rotate = async (...flags: string[]) => (await procura(['keys', 'rotate', '-c', home.config, ...flags])).code
  // beside the service, which holds its log
  expect(await rotate()).toBe(0)
  expect(await rotate('--issuer')).toBe(0)
  expect(await rotate('--issuer')).toBe(75) // too early: nothing was done
  expect(await rotate('--issuer', '--emergency')).toBe(0)
  await home.service.close()
  for (let start = 0; start < 2; start += 1) {
    await (await openService({ config: home.config, environment: {} })).close()
  }
  const records = (await recordsOf(join(home.folder, 'audit'))).filter(({ type }) => type === 'key')
  const by = expect.stringMatching(/^uid:\d+@./) as unknown
  expect(records).toMatchObject([
    { change: 'rotate', dropOld: false, by },
    { change: 'rotated', version: 2, dropped: [], by },
    { change: 'signing', issuer: did, by },
    { change: 'signing', issuer: did, by },
  ])
  const stages = records.map(({ keys }) => Object.values((keys ?? {}) as Record<string, string>).sort())
  expect(stages).toEqual([[], [], ['listed'], ['current', 'dropped', 'dropped']])
  expect(new Set(records.map(({ id }) => id)).size).toBe(4)
})
