import { describe, expect, test } from 'vitest'
import type { Grant } from '../../src/authority/grant.js'
import type { DidUrl } from '../../src/did/did.js'
import type { JsonObject } from '../../src/json.js'
import type { Policy } from '../../src/policy/policy.js'
import { demandsOf } from '../../src/policy/risk.js'
import type { Keys } from '../../src/ports/deciding.js'
import { readTokens, type SignedRequest } from '../../src/presentation/presentation.js'
import {
  findKey,
  readShown,
  requireAudience,
  requireEveryLinkAllows,
  requireNonce,
  requireProvenance,
  requireRootKey,
  requireTrustedRoot,
  useOf,
} from '../../src/verifier/checks.js'
import {
  alice,
  booker,
  GRANTS,
  goodChain,
  mallory,
  mint,
  NOW,
  owner,
  PARAMS,
  planner,
  policyOf,
  present,
  prove,
  REQUEST,
  SELF,
  world,
} from '../mint.js'
import { NO_KEYS, opened, says, sentence } from './scene.js'

const rooted = (members: JsonObject) => policyOf({ roots: [{ issuer: owner.did, grants: [GRANT], ...members }] })
const GRANT = { resource: `${SELF}/**`, actions: ['book'] }

describe('what is shown', () => {
  test.each([
    ['nothing', null],
    ['undefined', undefined],
    ['a number', 5],
    ['an object without a proof', {}],
    ['a proof that is no text', { proof: 5 }],
  ])('%s is neither a token nor a proof', async (_name, shown) => {
    const progress = { step: 11 } as const
    const read = () => readShown(shown as never, policyOf(), { find: () => Promise.resolve(null) } as never, progress)
    expect(await sentence(read)).toMatch(/^JWS_FORMAT: .*neither a token nor a proof/)
    expect(progress.step).toBe(4)
  })

  test('a proof names its chain by the leaf, which is looked up once the form of the proof is judged', async () => {
    const { chains } = await world()
    const [root, leaf] = await goodChain()
    const shown = { proof: await prove(booker, leaf.digest) }
    const progress = { step: 4 } as { step: 4 | 5 }
    const ask = (it: { proof: string }) => readShown(it, policyOf(), chains, progress)
    expect(await sentence(() => ask(shown))).toBe(says('CHAIN_UNKNOWN', { leaf: leaf.digest }))
    expect(progress.step).toBe(5)
    expect(await sentence(() => ask({ proof: 'garbage' }))).toMatch(/^JWS_FORMAT/)
    expect(progress.step).toBe(4)
    await chains.keep(leaf.digest, [root.token, leaf.token], NOW + 60)
    const { credentials, identities } = await ask(shown)
    expect(credentials.map(({ digest }) => digest)).toEqual([root.digest, leaf.digest])
    expect(identities).toEqual([])
  })

  test.each([
    [1, 'CHAIN_TOO_LONG'],
    [2, 'ok'],
  ])('at most as many links as the policy takes (%i), kept or carried', async (maxChain, due) => {
    const { chains } = await world()
    const [root, leaf] = await goodChain()
    await chains.keep(leaf.digest, [root.token, leaf.token], NOW + 60)
    const policy = policyOf({ maxChain })
    for (const shown of [{ proof: await prove(booker, leaf.digest) }, await present(booker, [root, leaf])])
      expect((await sentence(() => readShown(shown, policy, chains, { step: 4 }))).split(':')[0]).toBe(due)
  })
})

describe('the root', () => {
  test('that the policy does not name is refused by name', async () => {
    const [sealed] = readTokens([(await mint({ signer: mallory, to: planner })).token], 5)
    expect(await sentence(() => requireTrustedRoot(sealed, policyOf()))).toBe(
      says('ROOT_UNTRUSTED', { root: mallory.did }),
    )
  })

  const jwks = { keys: [{ kid: owner.kid, kty: 'OKP', crv: 'Ed25519', x: owner.publicKey.x }] }
  const document: Keys = {
    ...NO_KEYS,
    find: (kid, purpose) => Promise.resolve(purpose === 'assertionMethod' && kid === other ? alice.publicKey : null),
  }
  const other: DidUrl = `${owner.did}#k2`
  test.each([
    ['no keys in the policy: the document', {}, other, alice.publicKey],
    ['no keys in the policy, not in the document', {}, owner.kid, null],
    ['keys in the policy: one of them', { jwks }, owner.kid, owner.publicKey],
    ['keys in the policy: none but them, whatever the document says', { jwks }, other, null],
  ])('%s', async (_name, members, kid, due) => {
    const sealed = { ...readTokens([(await mint({ signer: owner, to: planner })).token], 5)[0], kid }
    expect((await findKey(sealed, rooted(members), document))?.x).toBe(due?.x)
    expect(await sentence(() => requireRootKey(sealed, rooted(members), document))).toBe(
      due === null ? says('KEY_NOT_AUTHORIZED', { kid, purpose: 'assertionMethod' }) : 'ok',
    )
  })
})

describe('the audience', () => {
  const ELSEWHERE = 'https://other.example'
  test.each([
    ['all name it', SELF, [SELF], [SELF], 'ok', null],
    ['one of several', SELF, [ELSEWHERE, SELF], [SELF, ELSEWHERE], 'ok', null],
    ['the presentation names another', ELSEWHERE, [SELF], [SELF], 'aud', null],
    ['the root names another', SELF, [ELSEWHERE], [ELSEWHERE], 'audience', 0],
    ['the leaf dropped it', SELF, [SELF, ELSEWHERE], [ELSEWHERE], 'audience', 1],
  ])('%s', async (_name, aud, root, leaf, due, link) => {
    const above = await mint({ signer: owner, to: planner, authority: { audience: root } })
    const below = await mint({ signer: planner, to: booker, parent: above, authority: { audience: leaf } })
    const [chain, progress] = [await opened([above, below]), { link: null }]
    const told = await sentence(() => requireAudience(aud, chain, SELF, progress))
    expect(told).toBe(due === 'ok' ? 'ok' : says('PRESENTATION_AUDIENCE', { at: due, self: SELF }))
    expect(progress.link).toBe(link)
  })
})

describe('the nonce', () => {
  const ask = (nonce: string | undefined, policy: Policy, nonces: object) =>
    requireNonce(nonce, demandsOf('book', policy), policy, nonces as never)

  test('is not asked for where the policy does not challenge, and not used up', async () => {
    const consumed: string[] = []
    const nonces = { consume: (self: string, nonce: string) => Promise.resolve(consumed.push(`${self} ${nonce}`) > 0) }
    expect(await sentence(() => ask('n', policyOf(), nonces))).toBe('ok')
    expect(consumed).toEqual([])
    expect(await sentence(() => ask('n', policyOf({ challenge: 'always' }), nonces))).toBe('ok')
    expect(consumed).toEqual([`${SELF} n`])
    const none = await sentence(() => ask(undefined, policyOf({ challenge: 'always' }), nonces))
    expect([none, consumed.length]).toEqual([says('PRESENTATION_NONCE', {}), 1])
  })

  test('is good once, and none is none', async () => {
    const { nonces } = await world()
    const nonce = await nonces.issue(SELF)
    const once = (one?: string) => sentence(() => ask(one, policyOf({ challenge: 'always' }), nonces))
    expect(
      [await once(), await once('unknown'), await once(nonce), await once(nonce)].map(told => told.split(':')[0]),
    ).toEqual(['PRESENTATION_NONCE', 'PRESENTATION_NONCE', 'ok', 'PRESENTATION_NONCE'])
  })
})

describe('who allows a call', () => {
  const call = { action: 'book', resource: REQUEST.resource as `https://${string}`, params: PARAMS }
  const audited = rooted({ grants: [{ ...GRANT, audit: ['amount', 'currency'] }] }).roots.get(owner.did)!
  const dear: readonly Grant[] = [
    {
      ...GRANTS[0]!,
      args: new Map([...GRANTS[0]!.args!, ['amount', { op: 'range', min: 0, max: 9, req: true } as const]]),
    },
  ]

  test.each([
    ['everybody', audited, {}, 'ok', null, ['amount', 'currency']],
    ['everybody, and nothing is kept', rooted({}).roots.get(owner.did)!, {}, 'ok', null, []],
    [
      'not the policy: nothing is kept',
      rooted({ grants: [{ ...GRANT, actions: ['quote'], audit: ['amount'] }] }).roots.get(owner.did)!,
      {},
      says('DENIED_ACTION', { action: 'book' }),
      -1,
      [],
    ],
    ['not the leaf', audited, { grants: dear }, says('DENIED_ARG', { name: 'amount' }), 1, ['amount', 'currency']],
  ])('%s', async (_name, root, authority, due, link, kept) => {
    const above = await mint({ signer: owner, to: planner })
    const chain = await opened([above, await mint({ signer: planner, to: booker, parent: above, authority })])
    const progress = { link: null, audited: [] as readonly string[] }
    expect(await sentence(() => requireEveryLinkAllows(root, chain, call, progress))).toBe(due)
    expect(progress).toEqual({ link, audited: kept })
  })

  test('says which grants did: the policy and, root first, every link', async () => {
    const above = await mint({ signer: owner, to: planner })
    const authority = { grants: [{ ...GRANTS[0]!, actions: ['book'], perCall: true }] }
    const chain = await opened([above, await mint({ signer: planner, to: booker, parent: above, authority })])
    const { policy, links } = requireEveryLinkAllows(audited, chain, call, { link: null, audited: [] })
    expect(policy).toEqual(audited.grants)
    expect(links.map(({ actions, perCall }) => [actions, perCall])).toEqual([
      [['book', 'quote'], undefined],
      [['book'], true],
    ])
  })
})

test('a use is named by key and jti, and remembered until the token could not be accepted any more', () => {
  const token = { jti: 'J'.repeat(22), iat: NOW - 2, exp: NOW + 58 }
  expect(useOf(token, alice.publicKey)).toEqual({
    key: `${alice.publicKey.x}:${'J'.repeat(22)}`,
    issuedAt: NOW - 2,
    until: NOW + 88,
  })
})

describe('provenance', () => {
  const from = (...sources: string[]) => sources.map(source => ({ source, s256: '' }))
  const EVIL = 'https://evil.example/page'
  test.each([
    ['none', undefined, 'ok'],
    ['none', from(EVIL), 'ok'],
    ['required', undefined, says('PROVENANCE_MISSING', {})],
    ['required', from(EVIL), 'ok'],
    [[alice.did], undefined, says('PROVENANCE_MISSING', {})],
    [[alice.did], from(alice.did), 'ok'],
    [[alice.did, owner.did], from(owner.did, alice.did), 'ok'],
    [[alice.did], from(alice.did, EVIL), says('PROVENANCE_UNTRUSTED', { source: EVIL })],
  ])('%o asked, %o stated: %s', async (provenance, stated, due) => {
    const request = { provenance: stated } as unknown as SignedRequest
    expect(await sentence(() => requireProvenance(request, policyOf({ provenance })))).toBe(due)
  })
})
