import { describe, expect, test } from 'vitest'
import { isWithin, type Constraint, type Scalar } from '../../src/authority/constraint.js'
import { requireAllowed, requireNarrower, type Grant } from '../../src/authority/grant.js'
import type { Selector } from '../../src/authority/resource.js'
import { memoryLedger } from '../../src/adapters/state/memory.js'
import type { Hold, Use } from '../../src/ports/deciding.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { outcome } from '../ground/refusal.js'
import { booker, mint, NOW, owner, party, planner, policyOf, present, REQUEST, world, type Minted } from '../mint.js'
import { countSignatures } from './scene.js'

/** What it costs is counted, never timed: `bench/growth.js` does that. */
describe('signatures verified', () => {
  const agents = [planner, ...Array.from({ length: 6 }, (_, n) => party(`agent-${n}`)), booker]

  async function chainOf(depth: number): Promise<readonly Minted[]> {
    const links: Minted[] = []
    for (let hop = 0; hop < depth; hop += 1) {
      const parent = links.at(-1)
      const signer = hop === 0 ? owner : agents[hop - 1]!
      const authority = { more: 8 - hop, ...(parent === undefined ? {} : { hop }) }
      links.push(await mint({ signer, to: agents[hop]!, ...(parent === undefined ? {} : { parent }), authority }))
    }
    return links
  }

  test.each([1, 2, 3, 5, 8])('for a chain of %i: one for each new link, and that of the presentation', async depth => {
    const verifier = createVerifier(policyOf({ maxChain: 8 }), await world())
    const keys = [owner, ...agents].map(({ publicKey }) => publicKey)
    const { count, stop } = countSignatures(...keys)
    try {
      const chain = await chainOf(depth)
      const ask = async (): Promise<number> => {
        const before = count()
        const { code } = await verifier.decide(await present(agents[depth - 1]!, chain), REQUEST)
        expect(code).toBeNull()
        return count() - before
      }
      expect([await ask(), await ask(), await ask()]).toEqual([depth + 1, 1, 1])
    } finally {
      stop()
    }
  })
})

describe('grants', () => {
  const at = (n: number): Selector => `https://api.example/x/${n}`

  /** Grants that count how often their resource is read: once to compare, and once more if an error tells it. */
  function counted(resources: readonly Selector[]): {
    readonly grants: readonly Grant[]
    readonly reads: () => number
  } {
    let reads = 0
    const grants = resources.map(resource => ({
      actions: ['book'],
      get resource() {
        reads += 1
        return resource
      },
    }))
    return { grants, reads: () => reads }
  }

  test('64 within 64, each within the last that is asked: every pair is compared once, and no error is made', () => {
    const parents = Array.from({ length: 64 }, (_, n) => ({ resource: at(n), actions: ['book'] }))
    const { grants, reads } = counted(Array.from({ length: 64 }, () => at(63)))
    requireNarrower(grants, parents)
    expect(reads()).toBe(64 * 64)
  })

  test('one that is wider than 64 makes one error', () => {
    const parents = Array.from({ length: 64 }, (_, n) => ({ resource: at(n), actions: ['book'] }))
    const { grants, reads } = counted([at(64)])
    expect(outcome(() => requireNarrower(grants, parents))).toBe('WIDENED_RESOURCE')
    expect(reads()).toBe(64 + 1)
  })

  test('a call is compared once with each of 64', () => {
    const { grants, reads } = counted(Array.from({ length: 64 }, (_, n) => at(n)))
    const call = { action: 'book', resource: at(63), params: {} }
    expect(requireAllowed(grants, call)).toHaveLength(1)
    expect(reads()).toBe(64)
    expect(outcome(() => requireAllowed(grants, { ...call, resource: at(64) }))).toBe('DENIED_RESOURCE')
    expect(reads()).toBe(128)
  })

  test('64 values within 64: each list is gone through once, however often it is asked', () => {
    let reads = 0
    const watched = <T extends readonly Scalar[]>(values: T): T =>
      new Proxy(values, {
        get(target, name, self) {
          if (typeof name === 'string' && /^\d+$/.test(name)) reads += 1
          return Reflect.get(target, name, self) as unknown
        },
      })
    const values = Array.from({ length: 64 }, (_, n) => `value ${n}`)
    const parent: Constraint = { op: 'in', req: true, values: watched(values) }
    const child: Constraint = { op: 'in', req: true, values: [...values].reverse() }
    for (let n = 0; n < 16; n += 1) expect(isWithin(child, parent)).toBe(true)
    expect(isWithin({ ...child, values: ['value 64'] }, parent)).toBe(false)
    expect(reads).toBe(64)
  })
})

describe('a memory that is full', () => {
  const use = (n: number, now = NOW): Use => ({ key: `k${n}`, issuedAt: now, until: now + 60 })
  const settlement = { throttles: [], charges: [], hold: null }

  test('is gone through once a second for what has ended, not for each call', async () => {
    let reads = 0
    const watch = (one: Use): Use => ({ ...one, until: { valueOf: () => ((reads += 1), one.until) } as unknown as number }) // prettier-ignore
    const ledger = memoryLedger({ now: () => NOW - 1 }, { budgets: true, capacity: 100 })
    for (let n = 0; n < 100; n += 1) await ledger.settle({ ...settlement, uses: [watch(use(n))], now: NOW })
    const refused = async (now: number): Promise<string> =>
      ledger.settle({ ...settlement, uses: [use(1000, now)], now }).then(
        () => 'taken',
        (error: unknown) => String(error).slice(13, 32),
      )
    for (let n = 0; n < 50; n += 1) expect(await refused(NOW)).toContain('REPLAY_UNAVAILABLE'.slice(0, 6))
    expect(reads).toBe(100)
    expect(await refused(NOW + 1)).not.toBe('taken')
    expect(reads).toBe(200)
    expect(await refused(NOW + 61)).toBe('taken')
  })

  test('of reservations that are all open is asked once a second, and again when one closes', async () => {
    const ledger = memoryLedger({ now: () => NOW - 1 }, { budgets: true, maxHolds: 2 })
    const reserve = async (n: number, now = NOW): Promise<string> => {
      const hold: Hold = { id: `h${n}`, until: now + 60, facts: {} }
      return ledger.settle({ ...settlement, uses: [use(n, now)], hold, now }).then(
        () => 'held',
        () => 'full',
      )
    }
    expect([await reserve(1), await reserve(2), await reserve(3), await reserve(4)]).toEqual(['held', 'held', 'full', 'full']) // prettier-ignore
    await ledger.close('h1', 'committed', NOW)
    expect([await reserve(5), await reserve(6)]).toEqual(['held', 'full'])
    expect(await reserve(7, NOW + 61)).toBe('held')
  })
})
