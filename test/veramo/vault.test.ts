import { createPublicKey, randomBytes, verify } from 'node:crypto'
import { join } from 'node:path'
import { DIDStore, Identifier, KeyStore } from '@veramo/data-store'
import { describe, expect, test } from 'vitest'
import { fromDidKey } from '../../src/did/key.js'
import type { Did } from '../../src/did/did.js'
import { verifyEd25519 } from '../../src/ed25519.js'
import { openJws, readJws, signJws } from '../../src/jws/compact.js'
import { coded, counts, folder, openWorld, WEB } from './world.js'

describe('a new DID', () => {
  test('did:key is the key it signs with, and its kid is the one of the method', async () => {
    const { vault, agent } = await openWorld()
    const alice = await vault.create('alice')
    expect(fromDidKey(alice.did).x).toBe(alice.publicKey.x)
    expect(alice.kid).toBe(`${alice.did}#${alice.did.slice('did:key:'.length)}`)

    const { didDocument } = await agent.resolveDid({ didUrl: alice.did })
    expect(didDocument?.assertionMethod).toContain(alice.kid)
  })

  test('did:web has the DID asked for and a kid that a second one shares only with the same key', async () => {
    const { vault } = await openWorld()
    const service = await vault.createWebDid(WEB, 'service')
    const agents = await vault.createWebDid(`${WEB}:agents:planner`, 'planner')
    expect(service.did).toBe(WEB)
    expect(service.kid).toBe(`${WEB}#${Buffer.from(service.publicKey.bytes).toString('hex')}`)
    expect(agents.kid).not.toContain(Buffer.from(service.publicKey.bytes).toString('hex'))
    expect(await vault.signer(WEB)).toMatchObject({ kid: service.kid })
    expect((await vault.list()).map(({ alias, did }) => [alias, did])).toEqual([
      ['planner', agents.did],
      ['service', WEB],
    ])
  })

  test('did:web may be called by its own name', async () => {
    const { vault } = await openWorld()
    await vault.createWebDid(WEB, 'procura.example')
    expect(await vault.list()).toMatchObject([{ did: WEB, alias: 'procura.example' }])
  })

  test.each(['', 'a'.repeat(129), 'two\nlines', 'bell\u0007', 'right\u202eleft', '\ud800', 'did:web:x'])(
    'alias %j',
    async alias => {
      const { vault, store } = await openWorld()
      await expect(vault.create(alias)).rejects.toThrow(coded('SCHEMA'))
      await expect(vault.createWebDid(WEB, alias)).rejects.toThrow(coded('SCHEMA'))
      expect(await counts(store)).toEqual({ dids: 0, keys: 0, privateKeys: 0 })
    },
  )

  test.each(['a', 'ü'.repeat(128), 'data scientist №1', "'; DROP TABLE key; --"])('alias %j is kept', async alias => {
    const { vault } = await openWorld()
    const { did } = await vault.create(alias)
    expect(await vault.list()).toMatchObject([{ did, alias }])
  })

  test.each(['did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK', 'did:web:', 'procura.example', ''])(
    'createWebDid(%j)',
    async did => {
      const { vault } = await openWorld()
      await expect(vault.createWebDid(did as Did, 'service')).rejects.toThrow(coded('SCHEMA'))
      expect(await vault.list()).toEqual([])
    },
  )
})

describe('signatures', () => {
  test('are Ed25519 over the raw bytes, whatever their number', async () => {
    const { vault } = await openWorld()
    const alice = await vault.create('alice')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: alice.publicKey.x }, format: 'jwk' })
    for (const length of [0, 1, 2, 3, 4, 31, 32, 64, 65, 3000]) {
      const data = randomBytes(length)
      const signature = await alice.sign(data)
      expect(signature).toHaveLength(64)
      expect(verify(null, data, key, signature)).toBe(true)
      expect(verify(null, Buffer.concat([data, data, Buffer.of(1)]), key, signature)).toBe(false)
    }
  })

  test.each([
    ['ASCII', Buffer.from('eyJhbGciOiJFZERTQSJ9.e30')],
    ['other text', Buffer.from('é 漢 🗝 \0\r\n')],
    ['a byte order mark', Buffer.of(0xef, 0xbb, 0xbf, 0x61)],
    ['half a character', Buffer.from('🗝').subarray(0, 3)],
    ['a surrogate', Buffer.of(0xed, 0xa0, 0x80)],
    ['no text', Buffer.of(0x61, 0xff, 0xfe)],
  ])('are over the raw bytes of %s', async (_name, data) => {
    const { vault } = await openWorld()
    const alice = await vault.create('alice')
    expect(verifyEd25519(alice.publicKey, data, await alice.sign(data))).toBe(true)
  })

  test('cover the part of a buffer they were asked for', async () => {
    const { vault } = await openWorld()
    const alice = await vault.create('alice')
    const whole = Uint8Array.of(1, 2, 3, 4, 5, 6)
    expect(verifyEd25519(alice.publicKey, Uint8Array.of(3, 4), await alice.sign(whole.subarray(2, 4)))).toBe(true)
  })

  test('make tokens that open with the key', async () => {
    const { vault } = await openWorld()
    const alice = await vault.createWebDid(WEB, 'alice')
    const token = await signJws({ iss: alice.did }, 'vc+jwt', alice)
    expect(openJws(readJws(token, 'vc+jwt', 4096, 'token'), alice.publicKey)).toEqual({ iss: WEB })
  })

  test('come from the same key after the database was opened again', async () => {
    const path = join(folder(), 'again.db')
    const first = await openWorld(path)
    const { did, publicKey } = await first.vault.create('alice')
    await first.store.close()
    const again = await (await openWorld(path)).vault.signer(did)
    expect(verifyEd25519(publicKey, Buffer.from('hello'), await again!.sign(Buffer.from('hello')))).toBe(true)
  })

  test('a DID that is not held has no signer', async () => {
    const { vault } = await openWorld()
    await vault.create('alice')
    expect(await vault.signer('did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK')).toBeNull()
  })

  test('a DID is found by its name too, and by no other', async () => {
    const { vault } = await openWorld()
    const { did } = await vault.create('alice')
    await vault.createWebDid(WEB, 'service')
    expect(await vault.find('alice')).toMatchObject({ did, alias: 'alice' })
    expect(await vault.find(did)).toMatchObject({ did, alias: 'alice' })
    expect(await vault.find(WEB)).toMatchObject({ did: WEB, alias: 'service' })
    for (const name of ['', 'alic', 'Alice', '%', 'procura.example', 'a\nb']) expect(await vault.find(name)).toBeNull()
  })

  test('a DID made without an alias goes by itself', async () => {
    const { vault, agent } = await openWorld()
    const { did } = await agent.didManagerCreate({ provider: 'did:key' })
    expect(await vault.list()).toMatchObject([{ did, alias: did }])
    expect(await vault.find(did)).toMatchObject({ did, alias: did })
  })

  test('a DID with no Ed25519 key has none either, and is not listed', async () => {
    const { vault, store } = await openWorld()
    // as another Veramo program left it in the database
    const kept = { keys: new KeyStore(store.dataSource), dids: new DIDStore(store.dataSource) }
    for (const [did, provider, type] of [
      ['did:web:old.example', 'did:web', 'Secp256k1'],
      ['did:web:x.example', 'did:web', 'X25519'],
      ['did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme', 'did:key', 'Secp256k1'],
    ] as const) {
      const key = { kid: did, kms: 'local', type, publicKeyHex: 'ab'.repeat(32) }
      await kept.keys.importKey(key)
      await kept.dids.importDID({ did, provider, controllerKeyId: key.kid, keys: [key], services: [] })
      expect(await vault.signer(did)).toBeNull()
    }
    expect(await vault.list()).toEqual([])
  })

  test('a closed database is not "no such DID"', async () => {
    const { vault, store } = await openWorld()
    const alice = await vault.create('alice')
    await store.close()
    await expect(vault.signer(alice.did)).rejects.toThrow()
    await expect(alice.sign(Buffer.from('x'))).rejects.toThrow(coded('STORAGE_UNAVAILABLE'))
  })

  test('with several keys the controller key signs, and all are named', async () => {
    const { vault, agent, store } = await openWorld()
    const first = await vault.createWebDid(WEB, 'service')
    const key = await agent.keyManagerCreate({ kms: 'local', type: 'Ed25519' })
    await agent.didManagerAddKey({ did: WEB, key })
    expect(await vault.signer(WEB)).toMatchObject({ kid: first.kid })
    await store.dataSource.getRepository(Identifier).update(WEB, { controllerKeyId: key.kid })
    const second = await vault.signer(WEB)
    expect(second).toMatchObject({ kid: `${WEB}#${key.kid}` })
    expect(verifyEd25519(second!.publicKey, Buffer.of(7), await second!.sign(Buffer.of(7)))).toBe(true)
    const [held] = await vault.list()
    expect(held?.keys.map(({ kid }) => kid)).toEqual([second?.kid, first.kid])
  })
})

describe('a DID that is destroyed', () => {
  test('leaves nothing behind, signs no more, and its alias is free', async () => {
    const { vault, store } = await openWorld()
    const bob = await vault.create('bob')
    const alice = await vault.create('alice')
    await alice.sign(Buffer.from('x'))
    expect(await vault.destroy(alice.did)).toBe(true)
    expect(await vault.destroy(alice.did)).toBe(false)
    expect(await counts(store)).toEqual({ dids: 1, keys: 1, privateKeys: 1 })
    expect(await vault.find('alice')).toBeNull()
    await expect(alice.sign(Buffer.from('x'))).rejects.toThrow(coded('NOT_FOUND'))
    expect(await bob.sign(Buffer.from('x'))).toHaveLength(64)
    expect((await vault.create('alice')).did).not.toBe(alice.did)
  })

  test('is there again if the transaction around it fails', async () => {
    const { vault, store } = await openWorld()
    const alice = await vault.create('alice')
    const undone = store.transaction(async () => {
      await vault.destroy(alice.did)
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
    expect(verifyEd25519(alice.publicKey, Buffer.of(7), await alice.sign(Buffer.of(7)))).toBe(true)
    expect(await counts(store)).toEqual({ dids: 1, keys: 1, privateKeys: 1 })
  })
})
