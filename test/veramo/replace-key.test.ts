import { describe, expect, test } from 'vitest'
import { issuingKeys, keyReplacement } from '../../src/adapters/veramo/replace-key.js'
import { LISTED_AFTER, LISTED_BEFORE, stageOf } from '../../src/did/replacement.js'
import { verifyEd25519 } from '../../src/ed25519.js'
import { coded, counts, openWorld, WEB } from './world.js'

const DATA = Buffer.from('hello')

async function openReplacement() {
  const world = await openWorld()
  const { agent, store, vault } = world
  const { signingKeys } = store
  const time = { now: 1_793_000_000 }
  const clock = { now: () => time.now }
  const first = await vault.createWebDid(WEB, 'issuer')
  const replacement = keyReplacement({ agent, vault, signingKeys, clock, transaction: work => store.transaction(work) })
  const own = issuingKeys(WEB, { vault, signingKeys })
  const listed = async () => (await vault.held(WEB))!.keys.map(({ keyRef }) => keyRef)
  const stages = async () => (await replacement.keys(WEB)).map(key => [key.kid, stageOf(key)])
  return { ...world, time, first, replacement, own, listed, stages }
}

describe('the key of a did:web', () => {
  test('is replaced in three steps, each at its time', async () => {
    const { time, first, replacement, own, listed, stages, store } = await openReplacement()
    expect(await stages()).toEqual([[first.keyRef, 'current']])

    const listedNow = await replacement.proceed(WEB)
    const second = (await listed()).find(kid => kid !== first.keyRef)!
    expect(listedNow).toEqual({ done: 'list', next: { step: 'switch', kid: second, due: time.now + LISTED_BEFORE } })
    expect((await own.signer()).kid).toBe(first.kid)
    expect(await stages()).toEqual([
      [first.keyRef, 'current'],
      [second, 'listed'],
    ])

    time.now += LISTED_BEFORE - 1
    expect(await replacement.proceed(WEB)).toMatchObject({ done: null, next: { step: 'switch' } })
    expect((await own.signer()).kid).toBe(first.kid)
    time.now += 1
    const switched = await replacement.proceed(WEB)
    expect(switched).toEqual({
      done: 'switch',
      next: { step: 'drop', kid: first.keyRef, due: time.now + LISTED_AFTER },
    })
    const signer = await own.signer()
    expect(signer.kid).toBe(`${WEB}#${second}`)
    expect(verifyEd25519(signer.publicKey, DATA, await signer.sign(DATA))).toBe(true)
    expect((await listed()).sort()).toEqual([first.keyRef, second].sort())
    expect(await own.find(first.kid)).toMatchObject({ isListed: true, key: { x: first.publicKey.x } })

    time.now += LISTED_AFTER - 1
    expect(await replacement.proceed(WEB)).toMatchObject({ done: null, next: { step: 'drop' } })
    time.now += 1
    expect(await replacement.proceed(WEB)).toEqual({ done: 'drop', next: null })
    expect(await listed()).toEqual([second])
    expect(await stages()).toEqual([
      [first.keyRef, 'dropped'],
      [second, 'current'],
    ])
    expect(await counts(store)).toEqual({ dids: 1, keys: 1, privateKeys: 1 })
    await expect(first.sign(DATA)).rejects.toThrow(coded('NOT_FOUND'))
    // what it signed can still be read by its issuer
    expect(await own.find(first.kid)).toMatchObject({ isListed: false, key: { x: first.publicKey.x } })
    // and the next replacement begins anew
    expect(await replacement.proceed(WEB)).toMatchObject({ done: 'list', next: { step: 'switch' } })
  })

  test.each([0, 1, 2])(
    'in an emergency, %i steps on the way: one new key signs, all others are gone at once',
    async steps => {
      const { time, first, replacement, own, listed, store } = await openReplacement()
      for (let step = 0; step < steps; step += 1) {
        await replacement.proceed(WEB)
        time.now += LISTED_BEFORE
      }
      const before = await listed()
      await replacement.emergency(WEB)
      const after = await listed()
      expect(after).toHaveLength(1)
      expect(before).not.toContain(after[0])
      const signer = await own.signer()
      expect(signer.kid).toBe(`${WEB}#${after[0]}`)
      expect(verifyEd25519(signer.publicKey, DATA, await signer.sign(DATA))).toBe(true)
      await expect(first.sign(DATA)).rejects.toThrow(coded('NOT_FOUND'))
      expect(await own.find(first.kid)).toMatchObject({ isListed: false })
      expect(await counts(store)).toEqual({ dids: 1, keys: 1, privateKeys: 1 })
    },
  )

  test('steps are whole or not at all', async () => {
    const { agent, vault, store, first, stages } = await openReplacement()
    const broken = Object.assign(Object.create(agent) as typeof agent, {
      didManagerAddKey: () => Promise.reject(new Error('the power went')),
    })
    const ports = { vault, clock: { now: () => 1 }, signingKeys: store.signingKeys }
    const replacement = keyReplacement({ ...ports, agent: broken, transaction: work => store.transaction(work) })
    for (const attempt of [replacement.proceed(WEB), replacement.emergency(WEB)]) {
      await expect(attempt).rejects.toThrow('the power went')
    }
    expect(await stages()).toEqual([[first.keyRef, 'current']])
    expect(await counts(store)).toEqual({ dids: 1, keys: 1, privateKeys: 1 })
  })

  test('a key of nobody', async () => {
    const { own, replacement, vault } = await openReplacement()
    const other = await vault.createWebDid('did:web:other.example', 'other')
    for (const kid of [other.kid, `${WEB}#${other.keyRef}`, `${WEB}#x`, `${WEB}#${'0'.repeat(64)}`] as const) {
      expect(await own.find(kid)).toBeNull()
    }
    await expect(replacement.proceed('did:web:nobody.example')).rejects.toThrow(coded('NOT_FOUND'))
    await expect(replacement.emergency('did:web:nobody.example')).rejects.toThrow(coded('NOT_FOUND'))
  })
})
