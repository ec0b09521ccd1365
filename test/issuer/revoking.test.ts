import { describe, expect, onTestFinished, test } from 'vitest'
import { isProcuraError } from '../../src/errors.js'
import type { IssuerPorts } from '../../src/issuer/issuer.js'
import { alice, booker, mallory, NOW, owner, planner } from '../mint.js'
import { BASE, openScene, type Scene } from './scene.js'

async function scene(broken: Partial<IssuerPorts> = {}): Promise<Scene> {
  const made = await openScene(broken)
  onTestFinished(() => made.store.close())
  return made
}
const code = (error: unknown) => ({ code: (error as { code?: string }).code })

describe('suspension', () => {
  test('stands in a list of its own, can be lifted, and be put on again; each is announced', async () => {
    const { issuer, grant, isSet, announced } = await scene()
    const { digest, status, suspension } = await grant()
    expect(suspension?.url).not.toBe(status?.url)
    for (let time = 0; time < 2; time += 1) {
      await issuer.change(digest, 'suspend', owner.did, false)
      expect([await isSet(suspension), await isSet(status)]).toEqual([true, false])
      await issuer.change(digest, 'resume', owner.did, false)
      expect([await isSet(suspension), await isSet(status)]).toEqual([false, false])
    }
    const told = ['suspended', 'resumed', 'suspended', 'resumed'].map(type => `${type} ${digest}`)
    expect(await announced()).toEqual(told)
  })

  test('a credential of 300 s has none unless it is asked for, and then suspending it is refused', async () => {
    const { issuer, grant } = await scene()
    const short = await grant(planner, 300)
    expect(short.suspension).toBeNull()
    await expect(issuer.change(short.digest, 'suspend', owner.did, false)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const authority = { audience: ['https://a.example'], grants: [{ resource: 'https://a.example', actions: ['x'] }] }
    const asked = { to: planner.did, key: planner.publicKey, authority, ttl: 300, suspendable: true }
    expect((await issuer.grant(asked)).suspension).not.toBeNull()
  })

  test('resuming what is revoked leaves it revoked', async () => {
    const { issuer, grant, isSet } = await scene()
    const { digest, status } = await grant()
    await issuer.change(digest, 'suspend', owner.did, false)
    await issuer.revoke(digest, owner.did, false)
    await issuer.change(digest, 'resume', owner.did, false)
    expect(await isSet(status)).toBe(true)
  })
})

describe('revoking', () => {
  test('twice is the same as once: same answer, one announcement, one record', async () => {
    const { issuer, grant, announced, records } = await scene()
    const { digest } = await grant()
    const first = await issuer.revoke(digest, owner.did, false)
    expect(await issuer.revoke(digest, owner.did, false)).toEqual(first)
    expect(await announced()).toEqual([`revoked ${digest}`])
    const { list, index } = first
    const at = { at: expect.any(Number) as number, by: owner.did }
    expect(records).toEqual([
      expect.objectContaining({ type: 'grant', digest, to: planner.did, by: owner.did, onBehalfOf: null }),
      { type: 'status', change: 'revoke', ...at, list, indexes: [index], digests: [digest] },
    ])
  })

  test('what cannot be put on record is not done, and not announced', async () => {
    let isFull = false
    const { issuer, grant, isSet, announced, store } = await scene({
      audit: { record: () => (isFull ? Promise.reject(new Error('full')) : Promise.resolve()) },
    })
    const { digest, status } = await grant()
    isFull = true
    await expect(grant(alice)).rejects.toThrow('full')
    expect(await store.credentials.heldBy(alice.did, 0)).toEqual([])
    await expect(issuer.revoke(digest, owner.did, false)).rejects.toThrow('full')
    expect(await isSet(status)).toBe(false)
    expect(await announced()).toEqual([])
  })

  test('an announcement that fails takes the revocation with it', async () => {
    const { issuer, grant, isSet } = await scene({ outbox: { append: () => Promise.reject(new Error('full')) } })
    const { digest, status } = await grant()
    await expect(issuer.revoke(digest, owner.did, false)).rejects.toThrow('full')
    expect(await isSet(status)).toBe(false)
  })

  test('many at once, kept ones and unseen ones; who may not is refused, the others are done', async () => {
    const { issuer, grant, delegate, isSet } = await scene()
    const [one, two] = [await grant(), await grant(alice)]
    const unseen = await delegate([one], planner, booker)
    const targets = [unseen.chain, one.digest, 'uEinone', two.id]
    const refused = await issuer.changeAll(targets, 'revoke', planner.did, false)
    expect(refused.map(each => (isProcuraError(each) ? each.code : each.digest))).toEqual([
      unseen.digest,
      'CALLER_FORBIDDEN',
      'NOT_FOUND',
      'CALLER_FORBIDDEN',
    ])
    expect([await isSet(unseen.place), await isSet(one.status)]).toEqual([true, false])
    const done = await issuer.changeAll(targets, 'revoke', alice.did, true)
    expect(done.map(each => (isProcuraError(each) ? each.code : 'done'))).toEqual(['done', 'done', 'NOT_FOUND', 'done'])
    expect([await isSet(one.status), await isSet(two.status)]).toEqual([true, true])
  })

  test('1200 in one call, begun anew after an interruption: every bit, in three transactions', async () => {
    const { issuer, grant, store, signed } = await scene()
    const all = []
    for (let n = 0; n < 1200; n += 1) all.push(await grant())
    const digests = all.map(({ digest }) => digest)
    const stop = new Error('the process ends here')
    const interrupted = issuer.changeAll(digests, 'revoke', owner.did, true, done => {
      if (done === 500) throw stop
    })
    await expect(interrupted).rejects.toBe(stop)
    const list = all[0]!.status!.url.slice(BASE.length)
    expect(await store.statusRows.setIn(list)).toHaveLength(500)
    const steps: number[] = []
    const before = signed.length
    const done = await issuer.changeAll(digests, 'revoke', owner.did, true, count => void steps.push(count))
    expect(steps).toEqual([500, 1000, 1200])
    expect(done.every(one => !isProcuraError(one))).toBe(true)
    expect(await store.statusRows.setIn(list)).toHaveLength(1200)
    expect(signed.length - before).toBe(1)
  })

  test('a list is signed at most once a second, however many revoke', async () => {
    const { issuer, grant, signed } = await scene()
    const all = await Promise.all(Array.from({ length: 40 }, () => grant()))
    await Promise.all(all.map(({ digest }) => issuer.revoke(digest, owner.did, false)))
    expect(new Set(signed).size).toBe(signed.length)
  })

  test('inside a transaction the list is published after its commit, and not at all if it is undone', async () => {
    const { issuer, grant, store, signed, isSet } = await scene()
    const { digest, status } = await grant()
    const undo = new Error('undo')
    const undone = store.transaction(async () => {
      await issuer.revoke(digest, owner.did, false)
      throw undo
    })
    await expect(undone).rejects.toBe(undo)
    expect(await isSet(status)).toBe(false)
    const before = signed.length
    await store.transaction(async () => {
      await issuer.revoke(digest, owner.did, false)
      expect(signed.length).toBe(before)
    })
    expect(signed.length).toBeGreaterThan(before)
    expect(await isSet(status)).toBe(true)
  })
})

describe('what it would end', () => {
  test('names descendants that were seen, who holds them, and open reservations; changes nothing', async () => {
    const { issuer, grant, delegate, store, isSet, announced, now } = await scene()
    const root = await grant()
    const other = await grant(mallory)
    const child = await delegate([root], planner, booker)
    // it is seen when something below it is revoked
    const grandchild = await delegate(child.chain, booker, alice)
    await issuer.revoke(grandchild.chain, booker.did, false)
    const hold = (id: string, digest: string) => ({
      uses: [],
      throttles: [],
      charges: [],
      hold: { id, until: now + 60, facts: { watched: [{ digest }] } },
      now,
    })
    const { storeState } = await import('../../src/adapters/store/state.js')
    const { ledger } = storeState(store, { now: () => now }, { uuid: () => 'x', token: () => 'x' })
    await ledger.settle(hold('open', grandchild.digest))
    await ledger.settle(hold('elsewhere', other.digest))
    const before = await announced()
    const blast = await issuer.blastOf([root.digest], owner.did, false)
    expect(blast).toEqual({
      credentials: [root.digest, child.digest, grandchild.digest],
      descendants: 2,
      agents: [planner.did, booker.did, alice.did],
      reservations: ['open'],
      tree: [
        expect.objectContaining({ digest: root.digest, parent: null, agent: planner.did }),
        expect.objectContaining({ digest: child.digest, parent: root.digest, agent: booker.did }),
        expect.objectContaining({ digest: grandchild.digest, parent: child.digest, agent: alice.did }),
      ],
    })
    expect([await isSet(root.status), await announced()]).toEqual([false, before])
    await expect(issuer.blastOf([root.digest], mallory.did, false)).rejects.toMatchObject({ code: 'CALLER_FORBIDDEN' })
  })
})

describe('everything of an agent, or of an issuer', () => {
  test('killing an agent revokes what it holds and what it gave, and announces it; nothing else is touched', async () => {
    const { issuer, grant, delegate, isSet, announced } = await scene()
    const [held, other] = [await grant(planner), await grant(alice)]
    const given = await delegate([held], planner, booker)
    const further = await delegate(given.chain, booker, alice)
    await issuer.revoke(further.chain, owner.did, false)
    expect([...(await issuer.concerning(planner.did))].sort()).toEqual([held.digest, given.digest].sort())
    const killed = await issuer.kill(planner.did, owner.did)
    expect(killed.map(({ digest }) => digest).sort()).toEqual([held.digest, given.digest].sort())
    expect(await Promise.all([held.status, given.place, other.status].map(isSet))).toEqual([true, true, false])
    expect((await announced()).at(-1)).toBe(`killed ${planner.did}`)
    expect(await issuer.kill(planner.did, owner.did)).toHaveLength(2)
  })

  test('suspending a subject suspends what was granted to it here, and resuming lifts it', async () => {
    const { issuer, grant, isSet } = await scene()
    const all = [await grant(), await grant(planner, 300), await grant(alice)]
    expect(await issuer.suspendSubject(planner.did, owner.did)).toHaveLength(1)
    expect(await Promise.all(all.map(({ suspension }) => isSet(suspension)))).toEqual([true, false, false])
    await issuer.resumeSubject(planner.did, owner.did)
    expect(await isSet(all[0]!.suspension)).toBe(false)
  })

  test('what an issuer made before an instant ends, also what was never seen; what it made later stays', async () => {
    const made = await scene()
    const { issuer, grant, delegate, isSet } = made
    const root = await grant()
    const [seen, unseen] = [await delegate([root], planner, booker), await delegate([root], planner, alice)]
    await issuer.changeAll([seen.chain], 'suspend', owner.did, true)
    made.now += 100
    const instant = made.now
    const late = await delegate([root], planner, booker)
    const foreign = await delegate([root], planner, booker)
    await expect(issuer.revokeIssuedBefore(planner.did, instant, mallory.did, false)).rejects.toMatchObject({
      code: 'CALLER_FORBIDDEN',
    })
    await issuer.revokeIssuedBefore(planner.did, instant, planner.did, false)
    const bits = [seen.place, unseen.place, late.place, foreign.place, root.status]
    expect(await Promise.all(bits.map(isSet))).toEqual([true, true, false, false, false])
  })

  test('of the service itself, by what it issued: roots before the instant, not those after', async () => {
    const made = await scene()
    const { issuer, grant, isSet } = made
    const early = await grant()
    made.now += 10
    const late = await grant()
    const { revoked, unseen } = await issuer.revokeIssuedBefore(owner.did, made.now, alice.did, true)
    expect([revoked.map(({ digest }) => digest), unseen]).toEqual([[early.digest], 0])
    expect([await isSet(early.status), await isSet(late.status)]).toEqual([true, false])
  })
})

describe('indexes', () => {
  test('600 grants take their indexes in blocks: none comes twice', async () => {
    const { grant, store } = await scene()
    const all = []
    for (let n = 0; n < 600; n += 1) all.push(await grant())
    const places = all.flatMap(({ status, suspension }) =>
      [status!, suspension!].map(({ url, index }) => `${url}#${index}`),
    )
    expect(new Set(places).size).toBe(1200)
    const blocks = await store.dataSource.query<{ count: number }[]>('SELECT count FROM status_block')
    expect(blocks.map(({ count }) => count)).toEqual(Array.from({ length: 6 }, () => 256))
  })

  test('a block of a transaction that was undone is not handed out from memory', async () => {
    const { grant, store } = await scene()
    const undone = store.transaction(async () => {
      await grant()
      throw new Error('undo')
    })
    await expect(undone).rejects.toThrow('undo')
    const all = [await grant(), await grant(), await grant()]
    expect(new Set(all.map(({ status }) => `${status!.url}#${status!.index}`)).size).toBe(3)
    const owners = all.map(({ status }) => store.statusRows.ownersOf(status!.url.slice(BASE.length), [status!.index]))
    expect((await Promise.all(owners)).flat()).toEqual([owner.did, owner.did, owner.did])
  })

  test('credentials that end on another day stand in another list', async () => {
    const { grant } = await scene()
    const [short, long] = [await grant(planner, 60), await grant(planner, 86_400)]
    expect(short.status!.url).not.toBe(long.status!.url)
  })

  test('the marker is raised before an index is handed out, and before a version is told', async () => {
    const raised: number[] = []
    const failing = { at: Infinity }
    const marker = {
      get reached() {
        return raised.at(-1) ?? 0
      },
      raise: (sequence: number) => {
        if (sequence >= failing.at) return Promise.reject(new Error('no marker'))
        raised.push(sequence)
        return Promise.resolve()
      },
    }
    const { issuer, grant } = await scene({ marker })
    const { digest, status } = await grant()
    expect(raised).toEqual([1, 2])
    failing.at = 3
    await expect(issuer.list(status!.url.slice(BASE.length))).rejects.toThrow('no marker')
    await expect(issuer.lease(alice.did, 1, NOW + 60)).rejects.toThrow('no marker')
    failing.at = Infinity
    expect(await issuer.revoke(digest, owner.did, false)).toMatchObject({ digest })
  })

  test('a database that was put back under a running service is noticed', async () => {
    const { issuer } = await scene({ marker: { reached: 50, raise: () => Promise.resolve() } })
    const lease = issuer.lease(alice.did, 1, NOW + 60)
    expect(code(await lease.catch((error: unknown) => error))).toEqual({ code: 'STORAGE_ROLLED_BACK' })
  })
})

describe('tending', () => {
  test('a list signed by a clock far ahead is signed again at once; one within the skew is not', async () => {
    const made = await scene()
    const { status } = await made.grant()
    const list = status!.url.slice(BASE.length)
    const right = made.now
    made.now = right + 600
    const ahead = await made.issuer.list(list)
    made.now = right
    expect((await made.issuer.list(list)).version).toBe(ahead.version + 1)
    expect(made.signed).toEqual([right + 600, right])
    made.now = right - 30
    expect((await made.issuer.list(list)).version).toBe(ahead.version + 1)
  })

  test('signs what is due without being asked, and forgets lists an hour after their day', async () => {
    const made = await scene()
    const { issuer, grant } = made
    const { status } = await grant()
    const name = status!.url.slice(BASE.length)
    expect(await issuer.tend()).toContain(name)
    expect(await issuer.tend()).toEqual([])
    made.now += 120
    expect(await issuer.tend()).toContain(name)
    const midnight = Math.ceil((NOW + 3600) / 86_400) * 86_400
    made.now = midnight + 3599
    await issuer.tend()
    expect((await issuer.list(name)).version).toBe(3)
    made.now = midnight + 3600
    await issuer.tend()
    await expect(issuer.list(name)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('forgets what it issued a day after its end, and not before', async () => {
    const made = await scene()
    const granted = await made.grant()
    const stored = () => made.store.credentials.find(granted.digest)
    made.now = granted.validUntil + 86_400
    await made.issuer.tend()
    expect(await stored()).not.toBeNull()
    made.now += 1
    await made.issuer.tend()
    expect(await stored()).toBeNull()
  })
})
