import type { JsonObject } from '../../src/json.js'
import { envelope } from '../../src/presentation/envelope.js'
import {
  alice,
  booker,
  goodChain,
  identify,
  listToken,
  mallory,
  mint,
  NOW,
  owner,
  planner,
  policyOf,
  present,
  prove,
  REQUEST,
  STATUS_BASE,
  status,
  world,
  type IdentityOptions,
} from '../mint.js'
import { codeOf, once, slow, type Attempt } from './attempt.js'

const LEAF = { identity: 'leaf', identityIssuers: [alice.did, owner.did] }
const EVERY = { ...LEAF, identity: 'every' }
/** Lists that the issuer of identities serves under its own host. */
const OWN = 'https://travel.example/lists/7'

/** Identity credentials: asked for by the policy, of issuers it trusts, one for each link that needs one. */
export const WHO: readonly [string, string, Attempt][] = [
  ['nobody asked who calls', 'allow', who({}, [])],
  [
    'nobody asked, garbage is not read',
    'allow',
    who({}, [{ issuer: mallory, of: mallory, from: -9000, until: -8000 }]),
  ],
  ['the leaf says who it is', 'allow', who(LEAF, [{ issuer: alice, of: booker }])],
  ['the leaf does not say who it is', 'IDENTITY_REQUIRED', who(LEAF, [])],
  ['only the planner says who it is', 'IDENTITY_REQUIRED', who(LEAF, [{ issuer: alice, of: planner }])],
  [
    'everybody says who it is',
    'allow',
    who(EVERY, [
      { issuer: alice, of: booker },
      { issuer: alice, of: planner },
    ]),
  ],
  ['the leaf alone says who it is', 'IDENTITY_REQUIRED', who(EVERY, [{ issuer: alice, of: booker }])],
  ['an issuer that is not trusted', 'IDENTITY_INVALID', who(LEAF, [{ issuer: mallory, of: booker }])],
  [
    'one good, one of nobody in the chain',
    'IDENTITY_INVALID',
    who(LEAF, [
      { issuer: alice, of: booker },
      { issuer: alice, of: mallory },
    ]),
  ],
  [
    'two for the same link',
    'IDENTITY_INVALID',
    who(LEAF, [
      { issuer: alice, of: booker },
      { issuer: owner, of: booker },
    ]),
  ],
  [
    "the booker's name with another key",
    'IDENTITY_INVALID',
    who(LEAF, [{ issuer: alice, of: { ...mallory, did: booker.did } }]),
  ],
  [
    'signed by one trusted issuer in the name of another',
    'IDENTITY_INVALID',
    who(LEAF, [{ issuer: { ...alice, did: owner.did }, of: booker }]),
  ],
  [
    'a signature of another key',
    'IDENTITY_INVALID',
    who(LEAF, [{ issuer: { ...mallory, kid: alice.kid, did: alice.did }, of: booker }]),
  ],
  [
    'a key that its issuer does not list',
    'IDENTITY_INVALID',
    who(LEAF, [{ issuer: { ...owner, kid: `${owner.did}#k2` }, of: booker }]),
  ],
  ['ended this second', 'IDENTITY_INVALID', who(LEAF, [{ issuer: alice, of: booker, until: 0 }])],
  ['not begun', 'IDENTITY_INVALID', who(LEAF, [{ issuer: alice, of: booker, from: 31 }])],
  ['an unknown member', 'IDENTITY_INVALID', who(LEAF, [{ issuer: alice, of: booker, claims: { termsOfUse: [] } }])],
  ['lives long and has no status', 'STATUS_MISSING', who(LEAF, [{ issuer: alice, of: booker, index: null }])],
  [
    'lives shortly and has no status',
    'allow',
    who(LEAF, [{ issuer: alice, of: booker, from: 0, until: 300, index: null }]),
  ],
  ['its bit is set', 'STATUS_REVOKED', who(LEAF, [{ issuer: alice, of: booker, index: 4321 }], [4321])],
  [
    'a list of nobody trusted',
    'STATUS_URL',
    who(LEAF, [{ issuer: alice, of: booker, list: 'https://evil.example/1' }]),
  ],
  ['a list on the host of its issuer', 'allow', who(LEAF, [{ issuer: owner, of: booker, list: OWN }])],
  [
    'a list on that host, revoked',
    'STATUS_REVOKED',
    who(LEAF, [{ issuer: owner, of: booker, list: OWN, index: 4321 }], [4321]),
  ],
  [
    'a list on a host that only looks like it',
    'STATUS_URL',
    who(LEAF, [{ issuer: owner, of: booker, list: 'https://travel.example.evil.example/1' }]),
  ],
  [
    'a list whose URL two programs could read differently',
    'STATUS_URL',
    who(LEAF, [{ issuer: owner, of: booker, list: 'https://travel.example/../1' }]),
  ],
  [
    'a missing one is told before one that does not hold',
    'IDENTITY_REQUIRED',
    who({ ...EVERY, identity: 'every' }, [{ issuer: mallory, of: booker }]),
  ],
  [
    'as many as are due, one of them bad',
    'IDENTITY_INVALID',
    who(EVERY, [
      { issuer: alice, of: booker },
      { issuer: mallory, of: planner },
    ]),
  ],
  [
    "a list on its issuer's host that the root lets somebody else sign",
    'STATUS_ISSUER',
    async decider => {
      const statusIssuers = [
        { iss: status.did, base: STATUS_BASE },
        { iss: status.did, base: 'https://travel.example/lists/' },
      ]
      const { token } = await identify({ issuer: owner, of: booker, list: OWN })
      const ports = await world()
      const foreign = await listToken([], 1, { id: OWN })
      const statusLists: typeof ports.statusLists = {
        read: (url, maxAge) =>
          url === OWN ? Promise.resolve({ snapshot: { token: foreign }, age: 1 }) : ports.statusLists.read(url, maxAge),
      }
      const shown = await present(booker, await goodChain({ statusIssuers }), {
        claims: { identity: [envelope(token)] },
      })
      return codeOf(await decider(shown, REQUEST, policyOf(LEAF), { ...ports, statusLists }))
    },
  ],
  [
    "a revoked identity is no link's fault, and is named",
    'STATUS_REVOKED null named',
    async decider => {
      const { token, digest } = await identify({ issuer: alice, of: booker, index: 4321 })
      const shown = await present(booker, await goodChain(), { claims: { identity: [envelope(token)] } })
      const decision = await decider(shown, REQUEST, policyOf(LEAF), await world({ list: await listToken([4321]) }))
      const isNamed = !decision.allow && decision.detail.includes(digest)
      return `${codeOf(decision)} ${String(decision.link)} ${isNamed ? 'named' : 'not named'}`
    },
  ],
  ['by reference', 'allow', byReference(true)],
  ['by reference, without', 'IDENTITY_REQUIRED', byReference(false)],
  [
    'ends while its status is looked up',
    'IDENTITY_INVALID',
    slow(6, async () => {
      const { token } = await identify({ issuer: alice, of: booker, until: 4 })
      const claims = { identity: [envelope(token)] }
      return { token: await present(booker, await goodChain(), { claims }), policy: policyOf(LEAF) }
    }),
  ],
  [
    'a delegation in its place',
    'IDENTITY_INVALID',
    once(async () => {
      const root = await mint({ signer: owner, to: planner, until: 3600 })
      const chain = [root, await mint({ signer: planner, to: booker, parent: root })]
      const other = await mint({ signer: owner, to: booker })
      return {
        token: await present(booker, chain, { claims: { identity: [envelope(other.token)] } }),
        policy: policyOf(LEAF),
      }
    }),
  ],
  [
    'denied by a grant comes before a missing identity',
    'DENIED_ACTION',
    once(async () => ({
      policy: policyOf({
        ...LEAF,
        roots: [
          { issuer: owner.did, grants: [{ resource: REQUEST.resource as `https://${string}`, actions: ['quote'] }] },
        ],
      }),
      token: await present(booker, await goodChain()),
    })),
  ],
  [
    'a decision names the identity credentials it relied on',
    'named',
    async decider => {
      const { token, digest } = await identify({ issuer: alice, of: booker })
      const shown = await present(booker, await goodChain(), { claims: { identity: [envelope(token)] } })
      const { identities } = await decider(shown, REQUEST, policyOf(LEAF), await world())
      return identities[0] === digest && identities.length === 1 ? 'named' : 'not named'
    },
  ],
]

function who(policy: JsonObject, credentials: readonly IdentityOptions[], revoked: readonly number[] = []): Attempt {
  return async decider => {
    const made = await Promise.all(credentials.map(identify))
    const claims = made.length === 0 ? {} : { identity: made.map(({ token }) => envelope(token)) }
    const ports = await world({ list: await listToken(revoked) })
    const own = await listToken(revoked, 1, { id: OWN, issuer: owner.did, iss: owner.did }, owner)
    const statusLists: typeof ports.statusLists = {
      read: (url, maxAge) =>
        url === OWN ? Promise.resolve({ snapshot: { token: own }, age: 1 }) : ports.statusLists.read(url, maxAge),
    }
    const shown = await present(booker, await goodChain(), { claims })
    return codeOf(await decider(shown, REQUEST, policyOf(policy), { ...ports, statusLists }))
  }
}

function byReference(isShown: boolean): Attempt {
  return async decider => {
    const ports = await world()
    const [root, leaf] = await goodChain()
    await ports.chains.keep(leaf.digest, [root.token, leaf.token], NOW + 600)
    const { token } = await identify({ issuer: alice, of: booker })
    const proof = await prove(booker, leaf.digest, isShown ? { identity: [envelope(token)] } : {})
    return codeOf(await decider({ proof }, REQUEST, policyOf(LEAF), ports))
  }
}
