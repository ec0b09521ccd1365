import { memoryLedger } from '../../src/adapters/state/memory.js'
import { ProcuraError } from '../../src/errors.js'
import { signApproval, type ApprovalRequest } from '../../src/presentation/approval.js'
import { bodyDigest, paramsDigest } from '../../src/presentation/request.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import {
  alice,
  booker,
  GRANTS,
  goodChain,
  listToken,
  mallory,
  mint,
  NOW,
  owner,
  party,
  planner,
  policyOf,
  present,
  prove,
  REQUEST,
  SELF,
  world,
} from '../mint.js'

import { codeOf, once, slow, type Attempt, type Decider } from './attempt.js'
const grantsWith = (change: object) => [{ ...GRANTS[0]!, ...change }]

/** Who tried what, and the answer that is due. Each line of `decide` has a row that dies when the line is removed. */
export const ATTACKS: readonly [string, string, Attempt][] = [
  [
    'a link that ends while its status is looked up',
    'TIME_EXPIRED',
    slow(6, async () => {
      const [root] = await goodChain()
      return {
        token: await present(booker, [root, await mint({ signer: planner, to: booker, parent: root, until: 4 })]),
      }
    }),
  ],
  [
    'a presentation that ends while status is looked up',
    'PRESENTATION_EXPIRED',
    slow(6, async () => ({
      token: await present(booker, await goodChain(), { claims: { iat: NOW - 80, exp: NOW - 26 } }),
    })),
  ],
  [
    'an expired presentation of another request: time is judged first',
    'PRESENTATION_EXPIRED',
    once(async () => ({
      token: await present(booker, await goodChain(), { claims: { iat: NOW - 200, exp: NOW - 100 } }),
      request: { method: 'DELETE' },
    })),
  ],
  [
    'an ended link of another request: time is judged first',
    'TIME_EXPIRED',
    once(async () => {
      const [root] = await goodChain()
      const link = await mint({ signer: planner, to: booker, parent: root, until: 0 })
      return { token: await present(booker, [root, link]), request: { method: 'DELETE' } }
    }),
  ],
  ['a chain uploaded before, named by its leaf', 'allow', byReference({})],
  ['a chain that was never uploaded', 'CHAIN_UNKNOWN', byReference({ upload: false })],
  ["mallory names booker's leaf", 'SIGNATURE_INVALID', byReference({ holder: mallory })],
  ['the same proof twice', 'PRESENTATION_REPLAYED', byReference({ times: 2 })],
  ['a chain whose root was revoked after its upload', 'STATUS_REVOKED', byReference({ revoked: true })],
  [
    'a call refused by its rate leaves approval and presentation unused',
    'allow',
    async decider => {
      const chain = await goodChain({ rate: { max: 1, per: 60 }, grants: grantsWith({ perCall: true }) })
      const grants = [{ resource: `${SELF}/**`, actions: ['book'] }]
      const policy = policyOf({ roots: [{ issuer: owner.did, approvers: [alice.did], grants }] })
      let now = NOW
      const ports = await world({ clock: { now: () => now } })
      const approve = async (jti: string) => {
        const asked = await decider(await present(booker, chain), REQUEST, policy, ports)
        if (asked.allow || asked.approval === null) throw new Error(`not asked: ${String(asked.code)}`)
        return signApproval(alice, asked.approval, 'terminal', jti.repeat(22), NOW)
      }
      const [first, second] = [await approve('C'), await approve('D')]
      await decider(await present(booker, chain), { ...REQUEST, approval: first }, policy, ports)
      const limited = await decider(await present(booker, chain), { ...REQUEST, approval: second }, policy, ports)
      if (limited.code !== 'RATE_LIMITED') return `not limited: ${codeOf(limited)}`
      now += 61
      const token = await present(booker, chain, { claims: { iat: NOW + 60, exp: NOW + 120 } })
      return codeOf(await decider(token, { ...REQUEST, approval: second }, policy, ports))
    },
  ],
  [
    'nothing is shown',
    'JWS_FORMAT',
    async decider => codeOf(await decider(null as never, REQUEST, policyOf(), await world())),
  ],
  [
    'a proof that is no text',
    'JWS_FORMAT',
    async decider => codeOf(await decider({ proof: 5 } as never, REQUEST, policyOf(), await world())),
  ],
  ['a request without a URL', 'REQUEST_URL', once(() => Promise.resolve({ request: { url: undefined as never } }))],
  [
    'no request at all',
    'REQUEST_METHOD',
    async decider =>
      codeOf(await decider(await present(booker, await goodChain()), null as never, policyOf(), await world())),
  ],
  [
    'every decision has a name',
    '0192f5c2-0000-4000-8000-000000000000',
    async decider => (await decider('garbage', REQUEST, policyOf(), await world())).decisionId,
  ],
  ['a clock that tells no time', 'INTERNAL', once(() => Promise.resolve({ ports: { clock: { now: () => NaN } } }))],
  ['parameters that are no object', 'REQUEST_PARAMS', once(() => Promise.resolve({ request: { params: 5 as never } }))],
  [
    "booker presents planner's delegation",
    'allow',
    once(async () => ({ token: await present(booker, await goodChain()) })),
  ],
  [
    'planner presents the root itself',
    'allow',
    once(async () => ({ token: await present(planner, [(await goodChain())[0]]) })),
  ],
  [
    'a stranger is the root',
    'ROOT_UNTRUSTED',
    once(async () => {
      const root = await mint({ signer: mallory, to: planner })
      return { token: await present(planner, [root]) }
    }),
  ],
  [
    'the root signs with a key its document does not list',
    'KEY_NOT_AUTHORIZED',
    once(async () => {
      const root = await mint({ signer: { ...owner, kid: `${owner.did}#old` }, to: planner })
      return { token: await present(planner, [root]) }
    }),
  ],
  [
    'mallory forges the root',
    'SIGNATURE_INVALID',
    once(async () => {
      const root = await mint({ signer: { ...mallory, did: owner.did, kid: owner.kid }, to: mallory })
      return { token: await present(mallory, [root]) }
    }),
  ],
  [
    "mallory puts her own link under planner's",
    'SIGNATURE_INVALID',
    once(async () => {
      const [root] = await goodChain()
      const link = await mint({ signer: { ...mallory, did: planner.did, kid: planner.kid }, to: mallory, parent: root })
      return { token: await present(mallory, [root, link]) }
    }),
  ],
  [
    "a thief presents booker's chain",
    'SIGNATURE_INVALID',
    once(async () => ({ token: await present(mallory, await goodChain()) })),
  ],
  [
    'a thief names booker as holder',
    'SIGNATURE_INVALID',
    once(async () => ({
      token: await present({ ...mallory, did: booker.did, kid: booker.kid }, await goodChain()),
    })),
  ],
  [
    'booker names somebody else as holder',
    'PRESENTATION_HOLDER',
    once(async () => ({
      token: await present(booker, await goodChain(), { claims: { holder: alice.did } }),
    })),
  ],
  [
    'a link widens the amount',
    'WIDENED_ARGS',
    once(async () => {
      const [root] = await goodChain()
      const args = new Map([...GRANTS[0]!.args!, ['amount', { op: 'range', min: 0, max: 900_000, req: true }]] as const)
      const link = await mint({
        signer: planner,
        to: booker,
        parent: root,
        authority: { grants: grantsWith({ args }) },
      })
      return { token: await present(booker, [root, link]) }
    }),
  ],
  [
    'planner hands on to its own key',
    'DELEGATION_TO_SELF',
    once(async () => {
      const [root] = await goodChain()
      return { token: await present(planner, [root, await mint({ signer: planner, to: planner, parent: root })]) }
    }),
  ],
  [
    'planner delegates after its depth is used up',
    'DEPTH_EXCEEDED',
    once(async () => {
      const [root] = await goodChain({ more: 0 })
      const link = await mint({ signer: planner, to: booker, parent: root, authority: { more: 0 } })
      return { token: await present(booker, [root, link]) }
    }),
  ],
  [
    'a root that lives longer than it is trusted',
    'TIME_LIFETIME',
    once(async () => {
      const root = await mint({ signer: owner, to: planner, until: 90_000 })
      return { token: await present(planner, [root]) }
    }),
  ],
  [
    'a did:web subject whose document lists another key',
    'KEY_BINDING',
    once(async () => {
      const subject = party('rotated', owner.did)
      return { token: await present(subject, [await mint({ signer: owner, to: subject })]) }
    }),
  ],
  [
    'a presentation for another verifier',
    'PRESENTATION_AUDIENCE',
    once(async () => ({
      token: await present(booker, await goodChain(), { claims: { aud: 'https://other.example' } }),
    })),
  ],
  [
    'a chain made for another verifier',
    'PRESENTATION_AUDIENCE',
    once(async () => ({
      token: await present(booker, await goodChain({ audience: ['https://other.example'] })),
    })),
  ],
  [
    'a presentation that lives too long',
    'PRESENTATION_LIFETIME',
    once(async () => ({
      token: await present(booker, await goodChain(), { claims: { exp: NOW + 500 } }),
    })),
  ],
  [
    'a presentation of yesterday',
    'PRESENTATION_EXPIRED',
    once(async () => ({
      token: await present(booker, await goodChain(), { claims: { iat: NOW - 86_400, exp: NOW - 86_340 } }),
    })),
  ],
  [
    'a link that ends this second',
    'TIME_EXPIRED',
    once(async () => {
      const [root] = await goodChain()
      return {
        token: await present(booker, [root, await mint({ signer: planner, to: booker, parent: root, until: 0 })]),
      }
    }),
  ],
  [
    'no nonce where the verifier challenges',
    'PRESENTATION_NONCE',
    once(() => Promise.resolve({ policy: policyOf({ challenge: 'always' }) })),
  ],
  [
    'a nonce that was never handed out',
    'PRESENTATION_NONCE',
    once(async () => ({
      policy: policyOf({ challenge: 'always' }),
      token: await present(booker, await goodChain(), { claims: { nonce: 'guess' } }),
    })),
  ],
  [
    'a nonce that was handed out, once',
    'allow',
    async decider => {
      const ports = await world()
      const nonce = await ports.nonces.issue(SELF)
      const policy = policyOf({ challenge: 'always' })
      const decision = await decider(
        await present(booker, await goodChain(), { claims: { nonce } }),
        REQUEST,
        policy,
        ports,
      )
      return decision.allow ? 'allow' : decision.code
    },
  ],
  [
    'the same nonce again',
    'PRESENTATION_NONCE',
    async decider => {
      const ports = await world()
      const nonce = await ports.nonces.issue(SELF)
      const policy = policyOf({ challenge: 'always' })
      await decider(await present(booker, await goodChain(), { claims: { nonce } }), REQUEST, policy, ports)
      const decision = await decider(
        await present(booker, await goodChain(), { claims: { nonce } }),
        REQUEST,
        policy,
        ports,
      )
      return decision.allow ? 'allow' : decision.code
    },
  ],
  ['another method', 'REQUEST_METHOD', once(() => Promise.resolve({ request: { method: 'DELETE' } }))],
  ['another query', 'REQUEST_URL', once(() => Promise.resolve({ request: { url: `${REQUEST.url}?all=1` } }))],
  ['another body', 'REQUEST_BODY', once(() => Promise.resolve({ request: { bodyDigest: null } }))],
  [
    'other parameters than were signed',
    'REQUEST_PARAMS',
    once(() => Promise.resolve({ request: { params: { amount: 1, currency: 'USD' } } })),
  ],
  [
    'another mission than the chain was made for',
    'REQUEST_PURPOSE',
    once(async () => ({
      token: await present(
        booker,
        await goodChain({ purpose: { s256: '7uV5hUNIdQ-y1tf0gBzz8vq1tEeQc4_ITr6nFdEdg7w' } }),
      ),
    })),
  ],
  [
    'the policy does not allow what the chain does',
    'DENIED_RESOURCE',
    once(() =>
      Promise.resolve({
        policy: policyOf({
          roots: [{ issuer: owner.did, grants: [{ resource: `${SELF}/hotels/**`, actions: ['book'] }] }],
        }),
      }),
    ),
  ],
  [
    'the leaf does not allow what the root does',
    'DENIED_ACTION',
    once(async () => {
      const [root] = await goodChain()
      const link = await mint({
        signer: planner,
        to: booker,
        parent: root,
        authority: { grants: grantsWith({ actions: ['quote'] }) },
      })
      return { token: await present(booker, [root, link]) }
    }),
  ],
  [
    "the root's bit is set: everything below ends",
    'STATUS_REVOKED',
    once(async () => {
      const root = await mint({ signer: owner, to: planner, index: 77 })
      const chain = [root, await mint({ signer: planner, to: booker, parent: root, index: 78 })]
      return { token: await present(booker, chain), ports: { list: await listToken([77]) } }
    }),
  ],
  [
    "the list's host is down",
    'STATUS_UNAVAILABLE',
    once(() =>
      Promise.resolve({
        ports: {
          statusLists: {
            read: url => Promise.reject(new ProcuraError('STATUS_UNAVAILABLE', { list: url, why: 'down' })),
          },
        },
      }),
    ),
  ],
  [
    'the list was not fetched for longer than the risk allows',
    'STATUS_STALE',
    once(async () => {
      const token = await listToken()
      return {
        policy: policyOf({ risk: { book: 'high' } }),
        ports: { statusLists: { read: () => Promise.resolve({ snapshot: { token }, age: 11 }) } },
      }
    }),
  ],
  [
    'the host serves an older list than was seen',
    'STATUS_ROLLBACK',
    once(() =>
      Promise.resolve({
        ports: { listVersions: { raise: () => Promise.resolve(43) } },
      }),
    ),
  ],
  [
    'each call needs an approval',
    'APPROVAL_REQUIRED',
    once(async () => ({
      token: await present(booker, await goodChain({ grants: grantsWith({ perCall: true }) })),
    })),
  ],
  ['alice approves exactly this call', 'allow', approvedBy(alice, {})],
  ['mallory approves', 'APPROVAL_INVALID', approvedBy(mallory, {})],
  [
    'an approval of other parameters',
    'APPROVAL_INVALID',
    approvedBy(alice, { display: { amount: 1, currency: 'USD' } }),
  ],
  ['an approval for another action', 'APPROVAL_INVALID', approvedBy(alice, { action: 'quote' })],
  ['an approval for another verifier', 'APPROVAL_INVALID', approvedBy(alice, { audience: 'https://other.example' })],
  ['an approval of last hour', 'APPROVAL_INVALID', approvedBy(alice, {}, NOW - 3600)],
  ['an approval used for two calls', 'PRESENTATION_REPLAYED', approvedBy(alice, {}, NOW, 2)],
  [
    'a request without provenance where the policy asks',
    'PROVENANCE_MISSING',
    once(() => Promise.resolve({ policy: policyOf({ provenance: 'required' }) })),
  ],
  [
    'a request told by a source that is not trusted',
    'PROVENANCE_UNTRUSTED',
    once(async () => ({
      policy: policyOf({ provenance: [alice.did] }),
      token: await present(booker, await goodChain(), {
        request: { provenance: [{ source: 'https://evil.example/page', s256: bodyDigest('book it') ?? '' }] },
      }),
    })),
  ],
  [
    'the same presentation twice',
    'PRESENTATION_REPLAYED',
    once(async () => ({ token: await present(booker, await goodChain()), times: 2 })),
  ],
  [
    'replay memory is down',
    'REPLAY_UNAVAILABLE',
    once(() =>
      Promise.resolve({
        ports: {
          ledger: {
            ...memoryLedger({ now: () => NOW - 1000 }, { budgets: true }),
            settle: () => Promise.reject(new ProcuraError('REPLAY_UNAVAILABLE', { why: 'down' })),
          },
        },
      }),
    ),
  ],
  [
    'a third call where two a minute are allowed',
    'RATE_LIMITED',
    async decider => {
      const chain = await goodChain({ rate: { max: 2, per: 60 } })
      return spend(decider, chain, 3)
    },
  ],
  [
    'a third call of 320.00 under a budget of 800.00',
    'BUDGET_EXHAUSTED',
    async decider => {
      const budgets = [{ unit: 'USD', decimals: 2, max: 80_000, meter: 'amount', unitArg: 'currency' }]
      return spend(decider, await goodChain({ budgets }), 3)
    },
  ],
  [
    "two siblings share their parent's budget of one call",
    'BUDGET_EXHAUSTED',
    async decider => {
      const [root, first] = await goodChain({ budgets: [{ unit: '#calls', decimals: 0, max: 1, meter: '#calls' }] })
      const ports = await world()
      await decider(await present(booker, [root, first]), REQUEST, policyOf(), ports)
      const second = await mint({ signer: planner, to: alice, parent: root })
      const decision = await decider(await present(alice, [root, second]), REQUEST, policyOf(), ports)
      return decision.allow ? 'allow' : decision.code
    },
  ],
  [
    'the decision cannot be put on record',
    'AUDIT_UNAVAILABLE',
    once(() =>
      Promise.resolve({
        ports: { audit: { record: () => Promise.reject(new ProcuraError('AUDIT_UNAVAILABLE', { why: 'disk full' })) } },
      }),
    ),
  ],
  [
    'a decision that cannot be put on record leaves no reservation open',
    'AUDIT_UNAVAILABLE released',
    async decider => {
      const audit = { record: () => Promise.reject(new ProcuraError('AUDIT_UNAVAILABLE', { why: 'disk full' })) }
      const ports = await world({ audit })
      const shown = await present(booker, await goodChain())
      const decision = await decider(shown, REQUEST, policyOf(), ports, { reserve: true })
      const held = await ports.ledger.held(decision.decisionId, NOW)
      return `${codeOf(decision)} ${String(held?.state)}`
    },
  ],
  [
    'a refusal says when it was, however early',
    `ROOT_UNTRUSTED ${NOW}`,
    async decider => {
      const shown = await present(planner, [await mint({ signer: mallory, to: planner })])
      const decision = await decider(shown, REQUEST, policyOf(), await world())
      return `${codeOf(decision)} ${decision.at}`
    },
  ],
  [
    'a decision names who approved the call',
    `allow ${alice.did} terminal`,
    async decider => {
      const [policy, ports] = [policyApprovedBy(alice), await world()]
      const chain = await goodChain({ grants: grantsWith({ perCall: true }) })
      const asked = await decider(await present(booker, chain), REQUEST, policy, ports)
      if (asked.allow || asked.approval === null) return 'not asked'
      const approval = await signApproval(alice, asked.approval, 'terminal', 'B'.repeat(22), NOW)
      const decision = await decider(await present(booker, chain), { ...REQUEST, approval }, policy, ports)
      return `${codeOf(decision)} ${String(decision.approvedBy?.did)} ${String(decision.approvedBy?.method)}`
    },
  ],
  [
    'a decision names who called, for whom and through whom',
    `allow ${booker.did} for did:web:acme.example via ${planner.did}`,
    async decider => {
      const token = await present(booker, await goodChain({ onBehalfOf: 'did:web:acme.example' }))
      const decision = await decider(token, REQUEST, policyOf(), await world())
      return `${decision.allow ? 'allow' : decision.code} ${String(decision.holder)} for ${String(decision.onBehalfOf)} via ${String(decision.act?.act?.sub)}`
    },
  ],
  [
    'the log says what the agent says told it to make the call, also where it is refused',
    'https://chat.example/thread',
    async decider => {
      const provenance = [{ source: 'https://chat.example/thread', s256: 'A'.repeat(43) }]
      const said: string[] = []
      const audit = { record: (entry: object) => Promise.resolve(void said.push(JSON.stringify(entry))) }
      const token = await present(booker, await goodChain(), { request: { provenance } })
      await decider(token, { ...REQUEST, action: 'cancel' }, policyOf(), await world({ audit }))
      return provenance.map(({ source }) => (said[0]?.includes(source) === true ? source : 'nobody')).join()
    },
  ],
  [
    'a caller that proved itself learns why it was refused',
    'told',
    async decider => told(decider, await present(booker, await goodChain())),
  ],
  [
    'a caller that proved nothing does not',
    'not told',
    async decider => told(decider, await present(mallory, await goodChain())),
  ],
  ['garbage', 'JWS_FORMAT', once(() => Promise.resolve({ token: 'garbage' }))],
  [
    'a defect in an adapter',
    'INTERNAL',
    once(() =>
      Promise.resolve({
        ports: {
          keys: { all: () => Promise.resolve([]), find: () => Promise.reject(new TypeError('x is not a function')) },
        },
      }),
    ),
  ],
]

/** Uploads booker's chain, then names it by its leaf. */
function byReference({ upload = true, holder = booker, times = 1, revoked = false }): Attempt {
  return async decider => {
    const root = await mint({ signer: owner, to: planner, until: 3600, index: 9001 })
    const link = await mint({ signer: planner, to: booker, parent: root })
    const before = await world()
    const verifier = createVerifier(policyOf(), before)
    if (upload) await verifier.keepChain([root.token, link.token])
    const ports = revoked ? { ...(await world({ list: await listToken([9001], 43) })), chains: before.chains } : before
    const proof = await prove(holder, link.digest)
    let answer = 'nothing asked'
    for (let time = 0; time < times; time += 1) answer = codeOf(await decider({ proof }, REQUEST, policyOf(), ports))
    return answer
  }
}

function policyApprovedBy({ did }: typeof alice) {
  const grants = [{ resource: `${SELF}/**`, actions: ['book'] }]
  return policyOf({ roots: [{ issuer: owner.did, approvers: [did], grants }] })
}

/** Calls a perCall grant with an approval of `approver`; `change` and `at` bend it; `calls` use the same one again. */
function approvedBy(approver: typeof alice, change: Partial<ApprovalRequest>, at = NOW, calls = 1): Attempt {
  return async decider => {
    const chain = await goodChain({ grants: grantsWith({ perCall: true }) })
    const policy = policyApprovedBy(alice)
    const ports = await world()
    const asked = await decider(await present(booker, chain), REQUEST, policy, ports)
    if (asked.allow || asked.approval === null) return `not asked: ${String(asked.code)}`
    const bent = { ...asked.approval, ...change }
    const approval = await signApproval(
      approver,
      { ...bent, paramsDigest: paramsDigest(bent.display) },
      'terminal',
      'B'.repeat(22),
      at,
    )
    let answer = 'nothing asked'
    for (let call = 0; call < calls; call += 1) {
      const decision = await decider(await present(booker, chain), { ...REQUEST, approval }, policy, ports)
      answer = decision.allow ? 'allow' : decision.code
    }
    return answer
  }
}

async function told(decider: Decider, token: string): Promise<string> {
  const decision = await decider(token, { ...REQUEST, method: 'DELETE' }, policyOf(), await world())
  return decision.allow ? 'allowed' : decision.disclose ? 'told' : 'not told'
}

async function spend(decider: Decider, chain: readonly { readonly token: string }[], calls: number): Promise<string> {
  const ports = await world()
  let answer = 'nothing asked'
  for (let call = 0; call < calls; call += 1) {
    const decision = await decider(await present(booker, chain), REQUEST, policyOf(), ports)
    answer = decision.allow ? 'allow' : decision.code
    if (!decision.allow && call < calls - 1) return `${decision.code} too early`
  }
  return answer
}
