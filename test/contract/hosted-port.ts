import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/adapters/store/store.js'
import type { Did } from '../../src/did/did.js'
import type { Relationship } from '../../src/ports/deciding.js'
import type { HostedKey } from '../../src/ports/register.js'
import { party } from '../mint.js'
import type { Backend } from './store-fixtures.js'
import { refusal } from './store-fixtures.js'

const PLANNER: Did = 'did:web:procura.example:agents:planner'
const OTHER: Did = 'did:web:procura.example:agents:other'

/** What every store promises of hosted DIDs. */
export function hostedContract(backend: Backend): void {
  describe(`${backend.name}: hosted DIDs`, () => {
    let store: Store
    beforeAll(async () => (store = await backend.open(await backend.place())))
    afterAll(() => store.close())

    const key = (did: Did, name: string, ...relationships: Relationship[]): HostedKey => ({
      kid: `${did}#${name}`,
      key: party(name).publicKey,
      relationships,
    })
    const found = async (did: Did) =>
      (await store.hostedDids.find(did))?.map(({ kid, key: { x }, relationships }) => ({ kid, x, relationships }))
    const shown = (...keys: HostedKey[]) =>
      keys.map(({ kid, key: { x }, relationships }) => ({ kid, x, relationships }))

    test('are found as they were published, replaced as a whole, and withdrawn', async () => {
      const [first, second] = [
        key(PLANNER, 'a', 'authentication', 'assertionMethod'),
        key(PLANNER, 'b', 'authentication'),
      ]
      const neighbour = key(OTHER, 'a', 'assertionMethod')
      expect(await store.hostedDids.find(PLANNER)).toBeNull()
      await store.hostedDids.publish(OTHER, [neighbour])
      await store.hostedDids.publish(PLANNER, [second, first])
      expect(await found(PLANNER)).toStrictEqual(shown(first, second))
      await store.hostedDids.publish(PLANNER, [second])
      expect(await found(PLANNER)).toStrictEqual(shown(second))
      expect(await store.hostedDids.withdraw(PLANNER)).toBe(true)
      expect(await store.hostedDids.withdraw(PLANNER)).toBe(false)
      expect(await store.hostedDids.find(PLANNER)).toBeNull()
      expect(await found(OTHER)).toStrictEqual(shown(neighbour))
    })

    test('stay as they were if publishing fails half-way', async () => {
      const kept = key(PLANNER, 'kept', 'authentication')
      await store.hostedDids.publish(PLANNER, [kept])
      await refusal(() =>
        store.hostedDids.publish(PLANNER, [key(PLANNER, 'x', 'authentication'), key(PLANNER, 'x', 'authentication')]),
      )
      expect(await found(PLANNER)).toStrictEqual(shown(kept))
    })
  })
}
