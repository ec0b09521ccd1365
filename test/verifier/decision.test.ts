import { describe, expect, test } from 'vitest'
import { s256 } from '../../src/encoding.js'
import type { JsonObject } from '../../src/json.js'
import { paramsDigest, type ReceivedRequest } from '../../src/presentation/request.js'
import { toStatusJson } from '../../src/status/entry.js'
import { createVerifier, type VerifierPorts } from '../../src/verifier/verifier.js'
import {
  booker,
  GRANTS,
  goodChain,
  LIST,
  listToken,
  mallory,
  mint,
  NOW,
  owner,
  PARAMS,
  party,
  planner,
  policyOf,
  present,
  REQUEST,
  SELF,
  STATUS_BASE,
  world,
} from '../mint.js'
import { recorder, says } from './scene.js'

const SECOND = `${STATUS_BASE}2`
const agency = party('agency', 'did:web:agency.example')
const [MISSION, TASK] = [s256('mission'), s256('task')]

/** Lists by URL, each answered so many seconds ago. */
async function aged(ages: readonly [number, number]): Promise<VerifierPorts['statusLists']> {
  const tokens = [await listToken(), await listToken([], 1, { id: SECOND })]
  return {
    read(url) {
      const which = url === LIST ? 0 : 1
      return Promise.resolve({ snapshot: { token: tokens[which]! }, age: ages[which] })
    },
  }
}

describe('what a decision knows', () => {
  test.each([[[7, 3]], [[3, 7]]] as const)('all of it, when everything was verified (ages %o)', async ages => {
    const above = { onBehalfOf: 'did:web:acme.example', purpose: { s256: MISSION } }
    const root = await mint({ signer: owner, to: planner, until: 3600, authority: above })
    const claims = { credentialStatus: toStatusJson(SECOND, 4) }
    const middle = await mint({ signer: planner, to: agency, parent: root, until: 900, claims })
    const leaf = await mint({ signer: agency, to: booker, parent: middle, from: 0, until: 300, index: null })
    const policy = policyOf({ subjectKeyBinding: 'cnf' })
    const verifier = createVerifier(policy, await world({ statusLists: await aged(ages) }))
    const shown = await present(booker, [root, middle, leaf], { request: { purpose: MISSION } })
    expect(await verifier.decide(shown, REQUEST, { reserve: true })).toEqual({
      decisionId: '0192f5c2-0000-4000-8000-000000000000',
      policyVersion: policy.version,
      at: NOW,
      holder: booker.did,
      root: owner.did,
      onBehalfOf: 'did:web:acme.example',
      path: [planner.did, agency.did, booker.did],
      unproved: [agency.did],
      act: { sub: booker.did, act: { sub: agency.did, act: { sub: planner.did } } },
      digests: [root.digest, middle.digest, leaf.digest],
      purpose: MISSION,
      validUntil: NOW + 300,
      statusAge: 7,
      identities: [],
      approvedBy: null,
      allow: true,
      code: null,
      link: null,
      reservedUntil: NOW + 60,
    })
  })

  test('nothing, when nothing was', async () => {
    const policy = policyOf()
    const decision = await createVerifier(policy, await world()).decide('garbage', REQUEST)
    expect(decision).toEqual({
      decisionId: '0192f5c2-0000-4000-8000-000000000000',
      policyVersion: policy.version,
      at: expect.any(Number) as number,
      ...{ holder: null, root: null, onBehalfOf: null, path: [], unproved: [], act: null, digests: [] },
      ...{ purpose: null, validUntil: null, statusAge: null, identities: [], approvedBy: null },
      allow: false,
      code: 'JWS_FORMAT',
      kind: 'malformed',
      detail: expect.stringMatching(/^JWS_FORMAT: /) as string,
      link: null,
      approval: null,
      disclose: false,
    })
  })

  test('one link without a list or a principal: what is not there is null', async () => {
    const root = await mint({ signer: owner, to: planner, from: 0, until: 300, index: null })
    const decision = await createVerifier(policyOf(), await world()).decide(await present(planner, [root]), REQUEST)
    const absent = { onBehalfOf: null, purpose: null, statusAge: null, reservedUntil: null, unproved: [] }
    expect(decision).toMatchObject({ allow: true, act: { sub: planner.did }, ...absent })
    expect(decision.act).not.toHaveProperty('act')
  })

  test('a list that was asked this second has an age, and it is 0', async () => {
    const decision = await createVerifier(policyOf(), await world()).decide(
      await present(booker, await goodChain()),
      REQUEST,
    )
    expect(decision.statusAge).toBe(0)
  })
})

describe('a refusal', () => {
  const dear = [{ ...GRANTS[0]!, actions: ['quote'] }]
  const wide = { authority: { more: 3 } }
  test.each([
    ['a thief: the chain is known, who holds it is not', mallory, {}, {}, 'SIGNATURE_INVALID', null, false, 2],
    ['a wider link: nothing of the chain is told', booker, wide, {}, 'DEPTH_EXCEEDED', 1, false, 0],
    ['another audience', booker, {}, { claims: { aud: 'https://x.example' } }, 'PRESENTATION_AUDIENCE', null, true, 2],
    ['the leaf does not allow it', booker, { authority: { grants: dear } }, {}, 'DENIED_ACTION', 1, true, 2],
    ['the leaf ended', booker, { until: 0 }, {}, 'TIME_EXPIRED', 1, true, 2],
  ] as const)('%s', async (_name, by, link, shown, code, at, disclose, digests) => {
    const root = await mint({ signer: owner, to: planner, until: 3600 })
    const chain = [root, await mint({ signer: planner, to: booker, parent: root, ...link })]
    const verifier = createVerifier(policyOf(), await world())
    const decision = await verifier.decide(await present(by, chain, shown), REQUEST)
    expect(decision).toMatchObject({ allow: false, code, link: at, disclose, approval: null })
    expect(decision.holder).toBe(disclose ? booker.did : null)
    expect(decision.digests).toHaveLength(digests)
    expect(decision).not.toHaveProperty('reservedUntil')
  })

  test('by the policy is that of link −1', async () => {
    const policy = policyOf({ roots: [{ issuer: owner.did, grants: [{ resource: `${SELF}/**`, actions: ['read'] }] }] })
    const shown = await present(booker, await goodChain())
    expect(await createVerifier(policy, await world()).decide(shown, REQUEST)).toMatchObject({
      code: 'DENIED_ACTION',
      kind: 'forbidden',
      detail: says('DENIED_ACTION', { action: 'book' }),
      link: -1,
    })
  })

  test('of another purpose than the chain was made for', async () => {
    const chain = await goodChain({ purpose: { s256: MISSION } })
    const verifier = createVerifier(policyOf(), await world())
    const ask = async (request: JsonObject) =>
      (await verifier.decide(await present(booker, chain, { request }), REQUEST)).code
    expect([await ask({}), await ask({ purpose: TASK }), await ask({ purpose: MISSION })]).toEqual([
      'REQUEST_PURPOSE',
      'REQUEST_PURPOSE',
      null,
    ])
  })
})

describe('the record', () => {
  async function recordOf(received: unknown, ports: Partial<VerifierPorts> = {}, authority = {}) {
    const { audit, records } = recorder()
    const verifier = createVerifier(policyOf(), await world({ audit, ...ports }))
    const shown = await present(booker, await goodChain(authority))
    const decision = await verifier.decide(shown, received as ReceivedRequest)
    expect(records).toHaveLength(1)
    return { record: records[0]!, decision }
  }

  test('is the decision, what was asked and the digest of its parameters', async () => {
    const { record, decision } = await recordOf(REQUEST)
    expect(record).toEqual({
      type: 'decision',
      ...decision,
      method: 'POST',
      url: REQUEST.url,
      action: 'book',
      resource: REQUEST.resource,
      paramsDigest: paramsDigest(PARAMS),
      risk: 'low',
      statusLists: [{ list: LIST, version: 42 }],
      correlationId: null,
    })
  })

  test.each([
    ['a?b=c', { url: 'a', queryDigest: s256('b=c') }],
    ['a?b=c?d', { url: 'a', queryDigest: s256('b=c?d') }],
    ['a?', { url: 'a', queryDigest: s256('') }],
    ['a', { url: 'a' }],
    ['', { url: '' }],
    [undefined, { url: null }],
    [7, { url: null }],
  ])('of a URL %o: its path, and of its query the digest', async (url, due) => {
    const { record } = await recordOf({ ...REQUEST, url })
    expect({ url: record['url'], ...('queryDigest' in record ? { queryDigest: record['queryDigest'] } : {}) }).toEqual(
      due,
    )
  })

  test.each([
    ['nothing', null],
    ['no texts', { method: 1, url: {}, action: [], resource: null, params: { a: undefined } }],
  ])('of %s is null where something should be', async (_name, received) => {
    const { record } = await recordOf(received)
    const nothing = { method: null, url: null, action: null, resource: null, paramsDigest: null }
    expect(record).toMatchObject({ allow: false, approval: null, ...nothing })
  })

  test('never shows what was to be approved', async () => {
    const { record, decision } = await recordOf(REQUEST, {}, { grants: [{ ...GRANTS[0]!, perCall: true }] })
    expect(decision).toMatchObject({ code: 'APPROVAL_REQUIRED', approval: { display: PARAMS } })
    expect(record).toMatchObject({ approval: { action: 'book', paramsDigest: paramsDigest(PARAMS), display: null } })
    expect(JSON.stringify(record)).not.toContain('32000')
  })

  test('of a defect says where it is, which the answer does not', async () => {
    const ledger = { settle: () => Promise.reject(new TypeError('boom')) } as unknown as VerifierPorts['ledger']
    const { record, decision } = await recordOf(REQUEST, { ledger })
    expect(decision).toMatchObject({ allow: false, code: 'INTERNAL', kind: 'misconfigured', link: null })
    expect(decision).not.toHaveProperty('defect')
    expect(record['defect']).toMatch(/^TypeError: boom\n/)
    const thrown = 'no error' as unknown as Error
    const strange = { settle: () => Promise.reject(thrown) } as unknown as VerifierPorts['ledger']
    expect((await recordOf(REQUEST, { ledger: strange })).record).not.toHaveProperty('defect')
  })

  test('is there also where a decision could not even be named', async () => {
    const ids = {
      uuid: () => {
        throw new TypeError('no entropy')
      },
      token: () => '',
    }
    const { record, decision } = await recordOf(REQUEST, { ids })
    expect(decision).toMatchObject({ decisionId: '', allow: false, code: 'INTERNAL', link: null })
    expect(record).toMatchObject({ decisionId: '', code: 'INTERNAL' })
  })

  test('of a refusal that has a cause shows no stack', async () => {
    const { record, decision } = await recordOf(
      { ...REQUEST, approval: 'garbage' },
      {},
      { grants: [{ ...GRANTS[0]!, perCall: true }] },
    )
    expect(decision.code).toBe('APPROVAL_INVALID')
    expect(record).not.toHaveProperty('defect')
  })
})
