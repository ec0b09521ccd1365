import { describe, expect, test } from 'vitest'
import { ProcuraError } from '../../src/errors.js'
import { createVerifier, formatExplanation, type VerifierPorts } from '../../src/verifier/verifier.js'
import {
  booker,
  GRANTS,
  goodChain,
  listToken,
  LIST,
  mint,
  NOW,
  owner,
  party,
  planner,
  policyOf,
  present,
  REQUEST,
  SELF,
  world,
} from '../mint.js'
import { mistold } from './explained.js'

test('every row of profile §6 is told where it failed', async () => {
  expect(await mistold(createVerifier)).toEqual([])
})

const budgets = [{ unit: 'USD', decimals: 2, max: 80_000, meter: 'amount', unitArg: 'currency' }]

/** The booker may spend less, on less, for a shorter time, and only if asked. */
async function narrowed() {
  const root = await mint({ signer: owner, to: planner, until: 3600, index: 11 })
  const authority = {
    more: 0,
    budgets,
    rate: { max: 3, per: 60 },
    grants: [
      {
        resource: `${SELF}/bookings/**` as const,
        actions: ['book'],
        args: new Map([
          ...(GRANTS[0]!.args ?? []),
          ['amount', { op: 'range', min: 0, max: 80_000, req: true } as const],
        ]),
      },
    ],
  }
  return [root, await mint({ signer: planner, to: booker, parent: root, authority, until: 900, index: 12 })] as const
}

describe('an explanation', () => {
  test('tells of each link who gave what to whom, how it differs, how it stands', async () => {
    const chain = await narrowed()
    const { links, decision } = await createVerifier(policyOf(), await world()).explain(
      await present(booker, chain),
      REQUEST,
    )
    expect(decision.allow).toBe(true)
    expect(links).toMatchObject([
      {
        index: 0,
        digest: chain[0].digest,
        kid: owner.kid,
        verified: true,
        refused: null,
        issuer: owner.did,
        subject: planner.did,
        proved: true,
        grants: [`book, quote on ${SELF}/bookings/** (amount 0…200000, currency = "USD")`],
        differs: [],
        status: { state: 'not revoked', lists: [`${LIST}#11`], age: 0 },
        secondsLeft: 3600,
      },
      {
        issuer: planner.did,
        subject: booker.did,
        budgets: ['800.00 USD of amount'],
        rate: '3 calls in 60 s',
        differs: [
          'drops action quote',
          'amount: 0…200000 → 0…80000',
          'budget: introduces 800.00 USD of amount',
          'rate: introduces 3 calls in 60 s',
          'further hops: 3 → 0',
          'ends 2700 s earlier',
        ],
        validUntil: NOW + 900,
        secondsLeft: 900,
      },
    ])
  })

  test('of a wider link says in what it is wider', async () => {
    const [root] = await goodChain()
    const grants = [{ resource: `${SELF}/**` as const, actions: ['book'] }]
    const wide = await mint({ signer: planner, to: booker, parent: root, authority: { grants } })
    const { links, decision } = await createVerifier(policyOf(), await world()).explain(
      await present(booker, [root, wide]),
      REQUEST,
    )
    expect(decision).toMatchObject({ allow: false, code: 'WIDENED_RESOURCE', link: 1 })
    expect(links[1]).toMatchObject({ verified: true, refused: 'WIDENED_RESOURCE', status: { state: 'not asked' } })
    expect(links[1]).toHaveProperty('differs.0', `within no grant above: book on ${SELF}/**`)
  })

  test('says nothing that an unverified link claims', async () => {
    const [root, leaf] = await goodChain()
    const forged = `${leaf.token.slice(0, -86)}${'A'.repeat(86)}`
    const { links } = await createVerifier(policyOf(), await world()).explain(
      await present(booker, [root, { token: forged }]),
      REQUEST,
    )
    expect(links[1]).toEqual({
      index: 1,
      digest: leaf.digest,
      kid: planner.kid,
      refused: 'SIGNATURE_INVALID',
      verified: false,
    })
  })

  test('uses nothing up, charges nothing, records nothing, and sees what was used and charged', async () => {
    const recorded: object[] = []
    const ports: VerifierPorts = {
      ...(await world()),
      audit: {
        record(entry) {
          recorded.push(entry)
          return Promise.resolve()
        },
      },
    }
    const verifier = createVerifier(policyOf({ challenge: 'always' }), ports)
    const claims = { nonce: (await verifier.challenge()) ?? '' }
    const shown = await present(booker, await goodChain({ budgets: [{ ...budgets[0]!, max: 40_000 }] }), { claims })
    for (let n = 0; n < 3; n += 1) expect((await verifier.explain(shown, REQUEST)).decision.allow).toBe(true)
    expect(recorded).toEqual([])
    expect((await verifier.decide(shown, REQUEST)).allow).toBe(true)
    expect(recorded).toHaveLength(1)
    expect((await verifier.explain(shown, REQUEST)).decision.code).toBe('PRESENTATION_NONCE')
    expect(recorded).toHaveLength(1)
  })

  test('of a chain that was seen says the same as of one that was not', async () => {
    const agency = party('agency', 'did:web:agency.example')
    let listed = agency.publicKey
    const base = await world()
    const keys: VerifierPorts['keys'] = {
      ...base.keys,
      all: (did, how) => (did === agency.did ? Promise.resolve([listed]) : base.keys.all(did, how)),
    }
    const root = await mint({ signer: owner, to: planner, until: 3600 })
    const middle = await mint({ signer: planner, to: agency, parent: root })
    const chain = [root, middle, await mint({ signer: agency, to: booker, parent: middle })]
    const warm = createVerifier(policyOf(), { ...base, keys })
    expect((await warm.decide(await present(booker, chain), REQUEST)).allow).toBe(true)
    listed = planner.publicKey
    const shown = await present(booker, chain)
    const cold = createVerifier(policyOf(), { ...base, keys })
    const [one, other] = [await warm.explain(shown, REQUEST), await cold.explain(shown, REQUEST)]
    expect(one.decision).toMatchObject({ code: 'KEY_BINDING', link: 1 })
    expect(one.links).toEqual(other.links)
    expect(one.links.map(({ verified }) => verified)).toEqual([true, false, false])
  })

  test('is data that survives JSON', async () => {
    const shown = await present(booker, await narrowed())
    const explanation = await createVerifier(policyOf(), await world()).explain(shown, REQUEST)
    expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation)
  })
})

describe('as text', () => {
  test('an allowed call', async () => {
    const shown = await present(booker, await narrowed())
    const text = formatExplanation(await createVerifier(policyOf(), await world()).explain(shown, REQUEST))
    expect(text).toContain(`✓ allowed: ${booker.did}`)
    expect(text).toContain(`└─ ✓ 1 uEi`)
    expect(text).toContain('differs  drops action quote')
    expect(text).toContain('status   not revoked; https://status.acme.example/sl/1#11, its host answered 0 s ago')
    expect(text).toContain('time     900 s left, until 2026-11-21T10:20:00Z')
    expect(text).toContain('✓ 18    used once, within every rate and budget')
    expect(text).toContain('· 19    put on record (skipped)')
  })

  test('a refused one names the code, the link and what to do', async () => {
    const root = await mint({ signer: owner, to: planner, index: 77 })
    const chain = [root, await mint({ signer: planner, to: booker, parent: root })]
    const verifier = createVerifier(policyOf(), await world({ list: await listToken([77]) }))
    const text = formatExplanation(await verifier.explain(await present(booker, chain), REQUEST))
    expect(text).toContain('✗ refused at link 0 (unauthenticated): STATUS_REVOKED: revoked (bit 77')
    expect(text).toContain('what to do: ask the issuer for a new credential')
    expect(text).toMatch(/✗ 17 .*: STATUS_REVOKED/)
    expect(text).toContain('· 18    used once, within every rate and budget (not reached)')
    expect(text).toContain('status   refused')
  })

  test('what a hostile chain says cannot take over a terminal', async () => {
    const root = await mint({ signer: owner, to: planner, until: 3600 })
    const grants = [
      {
        ...GRANTS[0]!,
        args: new Map([
          ...(GRANTS[0]!.args ?? []),
          ['note', { op: 'eq', value: '\u001b[2J\u202e\n✓ allowed', req: false } as const],
        ]),
      },
    ]
    const wide = await mint({ signer: planner, to: booker, parent: root, authority: { grants } })
    const text = formatExplanation(
      await createVerifier(policyOf(), await world()).explain(await present(booker, [root, wide]), REQUEST),
    )
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
    expect(text.split('\n').filter(line => line.startsWith('✓ allowed'))).toEqual([])
  })
})

describe('a chain without a request', () => {
  const judged = async (change: Partial<VerifierPorts> = {}, policy = policyOf()) =>
    createVerifier(policy, { ...(await world()), ...change }).explainChain(
      (await goodChain()).map(({ token }) => token),
    )

  test('holds, or says which step refuses it; what needs a request is skipped', async () => {
    const { of, decision, steps, links } = await judged()
    expect([of, decision.allow, decision.holder, decision.path]).toEqual([
      'chain',
      true,
      null,
      [planner.did, booker.did],
    ])
    expect(steps.filter(({ outcome }) => outcome === 'passed').map(({ rows }) => rows)).toEqual([
      '1–4',
      '6',
      '7',
      '8–10',
      '12',
      '13',
      '17',
    ])
    expect(steps.filter(({ outcome }) => outcome === 'skipped')).toHaveLength(7)
    expect(links).toHaveLength(2)
    expect(formatExplanation(await judged())).toMatch(
      /^✓ the chain holds for did:key:\w+, until .* no request was judged/,
    )
  })

  test.each<[string, string, () => Promise<Awaited<ReturnType<typeof judged>>>]>([
    [
      'of another root',
      'ROOT_UNTRUSTED',
      () =>
        judged(
          {},
          policyOf({
            roots: [{ issuer: 'did:web:other.example', grants: [{ resource: `${SELF}/**`, actions: ['book'] }] }],
          }),
        ),
    ],
    ['for another verifier', 'PRESENTATION_AUDIENCE', () => judged({}, policyOf({ self: 'https://other.example' }))],
    ['that ended', 'TIME_EXPIRED', () => judged({ clock: { now: () => NOW + 90_000 } })],
    [
      'that nobody can say is live',
      'STATUS_UNAVAILABLE',
      () =>
        judged({
          statusLists: { read: list => Promise.reject(new ProcuraError('STATUS_UNAVAILABLE', { list, why: 'x' })) },
        }),
    ],
  ])('%s: %s', async (_, code, judge) => {
    const { decision } = await judge()
    expect(decision).toMatchObject({ allow: false, code })
  })

  test('no chain at all', async () => {
    const { decision } = await createVerifier(policyOf(), await world()).explainChain([])
    expect(decision).toMatchObject({ allow: false, code: 'CHAIN_EMPTY' })
  })
})
