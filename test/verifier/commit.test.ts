import { beforeEach, describe, expect, test } from 'vitest'
import type { Policy } from '../../src/policy/policy.js'
import { createVerifier, type LocalVerifier, type VerifierPorts } from '../../src/verifier/verifier.js'
import {
  booker,
  goodChain,
  listToken,
  LIST,
  mint,
  NOW,
  owner,
  planner,
  policyOf,
  present,
  REQUEST,
  world,
} from '../mint.js'

const BUDGET = { unit: 'USD', decimals: 2, max: 80_000, meter: 'amount', unitArg: 'currency' }

let now = NOW
let list = ''
let reads: number[] = []
let records: object[] = []
let ports: VerifierPorts
let verifier: LocalVerifier

beforeEach(async () => {
  now = NOW
  reads = []
  records = []
  list = await listToken()
  ports = await world({
    clock: { now: () => now },
    ids: { uuid: () => `decision ${(count += 1)}`, token: () => 'T'.repeat(22) },
    statusLists: {
      read: (_, maxAge) => {
        reads.push(maxAge)
        return Promise.resolve({ snapshot: { token: list }, age: 0 })
      },
    },
    audit: {
      record(entry) {
        records.push(entry)
        return Promise.resolve()
      },
    },
  })
  verifier = createVerifier(policyOf(), ports)
})
let count = 0

/** Takes 320.00 of a budget of 800.00 under reservation. The same chain each time it is given. */
async function reserved(chain?: readonly { readonly token: string }[], by: LocalVerifier = verifier): Promise<string> {
  const used = chain ?? (await goodChain({ budgets: [BUDGET] }))
  const decision = await by.decide(await present(booker, used), REQUEST, { reserve: true })
  if (!decision.allow) throw new Error(decision.detail)
  expect(decision.reservedUntil).toBe(NOW + 60)
  return decision.decisionId
}

const yes = (decisionId: string): object => ({ decisionId, allow: true, code: null, link: null })

test('a decision without a reservation has none', async () => {
  const decision = await verifier.decide(await present(booker, await goodChain()), REQUEST)
  expect(decision).toMatchObject({ allow: true, reservedUntil: null })
  for (const ask of ['recheck', 'commit', 'release'] as const) {
    expect(await verifier[ask](decision.decisionId)).toMatchObject({ allow: false, code: 'NOT_FOUND', kind: 'unknown' })
  }
})

describe('committing', () => {
  test('makes the charge final; twice gets the same answer', async () => {
    const id = await reserved()
    expect(await verifier.recheck(id)).toEqual(yes(id))
    expect(await verifier.commit(id)).toEqual(yes(id))
    expect(await verifier.commit(id)).toEqual(yes(id))
    expect(await verifier.release(id)).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED' })
    expect(await verifier.recheck(id)).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED' })
  })

  test('charges once: what is reserved is spent, committed or not', async () => {
    const chain = await goodChain({ budgets: [BUDGET] })
    const [first] = [await reserved(chain), await reserved(chain)]
    const third = async (): Promise<unknown> =>
      (await verifier.decide(await present(booker, chain), REQUEST, { reserve: true })).code
    expect(await third()).toBe('BUDGET_EXHAUSTED')
    await verifier.commit(first)
    expect(await third()).toBe('BUDGET_EXHAUSTED')
  })

  test('again asks again: a yes is never older than its question', async () => {
    const id = await reserved()
    expect(await verifier.commit(id)).toEqual(yes(id))
    await verifier.learn({ target: planner.did, signer: owner.did })
    expect(await verifier.commit(id)).toMatchObject({ allow: false, code: 'AGENT_KILLED', link: 0 })
    expect(await verifier.release(id)).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED' })
  })

  test('after it could not be put on record asks again too', async () => {
    const id = await reserved()
    const audit = { record: () => Promise.reject(new Error('disk full')) }
    expect((await createVerifier(policyOf(), { ...ports, audit }).commit(id)).allow).toBe(false)
    now = NOW + 2000
    expect(await verifier.commit(id)).toMatchObject({ allow: false, code: 'TIME_EXPIRED' })
  })

  test('is put on record, and denied where it cannot be', async () => {
    const id = await reserved()
    const decisions = records.length
    await verifier.commit(id)
    expect(records.slice(decisions)).toEqual([{ type: 'commit', at: NOW, ...yes(id), correlationId: null }])
    const audit = { record: () => Promise.reject(new Error('disk full')) }
    expect(await createVerifier(policyOf(), { ...ports, audit }).commit(id)).toMatchObject({
      allow: false,
      code: 'INTERNAL',
    })
  })

  test('a decision that could not be put on record has no reservation to commit', async () => {
    const audit = { record: () => Promise.reject(new Error('disk full')) }
    const mute = createVerifier(policyOf(), { ...ports, audit })
    const chain = await goodChain({ budgets: [BUDGET] })
    const { allow, decisionId } = await mute.decide(await present(booker, chain), REQUEST, { reserve: true })
    expect(allow).toBe(false)
    expect(await verifier.commit(decisionId)).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED' })
    await reserved(chain)
    await reserved(chain)
  })
})

describe('what callers without types hand over', () => {
  test.each([undefined, null, '', 0, {}, [], { length: 1 }])("%j is nobody's reservation", async id => {
    await reserved()
    for (const ask of ['recheck', 'commit', 'release'] as const) {
      expect(await verifier[ask](id as never)).toMatchObject({ allow: false, code: 'NOT_FOUND' })
    }
  })

  test('no options, or none that are any', async () => {
    for (const options of [null, undefined, 7, { reserve: 'yes' }]) {
      const decision = await verifier.decide(await present(booker, await goodChain()), REQUEST, options as never)
      expect(decision).toMatchObject({ allow: true, reservedUntil: null })
    }
  })
})

describe('a clock or a log that is broken', () => {
  test.each<[string, Partial<VerifierPorts>]>([
    ['a clock that tells no time', { clock: { now: () => NaN } }],
    [
      'a clock that throws',
      {
        clock: {
          now: () => {
            throw new Error('no clock')
          },
        },
      },
    ],
    [
      'a log that throws',
      {
        audit: {
          record: () => {
            throw new Error('no log')
          },
        },
      },
    ],
  ])('%s is a refusal, never a rejection', async (_name, broken) => {
    const id = await reserved()
    const other = createVerifier(policyOf(), { ...ports, ...broken })
    const shown = await present(booker, await goodChain())
    expect(await other.decide(shown, REQUEST, { reserve: true })).toMatchObject({ allow: false, code: 'INTERNAL' })
    expect(await other.commit(id)).toMatchObject({ allow: false, code: 'INTERNAL' })
  })

  test('keeps no chain without time', async () => {
    const [root, leaf] = await goodChain()
    const other = createVerifier(policyOf(), { ...ports, clock: { now: () => NaN } })
    await expect(other.keepChain([root.token, leaf.token])).rejects.toThrow(TypeError)
  })
})

describe('releasing', () => {
  test('gives the charge back, once; twice gets the same answer', async () => {
    const chain = await goodChain({ budgets: [BUDGET] })
    const [first] = [await reserved(chain), await reserved(chain)]
    expect([await verifier.release(first), await verifier.release(first)]).toEqual([yes(first), yes(first)])
    expect(await verifier.commit(first)).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED' })
    await reserved(chain)
    const { code } = await verifier.decide(await present(booker, chain), REQUEST)
    expect(code).toBe('BUDGET_EXHAUSTED')
    expect(records.at(-1)).toMatchObject({ type: 'decision' })
  })

  test('after the end of the reservation gives nothing back: the effect may have happened', async () => {
    const chain = await goodChain({ budgets: [BUDGET] })
    const [first] = [await reserved(chain), await reserved(chain)]
    now = NOW + 60
    expect(await verifier.release(first)).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED' })
    expect(await verifier.commit(first)).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED' })
    now = NOW + 40
    const { code } = await verifier.decide(await present(booker, chain), REQUEST)
    expect(code).toBe('BUDGET_EXHAUSTED')
  })
})

describe('between decision and effect', () => {
  const refusals: readonly [
    string,
    string,
    number | null,
    (chain: readonly { readonly digest: string }[]) => Promise<void>,
  ][] = [
    ['the leaf ends', 'TIME_EXPIRED', 1, () => Promise.resolve(void (now = NOW + 30))],
    ['the bit of the root is set', 'STATUS_REVOKED', 0, async () => void (list = await listToken([70], 43))],
    ['the bit of the leaf is set', 'STATUS_REVOKED', 1, async () => void (list = await listToken([71], 43))],
    ['an older list is served', 'STATUS_ROLLBACK', 0, async () => void (list = await listToken([], 41))],
    [
      'an event revokes the leaf',
      'STATUS_REVOKED',
      1,
      ([, leaf]) => verifier.learn({ target: leaf!.digest as `uEi${string}`, signer: owner.did }),
    ],
    ['the planner is stopped', 'AGENT_KILLED', 0, () => verifier.learn({ target: planner.did, signer: owner.did })],
    ['a stranger stops the planner', 'ok', null, () => verifier.learn({ target: planner.did, signer: booker.did })],
    ['nothing happens', 'ok', null, () => Promise.resolve()],
  ]
  test.each(refusals)('%s -> %s', async (_name, due, link, happens) => {
    const root = await mint({ signer: owner, to: planner, until: 3600, index: 70 })
    const chain = [root, await mint({ signer: planner, to: booker, parent: root, index: 71, until: 30 })]
    const id = await reserved(chain)
    await happens(chain)
    const answers = [await verifier.recheck(id), await verifier.commit(id), await verifier.commit(id)]
    const told = due === 'ok' ? yes(id) : { decisionId: id, allow: false, code: due, link }
    for (const answer of answers) expect(answer).toMatchObject(told)
    if (due !== 'ok') expect(await verifier.release(id)).toEqual(yes(id))
  })

  test('a list as fresh as the risk of the action asks', async () => {
    const critical = createVerifier(policyOf({ risk: { book: 'critical' } }), ports)
    const id = await reserved(undefined, critical)
    reads = []
    expect(await critical.commit(id)).toEqual(yes(id))
    // both links stand in one list
    expect(reads).toEqual([0])
  })

  test('another policy ends it', async () => {
    const id = await reserved()
    const changed: Policy = policyOf({ maxChain: 4 })
    expect(await createVerifier(changed, ports).commit(id)).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED' })
    expect(await verifier.commit(id)).toEqual(yes(id))
  })

  test("another verifier's reservation is none", async () => {
    const id = await reserved()
    const other = createVerifier(policyOf({ self: 'https://other.example' }), ports)
    for (const ask of ['recheck', 'commit', 'release'] as const) {
      expect(await other[ask](id)).toMatchObject({ allow: false, code: 'NOT_FOUND' })
    }
  })

  test('the list is asked for by its URL, and nothing else is', async () => {
    const id = await reserved()
    const asked: string[] = []
    const keys = { all: () => Promise.reject(new Error('asked')), find: () => Promise.reject(new Error('asked')) }
    const statusLists: VerifierPorts['statusLists'] = {
      read: (url, maxAge) => {
        asked.push(url)
        return ports.statusLists.read(url, maxAge)
      },
    }
    const answer = await createVerifier(policyOf(), { ...ports, keys, statusLists }).recheck(id)
    expect(answer).toMatchObject({ allow: false, code: 'INTERNAL' })
    expect(asked).toEqual([LIST])
  })
})
