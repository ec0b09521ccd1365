import { expect, test } from 'vitest'
import type { AgentProfile } from '../../src/credential/identity.js'
import { MAX_CREDENTIAL } from '../../src/credential/credential.js'
import { openOwnChain } from '../../src/delegation/chain.js'
import { toStored } from '../../src/delegation/stored.js'
import type { GrantRequest } from '../../src/issuer/issuer.js'
import { readJws } from '../../src/jws/compact.js'
import { settled } from '../ground/refusal.js'
import { mallory, owner, planner, SELF } from '../mint.js'
import { openScene } from './scene.js'

const GRANT = { resource: `${SELF}/**`, actions: ['book'] }
const AUTHORITY = { more: 3, audience: [SELF], grants: [GRANT] }
const REQUEST: GrantRequest = { to: planner.did, key: planner.publicKey, authority: AUTHORITY, ttl: 3600 }
const AGENT: AgentProfile = { name: 'planner', operator: owner.did, autonomy: 'L1', risk: 'low' }
const keys = { find: () => Promise.resolve(null), all: () => Promise.resolve([]) }

/** A scene that counts what its issuer signs. */
async function counting(signer = owner) {
  const made: Uint8Array[] = []
  const sign = (data: Uint8Array) => {
    made.push(data)
    return signer.sign(data)
  }
  return { made, ...(await openScene({}, { ...signer, sign })) }
}

test('a grant is signed once, and is what a stranger reads', async () => {
  const { issuer, store, made } = await counting()
  const stored = await issuer.grant(REQUEST)
  expect(made.length).toBe(1)
  const chain = await openOwnChain([readJws(stored.token, 'vc+jwt', MAX_CREDENTIAL, 'root')], owner.publicKey, keys)
  expect([stored]).toEqual(toStored(chain, [stored.token], owner.publicKey))
  expect(await store.credentials.find(stored.digest)).toEqual(stored)
})

test.each<[string, Partial<GrantRequest> | { readonly authority: unknown }, string]>([
  ['a longer life than a root may have', { ttl: 86_401 }, 'TIME_LIFETIME'],
  ['no life', { ttl: 0 }, 'TIME_CONFLICT'],
  ['no grants', { authority: { ...AUTHORITY, grants: [] } }, 'SCHEMA'],
  ['a member nobody knows', { authority: { ...AUTHORITY, all: true } }, 'CAVEAT_UNKNOWN'],
  [
    'a resource with a query',
    { authority: { ...AUTHORITY, grants: [{ ...GRANT, resource: `${SELF}/?a` }] } },
    'RESOURCE_SYNTAX',
  ],
  ['a parent', { authority: { ...AUTHORITY, parent: { id: 'x', digest: 'y' } } }, 'SCHEMA'],
  ["another's key", { key: mallory.publicKey }, 'KEY_BINDING'],
  ['a DID of a method nobody knows', { to: 'did:jwk:abc' }, 'DID_METHOD'],
  [
    'more than fits',
    {
      authority: {
        ...AUTHORITY,
        grants: Array.from({ length: 16 }, (_, n) => ({ ...GRANT, resource: `${SELF}/${n}/${'a'.repeat(480)}` })),
      },
    },
    'INPUT_TOO_LARGE',
  ],
])('nothing is signed that grants %s', async (_name, change, code) => {
  const { issuer, made, records } = await counting()
  expect(await settled(() => issuer.grant({ ...REQUEST, ...change } as GrantRequest))).toBe(code)
  expect(made).toEqual([])
  expect(records).toEqual([])
})

test('nothing is signed by a name of another', async () => {
  const { issuer, made } = await counting({ ...owner, kid: mallory.kid })
  expect(await settled(() => issuer.grant(REQUEST))).toBe('JWS_KID_MISMATCH')
  expect(made).toEqual([])
})

test('an identity credential is signed once, if it may be', async () => {
  const { issuer, made } = await counting()
  const identify = (agent: unknown) =>
    issuer.identify({ to: planner.did, key: planner.publicKey, agent: agent as AgentProfile, ttl: 3600 })
  expect(await settled(() => identify({ ...AGENT, autonomy: 'L9' }))).toBe('SCHEMA')
  expect(await settled(() => identify({ ...AGENT, all: true }))).toBe('CAVEAT_UNKNOWN')
  expect(made).toEqual([])
  const { token, digest } = await identify(AGENT)
  expect(made.length).toBe(1)
  expect(readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'identity').digest).toBe(digest)
})

test('what does not verify under the key it was signed with is neither kept nor put on record', async () => {
  const { issuer, made, records } = await counting({ ...owner, sign: data => mallory.sign(data) })
  const { to, key } = REQUEST
  expect(await settled(() => issuer.grant(REQUEST))).toBe('SIGNATURE_INVALID')
  expect(await settled(() => issuer.identify({ to, key, agent: AGENT, ttl: 3600 }))).toBe('SIGNATURE_INVALID')
  expect(made.length).toBe(2)
  expect(records).toEqual([])
})
