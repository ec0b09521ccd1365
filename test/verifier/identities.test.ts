import { describe, expect, test } from 'vitest'
import { ProcuraError } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import { readJws } from '../../src/jws/compact.js'
import { demandsOf } from '../../src/policy/risk.js'
import type { Keys } from '../../src/ports/deciding.js'
import { listsOf, requireCurrent, requireIdentities } from '../../src/verifier/identities.js'
import {
  alice,
  booker,
  identify,
  mallory,
  mint,
  NOW,
  owner,
  party,
  planner,
  policyOf,
  type IdentityOptions,
  type Party,
} from '../mint.js'
import { NO_KEYS, opened, says, sentence } from './scene.js'

const KEYS: Keys = {
  ...NO_KEYS,
  find: (kid, purpose) => Promise.resolve((purpose === 'assertionMethod' && BY_KID.get(kid)) || null),
}
const BY_KID = new Map([alice, owner].map(({ kid, publicKey }) => [kid, publicKey]))
const agent = party('agent')

/** owner → each in turn */
async function chainTo(...parties: readonly Party[]) {
  const links = [await mint({ signer: owner, to: parties[0]!, until: 3600 })]
  for (const [index, to] of parties.slice(1).entries())
    links.push(await mint({ signer: parties[index]!, to, parent: links[index]! }))
  return opened(links)
}

async function identified(
  shown: readonly IdentityOptions[],
  { policy = {}, parties = [planner, booker], keys = KEYS, now = NOW }: Given = {},
) {
  const made = await Promise.all(shown.map(identify))
  const sealed = made.map(({ token }) => readJws(token, 'vc+jwt', 8192, 'identity'))
  const trusted = policyOf({ identity: 'leaf', identityIssuers: [alice.did, owner.did], ...policy })
  return requireIdentities(sealed, await chainTo(...parties), demandsOf('book', trusted), trusted, keys, now)
}
interface Given {
  readonly policy?: JsonObject
  readonly parties?: readonly Party[]
  readonly keys?: Keys
  readonly now?: number
}
const of = (whom: Party, change: Partial<IdentityOptions> = {}) => ({ issuer: alice, of: whom, ...change })
const wants = (whom: Party): string => says('IDENTITY_REQUIRED', { did: whom.did })
const invalid = (why: string): string => says('IDENTITY_INVALID', { why })

describe('who is missing is named', () => {
  const EVERY = { identity: 'every' }
  const THREE = [planner, booker, agent]
  test.each<[string, readonly IdentityOptions[], Given, string]>([
    ['nobody is asked', [], { policy: { identity: 'none' } }, 'ok'],
    ['the leaf', [], {}, wants(booker)],
    ['the leaf, whoever else came', [of(planner)], {}, wants(booker)],
    ['nobody but the leaf of three', [of(agent)], { parties: THREE }, 'ok'],
    ['the leaf of three', [of(booker)], { parties: THREE }, wants(agent)],
    ['everybody: first the root', [], { policy: EVERY }, wants(planner)],
    ['everybody: then the first that is missing', [of(planner)], { policy: EVERY, parties: THREE }, wants(booker)],
    ['everybody: the last too', [of(planner), of(booker)], { policy: EVERY, parties: THREE }, wants(agent)],
    ['nobody', [of(agent), of(planner), of(booker)], { policy: EVERY, parties: THREE }, 'ok'],
    ['none beside the leaf', [of(booker), of(planner)], {}, 'ok'],
  ])('%s', async (_name, shown, given, due) => {
    expect(await sentence(() => identified(shown, given))).toBe(due)
  })
})

test('each with the links whose subject it describes: all of one name and key', async () => {
  const given = { policy: { identity: 'every' }, parties: [planner, booker, planner] }
  const all = await identified([of(booker), of(planner)], given)
  expect(all.map(({ credential, links }) => [credential.subject, links])).toEqual([
    [booker.did, [1]],
    [planner.did, [0, 2]],
  ])
  expect(await identified([], { policy: { identity: 'none' } })).toEqual([])
})

describe('one that does not hold says why', () => {
  test.each<[string, readonly IdentityOptions[], Given, string]>([
    ['of a stranger', [of(booker, { issuer: mallory })], {}, invalid(`${mallory.did} issues no identities here`)],
    [
      'of a root that issues no identities',
      [of(booker, { issuer: owner })],
      { policy: { identityIssuers: [alice.did] } },
      invalid(`${owner.did} issues no identities here`),
    ],
    [
      'signed with a key that is not listed',
      [of(booker)],
      { keys: NO_KEYS },
      invalid(`${alice.kid} is not listed under assertionMethod`),
    ],
    [
      'signed by one for another',
      [of(booker, { issuer: { ...alice, did: owner.did } })],
      {},
      invalid(`${alice.did} signed for ${owner.did}`),
    ],
    ['of nobody here', [of(agent)], {}, invalid(`${agent.did} with that key is nobody in the chain`)],
    [
      'of a name with the key of another in the chain',
      [of({ ...planner, did: booker.did })],
      {},
      invalid(`${booker.did} with that key is nobody in the chain`),
    ],
    ['two of the same', [of(booker), of(booker, { issuer: owner })], {}, invalid('two describe the same link')],
    [
      'of another type',
      [of(booker, { claims: { type: ['VerifiableCredential', 'X'] } })],
      {},
      invalid('CREDENTIAL_TYPE'),
    ],
    ['ended', [of(booker, { until: 10 })], { now: NOW + 10 }, invalid(`that of ${booker.did} is not valid now`)],
    ['the first that does not hold', [of(agent), of(booker, { issuer: mallory })], {}, invalid(agent.did)],
  ])('%s', async (_name, shown, given, due) => {
    const told = await sentence(() => identified(shown, given))
    expect(told.slice(0, due.length)).toBe(due)
    expect(told.match(/IDENTITY_INVALID/g)).toHaveLength(1)
  })

  test('what was wrong with it stays the cause', async () => {
    const shown = [of(booker, { claims: { type: ['VerifiableCredential', 'X'] } })]
    await expect(identified(shown)).rejects.toMatchObject({
      code: 'IDENTITY_INVALID',
      kind: 'forbidden',
      cause: { code: 'CREDENTIAL_TYPE' },
    })
  })

  test.each([
    ['what cannot be known now', new ProcuraError('DID_RESOLUTION', { did: alice.did, why: 'down' })],
    ['a defect', new TypeError('a defect')],
  ])('%s is not the fault of the credential', async (_name, trouble) => {
    const keys = { ...KEYS, find: () => Promise.reject(trouble) }
    await expect(identified([of(booker)], { keys })).rejects.toBe(trouble)
    // one that does not hold, before it, changes nothing
    await expect(identified([of(booker, { issuer: mallory }), of(booker)], { keys })).rejects.toBe(trouble)
  })
})

test.each([
  [-31, false],
  [-30, true],
  [0, true],
  [99, true],
  [100, false],
])('one for 0 … 100 s, at %i s: %s', async (at, isDue) => {
  const credential = { subject: booker.did, validFrom: NOW, validUntil: NOW + 100 }
  const told = await sentence(() => requireCurrent(credential, NOW + at))
  expect(told).toBe(isDue ? 'ok' : invalid(`that of ${booker.did} is not valid now`))
})

describe('the lists an issuer may name beside those in force', () => {
  const WEB = 'did:web:ids.example'
  const list = (statusListCredential: unknown): JsonObject => ({ statusListCredential }) as JsonObject
  test.each([
    ['at its origin', WEB, list('https://ids.example/1'), ['https://ids.example/']],
    ['in a folder', WEB, list('https://ids.example/a/b/1'), ['https://ids.example/a/b/']],
    [
      'with its port',
      'did:web:ids.example%3A8443',
      list('https://ids.example:8443/a/1'),
      ['https://ids.example:8443/a/'],
    ],
    ['without its port', 'did:web:ids.example%3A8443', list('https://ids.example/a/1'), []],
    [
      'of a name with a path: the host',
      'did:web:ids.example:team',
      list('https://ids.example/1'),
      ['https://ids.example/'],
    ],
    [
      'two',
      WEB,
      [list('https://ids.example/1'), list('https://ids.example/a/2')],
      ['https://ids.example/', 'https://ids.example/a/'],
    ],
    ['one of two', WEB, [list('https://other.example/1'), list('https://ids.example/2')], ['https://ids.example/']],
    ['on another host', WEB, list('https://other.example/1'), []],
    ['on a host that begins alike', WEB, list('https://ids.example.evil.example/a/1'), []],
    ['in a folder that is not plain', WEB, list('https://ids.example/a/../b/1'), []],
    ['in the clear', WEB, list('http://ids.example/1'), []],
    ['a URL that is no text', WEB, list(7), []],
    ['no URL', WEB, {}, []],
    ['no object', WEB, 'https://ids.example/1', []],
    ['nothing', WEB, undefined, []],
    ['of a did:key', alice.did, list('https://ids.example/1'), []],
  ] as const)('%s', (_name, issuer, status, bases) => {
    const credential = { issuer, status } as unknown as Parameters<typeof listsOf>[0]
    const own = bases.map(base => ({ iss: issuer, base }))
    expect(listsOf(credential, [])).toEqual(own)
    // what the chain allows elsewhere stays, and what it allows on the issuer's own host does not
    const elsewhere = { iss: mallory.did, base: 'https://mallory.example/sl/' }
    const here = { iss: mallory.did, base: 'https://ids.example/sl/' }
    const stays = issuer === WEB ? [elsewhere] : [elsewhere, here]
    if (issuer === WEB || issuer === alice.did) {
      expect(listsOf(credential, [elsewhere, here])).toEqual([...stays, ...own])
    }
  })
})
