import { expect, test } from 'vitest'
import { MAX_CREDENTIAL } from '../../src/credential/credential.js'
import { openOwnChain } from '../../src/delegation/chain.js'
import { toStored } from '../../src/delegation/stored.js'
import { readJws } from '../../src/jws/compact.js'
import type { Credentials, StoredCredential } from '../../src/ports/issuing.js'
import { owner } from '../mint.js'
import { grant, give, openScene } from './scene.js'

const noKeys = { find: () => Promise.resolve(null), all: () => Promise.resolve([]) }

test('what was read is what is signed, whatever becomes of it while an index is leased', async () => {
  const asked = { ...grant('/rooms/**', 'read'), actions: ['read'] }
  const { wallet } = await openScene({
    leases: {
      take: () => {
        asked.actions.push('write')
        return Promise.resolve({ url: 'https://status.acme.example/sl/1', index: 7 })
      },
    },
  })
  const [planner, booker] = [
    await wallet.createAgent({ name: 'planner' }),
    await wallet.createAgent({ name: 'booker' }),
  ]
  await give(planner, [grant('/**', 'read')], { more: 1 })
  const held = await planner.delegate({ to: booker.did, grants: [asked], ttl: 600 })
  expect(asked.actions).toEqual(['read', 'write'])
  // opened as a stranger opens it: signature, shape and narrowing
  const received = await booker.receive(held.chain)
  expect(received).toEqual(held)
  expect(received.authority.grants[0]?.actions).toEqual(['read'])
})

test('what stands above is not written again, and what is handed on is found whole', async () => {
  const { wallet, again, store } = await openScene()
  const planner = await wallet.createAgent({ name: 'planner' })
  const booker = await wallet.createAgent({ name: 'booker' })
  await give(planner, [grant('/**', 'read')], { more: 1 })
  const saved: StoredCredential[] = []
  const credentials = {
    find: (digest: string) => store.credentials.find(digest),
    save: (one: StoredCredential) => {
      saved.push(one)
      return store.credentials.save(one)
    },
  } as Credentials
  const counting = await again(undefined, { credentials }).agent('planner')
  const held = await counting.delegate({ to: booker.did, grants: [grant('/rooms/**', 'read')], ttl: 60 })
  expect(saved.map(({ digest }) => digest)).toEqual([held.digest])
  expect(await booker.held()).toEqual([held])
  expect(await planner.chainOf(held.digest)).toEqual(held.chain)
  // as who takes the whole chain in would write it
  const [, leaf] = toStored(await openOwnChain(held.chain.map(token => readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'link')), owner.publicKey, noKeys), held.chain, owner.publicKey) // prettier-ignore
  expect(saved).toEqual([leaf])
})

test('a key that the leaf does not name signs nothing under it', async () => {
  const { wallet, again, vault } = await openScene()
  const planner = await wallet.createAgent({ name: 'planner' })
  const other = await wallet.createAgent({ name: 'other' })
  await give(planner, [grant('/**', 'read')], { more: 1 })
  const key = await vault.find(other.did)
  const replaced = again(undefined, {
    vault: { ...vault, find: async name => ({ ...(await vault.find(name)), publicKey: key?.publicKey }) as never },
  })
  const grants = [grant('/rooms/**', 'read')]
  await expect((await replaced.agent('planner')).delegate({ to: other.did, grants, ttl: 60 })).rejects.toMatchObject({
    code: 'SIGNATURE_INVALID',
  })
})
