import { describe, expect, test } from 'vitest'
import { s256 } from '../../src/encoding.js'
import { ERRORS } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import { formatGrant } from '../../src/authority/format.js'
import type { Policy } from '../../src/policy/policy.js'
import { createVerifier, formatExplanation, type Explanation, type VerifierPorts } from '../../src/verifier/verifier.js'
import {
  status,
  booker,
  GRANTS,
  goodChain,
  LIST,
  listToken,
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
  type Minted,
} from '../mint.js'
import { entry, SECOND, suspensions } from './live-scene.js'
import { says } from './scene.js'

const agency = party('agency', 'did:web:agency.example')
const BUDGETS = [
  { unit: 'USD', decimals: 2, max: 80_000, meter: 'amount', unitArg: 'currency' },
  { unit: '#calls', decimals: 0, max: 5, meter: '#calls' },
]
const MISSION = s256('mission')

interface Asked {
  readonly policy?: Policy
  readonly ports?: Partial<VerifierPorts> & { readonly list?: string }
  readonly request?: object
  readonly by?: typeof booker
}
async function explained(chain: readonly { readonly token: string }[], asked: Asked = {}): Promise<Explanation> {
  const { policy = policyOf(), ports = {}, request = {}, by = booker } = asked
  const verifier = createVerifier(policy, await world(ports))
  return verifier.explain(await present(by, chain, { request: { ...request } }), REQUEST)
}

/** The lines between two headings, or to the end. */
function linesOf(explanation: Explanation, from: string | null, to: string | null): readonly string[] {
  const lines = formatExplanation(explanation).split('\n')
  return lines.slice(from === null ? 0 : lines.indexOf(from) + 1, to === null ? undefined : lines.indexOf(to) - 1)
}
const answer = (it: Explanation) => linesOf(it, null, 'Chain')
const chainOf = (it: Explanation) => linesOf(it, 'Chain', 'Steps')
const stepsOf = (it: Explanation) => linesOf(it, 'Steps', null)

/** owner → planner → agency (an unproved name) → booker, all that a link can state at the top. */
async function three(): Promise<readonly [Minted, Minted, Minted]> {
  const authority = { budgets: BUDGETS, rate: { max: 3, per: 60 }, purpose: { s256: MISSION }, onBehalfOf: 'urn:acme' }
  const root = await mint({ signer: owner, to: planner, until: 3600, index: 11, authority })
  const middle = await mint({ signer: planner, to: agency, parent: root, until: 3600, index: 12 })
  return [root, middle, await mint({ signer: agency, to: booker, parent: middle, from: 0, until: 300, index: null })]
}
const CNF = { policy: policyOf({ subjectKeyBinding: 'cnf' }), request: { purpose: MISSION } }

describe('the answer', () => {
  const LOW = '  asked at low risk: status at most 300 s old'
  test('yes: who, for whom, until when', async () => {
    expect(answer(await explained(await three(), CNF))).toEqual([
      `✓ allowed: ${booker.did}, on behalf of urn:acme, until 2026-11-21T10:10:00Z at most`,
      LOW,
    ])
    expect(answer(await explained(await goodChain()))).toEqual([
      `✓ allowed: ${booker.did}, until 2026-11-21T10:35:00Z at most`,
      LOW,
    ])
  })

  const read = policyOf({ roots: [{ issuer: owner.did, grants: [{ resource: `${SELF}/**`, actions: ['read'] }] }] })
  const DENIED = says('DENIED_ACTION', { action: 'book' })
  test.each([
    ['by the policy', { policy: read }, {}, `✗ refused by the policy (forbidden): ${DENIED}`, 'DENIED_ACTION'],
    ['by the root', {}, { actions: ['quote'] }, `✗ refused at link 0 (forbidden): ${DENIED}`, 'DENIED_ACTION'],
    [
      'by none in particular',
      { policy: policyOf({ challenge: 'always' }) },
      {},
      `✗ refused (unauthenticated): ${says('PRESENTATION_NONCE', {})}`,
      'PRESENTATION_NONCE',
    ],
  ] as const)('no, %s: what to do', async (_name, asked, change, due, code) => {
    const it = await explained(await goodChain({ grants: [{ ...GRANTS[0]!, ...change }] }), asked)
    expect(answer(it)).toEqual([
      due,
      `  what to do: ${ERRORS[code][2]}`,
      `${LOW}${code === 'PRESENTATION_NONCE' ? ', a nonce' : ''}`,
    ])
  })

  test.each<[JsonObject, string]>([
    [{}, '  asked at high risk: status at most 10 s old'],
    [
      { identity: { leaf: 'high' }, commit: 'always', approval: { from: 'medium' }, challenge: { from: 'high' } },
      '  asked at high risk: status at most 10 s old, a nonce, identity of the leaf, an approval, a reservation, committed right before the effect',
    ],
    [{ identity: 'every' }, '  asked at high risk: status at most 10 s old, identity of every link'],
  ])('says what is asked of the action: %j', async (change, due) => {
    const policy = policyOf({ risk: { book: 'high' }, identityIssuers: [agency.did], ...change })
    const it = await explained(await goodChain(), { policy })
    expect(answer(it)).toContain(due)
    expect(it.asks).toMatchObject({
      risk: 'high',
      maxStatusAge: { pushed: 10, pulled: 10 },
      commit: change['commit'] !== undefined,
    })
  })
})

describe('the chain', () => {
  test('is a tree, each link indented below the one above', async () => {
    const chain = await three()
    const grant = formatGrant(GRANTS[0]!)
    expect(chainOf(await explained(chain, CNF))).toEqual([
      `  ✓ 0 ${chain[0].digest}`,
      `        from     ${owner.did}`,
      `        to       ${planner.did}`,
      `        grants   ${grant}`,
      '        budget   800.00 USD of amount',
      '                 5 calls',
      '        rate     3 calls in 60 s',
      `        purpose  ${MISSION}`,
      `        status   not revoked; ${LIST}#11, its host answered 0 s ago`,
      `        revokers ${owner.did}, ${status.did}`,
      '        time     3600 s left, until 2026-11-21T11:05:00Z',
      `     └─ ✓ 1 ${chain[1].digest}`,
      `           from     ${planner.did}`,
      '           to       did:web:agency.example (unproved name)',
      `           grants   ${grant}`,
      '           differs  further hops: 3 → 2',
      `           status   not revoked; ${LIST}#12, its host answered 0 s ago`,
      `           revokers ${owner.did}, ${planner.did}, ${status.did}`,
      '           time     3600 s left, until 2026-11-21T11:05:00Z',
      `        └─ ✓ 2 ${chain[2].digest}`,
      '              from     did:web:agency.example',
      `              to       ${booker.did}`,
      `              grants   ${grant}`,
      '              differs  further hops: 2 → 1',
      '                       begins 240 s later',
      '                       ends 3300 s earlier',
      '              status   none needed',
      `              revokers ${owner.did}, ${planner.did}, did:web:agency.example, ${status.did}`,
      '              time     300 s left, until 2026-11-21T10:10:00Z',
    ])
  })

  test('a link that refused is marked; those below were not asked', async () => {
    const [root, leaf] = await goodChain()
    const it = await explained([root, leaf], { ports: { list: await listToken([Number(indexOf(root))]) } })
    const lines = chainOf(it)
    expect(lines[0]).toBe(`  ✗ 0 ${root.digest}`)
    expect(lines).toContain('        status   refused')
    expect(lines).toContain('        refused  STATUS_REVOKED')
    expect(lines).toContain(`     └─ ✓ 1 ${leaf.digest}`)
    expect(lines).toContain('           status   not asked')
    expect(lines.filter(line => line.includes('refused  '))).toHaveLength(1)
  })

  function indexOf({ token }: Minted): string {
    const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as {
      credentialStatus: { statusListIndex: string }
    }
    return claims.credentialStatus.statusListIndex
  }

  test('a link that ended says since when; this second counts as ended', async () => {
    for (const [until, due] of [
      [-60, 'ended 60 s ago, at 2026-11-21T10:04:00Z'],
      [0, 'ended 0 s ago, at 2026-11-21T10:05:00Z'],
      [1, '1 s left, until 2026-11-21T10:05:01Z'],
    ] as const) {
      const root = await mint({ signer: owner, to: planner, until: 3600 })
      const chain = [root, await mint({ signer: planner, to: booker, parent: root, until })]
      const it = await explained(chain)
      expect(chainOf(it)).toContain(`           time     ${due}`)
      expect(it.links[1]).toMatchObject({
        secondsLeft: until,
        validUntil: NOW + until,
        refused: until > 0 ? null : 'TIME_EXPIRED',
        status: { state: until > 0 ? 'not revoked' : 'not asked' },
      })
    }
  })

  test('a link that nobody verified says only whose key it names', async () => {
    const [root, leaf] = await goodChain()
    const forged = { token: `${leaf.token.slice(0, -86)}${'A'.repeat(86)}` }
    expect(chainOf(await explained([root, forged])).slice(-2)).toEqual([
      `     └─ ✗ 1 ${leaf.digest}`,
      `           claims   signed as ${planner.kid}; nothing in it could be relied on`,
    ])
    const stranger = await mint({ signer: booker, to: planner })
    expect(chainOf(await explained([stranger], { by: planner }))).toEqual([
      `  · 0 ${stranger.digest}`,
      `        claims   signed as ${booker.kid}; nothing in it could be relied on`,
    ])
  })

  test('names every list that was asked, and the age of the oldest', async () => {
    const credentialStatus = [entry(LIST, 21), entry(SECOND, 22, 'suspension')]
    const root = await mint({ signer: owner, to: planner, claims: { credentialStatus } })
    const tokens = new Map([
      [LIST, await listToken()],
      [SECOND, await suspensions()],
    ])
    const statusLists: VerifierPorts['statusLists'] = {
      read: url => Promise.resolve({ snapshot: { token: tokens.get(url)! }, age: url === LIST ? 9 : 4 }),
    }
    const it = await explained([root], { by: planner, ports: { statusLists } })
    expect(it.links[0]).toMatchObject({
      status: { state: 'not revoked', lists: [`${LIST}#21`, `${SECOND}#22`], age: 9 },
    })
    expect(chainOf(it)).toContain(`        status   not revoked; ${LIST}#21, ${SECOND}#22, its host answered 9 s ago`)
  })

  test('of nothing says so', async () => {
    const it = await createVerifier(policyOf(), await world()).explain('garbage', REQUEST)
    expect(it.links).toEqual([])
    expect(chainOf(it)).toEqual(['  nothing could be read'])
  })
})

describe('the steps', () => {
  const WHAT = [
    '1–4   the presentation and every credential in it have the form of the profile',
    '5     the chain is here',
    '6     the policy trusts the root',
    "7     the root's key is known and listed for granting",
    '8–10  every link is signed by the one above, well-formed and narrower',
    '11    the leaf signed the presentation',
    '12    the presentation and every link are meant for this verifier',
    '13    the presentation and every link are in time',
    '14    the nonce is one of this verifier, where it challenges',
    '15    what was received is what was signed',
    '16    the policy and every link allow it; identity, provenance and reservation are as the policy asks',
    '17    nobody was stopped, nothing was revoked or ended meanwhile; each call that needs it is approved',
    '18    used once, within every rate and budget',
    '19    put on record',
  ]

  test('all passed, and none on record', async () => {
    const it = await explained(await goodChain())
    const all = formatExplanation(it).split('\n')
    expect([all[2], all[all.indexOf('Steps') - 1]]).toEqual(['', ''])
    expect(stepsOf(it)).toEqual(WHAT.map((what, n) => (n < 13 ? `  ✓ ${what}` : `  · ${what} (skipped)`)))
    expect(it.steps.every(({ code, detail }) => code === null && detail === null)).toBe(true)
  })

  test('one failed, with its code; what comes after was not reached', async () => {
    const it = await explained(await goodChain(), { policy: policyOf({ challenge: 'always' }) })
    expect(stepsOf(it)).toEqual(
      WHAT.map((what, n) =>
        n < 8 ? `  ✓ ${what}` : n === 8 ? `  ✗ ${what}: PRESENTATION_NONCE` : `  · ${what} (not reached)`,
      ),
    )
    expect(it.steps.map(({ code }) => code).filter(code => code !== null)).toEqual(['PRESENTATION_NONCE'])
    expect(it.steps[8]?.detail).toBe(it.decision.allow ? '' : it.decision.detail)
    expect(it.steps.filter(({ detail }) => detail !== null)).toHaveLength(1)
  })
})
