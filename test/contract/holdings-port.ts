import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { covers, type Selector } from '../../src/authority/resource.js'
import type { Store } from '../../src/adapters/store/store.js'
import type { Did } from '../../src/did/did.js'
import type { Holding, HoldingQuery } from '../../src/ports/holding.js'
import { NOW, alice, type Backend, credentialOf, mallory, refusal, together } from './store-fixtures.js'

const A = 'https://a.example'

/** What every store promises of what a wallet's agents hold, and of when they end. */
export function holdingsContract(backend: Backend): void {
  describe(`${backend.name}: holdings`, () => {
    let store: Store
    beforeAll(async () => (store = await backend.open(await backend.place())))
    afterAll(() => store.close())

    let names = 0
    /** Saves a credential and files it. */
    async function hold(holder: Did, change: Partial<Holding> = {}, parent: Holding | null = null): Promise<Holding> {
      const credential = credentialOf(`held-${(names += 1)}`, {
        subject: holder,
        parent: parent?.digest ?? null,
        ...(change.validUntil === undefined ? {} : { validUntil: change.validUntil }),
      })
      const { digest, validUntil } = credential
      const holding: Holding = {
        ...{ digest, holder, validUntil, root: alice, rootKey: 'A'.repeat(43), principal: null },
        ...{ more: 1, receivedAt: NOW, given: false, grants: [{ resource: `${A}/x/**`, actions: ['read'] }] },
        ...change,
      }
      await store.credentials.save(credential)
      await store.holdings.add(holding)
      return holding
    }
    const find = (query: HoldingQuery, now = NOW, limit?: number) => store.holdings.find(query, now, limit)

    test('are found by resource and action, whatever covers it, and by nobody else', async () => {
      const holder: Did = 'did:key:z6MkFinder'
      const grants = (resource: string, ...actions: string[]) => ({ grants: [{ resource, actions }] })
      const all = await hold(holder, { ...grants(`${A}/**`, 'read'), validUntil: NOW + 9 })
      const node = await hold(holder, { ...grants(`${A}/x/y`, 'read'), validUntil: NOW + 8 })
      const below = await hold(holder, { ...grants(`${A}/x/y/**`, 'read', 'write'), validUntil: NOW + 7 })
      await hold(holder, grants(`${A}/x/yy/**`, 'read'))
      await hold(mallory, grants(`${A}/**`, 'read', 'write'))
      const at = (resource: string, action?: string) =>
        find({ holder, resource, ...(action === undefined ? {} : { action }) })
      expect(await at(`${A}/x/y`, 'read')).toEqual([all, node, below].map(one => one.digest))
      expect(await at(`${A}/x/y`, 'write')).toEqual([below.digest])
      expect(await at(`${A}/x/y/z`)).toEqual([all.digest, below.digest])
      expect(await at(`${A}/x/y/**`)).toEqual([all.digest, below.digest])
      expect(await at(`${A}/x`)).toEqual([all.digest])
      expect(await at(A)).toEqual([all.digest])
      expect(await at('https://b.example/x/y')).toEqual([])
      expect(await find({ holder, action: 'write' })).toEqual([below.digest])
    })

    test('are found exactly where a grant covers', async () => {
      const holder: Did = 'did:key:z6MkProperty'
      const segment = fc.constantFrom('a', 'b', 'ab', 'a.b')
      const selector = fc
        .tuple(fc.array(segment, { maxLength: 4 }), fc.boolean())
        .map(([path, below]) => `${[A, ...path].join('/')}${below ? '/**' : ''}` as Selector)
      const held = new Map<string, Selector>()
      for (const resource of fc.sample(selector, 40)) {
        held.set((await hold(holder, { grants: [{ resource, actions: ['read'] }] })).digest, resource)
      }
      await fc.assert(
        fc.asyncProperty(selector, async resource => {
          const found = new Set<string>(await find({ holder, resource, action: 'read' }))
          for (const [digest, granted] of held) expect(found.has(digest)).toBe(covers(granted, resource))
        }),
        { numRuns: 60 },
      )
    })

    test('until they end, the latest end first, those of a principal, one by its digest, few if few are wanted', async () => {
      const holder: Did = 'did:key:z6MkTimes'
      const ends = [5, 1, 0, 9].map(seconds => ({ validUntil: NOW + seconds, principal: seconds === 5 ? alice : null }))
      const [five, one, , nine] = await Promise.all(ends.map(change => hold(holder, change)))
      const digests = [nine, five, one].map(held => held!.digest)
      expect(await find({ holder })).toEqual(digests)
      expect(await find({ holder }, NOW + 1)).toEqual(digests.slice(0, 2))
      expect(await find({ holder, before: NOW + 9 })).toEqual(digests.slice(1))
      expect(await find({ holder }, NOW, 1)).toEqual(digests.slice(0, 1))
      expect(await find({ holder, principal: alice })).toEqual([five!.digest])
      expect(await find({ holder, principal: alice, resource: `${A}/x`, action: 'read' })).toEqual([five!.digest])
      expect(await find({ holder, digest: one!.digest })).toEqual([one!.digest])
      expect(await find({ holder: mallory, digest: one!.digest })).toEqual([])
    })

    test('are listed with names, places and counts; filing again keeps the counts', async () => {
      const holder: Did = 'did:key:z6MkList'
      const grants = [
        { resource: `${A}/x/**`, actions: ['write', 'read'] },
        { resource: `${A}/x/**`, actions: ['read'] },
      ]
      const { grants: filed, ...held } = await hold(holder, { grants, principal: alice })
      expect(filed).toBe(grants)
      const { digest } = held
      await store.holdings.use([{ digest, grant: 0, action: 'read', times: 3, last: NOW + 1 }])
      await together(20, () => store.holdings.use([{ digest, grant: 0, action: 'read', times: 1, last: NOW + 2 }]))
      await store.holdings.use([{ digest: credentialOf('none').digest, grant: 0, action: 'x', times: 1, last: NOW }])
      await store.holdings.add({ ...held, grants })
      const [entry, ...others] = await store.holdings.list(NOW, holder)
      expect(others).toEqual([])
      const resource = `${A}/x/**`
      expect(entry).toEqual({
        ...held,
        id: expect.stringContaining('urn:uuid:held-') as string,
        issuer: 'did:key:z6MkOwner',
        status: { url: 'https://status.example/lists/1', index: 94_567 },
        uses: [
          { grant: 0, action: 'read', resource, times: 23, last: NOW + 2 },
          { grant: 0, action: 'write', resource, times: 0, last: null },
          { grant: 1, action: 'read', resource, times: 0, last: null },
        ],
      })
      expect((await store.holdings.list(NOW)).filter(one => one.holder === holder)).toEqual([entry])
      expect(await store.holdings.list(held.validUntil, holder)).toEqual([])
    })

    test('are dropped with the tokens that nothing hangs on; what others hold or gave stays', async () => {
      const holder: Did = 'did:key:z6MkGone'
      const leaf = await hold(holder)
      const middle = await hold(holder)
      const given = await hold(holder, { given: true })
      const child = await hold(mallory, {}, middle)
      await store.holdings.drop(holder)
      await store.holdings.drop(holder)
      expect(await find({ holder })).toEqual([])
      expect(await store.holdings.list(NOW, holder)).toEqual([])
      expect(await store.credentials.find(leaf.digest)).toBeNull()
      for (const { digest } of [middle, given, child]) expect(await store.credentials.find(digest)).not.toBeNull()
      expect(await find({ holder: mallory, digest: child.digest })).toEqual([child.digest])
    })

    // PostgreSQL reads a small table as a whole, so there is nothing to see there
    test.runIf(backend.name === 'SQLite')('are found through an index, not by reading them all', async () => {
      const { dataSource } = store
      const asked: (readonly [string, unknown[] | undefined])[] = []
      const make = dataSource.createQueryRunner.bind(dataSource)
      const spy = vi.spyOn(dataSource, 'createQueryRunner').mockImplementation(mode => {
        const runner = make(mode)
        const query = runner.query.bind(runner)
        return Object.assign(runner, {
          query: (sql: string, parameters?: unknown[], structured?: true) => {
            asked.push([sql, parameters])
            return query(sql, parameters, structured as true)
          },
        })
      })
      await find({ holder: alice, resource: `${A}/${'x/'.repeat(100)}x`, action: 'read', before: NOW + 9 })
      await find({ holder: alice, before: NOW + 9 })
      spy.mockRestore()
      const plans = await Promise.all(
        asked.map(async ([sql, parameters]) =>
          (await dataSource.query<{ detail: string }[]>(`EXPLAIN QUERY PLAN ${sql}`, parameters)).map(
            ({ detail }) => detail,
          ),
        ),
      )
      const [grants, holdings] = plans.map(plan => plan.join())
      expect(plans).toHaveLength(2)
      expect(grants).toMatch(
        /holding_grant_selector \(holder=\? AND selector=\? AND action=\? AND valid_until>\? AND valid_until<\?\)/,
      )
      expect(holdings).toMatch(/holding_holder \(holder=\? AND valid_until>\? AND valid_until<\?\)/)
    })

    test('take effect with the transaction they are in', async () => {
      const holder: Did = 'did:key:z6MkUndone'
      const undo = new Error('undo')
      const error = await refusal(() =>
        store.transaction(async () => {
          await hold(holder)
          throw undo
        }),
      )
      expect([error, await find({ holder })]).toEqual([undo, []])
    })
  })

  describe(`${backend.name}: lifetimes`, () => {
    test('are set, replaced, due in order, and dropped', async () => {
      const store = await backend.open(await backend.place())
      const { lifetimes } = store
      expect(await lifetimes.endOf(alice)).toBeNull()
      await lifetimes.set(alice, NOW)
      await lifetimes.set(mallory, NOW - 5)
      await lifetimes.set(alice, NOW + 5)
      expect(await lifetimes.endOf(alice)).toBe(NOW + 5)
      expect(await lifetimes.due(NOW + 4, 10)).toEqual([mallory])
      expect(await lifetimes.due(NOW + 5, 10)).toEqual([mallory, alice])
      expect(await lifetimes.due(NOW + 5, 1)).toEqual([mallory])
      await lifetimes.drop(mallory)
      expect(await lifetimes.due(NOW + 5, 10)).toEqual([alice])
      await store.close()
    })
  })
}
