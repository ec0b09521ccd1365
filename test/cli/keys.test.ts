import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openWallet } from '../../src/entry/wallet.js'
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
