import { join } from 'node:path'
import { inspect } from 'node:util'
import { SecretBox } from '@veramo/kms-local'
import { Entities, PrivateKeyStore } from '@veramo/data-store'
import { describe, expect, test } from 'vitest'
import type { Store } from '../../src/adapters/store/store.js'
import { coded, folder, openWorld, SECRET, WEB } from './world.js'

const OTHER_SECRET = '0ff1ce5ca1ab1e0ddba11ca75ea7f100dcafe5bedfaced1deadbeefc0ffeeba5'

describe('private keys', () => {
  async function privateHex(store: Store): Promise<readonly string[]> {
    const keys = await new PrivateKeyStore(store.dataSource, new SecretBox(SECRET)).listKeys()
    return keys.map(({ privateKeyHex }) => privateKeyHex.slice(0, 64))
  }

  test('appear in nothing that the vault or the agent hands out', async () => {
    const { vault, agent, store } = await openWorld()
    const made = [await vault.create('alice'), await vault.createWebDid(WEB, 'service')]
    const secrets = await privateHex(store)
    expect(secrets).toHaveLength(2)
    expect(secrets.every(secret => /^[0-9a-f]{64}$/.test(secret))).toBe(true)

    const handedOut: unknown[] = [made, await vault.list(), await agent.didManagerFind({}), await vault.signer(WEB)]
    for (const { did, keyRef } of made) {
      handedOut.push(await agent.keyManagerGet({ kid: keyRef }), await agent.didManagerGet({ did }))
    }
    const text = inspect(handedOut, { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null })
    for (const { publicKey } of made) expect(text).toContain(Buffer.from(publicKey.bytes).toString('hex'))
    for (const secret of secrets) expect(text).not.toContain(secret)
    expect(text).not.toContain('privateKeyHex')
    for (const secret of secrets) {
      expect(text).not.toContain(Buffer.from(secret, 'hex').toString('base64url'))
    }
  })

  test('are not in the database in the clear', async () => {
    const { vault, store } = await openWorld()
    await vault.create('alice')
    const [secret] = await privateHex(store)
    const rows = await Promise.all(
      Entities.map(entity =>
        store.dataSource
          .getRepository(entity)
          .find()
          .catch(() => []),
      ),
    )
    expect(JSON.stringify(rows)).toContain('privateKeyHex')
    expect(JSON.stringify(rows)).not.toContain(secret)
  })

  test('do not open with another key file', async () => {
    const path = join(folder(), 'other.db')
    const first = await openWorld(path)
    const { did } = await first.vault.create('alice')
    await first.store.close()

    const { vault } = await openWorld(path, OTHER_SECRET)
    const signer = await vault.signer(did)
    await expect(signer!.sign(Buffer.from('x'))).rejects.toThrow(coded('KEY_FILE'))
  })
})
