import { describe, expect, test } from 'vitest'
import { s256 } from '../../src/encoding.js'
import type { Json } from '../../src/json.js'
import { signJws, type Signer } from '../../src/jws/compact.js'
import {
  openApproval,
  readApproval,
  signApproval,
  toApprovalRequest,
  type ApprovalRequest,
} from '../../src/presentation/approval.js'
import { paramsDigest } from '../../src/presentation/request.js'
import { outcome, settled } from '../ground/refusal.js'
import { alice, mallory, NOW, PARAMS, REQUEST, SELF } from '../mint.js'

const LEAF = `uEi${'A'.repeat(44)}` as const
const JTI = 'J'.repeat(22)
const { action, resource, params } = REQUEST
const DUE = toApprovalRequest(SELF, LEAF, { action, resource: `${SELF}/bookings/SYD-2231`, params })

/** An approval as alice would sign it; members that are `undefined` are left out. */
function approval(change: Record<string, Json | undefined> = {}, signer: Signer = alice): Promise<string> {
  const whole: Record<string, Json | undefined> = {
    iss: alice.did,
    aud: SELF,
    iat: NOW,
    exp: NOW + 300,
    jti: JTI,
    leaf: LEAF,
    action,
    resource,
    paramsDigest: paramsDigest(PARAMS),
    decision: 'approve',
    approver: { id: alice.did, method: 'terminal' },
    ...change,
  }
  const kept = Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined))
  return signJws(kept, 'agent-approval+jwt', signer)
}
const open = (token: string, now = NOW, due: ApprovalRequest = DUE) =>
  openApproval(readApproval(token), alice.publicKey, due, now)

test('what has to be approved is what the server is about to run', () => {
  expect(DUE).toEqual({ audience: SELF, leaf: LEAF, action, resource, paramsDigest: paramsDigest(PARAMS), display: PARAMS }) // prettier-ignore
})

describe('signApproval', () => {
  test('says exactly what was displayed, who approved, how, and for five minutes', async () => {
    const token = await signApproval(alice, DUE, 'terminal', JTI, NOW)
    expect(open(token)).toEqual({
      iss: alice.did,
      aud: SELF,
      iat: NOW,
      exp: NOW + 300,
      jti: JTI,
      leaf: LEAF,
      action,
      resource,
      paramsDigest: paramsDigest(PARAMS),
      decision: 'approve',
      approver: { id: alice.did, method: 'terminal' },
    })
  })

  test('refuses to approve other parameters than those displayed', async () => {
    const other = { ...DUE, display: { ...PARAMS, amount: 1 } }
    expect(await settled(() => signApproval(alice, other, 'terminal', JTI, NOW))).toBe('REQUEST_PARAMS')
  })
})

describe('openApproval', () => {
  const NAMES = ['iss', 'aud', 'iat', 'exp', 'jti', 'leaf', 'action', 'resource', 'paramsDigest', 'decision', 'approver'] // prettier-ignore
  test.each<[string, Record<string, Json | undefined>, string]>([
    ['as it stands', {}, 'ok'],
    ...NAMES.flatMap((name): [string, Record<string, Json | undefined>, string][] => [
      [`no ${name}`, { [name]: undefined }, 'SCHEMA'],
      [`${name} null`, { [name]: null }, 'SCHEMA'],
      [`${name} true`, { [name]: true }, 'SCHEMA'],
      [`an empty ${name}`, { [name]: '' }, 'SCHEMA'],
    ]),
    ['an unknown member', { x: 1 }, 'SCHEMA'],
    ['a negative iat', { iat: -1 }, 'SCHEMA'],
    ['a negative exp', { exp: -1 }, 'SCHEMA'],
    ['a decision to deny', { decision: 'deny' }, 'SCHEMA'],
    ['a jti of 21 characters', { jti: 'J'.repeat(21) }, 'SCHEMA'],
    ['a jti of 64 characters', { jti: 'J'.repeat(64) }, 'ok'],
    ['a jti of 65 characters', { jti: 'J'.repeat(65) }, 'SCHEMA'],
    ['a jti with a line end', { jti: `${JTI}\n` }, 'SCHEMA'],
    ['a jti behind a colon', { jti: `:${JTI}` }, 'SCHEMA'],
    ['an approver without method', { approver: { id: alice.did } }, 'SCHEMA'],
    ['an approver without id', { approver: { method: 'terminal' } }, 'SCHEMA'],
    ['an approver with a member more', { approver: { id: alice.did, method: 'terminal', x: 1 } }, 'SCHEMA'],
    ['another issuer than its signer', { iss: mallory.did }, 'APPROVAL_INVALID'],
    ['another audience', { aud: 'https://b.example' }, 'APPROVAL_INVALID'],
    ['a leaf with trailing bits', { leaf: `uEi${'A'.repeat(43)}B` }, 'SCHEMA'],
    ['another chain', { leaf: `uEiD${'A'.repeat(43)}` }, 'APPROVAL_INVALID'],
    ['another action', { action: 'quote' }, 'APPROVAL_INVALID'],
    ['another resource', { resource: `${SELF}/bookings/1` }, 'APPROVAL_INVALID'],
    ['other parameters', { paramsDigest: s256('other') }, 'APPROVAL_INVALID'],
    ['a life of 301 s', { exp: NOW + 301 }, 'APPROVAL_INVALID'],
    ['a life of nothing', { exp: NOW }, 'APPROVAL_INVALID'],
    ['a life that ends before it starts', { exp: NOW - 1 }, 'APPROVAL_INVALID'],
  ])('%s', async (_name, change, code) => {
    const token = await approval(change)
    expect(outcome(() => open(token))).toBe(code)
  })

  test.each<[string, number, string]>([
    ['30 s before it starts', NOW - 30, 'ok'],
    ['31 s before it starts', NOW - 31, 'APPROVAL_INVALID'],
    ['29 s after its end', NOW + 329, 'ok'],
    ['30 s after its end', NOW + 330, 'APPROVAL_INVALID'],
  ])('%s -> %s', async (_name, now, code) => {
    const token = await approval()
    expect(outcome(() => open(token, now))).toBe(code)
  })

  // each is wrong in one more way than the row below it; the first way counts
  test.each<[string, Record<string, Json>, Partial<ApprovalRequest>]>([
    ['its issuer is not its signer', { iss: mallory.did }, { audience: 'https://b.example' }],
    ['it is for another verifier', {}, { audience: 'https://b.example', leaf: `uEiD${'A'.repeat(43)}` }],
    ['it is for another delegation', {}, { leaf: `uEiD${'A'.repeat(43)}`, action: 'quote' }],
    ['it is for another action', {}, { action: 'quote', paramsDigest: s256('other') }],
    ['it is for other parameters', { exp: NOW + 301 }, { paramsDigest: s256('other') }],
    ['it lives too long', { iat: NOW + 31, exp: NOW + 332 }, {}],
    ['it is not valid now', { iat: NOW + 31, exp: NOW + 331 }, {}],
  ])('tells the person why: %s', async (why, change, due) => {
    const token = await approval(change)
    expect(() => open(token, NOW, { ...DUE, ...due })).toThrow(
      expect.objectContaining({ code: 'APPROVAL_INVALID', facts: { why } }),
    )
  })

  test.each<[string, () => Promise<string>, string]>([
    ['of a stranger', () => approval({ iss: mallory.did }, mallory), 'SIGNATURE_INVALID'],
    ['of a stranger under her kid', () => approval({}, { ...mallory, did: alice.did, kid: alice.kid }), 'SIGNATURE_INVALID'], // prettier-ignore
    ['that nobody may read before the signature', () => approval({ iss: 7 }, mallory), 'SIGNATURE_INVALID'],
    ['of another typ', () => signJws({ iss: alice.did }, 'agent-proof+jwt', alice), 'JWS_TYP'],
    ['of 4097 characters', () => Promise.resolve('a'.repeat(4097)), 'INPUT_TOO_LARGE'],
    ['of 4096 characters', () => Promise.resolve('a'.repeat(4096)), 'JWS_FORMAT'],
  ])('a token %s', async (_name, make, code) => {
    const token = await make()
    expect(outcome(() => open(token))).toBe(code)
  })
})
