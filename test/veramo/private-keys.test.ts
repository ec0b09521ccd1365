import { createSecretKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { SealedKeyTable } from '../../src/adapters/store/key-entities.js'
import type { Store } from '../../src/adapters/store/store.js'
import { unsealKey } from '../../src/adapters/veramo/seal.js'
import { verifyEd25519 } from '../../src/ed25519.js'
import { coded, folder, openWorld, OTHER, SECRET, WEB } from './world.js'

const KEK = createSecretKey(SECRET, 'hex')
const HELLO = Buffer.from('hello')

/** The private keys of a database, each as the base64url and the hexadecimal digits of its seed. */
async function secretsOf({ dataSource }: Store): Promise<readonly string[]> {
  const rows = await dataSource.getRepository(SealedKeyTable).find()
  return rows.flatMap(row => {
    const { d = '' } = unsealKey(row, KEK)!.export({ format: 'jwk' })
    return [d, Buffer.from(d, 'base64url').toString('hex')]
  })
}

describe('private keys', () => {
  test('appear in nothing that the vault or the agent hands out', async () => {
    const { vault, agent, store } = await openWorld()
    const made = [await vault.create('alice'), await vault.createWebDid(WEB, 'service')]
    const secrets = await secretsOf(store)
    expect(secrets).toHaveLength(4)

    const handedOut: unknown[] = [made, await vault.list(), await agent.didManagerFind({}), await vault.signer(WEB)]
    for (const { did, keyRef } of made) {
      handedOut.push(await agent.keyManagerGet({ kid: keyRef }), await agent.didManagerGet({ did }))
    }
    const text = inspect(handedOut, { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null })
    for (const { publicKey } of made) expect(text).toContain(Buffer.from(publicKey.bytes).toString('hex'))
    for (const secret of secrets) expect(text).not.toContain(secret)
    expect(text).not.toContain('privateKeyHex')
  })

  test('are not in the file in the clear, nor is the key that opens them', async () => {
    const path = join(folder(), 'sealed.db')
    const { vault, store } = await openWorld(path)
    const { did } = await vault.create('alice')
    const secrets = [SECRET, ...(await secretsOf(store))]
    await store.close()
    const bytes = readFileSync(path)
    expect(bytes.includes(did)).toBe(true)
    for (const secret of secrets) {
      expect(bytes.includes(secret)).toBe(false)
      expect(bytes.includes(Buffer.from(secret, /^[0-9a-f]{64}$/.test(secret) ? 'hex' : 'base64url'))).toBe(false)
    }
  })

  test('a database does not open with another key, and says so before anything is written', async () => {
    const path = join(folder(), 'other.db')
    const first = await openWorld(path)
    const alice = await first.vault.create('alice')
    await expect(openWorld(path, OTHER)).rejects.toMatchObject({
      code: 'KEY_FILE',
      facts: { why: 'does not belong to this database: its version 1 is another key' },
    })
    expect(await first.store.sealedKeys.versions()).toHaveLength(1)
    expect(verifyEd25519(alice.publicKey, HELLO, await alice.sign(HELLO))).toBe(true)
  })

  test.each([
    ['another number', `3 ${OTHER}`, /^does not belong to this database/],
    ['a new version without the old', `2 ${OTHER}`, /^does not belong to this database/],
    ['the old version as another', `1 ${OTHER},2 ${SECRET}`, /^does not belong to this database: its version 1 /],
  ])('nor with %s', async (_what, keys, why) => {
    const path = join(folder(), 'other.db')
    await (await openWorld(path)).vault.create('alice')
    await expect(openWorld(path, keys)).rejects.toMatchObject({
      code: 'KEY_FILE',
      facts: { why: expect.stringMatching(why) as string },
    })
  })

  test('a version that keys still need has to be there', async () => {
    const path = join(folder(), 'both.db')
    await (await openWorld(path)).vault.create('alice')
    const { vault } = await openWorld(path, `1 ${SECRET},2 ${OTHER}`)
    await vault.create('bob')
    await expect(openWorld(path, `2 ${OTHER}`)).rejects.toMatchObject({ facts: { why: 'lacks version 1' } })
    await expect(openWorld(path, SECRET)).rejects.toMatchObject({ facts: { why: 'lacks version 2' } })
  })
})

describe('rows of a database that was tampered with', () => {
  test.each<[string, (own: string, other: string) => string]>([
    ["another key's row", (_own, other) => other],
    ['a bit of the salt', own => flip(own, 0)],
    ['a bit of the nonce', own => flip(own, 32)],
    ['a bit of the seed', own => flip(own, 44)],
    ['a bit of the tag', own => flip(own, 76)],
    ['a byte less', own => own.slice(0, -2)],
    ['nothing', () => ''],
  ])('%s', async (_what, change) => {
    const path = join(folder(), 'changed.db')
    const first = await openWorld(path)
    const [alice, bob] = [await first.vault.create('alice'), await first.vault.create('bob')]
    const rows = first.store.sealedKeys
    const [own, other] = [(await rows.find(alice.keyRef))!, (await rows.find(bob.keyRef))!]
    expect(await rows.replace(own, { ...own, sealed: change(own.sealed, other.sealed) })).toBe(true)

    const { vault } = await openWorld(path)
    await expect((await vault.signer(alice.did))!.sign(HELLO)).rejects.toThrow(coded('KEY_FILE'))
    expect(verifyEd25519(bob.publicKey, HELLO, await (await vault.signer(bob.did))!.sign(HELLO))).toBe(true)
  })

  test('a version that is not its own', async () => {
    const path = join(folder(), 'version.db')
    const first = await openWorld(path)
    const alice = await first.vault.create('alice')
    const { vault, store } = await openWorld(path, `1 ${SECRET},2 ${OTHER}`)
    const row = (await store.sealedKeys.find(alice.keyRef))!
    await store.sealedKeys.replace(row, { ...row, version: 2 })
    await expect((await vault.signer(alice.did))!.sign(HELLO)).rejects.toThrow(coded('KEY_FILE'))
  })
})

function flip(sealed: string, at: number): string {
  const bytes = Buffer.from(sealed, 'base64url')
  bytes[at] = bytes[at]! ^ 1
  return bytes.toString('base64url')
}
