import type { Did } from '../../src/did/did.js'
import type { Digest } from '../../src/encoding.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import {
  alice,
  booker,
  goodChain,
  mallory,
  mint,
  owner,
  planner,
  policyOf,
  present,
  REQUEST,
  status,
  STATUS_BASE,
  world,
  type Minted,
} from '../mint.js'
import { codeOf, type Attempt } from './attempt.js'

/** Events, and whose count: a stranger must not be able to revoke what is not his. */
export const TAKEN_BACK: readonly [string, string, Attempt][] = [
  ['the owner revoked the root', 'STATUS_REVOKED', event(([root]) => root.digest, owner.did)],
  ['the owner revoked the leaf, two links below', 'STATUS_REVOKED', event(([, leaf]) => leaf.digest, owner.did)],
  ['the issuer of the leaf revoked it', 'STATUS_REVOKED', event(([, leaf]) => leaf.digest, planner.did)],
  ['a status issuer in force revoked the leaf', 'STATUS_REVOKED', event(([, leaf]) => leaf.digest, status.did)],
  [
    'a status issuer that the leaf dropped revokes the root',
    'STATUS_REVOKED',
    event(([root]) => root.digest, alice.did),
  ],
  [
    'a status issuer that the leaf dropped cannot revoke the leaf',
    'allow',
    event(([, leaf]) => leaf.digest, alice.did),
  ],
  ['the holder of the root cannot revoke the root', 'allow', event(([root]) => root.digest, planner.did)],
  ['the holder of the leaf cannot revoke the leaf', 'allow', event(([, leaf]) => leaf.digest, booker.did)],
  ['a stranger revokes the leaf', 'allow', event(([, leaf]) => leaf.digest, mallory.did)],
  [
    'an event of another credential',
    'allow',
    event(() => 'uEiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', owner.did),
  ],
  ['the owner stopped the planner', 'AGENT_KILLED', event(() => planner.did, owner.did)],
  ['the planner stopped the booker it made', 'AGENT_KILLED', event(() => booker.did, planner.did)],
  ['the booker cannot stop the planner', 'allow', event(() => planner.did, booker.did)],
  ['a stranger stops the booker', 'allow', event(() => booker.did, mallory.did)],
  [
    'an identity issuer of the policy stopped the booker',
    'AGENT_KILLED',
    event(() => booker.did, alice.did, [alice.did]),
  ],
  ['an identity issuer cannot revoke a delegation', 'allow', event(([, leaf]) => leaf.digest, alice.did, [alice.did])],
  ['an agent outside the chain was stopped', 'allow', event(() => mallory.did, owner.did)],
  [
    'stopped is answered before revoked, whatever link',
    'AGENT_KILLED 1',
    async decider => {
      const ports = await world()
      const chain = await goodChain()
      await ports.revocations.learn({ target: chain[0].digest, signer: owner.did })
      await ports.revocations.learn({ target: booker.did, signer: owner.did })
      const decision = await decider(await present(booker, chain), REQUEST, policyOf(), ports)
      return `${codeOf(decision)} ${String(decision.link)}`
    },
  ],
  [
    'what one verifier learned, all that share its state know',
    'AGENT_KILLED',
    async decider => {
      const ports = await world()
      await createVerifier(policyOf(), ports).learn({ target: booker.did, signer: owner.did })
      return codeOf(await decider(await present(booker, await goodChain()), REQUEST, policyOf(), ports))
    },
  ],
]

/** The root is anybody's whose list it may stand on; the leaf keeps one of them. */
const ISSUERS = [
  { iss: status.did, base: STATUS_BASE },
  { iss: alice.did, base: 'https://alice.example/sl/' },
]

/** `signer` signed an event about a target in booker's chain; the call comes before it once, and after it once. */
function event(
  target: (chain: readonly [Minted, Minted]) => Digest | Did,
  signer: Did,
  identityIssuers: readonly Did[] = [],
): Attempt {
  return async decider => {
    const ports = await world()
    const policy = policyOf({ identityIssuers })
    const statusIssuers = identityIssuers.length === 0 ? ISSUERS : ISSUERS.slice(0, 1)
    const root = await mint({ signer: owner, to: planner, until: 3600, authority: { statusIssuers } })
    const authority = { statusIssuers: ISSUERS.slice(0, 1) }
    const chain = [root, await mint({ signer: planner, to: booker, parent: root, authority })] as const
    const before = await decider(await present(booker, chain), REQUEST, policy, ports)
    if (!before.allow) return `${before.code} too early`
    await ports.revocations.learn({ target: target(chain), signer })
    return codeOf(await decider(await present(booker, chain), REQUEST, policy, ports))
  }
}
