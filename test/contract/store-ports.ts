import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/adapters/store/store.js'
import { digestOf } from '../../src/encoding.js'
import { NOW, type Backend, credentialOf, mallory, together } from './store-fixtures.js'

/** What every store promises through its ports. */
export function portsContract(backend: Backend): void {
  describe(`${backend.name}: credentials`, () => {
    let store: Store
    beforeAll(async () => (store = await backend.open(await backend.place())))
    afterAll(() => store.close())

    test('come back as they were, by digest and by id', async () => {
      const child = credentialOf('child', { parent: digestOf('head.root'), status: null })
      for (const credential of [credentialOf('root'), child]) {
        await store.credentials.save(credential)
        expect(await store.credentials.find(credential.digest)).toStrictEqual(credential)
      }
      const root = credentialOf('root')
      expect(await store.credentials.findRoot(root.issuer, root.id)).toStrictEqual(root)
      expect(await store.credentials.findRoot(mallory, root.id)).toBeNull()
      // a stranger who signs a link chooses its id and its issuer's name, but is never a root
      expect(await store.credentials.findRoot(child.issuer, child.id)).toBeNull()
    })

    test('index 0 of a list is an index', async () => {
      const first = credentialOf('first', { status: { url: 'https://status.example/lists/1', index: 0 } })
      await store.credentials.save(first)
      expect(await store.credentials.find(first.digest)).toStrictEqual(first)
    })

    test('nothing is not something', async () => {
      expect(await store.credentials.findRoot('did:key:z6MkOwner', 'urn:uuid:none')).toBeNull()
      expect(await store.credentials.find(digestOf('head.none'))).toBeNull()
    })

    test('are kept once; the first token stays', async () => {
      const credential = credentialOf('twice')
      await store.credentials.save(credential)
      await store.credentials.save({ ...credential, token: 'head.twice.other' })
      expect(await store.credentials.findRoot('did:key:z6MkOwner', credential.id)).toStrictEqual(credential)
    })

    test('are held until they end, the latest end first', async () => {
      const subject = 'did:key:z6MkHeld'
      const ends = [5, 1, 0, 9].map(seconds => credentialOf(`ends-${seconds}`, { subject, validUntil: NOW + seconds }))
      for (const credential of ends) await store.credentials.save(credential)
      const held = await store.credentials.heldBy(subject, NOW)
      expect(held.map(one => one.validUntil - NOW)).toStrictEqual([9, 5, 1])
      expect(await store.credentials.heldBy(mallory, NOW)).toStrictEqual([])
    })

    test('that ended are forgotten, of one issuer, some at a time', async () => {
      const issuer = 'did:key:z6MkForgetful'
      const ended = Array.from({ length: 101 }, (_, n) => credentialOf(`ended-${n}`, { issuer, validUntil: NOW - 1 }))
      const others = [
        credentialOf('ends-just-now', { issuer, validUntil: NOW }),
        credentialOf('of-another', { issuer: mallory, validUntil: NOW - 1 }),
      ]
      await store.transaction(async () => {
        for (const credential of [...ended, ...others]) await store.credentials.save(credential)
      })
      expect(await store.credentials.forget(issuer, NOW)).toBe(true)
      expect(await store.credentials.forget(issuer, NOW)).toBe(false)
      for (const { digest } of ended) expect(await store.credentials.find(digest)).toBeNull()
      for (const one of others) expect(await store.credentials.find(one.digest)).toStrictEqual(one)
    })
  })

  describe(`${backend.name}: installation`, () => {
    test('values are set, replaced, and put in place once', async () => {
      const store = await backend.open(await backend.place())
      expect(await store.installation.get('did')).toBeNull()
      expect(
        (await together(10, n => store.installation.insertIfAbsent('did', String(n)))).filter(Boolean),
      ).toHaveLength(1)
      const winner = await store.installation.get('did')
      expect(await store.installation.insertIfAbsent('did', 'late')).toBe(false)
      expect(await store.installation.get('did')).toBe(winner)
      await store.installation.set('did', 'new')
      await store.installation.set('other', 'value')
      expect([await store.installation.get('did'), await store.installation.get('other')]).toStrictEqual([
        'new',
        'value',
      ])
      await store.close()
    })
  })
}
