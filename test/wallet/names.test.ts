import { expect, test } from 'vitest'
import { coded, counts } from '../veramo/world.js'
import { give, grant, openScene } from './scene.js'

const NAMES: readonly (readonly [string, unknown])[] = [
  ['nothing', ''],
  ['a line break', 'a\nb'],
  ['NUL', 'a\u0000'],
  ['an escape', '\u001b[31mroot'],
  ['a C1 control', 'a\u0085'],
  ['64 KiB', 'a'.repeat(65_536)],
  ['129 characters', 'a'.repeat(129)],
  ['right-to-left override', 'nimda\u202e'],
  ['an isolate', '\u2066admin'],
  ['a zero-width joiner', 'ad\u200dmin'],
  ['a byte order mark', '\ufeffadmin'],
  ['a line separator', 'a\u2028b'],
  ['a lone surrogate', 'a\ud800'],
  ['a DID-like name', 'did:admin'],
  ['a number', 5],
  ['null', null],
  ['undefined', undefined],
  ['an object', { toString: () => 'admin' }],
]

/** An agent that holds something, and what is stored with it. */
async function start() {
  const { wallet, store } = await openScene()
  const agent = await wallet.createAgent({ name: 'agent' })
  await give(agent, [grant('/x', 'read')])
  const state = async () => [await counts(store), await store.holdings.list(0)]
  return { wallet, agent, state, before: await state() }
}

test('is no name: SCHEMA, nothing stored', async () => {
  const { wallet, state, before } = await start()
  for (const [what, name] of NAMES as readonly (readonly [string, string])[]) {
    await expect(wallet.createAgent({ name }), what).rejects.toThrow(coded('SCHEMA'))
    await expect(wallet.createAgent({ name, ephemeral: true, ttl: 60 }), what).rejects.toThrow(coded('SCHEMA'))
    await expect(wallet.agent(name), what).rejects.toThrow(coded('SCHEMA'))
  }
  await expect(wallet.inventory({ agent: 'a\nb' })).rejects.toThrow(coded('SCHEMA'))
  expect(await state()).toEqual(before)
})

test('is no recipient: coded, nothing stored', async () => {
  const { agent, state, before } = await start()
  for (const [what, to] of NAMES as readonly (readonly [string, never])[]) {
    const request = { to, ttl: 60, grants: [grant('/x', 'read')] }
    await expect(agent.delegate(request), what).rejects.toThrow(coded('SCHEMA'))
    await expect(agent.delegate({ ...request, key: agent.holder.publicKey }), what).rejects.toThrow(coded('SCHEMA'))
  }
  expect(await state()).toEqual(before)
})

test('is no credential: coded, nothing stored', async () => {
  const { agent, state, before } = await start()
  for (const [what, chain] of NAMES as readonly (readonly [string, string])[]) {
    await expect(agent.receive(chain), what).rejects.toThrow(/^(JWS_FORMAT|INPUT_TOO_LARGE|SCHEMA)/)
    await expect(agent.receive([chain]), what).rejects.toThrow(/^(JWS_FORMAT|INPUT_TOO_LARGE)/)
  }
  expect(await state()).toEqual(before)
})

test.each(['agent 7', 'Агент', '預訂', 'a'.repeat(128), '🧭 planner'])('"%s" is a name', async name => {
  const { wallet } = await start()
  const made = await wallet.createAgent({ name })
  expect((await wallet.agent(name)).did).toBe(made.did)
})
