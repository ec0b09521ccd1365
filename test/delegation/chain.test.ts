import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Authority } from '../../src/authority/authority.js'
import { MAX_CREDENTIAL } from '../../src/credential/credential.js'
import {
  leafOf,
  openChain,
  requireInTime,
  type Chain,
  type KeyBinding,
  type Opening,
} from '../../src/delegation/chain.js'
import type { PublicKey } from '../../src/ed25519.js'
import { ProcuraError } from '../../src/errors.js'
import { s256 } from '../../src/encoding.js'
import { readJws } from '../../src/jws/compact.js'
import { didOf } from '../../src/did/did.js'
import type { Keys, Relationship } from '../../src/ports/deciding.js'
import { outcome, settled } from '../ground/refusal.js'
import {
  alice,
  booker,
  GRANTS,
  mallory,
  mint,
  NOW,
  owner,
  party,
  planner,
  SELF,
  STATUS_BASE,
  status,
  type Minted,
  type MintOptions,
  type Party,
} from '../mint.js'

const fourth = party('fourth')
const fifth = party('fifth')
const HOLDERS: readonly Party[] = [planner, booker, alice, fourth, fifth]

/** Keys of documents; whoever is not named has none. Remembers what was asked. */
function keysOf(documents: Readonly<Record<string, Partial<Record<Relationship, readonly PublicKey[]>>>> = {}) {
  const asked: string[] = []
  const all: Keys['all'] = (did, relationship) => {
    asked.push(`${did} ${relationship}`)
    const document = documents[did]
    if (document === undefined) return Promise.reject(new ProcuraError('DID_RESOLUTION', { did, why: 'no such host' }))
    return Promise.resolve(document[relationship] ?? [])
  }
  return { asked, all, find: (kid, relationship) => all(didOf(kid), relationship).then(([key]) => key ?? null) } satisfies Keys & { asked: string[] } // prettier-ignore
}

async function open(
  links: readonly Pick<Minted, 'token'>[],
  options: {
    readonly maxTtl?: number
    readonly binding?: KeyBinding
    readonly keys?: Keys
    readonly progress?: Opening
  } = {},
): Promise<Chain> {
  const sealed = links.map(({ token }, index) => readJws(token, 'vc+jwt', MAX_CREDENTIAL, `link ${index}`))
  const { maxTtl = 86_400, binding = 'cnf+did', keys = keysOf(), progress = { link: null, opened: [] } } = options
  return openChain(sealed, owner.publicKey, { maxTtl, binding, keys }, progress)
}

/** What the links so far say, nearest first, as the test keeps it. */
interface InForce {
  readonly budget: NonNullable<Authority['budgets']>[number]
  readonly rate: NonNullable<Authority['rate']>
  readonly amount: number
}

const PURPOSE = { s256: s256('book a flight to Sydney') }
const START: InForce = {
  budget: { unit: 'USD', decimals: 2, max: 200_000, meter: 'amount', unitArg: 'currency' },
  rate: { max: 100, per: 60 },
  amount: 200_000,
}

function grantsUpTo(amount: number): Authority['grants'] {
  const [grant] = GRANTS
  const args = new Map(grant!.args).set('amount', { op: 'range', min: 0, max: amount, req: true })
  return [{ ...grant!, args, perCall: true }]
}

const ROOT: Partial<Authority> = {
  more: 4,
  audience: [SELF],
  grants: grantsUpTo(START.amount),
  budgets: [START.budget],
  rate: START.rate,
  purpose: PURPOSE,
  onBehalfOf: 'did:web:acme.example',
  to: HOLDERS.map(({ did }) => did),
}

interface Place {
  readonly signer: Party
  readonly to: Party
  readonly parent: Minted
  readonly inForce: InForce
}
type Widening = (place: Place) => Partial<MintOptions>

const grantsBut =
  (change: (grant: Authority['grants'][number]) => object) =>
  ({ parent }: Place) => ({
    authority: {
      grants: parent.authority.grants.map(grant => ({ ...grant, ...change(grant) })) as Authority['grants'],
    },
  })
const says = (change: (place: Place) => Partial<Authority>) => (place: Place) => ({ authority: change(place) })
const argsBut = (change: (args: Map<string, object>) => unknown) =>
  grantsBut(({ args }) => {
    const copy = new Map<string, object>(args)
    change(copy)
    return { args: copy }
  })
const UNTIL = 1800

/** One thing wider than above, whatever the place; the code that is due there. */
const WIDENINGS: readonly [string, string, Widening][] = [
  ['another audience', 'WIDENED_AUDIENCE', says(({ parent }) => ({ audience: [...parent.authority.audience, 'https://b.example'] }))],
  ['another audience instead', 'WIDENED_AUDIENCE', says(() => ({ audience: ['https://b.example'] }))],
  ['the node above', 'WIDENED_RESOURCE', grantsBut(() => ({ resource: `${SELF}/**` }))],
  ['a neighbour', 'WIDENED_RESOURCE', grantsBut(() => ({ resource: `${SELF}/bookings2` }))],
  ['a second grant elsewhere', 'WIDENED_RESOURCE', says(({ parent }) => ({ grants: [...parent.authority.grants, { ...parent.authority.grants[0]!, resource: `${SELF}/refunds` }] }))],
  ['another action', 'WIDENED_ACTION', grantsBut(({ actions }) => ({ actions: [...actions, 'refund'] }))],
  ['one more cent', 'WIDENED_ARGS', ({ inForce }) => ({ authority: { grants: grantsUpTo(inForce.amount + 1) } })],
  ['an amount from −1', 'WIDENED_ARGS', argsBut(args => args.set('amount', { op: 'range', min: -1, max: 1, req: true }))],
  ['an optional amount', 'WIDENED_ARGS', argsBut(args => args.set('amount', { op: 'range', min: 0, max: 1, req: false }))],
  ['another currency', 'WIDENED_ARGS', argsBut(args => args.set('currency', { op: 'eq', value: 'EUR', req: true }))],
  ['a dropped argument', 'WIDENED_ARGS', argsBut(args => args.delete('currency'))],
  ['one argument more', 'WIDENED_ARGS', argsBut(args => args.set('refund', { op: 'eq', value: 1, req: false }))],
  ['no approval', 'WIDENED_APPROVAL', grantsBut(() => ({ perCall: false }))],
  ['more budget', 'WIDENED_BUDGET', says(({ inForce: { budget } }) => ({ budgets: [{ ...budget, max: budget.max + 1 }] }))],
  ['fewer decimals', 'WIDENED_BUDGET', says(({ inForce: { budget } }) => ({ budgets: [{ ...budget, decimals: 1 }] }))],
  ['more decimals', 'WIDENED_BUDGET', says(({ inForce: { budget } }) => ({ budgets: [{ ...budget, decimals: 3 }] }))],
  ['a wide budget behind a narrow one', 'WIDENED_BUDGET', says(({ inForce: { budget } }) => ({ budgets: [{ ...budget, max: 1 }, { ...budget, max: budget.max + 1 }] }))],
  ['a higher rate', 'WIDENED_RATE', says(({ inForce: { rate } }) => ({ rate: { ...rate, max: rate.max + 1 } }))],
  ['a shorter window', 'WIDENED_RATE', says(({ inForce: { rate } }) => ({ rate: { ...rate, per: rate.per - 1 } }))],
  ['another purpose', 'WIDENED_PURPOSE', says(() => ({ purpose: { s256: s256('anything') } }))],
  ['another principal', 'WIDENED_PRINCIPAL', says(() => ({ onBehalfOf: 'did:web:mallory.example' }))],
  ['another status issuer', 'WIDENED_STATUS', says(() => ({ statusIssuers: [{ iss: mallory.did, base: STATUS_BASE }] }))],
  ['another status base', 'WIDENED_STATUS', says(() => ({ statusIssuers: [{ iss: status.did, base: `${STATUS_BASE}x/` }] }))],
  ['a receiver that the root does not name', 'DELEGATE_NOT_ALLOWED', () => ({ to: mallory })],
  ['a hop counted twice', 'DEPTH_COUNTER', says(({ parent }) => ({ hop: parent.authority.hop }))],
  ['a hop left out', 'DEPTH_COUNTER', says(({ parent }) => ({ hop: parent.authority.hop + 2 }))],
  ['as many hops as above', 'DEPTH_EXCEEDED', says(({ parent }) => ({ more: parent.authority.more }))],
  ['a later end', 'WIDENED_TIME', ({ parent }) => ({ until: (parent.authority.hop === 0 ? 3600 : UNTIL) + 1 })],
  ['an earlier start', 'WIDENED_TIME', () => ({ from: -241 })],
  ['an earlier issue', 'WIDENED_TIME', () => ({ claims: { iat: NOW - 241 } })],
  ['another parent', 'PARENT_MISMATCH', ({ parent }) => ({ authority: { parent: { id: parent.id, digest: `uEi${'A'.repeat(44)}` } } })],
  ['the right parent under another label', 'PARENT_MISMATCH', ({ parent }) => ({ authority: { parent: { digest: parent.digest, id: 'urn:uuid:0192f5c2-0000-7000-8000-ffffffffffff' } } })],
  ['its own key as the receiver', 'DELEGATION_TO_SELF', ({ signer }) => ({ to: signer })],
  ['an issuer that is not the holder', 'DELEGATION_BROKEN', ({ signer }) => ({ signer: { ...signer, did: mallory.did, kid: mallory.kid } })],
  ['a kid of somebody else', 'JWS_KID_MISMATCH', ({ signer }) => ({ signer: { ...signer, kid: mallory.kid } })],
  ['a forged signature', 'SIGNATURE_INVALID', ({ signer }) => ({ signer: { ...mallory, did: signer.did, kid: signer.kid } })],
  ['a receiver with another key', 'KEY_BINDING', ({ to }) => ({ to: { ...to, publicKey: mallory.publicKey } })],
  ['the type of a root', 'CREDENTIAL_TYPE', () => ({ claims: { type: ['VerifiableCredential', 'AgentCapabilityCredential'] } })],
] // prettier-ignore

/**
 * A chain of `length` links, each as narrow as the one above or, where `restates` says so, a little narrower and
 * stating all; `widen` spoils the link at `at`.
 */
async function build(
  length: number,
  restates: readonly boolean[],
  at = -1,
  widen: Widening = () => ({}),
): Promise<Minted[]> {
  const chain = [await mint({ signer: owner, to: HOLDERS[0]!, until: 3600, authority: ROOT })]
  let inForce = START
  for (let hop = 1; hop < length; hop += 1) {
    const [signer, to, parent] = [HOLDERS[hop - 1]!, HOLDERS[hop]!, chain[hop - 1]!]
    const spoiled = hop === at ? widen({ signer, to, parent, inForce }) : {}
    let stated: Partial<Authority> = {}
    if (hop !== at && restates[hop] === true) {
      const { budget, rate, amount } = inForce
      inForce = { budget: { ...budget, max: budget.max - 1000 }, rate: { max: rate.max - 9, per: rate.per + 9 }, amount: amount - 1000 } // prettier-ignore
      stated = { budgets: [inForce.budget], rate: inForce.rate, grants: grantsUpTo(inForce.amount), purpose: PURPOSE, onBehalfOf: 'did:web:acme.example', to: HOLDERS.map(({ did }) => did) } // prettier-ignore
    }
    chain.push(await mint({ signer, to, parent, ...spoiled, authority: { ...stated, ...spoiled.authority } }))
  }
  return chain
}

const flags = fc.array(fc.boolean(), { minLength: 5, maxLength: 5 })

describe('openChain', () => {
  test('opens every chain of one to five links that narrows or stays silent', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), flags, async (length, restates) => {
        const minted = await build(length, restates)
        const progress: Opening = { link: 7, opened: [] }
        const chain = await open(minted, { progress })
        expect(chain.map(link => link.digest)).toEqual(minted.map(({ digest }) => digest))
        expect(leafOf(chain).subject).toBe(HOLDERS[length - 1]!.did)
        expect(chain.every(link => link.proved)).toBe(true)
        expect(progress.link).toBeNull()
      }),
      { numRuns: 40 },
    )
  })

  test.each(WIDENINGS)('refuses %s -> %s, wherever it stands', async (_name, code, widen) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 1 }),
        flags,
        async (at, after, restates) => {
          const minted = await build(Math.min(at + 1 + after, 5), restates, at, widen)
          const progress: Opening = { link: null, opened: [] }
          expect(await settled(() => open(minted, { progress }))).toBe(code)
          expect(progress.link).toBe(at)
        },
      ),
      { numRuns: 10 },
    )
  })

  test('refuses a delegation without parent', async () => {
    const root = await mint({ signer: owner, to: planner, until: 3600, authority: ROOT })
    const type = ['VerifiableCredential', 'AgentDelegationCredential']
    const orphan = await mint({
      signer: planner,
      to: booker,
      authority: { ...ROOT, hop: 1, more: 3 },
      claims: { type },
    })
    expect(await settled(() => open([root, orphan]))).toBe('PARENT_MISSING')
  })

  test('refuses links in another order, left out or repeated', async () => {
    const [root, second, third] = await build(3, [])
    expect(await settled(() => open([root!, second!, third!]))).toBe('ok')
    expect(await settled(() => open([root!, third!]))).toBe('SIGNATURE_INVALID')
    expect(await settled(() => open([second!, root!]))).toBe('SIGNATURE_INVALID')
    expect(await settled(() => open([root!, root!]))).toBe('SIGNATURE_INVALID')
    expect(await settled(() => open([root!, second!, second!]))).toBe('SIGNATURE_INVALID')
    expect(await settled(() => open([]))).toBe('CHAIN_EMPTY')
  })

  test('lets authority come back to a former holder over another credential', async () => {
    const root = await mint({ signer: owner, to: planner, until: 3600, authority: ROOT })
    const there = await mint({ signer: planner, to: booker, parent: root })
    const back = await mint({ signer: booker, to: planner, parent: there })
    expect((await open([root, there, back])).map(({ subject }) => subject)).toEqual([
      planner.did,
      booker.did,
      planner.did,
    ])
  })

  test('reads no claim of a link whose signature does not verify', async () => {
    const forger = { ...mallory, did: planner.did, kid: planner.kid }
    const root = await mint({ signer: owner, to: planner, until: 3600, authority: ROOT })
    const rubbish = { '@context': 'x', cnf: 1, credentialSubject: null, iat: 'x' }
    const forged = await mint({ signer: forger, to: mallory, parent: root, claims: rubbish })
    expect(await settled(() => open([root, forged]))).toBe('SIGNATURE_INVALID')
  })

  test('judges a good link only after all above it', async () => {
    const [root, second, third] = await build(3, [], 1, () => ({ authority: { rate: { max: 101, per: 60 } } }))
    expect(await settled(() => open([root!, second!, third!]))).toBe('WIDENED_RATE')
  })
})

describe('a root', () => {
  const root = (options: Partial<MintOptions> = {}) => mint({ signer: owner, to: planner, until: 3600, ...options })
  test.each<[string, string, () => Promise<Minted>, number]>([
    ['of a day', 'ok', () => root({ from: 0, until: 86_400 }), 86_400],
    ['of a day and a second', 'TIME_LIFETIME', () => root({ from: 0, until: 86_401 }), 86_400],
    ['of a day where the policy trusts two', 'TIME_LIFETIME', () => root({ from: 0, until: 86_401 }), 172_800],
    ['as long as the policy trusts', 'ok', () => root({ from: 0, until: 60 }), 60],
    ['longer than the policy trusts', 'TIME_LIFETIME', () => root({ from: 0, until: 61 }), 60],
    ['at hop 1', 'DEPTH_COUNTER', () => root({ authority: { hop: 1 } }), 86_400],
    ['with a parent', 'PARENT_UNEXPECTED', () => root({ authority: { parent: { id: 'urn:uuid:0192f5c2-0000-7000-8000-000000000001', digest: `uEi${'A'.repeat(44)}` } } }), 86_400], // prettier-ignore
    ['with a parent at hop 1 for years', 'PARENT_UNEXPECTED', () => root({ until: 1e8, authority: { hop: 1, parent: { id: 'urn:uuid:0192f5c2-0000-7000-8000-000000000001', digest: `uEi${'A'.repeat(44)}` } } }), 86_400], // prettier-ignore
    ['at hop 1 for years', 'DEPTH_COUNTER', () => root({ until: 1e8, authority: { hop: 1 } }), 86_400],
    ['of the type of a delegation', 'CREDENTIAL_TYPE', () => root({ claims: { type: ['VerifiableCredential', 'AgentDelegationCredential'] } }), 86_400], // prettier-ignore
    ['of the type of an identity', 'CREDENTIAL_TYPE', () => root({ claims: { type: ['VerifiableCredential', 'AgentIdentityCredential'] } }), 86_400], // prettier-ignore
    ['under a kid of another DID', 'JWS_KID_MISMATCH', () => root({ signer: { ...owner, kid: mallory.kid } }), 86_400],
  ])('%s -> %s', async (_name, code, make, maxTtl) => {
    const link = await make()
    expect(await settled(() => open([link], { maxTtl }))).toBe(code)
  })
})

describe('`to`', () => {
  const web = party('web agent', 'did:web:acme.example:agents:web')
  const documents = {
    [web.did]: { authentication: [web.publicKey], assertionMethod: [web.publicKey] },
  }
  const chainOf = async (rootTo: readonly string[] | null, middleTo: readonly string[] | null, leaf: Party) => {
    const first = await mint({
      signer: owner,
      to: planner,
      until: 3600,
      authority: rootTo === null ? {} : { to: rootTo },
    })
    const second = await mint({ signer: planner, to: booker, parent: first, authority: middleTo === null ? {} : { to: middleTo } }) // prettier-ignore
    return [first, second, await mint({ signer: booker, to: leaf, parent: second })]
  }
  const BOTH = [booker.did, alice.did]
  test.each<[string, readonly string[] | null, readonly string[] | null, Party, KeyBinding, string]>([
    ['of nobody', null, null, alice, 'cnf+did', 'ok'],
    ['of the root and the middle', BOTH, [alice.did], alice, 'cnf+did', 'ok'],
    ['of the root two hops above', [booker.did], null, alice, 'cnf+did', 'DELEGATE_NOT_ALLOWED'],
    [
      'of the root, though the middle names the leaf',
      [booker.did],
      [alice.did],
      alice,
      'cnf+did',
      'DELEGATE_NOT_ALLOWED',
    ],
    ['of the middle, though the root names the leaf', BOTH, [booker.did], alice, 'cnf+did', 'DELEGATE_NOT_ALLOWED'],
    ['a prefix with a proved did:web', ['did:key:**', 'did:web:acme.example:**'], null, web, 'cnf+did', 'ok'],
    [
      'a prefix with an unproved did:web',
      ['did:key:**', 'did:web:acme.example:**'],
      null,
      web,
      'cnf',
      'DELEGATE_NOT_ALLOWED',
    ],
    ['the very did:web, unproved', [booker.did, web.did], null, web, 'cnf', 'DELEGATE_NOT_ALLOWED'],
    ['no list and an unproved did:web', null, null, web, 'cnf', 'ok'],
    ['a did:key under cnf alone', BOTH, null, alice, 'cnf', 'ok'],
  ])('%s', async (_name, rootTo, middleTo, leaf, binding, code) => {
    const links = await chainOf(rootTo, middleTo, leaf)
    expect(await settled(() => open(links, { binding, keys: keysOf(documents) }))).toBe(code)
  })
})

describe('the binding of a key to its name', () => {
  const web = party('web agent', 'did:web:acme.example:agents:web')
  const to = (subject: Party) => mint({ signer: owner, to: subject, until: 3600 })
  const below = async () => {
    const root = await to(web)
    return [root, await mint({ signer: web, to: alice, parent: root })]
  }
  const listed = (authentication: readonly PublicKey[], assertionMethod: readonly PublicKey[]) =>
    keysOf({ [web.did]: { authentication, assertionMethod } })

  test.each<[string, () => Promise<Minted[]>, readonly PublicKey[], readonly PublicKey[], string]>([
    ['a leaf needs authentication', async () => [await to(web)], [web.publicKey], [], 'ok'],
    ['a leaf under assertionMethod alone', async () => [await to(web)], [], [web.publicKey], 'KEY_BINDING'],
    ['a delegator needs assertionMethod', below, [], [web.publicKey], 'ok'],
    ['a delegator under authentication alone', below, [web.publicKey], [], 'KEY_BINDING'],
    ['one of several keys', async () => [await to(web)], [mallory.publicKey, web.publicKey], [], 'ok'],
    ['only another key', async () => [await to(web)], [mallory.publicKey], [mallory.publicKey], 'KEY_BINDING'],
  ])('%s', async (_name, make, authentication, assertionMethod, code) => {
    const links = await make()
    expect(await settled(() => open(links, { keys: listed(authentication, assertionMethod) }))).toBe(code)
  })

  test('cnf alone asks nobody and proves no did:web', async () => {
    const keys = listed([], [])
    const chain = await open(await below(), { binding: 'cnf', keys })
    expect(chain.map(({ proved }) => proved)).toEqual([false, true])
    expect(keys.asked).toEqual([])
  })

  test('a document that cannot be read is not a no', async () => {
    const links = [await to(web)]
    expect(await settled(() => open(links))).toBe('DID_RESOLUTION')
  })

  test.each<[string, string, KeyBinding]>([
    ['did:jwk:abc', 'DID_METHOD', 'cnf'],
    ['did:jwk:abc', 'DID_METHOD', 'cnf+did'],
    ['did:key:zabc', 'DID_METHOD', 'cnf'],
  ])('%s is refused: %s under %s', async (did, code, binding) => {
    const root = await mint({ signer: owner, to: { ...planner, did: did as Party['did'] }, until: 3600 })
    expect(await settled(() => open([root], { binding }))).toBe(code)
  })

  test('a did:key of another key is refused under cnf, too', async () => {
    const root = await mint({ signer: owner, to: { ...planner, publicKey: mallory.publicKey }, until: 3600 })
    expect(await settled(() => open([root], { binding: 'cnf' }))).toBe('KEY_BINDING')
  })
})

describe('requireInTime', () => {
  test.each<[string, number, string, number | null]>([
    ['in the middle', NOW, 'ok', null],
    ['30 s before the root starts', NOW - 240 - 30, 'ok', null],
    ['31 s before the root starts', NOW - 240 - 31, 'TIME_NOT_YET_VALID', 0],
    ['the last second of the leaf', NOW + 1799, 'ok', null],
    ['the end of the leaf: no skew', NOW + 1800, 'TIME_EXPIRED', 1],
    ['the end of the root', NOW + 3600, 'TIME_EXPIRED', 0],
  ])('%s -> %s', async (_name, now, code, link) => {
    const chain = await open(await build(2, []))
    const progress: Opening = { link: null, opened: [] }
    expect(outcome(() => requireInTime(chain, now, progress))).toBe(code)
    expect(progress.link).toBe(link)
  })
})
