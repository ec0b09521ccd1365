import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ProcuraKeyManagementSystem } from '../../src/adapters/veramo/kms.js'
import { openKeyRing } from '../../src/adapters/veramo/key-ring.js'
import { keySource } from '../../src/adapters/veramo/key-source.js'
import { parsePublicKey, verifyEd25519 } from '../../src/ed25519.js'
import { coded, counts, openWorld, OTHER, SECRET } from './world.js'

const DATA = Buffer.from('hello')

/** A key of somebody else, as hexadecimal digits. */
function foreignKey() {
  const { privateKey } = generateKeyPairSync('ed25519')
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' })
  return {
    privateKey,
    seed: Buffer.from(d, 'base64url').toString('hex'),
    kid: Buffer.from(x, 'base64url').toString('hex'),
  }
}

async function openKms() {
  const world = await openWorld()
  const ring = await openKeyRing(keySource('env:KEY', { KEY: SECRET }), world.store.sealedKeys)
  return { ...world, kms: new ProcuraKeyManagementSystem(world.store.sealedKeys, ring) }
}

describe('a key that is made', () => {
  test('is called by its public key and signs with it', async () => {
    const { kms } = await openKms()
    const info = await kms.createKey({ type: 'Ed25519' })
    expect(info).toEqual({
      kid: info.publicKeyHex,
      kms: '',
      type: 'Ed25519',
      publicKeyHex: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      meta: { algorithms: ['EdDSA', 'Ed25519'] },
    })
    const key = parsePublicKey(Buffer.from(info.kid, 'hex'), 'test')
    for (const algorithm of [undefined, 'EdDSA', 'Ed25519']) {
      const signature = await kms.sign({ keyRef: info, data: DATA, ...(algorithm === undefined ? {} : { algorithm }) })
      expect(verifyEd25519(key, DATA, Buffer.from(signature, 'base64url'))).toBe(true)
    }
  })

  test.each(['Secp256k1', 'Secp256r1', 'X25519', 'Bls12381G1', '__proto__'] as const)('type %s', async type => {
    const { kms, store } = await openKms()
    await expect(kms.createKey({ type })).rejects.toThrow(coded('SCHEMA'))
    const key = { type, privateKeyHex: foreignKey().seed }
    await expect(kms.importKey(key)).rejects.toThrow(coded('SCHEMA'))
    expect((await counts(store)).privateKeys).toBe(0)
  })

  test('through Veramo too: a DID with a key of another type is not made', async () => {
    const { agent, store } = await openKms()
    await expect(agent.didManagerCreate({ provider: 'did:web', alias: 'x.example' })).rejects.toThrow(coded('SCHEMA'))
    const options = { keyType: 'Secp256k1' }
    await expect(agent.didManagerCreate({ provider: 'did:key', alias: 'x', options })).rejects.toThrow(coded('SCHEMA'))
    expect(await counts(store)).toEqual({ dids: 0, keys: 0, privateKeys: 0 })
  })

  test('has no name of its own', async () => {
    const { kms } = await openKms()
    await expect(kms.createKey({ type: 'Ed25519', kid: 'issuer' })).rejects.toThrow(coded('SCHEMA'))
  })

  test.each(['ES256K', 'ES256', 'none', 'HS256', 'eth_signTransaction', ''])('algorithm %j', async algorithm => {
    const { kms } = await openKms()
    const keyRef = await kms.createKey({ type: 'Ed25519' })
    await expect(kms.sign({ keyRef, algorithm, data: DATA })).rejects.toThrow(coded('SCHEMA'))
  })

  test('does nothing but sign', async () => {
    const { kms, agent, vault } = await openKms()
    const alice = await vault.create('alice')
    const { kid, publicKeyHex, type } = await kms.createKey({ type: 'Ed25519' })
    await expect(kms.sharedSecret()).rejects.toThrow(coded('SCHEMA'))
    await expect(kms.listKeys()).rejects.toThrow(coded('SCHEMA'))
    const asked = agent.keyManagerSharedSecret({
      secretKeyRef: alice.keyRef,
      publicKey: { kid, publicKeyHex, type, kms: '' } as never,
    })
    await expect(asked).rejects.toThrow(coded('SCHEMA'))
  })
})

describe('a key that is brought', () => {
  test.each(['seed', 'seed and public key'])('%s: signs as it did', async form => {
    const { kms } = await openKms()
    const { privateKey, seed, kid } = foreignKey()
    const privateKeyHex = form === 'seed' ? seed : seed + kid
    expect(await kms.importKey({ type: 'Ed25519', privateKeyHex, kid })).toMatchObject({ kid, publicKeyHex: kid })
    const signature = await kms.sign({ keyRef: { kid }, data: DATA })
    expect(signature).toBe(sign(null, DATA, privateKey).toString('base64url'))
  })

  test('is refused if an agent here uses it', async () => {
    const { agent, vault, store } = await openKms()
    const { seed, kid } = foreignKey()
    const key = { kid, kms: 'local', type: 'Ed25519' as const, privateKeyHex: seed }
    const did = 'did:web:alice.example'
    await agent.didManagerImport({ did, provider: 'did:web', controllerKeyId: kid, alias: 'alice', keys: [key] })
    const mallory = 'did:web:mallory.example'
    const stolen = agent.didManagerImport({ did: mallory, provider: 'did:web', controllerKeyId: kid, keys: [key] })
    await expect(stolen).rejects.toThrow(coded('KEY_EXISTS'))
    await expect(agent.keyManagerImport(key)).rejects.toThrow(coded('KEY_EXISTS'))
    expect(await vault.find(did)).toMatchObject({ did, alias: 'alice', keyRef: kid })
    expect(await counts(store)).toEqual({ dids: 1, keys: 1, privateKeys: 1 })
  })

  test.each<[string, string]>([
    ['nothing', ''],
    ['half', 'ab'.repeat(16)],
    ['no digits', 'zz'.repeat(32)],
    ['too much', OTHER.repeat(3)],
    ['zeros', '00'.repeat(32)],
    ['another public key', OTHER + SECRET],
  ])('%s is no key', async (_what, privateKeyHex) => {
    const { kms, store } = await openKms()
    const error: unknown = await kms.importKey({ type: 'Ed25519', privateKeyHex }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'SCHEMA' })
    if (privateKeyHex.length > 0) expect(String(error)).not.toContain(privateKeyHex)
    expect((await counts(store)).privateKeys).toBe(0)
  })

  test('a name that is not its public key', async () => {
    const { kms } = await openKms()
    const named = { type: 'Ed25519' as const, privateKeyHex: foreignKey().seed, kid: 'key-1' }
    await expect(kms.importKey(named)).rejects.toThrow(coded('SCHEMA'))
  })
})

describe('a key that is gone', () => {
  test('does not sign any more, from memory either', async () => {
    const { kms } = await openKms()
    const keyRef = await kms.createKey({ type: 'Ed25519' })
    await kms.sign({ keyRef, data: DATA })
    expect(await kms.deleteKey(keyRef)).toBe(true)
    expect(await kms.deleteKey(keyRef)).toBe(false)
    await expect(kms.sign({ keyRef, data: DATA })).rejects.toThrow(coded('NOT_FOUND'))
  })

  test('is not one that a transaction brought back', async () => {
    const { kms, store } = await openKms()
    const keyRef = await kms.createKey({ type: 'Ed25519' })
    const undone = store.transaction(async () => {
      await kms.deleteKey(keyRef)
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
    expect(await kms.sign({ keyRef, data: DATA })).toHaveLength(86)
  })
})

test('more keys than are held open at once all sign', async () => {
  const { kms, store } = await openKms()
  const made = await store.transaction(async () => {
    const kids: string[] = []
    for (let n = 0; n < 1_050; n += 1) kids.push((await kms.createKey({ type: 'Ed25519' })).kid)
    return kids
  })
  for (const kid of [made[0]!, made[49]!, made[50]!, made[1_049]!]) {
    const signature = await kms.sign({ keyRef: { kid }, data: DATA })
    const key = parsePublicKey(Buffer.from(kid, 'hex'), 'test')
    expect(verifyEd25519(key, DATA, Buffer.from(signature, 'base64url'))).toBe(true)
  }
})
