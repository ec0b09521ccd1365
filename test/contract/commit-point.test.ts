import { afterAll, describe, expect, test } from 'vitest'
import { storeState } from '../../src/adapters/store/state.js'
import { openStore } from '../../src/adapters/store/store.js'
import { systemIds } from '../../src/adapters/system.js'
import { digestOf } from '../../src/encoding.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { booker, goodChain, NOW, owner, policyOf, present, REQUEST, world } from '../mint.js'
import { hasPostgres, temporaryDatabases } from './postgres.js'
import { temporaryFiles, together } from './store-fixtures.js'

const { freshFile, clean } = temporaryFiles()
const { freshDatabase, dropAll } = temporaryDatabases()
afterAll(clean)
afterAll(dropAll)

const clock = { now: () => NOW }
const engines: readonly [string, () => string | Promise<string>][] = [
  ['SQLite', () => `sqlite://${freshFile()}`],
  ...(hasPostgres ? [['PostgreSQL', freshDatabase] as [string, () => Promise<string>]] : []),
]

describe.each(engines)('%s: effects and events in one database have an order', (_name, place) => {
  async function open() {
    const url = await place()
    const stores = [await openStore(url), await openStore(url), await openStore(url)] as const
    const states = stores.map(store => storeState(store, clock, systemIds))
    const close = () => Promise.all(stores.map(store => store.close()))
    return { stores, states, close }
  }
  const target = digestOf('head.target')
  const event = { target, signer: owner.did }

  test('what was asked inside a transaction stays true to its end: an event waits', async () => {
    const { stores, states, close } = await open()
    const [here, there, onlooker] = states
    let learning: Promise<void> | undefined
    await stores[0].transaction(async () => {
      expect(await here!.revocations.about([target], [owner.did])).toEqual([])
      learning = there!.revocations.learn(event)
      for (let n = 0; n < 50; n += 1) {
        expect(await here!.revocations.about([target], [owner.did])).toEqual([])
        expect(await onlooker!.revocations.about([target], [owner.did])).toEqual([])
      }
    })
    await learning
    expect(await onlooker!.revocations.about([target], [owner.did])).toEqual([event])
    await close()
  })

  test('who asks inside a transaction while an event is on its way waits for it', async () => {
    const { stores, states, close } = await open()
    const [here, there] = states
    let asked: Promise<readonly unknown[]> | undefined
    let isAnswered = false
    await stores[1].transaction(async () => {
      await there!.revocations.learn(event)
      asked = stores[0].transaction(() => here!.revocations.about([target], [owner.did]))
      void asked.then(() => (isAnswered = true))
      for (let n = 0; n < 50; n += 1) await there!.revocations.about([target], [owner.did])
      expect(isAnswered).toBe(false)
    })
    expect(await asked).toEqual([event])
    await close()
  })

  test('once an event is learned, no effect takes effect any more; before it, all do', async () => {
    const { stores, states, close } = await open()
    const verifierOn = async (n: number) =>
      createVerifier(policyOf(), await world({ clock, ids: systemIds, ...states[n]! }))
    const [first, second, third] = [await verifierOn(0), await verifierOn(1), await verifierOn(2)]
    const query = (sql: string): Promise<{ n: number }[]> => stores[2].dataSource.query(sql)
    await query('CREATE TABLE app_effect (n INTEGER)')
    const chain = await goodChain()
    const reserved = await together(40, async n => {
      const { decisionId, allow } = await first.decide(await present(booker, chain), REQUEST, { reserve: true })
      expect(allow).toBe(true)
      return { n, decisionId }
    })
    const effect = async ({ n, decisionId }: { n: number; decisionId: string }) => {
      const [store, verifier] = n % 2 === 0 ? [stores[0], first] : [stores[1], second]
      return store.transaction(async () => {
        const { allow, code } = await verifier.commit(decisionId)
        if (allow) await store.dataSource.query(`INSERT INTO app_effect (n) VALUES (${n})`)
        return code
      })
    }
    const count = async () => Number((await query('SELECT COUNT(*) AS n FROM app_effect'))[0]?.n)
    const some = reserved.slice(0, 5)
    expect(await Promise.all(some.map(effect))).toEqual(some.map(() => null))
    const effects = reserved.slice(5).map(effect)
    const known = third.learn({ target: chain[1].digest, signer: owner.did }).then(count)
    const codes = await Promise.all(effects)
    expect(await known).toBe(await count())
    expect(await known).toBe(5 + codes.filter(code => code === null).length)
    expect(await first.commit(reserved[0]!.decisionId)).toMatchObject({ allow: false, code: 'STATUS_REVOKED' })
    expect(await second.recheck(reserved.at(-1)!.decisionId)).toMatchObject({ allow: false })
    await close()
  })
})
