import { expect, test } from 'vitest'
import { grant, give, openScene } from './scene.js'

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
