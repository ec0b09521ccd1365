import { describe, expect, test } from 'vitest'
import { ProcuraError } from '../../src/errors.js'
import type { Did } from '../../src/did/did.js'
import type { Signer } from '../../src/jws/compact.js'
import type { JsonObject } from '../../src/json.js'
import { demandsOf } from '../../src/policy/risk.js'
import type { Keys } from '../../src/ports/deciding.js'
import { signApproval, toApprovalRequest, type ApprovalRequest } from '../../src/presentation/approval.js'
import { requireApproved } from '../../src/verifier/approved.js'
import type { Allowing } from '../../src/verifier/checks.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import {
  alice,
  booker,
  GRANTS,
  goodChain,
  mallory,
  NOW,
  owner,
  PARAMS,
  policyOf,
  present,
  REQUEST,
  SELF,
  world,
} from '../mint.js'
import { NO_KEYS, says, sentence } from './scene.js'

const LEAF = `uEi${'A'.repeat(44)}` as const
const CALL = { action: 'book', resource: REQUEST.resource as `https://${string}`, params: PARAMS }
const DUE = toApprovalRequest(SELF, LEAF, CALL)
const JTI = 'J'.repeat(22)

const asks = { ...GRANTS[0]!, perCall: true }
const silent = GRANTS[0]!
const KEYS: Keys = {
  ...NO_KEYS,
  find: (kid, purpose) => Promise.resolve(kid === alice.kid && purpose === 'assertionMethod' ? alice.publicKey : null),
}
const policy = (approvers: readonly Did[], change: JsonObject = {}) =>
  policyOf({
    ...change,
    roots: [{ issuer: owner.did, approvers, grants: [{ resource: `${SELF}/**`, actions: ['book'] }] }],
  })

interface Case {
  readonly allowing?: Allowing
  readonly token?: string | undefined
  readonly approvers?: readonly Did[]
  readonly change?: JsonObject
  readonly keys?: Keys
  readonly now?: number
}
function approved({
  allowing = { policy: [asks], links: [] },
  token,
  approvers = [alice.did],
  change = {},
  keys = KEYS,
  now = NOW,
}: Case) {
  const trusted = policy(approvers, change)
  return requireApproved(
    allowing,
    demandsOf(DUE.action, trusted),
    token,
    DUE,
    trusted.roots.get(owner.did)!,
    trusted,
    keys,
    now,
  )
}
const sign = (change: Partial<ApprovalRequest> = {}, by: Signer = alice) =>
  signApproval(by, { ...DUE, ...change }, 'terminal', JTI, NOW)

describe('an approval is asked for', () => {
  test.each([
    ['by nobody', [silent], [silent, silent], false],
    ['by a policy', [silent, asks], [silent], true],
    ['by one link', [silent], [silent, asks, silent], true],
    ['by all', [asks], [asks], true],
    ['by a grant that says so of no call', [{ ...silent, perCall: false }], [], false],
  ])('%s', async (_name, grants, links, isDue) => {
    const told = await sentence(() => approved({ allowing: { policy: grants, links } }))
    expect(told).toBe(isDue ? says('APPROVAL_REQUIRED', { paramsDigest: DUE.paramsDigest }) : 'ok')
  })

  test('and where nobody asks, what came along is not read', async () => {
    expect(await approved({ allowing: { policy: [silent], links: [] }, token: 'garbage' })).toBeNull()
  })
})

test('who approved, how, and the use of what they signed', async () => {
  expect(await approved({ token: await sign() })).toEqual({
    by: { did: alice.did, id: alice.did, method: 'terminal' },
    use: { key: `${alice.publicKey.x}:${JTI}`, issuedAt: NOW, until: NOW + 330 },
  })
})

describe('an approval that does not hold says why', () => {
  const why = (it: string): string => says('APPROVAL_INVALID', { why: it })
  test.each<[string, () => Promise<Case>, string]>([
    ['no token at all', () => Promise.resolve({ token: 'garbage' }), why('JWS_FORMAT')],
    ['nothing', () => Promise.resolve({ token: '' }), why('JWS_FORMAT')],
    ['of a stranger', async () => ({ token: await sign({}, mallory) }), why(`${mallory.did} is no approver here`)],
    [
      'where another approves',
      async () => ({ token: await sign(), approvers: [booker.did] }),
      why(`${alice.did} is no`),
    ],
    [
      'a key that is not listed',
      async () => ({ token: await sign(), keys: NO_KEYS }),
      why(`${alice.kid} is not listed under assertionMethod`),
    ],
    [
      'a signature of another key',
      async () => ({ token: await sign({}, { ...mallory, did: alice.did, kid: alice.kid }) }),
      why('SIGNATURE_INVALID'),
    ],
    ['for another verifier', async () => ({ token: await sign({ audience: 'x' }) }), why('it is for another verifier')],
    ['too late', async () => ({ token: await sign(), now: NOW + 330 }), why('it is not valid now')],
    ['in the last second', async () => ({ token: await sign(), now: NOW + 329 }), 'ok'],
  ])('%s', async (_name, prepare, due) => {
    const given = await prepare()
    const told = await sentence(() => approved(given))
    expect(told.slice(0, due.length)).toBe(due)
  })

  test('once, not twice: the reason is not wrapped again', async () => {
    const told = await sentence(async () => approved({ token: await sign({ audience: 'x' }) }))
    expect(told.match(/APPROVAL_INVALID/g)).toHaveLength(1)
  })

  test('what was wrong with it stays the cause', async () => {
    const error: unknown = await approved({ token: 'garbage' }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'APPROVAL_INVALID', kind: 'forbidden', cause: { code: 'JWS_FORMAT' } })
  })

  test.each([
    [
      "what cannot be known now is not the approver's fault",
      new ProcuraError('DID_RESOLUTION', { did: 'd', why: 'down' }),
    ],
    ['and neither is a defect', new TypeError('a defect')],
  ])('%s', async (_name, trouble) => {
    const keys = { ...KEYS, find: () => Promise.reject(trouble) }
    await expect(approved({ token: await sign(), keys })).rejects.toBe(trouble)
  })
})

describe('a decision', () => {
  test('hands out what has to be approved, and names the approver and both uses afterwards', async () => {
    const chain = await goodChain({ grants: [asks] })
    const ports = await world()
    const used: object[] = []
    const ledger: typeof ports.ledger = {
      ...ports.ledger,
      settle(settlement) {
        used.push(...settlement.uses)
        return ports.ledger.settle(settlement)
      },
    }
    const verifier = createVerifier(policy([alice.did]), { ...ports, ledger })
    const asked = await verifier.decide(await present(booker, chain), REQUEST)
    expect(asked).toMatchObject({ allow: false, code: 'APPROVAL_REQUIRED', link: null, approvedBy: null })
    const due = { ...DUE, leaf: chain[1].digest }
    expect(asked).toHaveProperty('approval', due)
    expect(used).toEqual([])
    const approval = await signApproval(alice, due, 'terminal', JTI, NOW)
    const allowed = await verifier.decide(await present(booker, chain), { ...REQUEST, approval })
    expect(allowed).toMatchObject({ allow: true, approvedBy: { did: alice.did, id: alice.did, method: 'terminal' } })
    expect(used).toMatchObject([
      { key: expect.stringContaining(`${booker.publicKey.x}:`) as string, issuedAt: NOW - 2, until: NOW + 88 },
      { key: `${alice.publicKey.x}:${JTI}`, issuedAt: NOW, until: NOW + 330 },
    ])
    const bad = await verifier.decide(await present(booker, chain), { ...REQUEST, approval: 'garbage' })
    expect(bad).toMatchObject({ code: 'APPROVAL_INVALID', approval: null })
  })
})
