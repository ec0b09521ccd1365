import { spawn } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import { openKeyRing } from '../../src/adapters/veramo/key-ring.js'
import { keySource } from '../../src/adapters/veramo/key-source.js'
import { ProcuraKeyManagementSystem } from '../../src/adapters/veramo/kms.js'
import { rotateKeys } from '../../src/adapters/veramo/rotate.js'
import { parsePublicKey, verifyEd25519 } from '../../src/ed25519.js'
import { folder, OTHER, SECRET } from './world.js'

const DATA = Buffer.from('hello')
const quiet = { drop: false, progress: () => undefined }

/** A database with `count` keys, its key file, and a program that uses them. */
async function openKeys(count: number) {
  const place = folder()
  const [url, keyFile] = [`sqlite://${join(place, 'keys.db')}`, join(place, 'keys.key')]
  const store = await openStore(url)
  onTestFinished(() => store.close())
  const source = keySource(keyFile, {})
  const ring = await openKeyRing(source, store.sealedKeys)
  const kms = new ProcuraKeyManagementSystem(store.sealedKeys, ring)
  const kids = await store.transaction(async () => {
    const made: string[] = []
    for (let n = 0; n < count; n += 1) made.push((await kms.createKey({ type: 'Ed25519' })).kid)
    return made
  })
  return { store, url, keyFile, source, ring, kms, kids }
}

/** True if a program that starts now can sign with each of the keys. */
async function allSign(store: Store, keyFile: string, kids: readonly string[]): Promise<boolean> {
  const ring = await openKeyRing(keySource(keyFile, {}), store.sealedKeys)
  return signWith(new ProcuraKeyManagementSystem(store.sealedKeys, ring), kids)
}

async function signWith(kms: ProcuraKeyManagementSystem, kids: readonly string[]): Promise<boolean> {
  for (const kid of kids) {
    const signature = await kms.sign({ keyRef: { kid }, data: DATA })
    const key = parsePublicKey(Buffer.from(kid, 'hex'), 'test')
    if (!verifyEd25519(key, DATA, Buffer.from(signature, 'base64url'))) return false
  }
  return true
}

/** Rotates in another process, which dies at `point`. */
function rotateElsewhere(url: string, keyFile: string, point: string, drop = ''): Promise<string | null> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'rotate-child.mjs'), url, keyFile, point, drop], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return new Promise(resolve => child.once('exit', (code, signal) => resolve(signal ?? String(code))))
}

const versionsOf = async ({ sealedKeys }: Store) => (await sealedKeys.versions()).map(({ version }) => version)

describe('rotating the key-encryption key', () => {
  test('seals every key anew; a program that runs takes the new version up by itself', async () => {
    const { store, keyFile, source, ring, kids } = await openKeys(5)
    const report = await rotateKeys(source, store.sealedKeys, quiet)
    expect(report).toEqual({ version: 2, resealed: 5, dropped: [] })
    expect(readFileSync(keyFile, 'latin1')).toMatch(/^1 [0-9a-f]{64}\n2 [0-9a-f]{64}\n$/)
    expect(statSync(keyFile).mode & 0o777).toBe(0o600)
    expect([...(await store.sealedKeys.counts())]).toEqual([[2, 5]])
    // its ring has version 1 only, its memory no key
    const running = new ProcuraKeyManagementSystem(store.sealedKeys, ring)
    expect(await signWith(running, kids)).toBe(true)
    expect(await allSign(store, keyFile, kids)).toBe(true)
  })

  test('drops the old version from database and file', async () => {
    const { store, keyFile, source, kms, kids } = await openKeys(3)
    const old = readFileSync(keyFile, 'latin1').trim()
    expect(await rotateKeys(source, store.sealedKeys, { ...quiet, drop: true })).toMatchObject({ dropped: [1] })
    expect(await versionsOf(store)).toEqual([2])
    expect(readFileSync(keyFile, 'latin1')).toMatch(/^2 [0-9a-f]{64}\n$/)
    expect(readFileSync(keyFile, 'latin1')).not.toContain(old)
    expect(await allSign(store, keyFile, kids)).toBe(true)
    // a program that made keys under version 1 makes them under 2
    const made = await kms.createKey({ type: 'Ed25519' })
    expect((await store.sealedKeys.find(made.kid))?.version).toBe(2)
  })

  test('a key made under a version that was dropped a moment ago is refused, not lost; the next one is made', async () => {
    const { store, source, kms, ring } = await openKeys(0)
    await ring.newest()
    await rotateKeys(source, store.sealedKeys, quiet)
    await store.sealedKeys.dropVersion(1)
    const [first] = await Promise.allSettled([kms.createKey({ type: 'Ed25519' })])
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'STORAGE_UNAVAILABLE' } })
    expect((await store.sealedKeys.find((await kms.createKey({ type: 'Ed25519' })).kid))?.version).toBe(2)
  })

  test('what its operator writes is taken up, and asked for', async () => {
    const place = `sqlite://${join(folder(), 'env.db')}`
    const store = await openStore(place)
    onTestFinished(() => store.close())
    const kms = new ProcuraKeyManagementSystem(
      store.sealedKeys,
      await openKeyRing(keySource('env:KEY', { KEY: SECRET }), store.sealedKeys),
    )
    const { kid } = await kms.createKey({ type: 'Ed25519' })
    const before = rotateKeys(keySource('env:KEY', { KEY: SECRET }), store.sealedKeys, quiet)
    await expect(before).rejects.toMatchObject({
      code: 'KEY_FILE',
      facts: { why: expect.stringMatching(/^has no version 2: add a line/) as string },
    })
    const grown = keySource('env:KEY', { KEY: `1 ${SECRET},2 ${OTHER}` })
    expect(await rotateKeys(grown, store.sealedKeys, quiet)).toMatchObject({ version: 2, resealed: 1 })
    expect((await store.sealedKeys.find(kid))?.version).toBe(2)
  })

  test('a row that does not open stops the drop, not the others', async () => {
    const { store, source, keyFile, kids } = await openKeys(4)
    const row = (await store.sealedKeys.find(kids[1]!))!
    await store.sealedKeys.replace(row, { ...row, sealed: (await store.sealedKeys.find(kids[0]!))!.sealed })
    const rotation = rotateKeys(source, store.sealedKeys, { ...quiet, drop: true })
    await expect(rotation).rejects.toMatchObject({ facts: { why: expect.stringContaining(kids[1]!) as string } })
    expect(await versionsOf(store)).toEqual([1, 2])
    expect(
      await allSign(
        store,
        keyFile,
        kids.filter(kid => kid !== kids[1]),
      ),
    ).toBe(true)
  })

  test('two at once lose nothing', async () => {
    const { store, url, source, keyFile, kids } = await openKeys(150)
    const other = await openStore(url)
    onTestFinished(() => other.close())
    const reports = await Promise.all([
      rotateKeys(source, store.sealedKeys, quiet),
      rotateKeys(keySource(keyFile, {}), other.sealedKeys, quiet),
    ])
    // the second takes the first one's version up, or makes the next
    const newest = Math.max(...reports.map(({ version }) => version))
    expect(await versionsOf(store)).toEqual(newest === 2 ? [1, 2] : [1, 2, 3])
    expect([...(await store.sealedKeys.counts()).keys()]).not.toContain(1)
    expect(await allSign(store, keyFile, kids)).toBe(true)
  })
})

test('killed anywhere, every key opens, and the next run goes on', async () => {
  const { store, url, keyFile, kms, kids } = await openKeys(220)
  const points = ['before grow', 'after grow', 'key 1', 'batch 2', 'key 2', 'before shrink', 'after shrink']
  for (const point of points) {
    const drop = point.endsWith('shrink') ? 'drop' : ''
    expect(await rotateElsewhere(url, keyFile, point, drop), point).toBe('SIGKILL')
    expect(await allSign(store, keyFile, kids), point).toBe(true)
    expect(await signWith(kms, kids.slice(0, 20)), point).toBe(true)
  }
  expect(await rotateElsewhere(url, keyFile, 'never', 'drop')).toBe('0')
  const versions = await versionsOf(store)
  expect(versions).toHaveLength(1)
  expect([...(await store.sealedKeys.counts())]).toEqual([[versions[0], 220]])
  expect(readFileSync(keyFile, 'latin1')).toMatch(new RegExp(`^${versions[0]} [0-9a-f]{64}\n$`))
  expect(await allSign(store, keyFile, kids)).toBe(true)
}, 120_000)
