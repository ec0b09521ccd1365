import type { JsonObject } from '../../src/json.js'
import { signApproval } from '../../src/presentation/approval.js'
import { envelope } from '../../src/presentation/envelope.js'
import { alice, booker, goodChain, identify, NOW, owner, policyOf, present, REQUEST, SELF, world } from '../mint.js'
import { codeOf, type Attempt } from './attempt.js'

const GRANTED = { grants: [{ resource: `${SELF}/**`, actions: ['book', 'quote'] }], approvers: [alice.did] }
const ROOTS = [{ issuer: owner.did, ...GRANTED }]
/** Booking is of high risk, and asks for what booking asks for. */
const RISKY = { roots: ROOTS, identityIssuers: [alice.did], risk: { book: 'high' } }

/** What the risk of an action asks for, and what it does not. */
export const RISK: readonly [string, string, Attempt][] = [
  ['a risk that asks for nothing', 'allow', ask({})],
  ['a nonce, from a higher risk on', 'allow', ask({ challenge: { from: 'critical' } })],
  ['no nonce, at that risk', 'PRESENTATION_NONCE', ask({ challenge: { from: 'high' } })],
  ['no nonce, above that risk', 'PRESENTATION_NONCE', ask({ challenge: { from: 'medium' } })],
  ['a nonce, at that risk', 'allow', ask({ challenge: { from: 'high' } }, { challenged: true })],
  ['no identity, at that risk', 'IDENTITY_REQUIRED', ask({ identity: { leaf: 'high' } })],
  ['no identity, below that risk', 'allow', ask({ identity: { leaf: 'critical' } })],
  ['the identity of the leaf', 'allow', ask({ identity: { leaf: 'high' } }, { identified: true })],
  [
    'the identity of the leaf where every link is asked',
    'IDENTITY_REQUIRED',
    ask({ identity: { leaf: 'critical', every: 'medium' } }, { identified: true }),
  ],
  ['no approval, at that risk', 'APPROVAL_REQUIRED', ask({ approval: { from: 'high' } })],
  ['no approval, below that risk', 'allow', ask({ approval: { from: 'critical' } })],
  ['an approval, at that risk', 'allow', ask({ approval: { from: 'high' } }, { approved: true })],
  ['nothing reserved, at that risk', 'COMMIT_REQUIRED', ask({ commit: { from: 'high' } })],
  ['nothing reserved, below that risk', 'allow', ask({ commit: { from: 'critical' } })],
  ['reserved, at that risk', 'allow', ask({ commit: { from: 'high' } }, { reserve: true })],
  [
    'an action of no risk in the name of a grave one',
    'REQUEST_ACTION',
    ask({ challenge: { from: 'high' }, commit: { from: 'high' } }, { received: { action: 'quote' } }),
  ],
]

interface Has {
  readonly challenged?: boolean
  readonly identified?: boolean
  readonly approved?: boolean
  readonly reserve?: boolean
  readonly received?: Partial<typeof REQUEST>
}

function ask(change: JsonObject, has: Has = {}): Attempt {
  return async decider => {
    const [chain, ports, policy] = [await goodChain(), await world(), policyOf({ ...RISKY, ...change })]
    const nonce = has.challenged === true ? { nonce: await ports.nonces.issue(SELF) } : {}
    const identity =
      has.identified === true ? { identity: [envelope((await identify({ issuer: alice, of: booker })).token)] } : {}
    const show = () => present(booker, chain, { claims: { ...nonce, ...identity } })
    const options = { reserve: has.reserve === true }
    const request = { ...REQUEST, ...has.received }
    const decision = await decider(await show(), request, policy, ports, options)
    if (has.approved !== true) return codeOf(decision)
    if (decision.allow || decision.approval === null) return `not asked: ${String(decision.code)}`
    const approval = await signApproval(alice, decision.approval, 'terminal', 'B'.repeat(22), NOW)
    return codeOf(await decider(await show(), { ...request, approval }, policy, ports, options))
  }
}
