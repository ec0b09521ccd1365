import { describe, expect, test } from 'vitest'
import { MAX_EVENT, openEvent, readEvent, toEventJson, toHeartbeatJson, type FeedEvent } from '../../src/event/event.js'
import { digestOf } from '../../src/encoding.js'
import type { JsonObject } from '../../src/json.js'
import { signJws } from '../../src/jws/compact.js'
import type { Announced } from '../../src/ports/issuing.js'
import { outcome, settled } from '../ground/refusal.js'
import { alice, mallory, NOW, owner, planner } from '../mint.js'

const digest = digestOf('head.target')
const place = { url: 'https://status.example/sl/1', index: 0 }
const revoked: Announced = { type: 'revoked', target: digest, status: place, version: 7, seq: 12, at: NOW }
const all: readonly Announced[] = [
  revoked,
  { ...revoked, version: null },
  { ...revoked, type: 'suspended' },
  { ...revoked, type: 'resumed', version: null, seq: 1 },
  { type: 'killed', target: planner.did, status: null, version: null, seq: 3, at: NOW },
]
const open = (token: string, issuer = owner): FeedEvent => openEvent(readEvent(token, issuer.did), owner.publicKey)
const sign = (claims: object, signer = owner): Promise<string> => signJws(claims, 'secevent+jwt', signer)

test.each(all)('what was announced ($type, version $version) is what is read', async announced => {
  const claims = toEventJson(announced, owner.did)
  expect(open(await sign(claims))).toEqual({ type: 'announced', announced })
  expect(await sign(toEventJson(announced, owner.did))).toBe(await sign(claims))
})

test('a revocation is a CAEP credential-change, a stop a session-revoked; no sub, no exp', () => {
  expect(toEventJson(revoked, owner.did)).toEqual({
    iss: owner.did,
    iat: NOW,
    jti: 'event-12',
    seq: 12,
    digest,
    list: place.url,
    index: 0,
    version: 7,
    sub_id: { format: 'jwt_id', iss: owner.did, jti: digest },
    events: {
      'https://schemas.openid.net/secevent/caep/event-type/credential-change': {
        credential_type: 'verifiable-credential',
        change_type: 'revoke',
      },
    },
  })
  expect(toEventJson(all[4]!, owner.did)).toEqual({
    iss: owner.did,
    iat: NOW,
    jti: 'event-3',
    seq: 3,
    sub_id: { format: 'did', url: planner.did },
    events: { 'https://schemas.openid.net/secevent/caep/event-type/session-revoked': {} },
  })
})

test.each([
  { first: 1, last: 0, at: NOW },
  { first: 9, last: 20, at: NOW },
])('a heartbeat says what the feed has: $first to $last', async heartbeat => {
  expect(open(await sign(toHeartbeatJson(heartbeat, owner.did)))).toEqual({ type: 'heartbeat', heartbeat })
})

describe('refused is', () => {
  const change = toEventJson(revoked, owner.did)
  const stop = toEventJson(all[4]!, owner.did)
  const beat = toHeartbeatJson({ first: 1, last: 5, at: NOW }, owner.did)
  const [CHANGE, STOP] = [change, stop].map(({ events }) => Object.keys(events as object)[0]!) as [string, string]
  const without = (claims: JsonObject, name: string): JsonObject =>
    Object.fromEntries(Object.entries(claims).filter(([other]) => other !== name))
  const rows: readonly [string, JsonObject][] = [
    ...['iss', 'iat', 'jti', 'seq', 'digest', 'sub_id', 'events', 'index', 'list'].map((name): [string, JsonObject] => [
      `a change without ${name}`,
      without(change, name),
    ]),
    ...['seq', 'sub_id', 'events'].map((name): [string, JsonObject] => [`a stop without ${name}`, without(stop, name)]),
    ...['first', 'last', 'sub_id', 'iat'].map((name): [string, JsonObject] => [
      `a heartbeat without ${name}`,
      without(beat, name),
    ]),
    ['sub', { ...change, sub: planner.did }],
    ['exp', { ...change, exp: NOW + 60 }],
    ['an unknown member', { ...stop, reason: 'x' }],
    ['an audience', { ...change, aud: 'https://api.example' }],
    ['two events in one', { ...change, events: { ...(change['events'] as object), ...(stop['events'] as object) } }],
    ['no event', { ...change, events: {} }],
    ['an event that is not known', { ...change, events: { 'https://example.com/other': {} } }],
    ['a change of another kind', { ...change, events: { [CHANGE]: { credential_type: 'verifiable-credential', change_type: 'delete' } } }],
    ['a change of another credential', { ...change, events: { [CHANGE]: { credential_type: 'x509', change_type: 'revoke' } } }],
    ['an update that does not say of what', { ...change, events: { [CHANGE]: { credential_type: 'verifiable-credential', change_type: 'update' } } }],
    ['a revocation that calls itself a suspension', { ...change, state: 'suspended' }],
    ['a subject that is another credential', { ...change, sub_id: { format: 'jwt_id', iss: owner.did, jti: digestOf('head.x') } }],
    ['a subject of another issuer', { ...change, sub_id: { format: 'jwt_id', iss: alice.did, jti: digest } }],
    ['a subject of another format', { ...change, sub_id: { format: 'did', url: planner.did } }],
    ['a stop of what is no DID', { ...stop, sub_id: { format: 'did', url: `${planner.did}#key` } }],
    ['a stop that says how', { ...stop, events: { [STOP]: { initiating_entity: 'admin' } } }],
    ['number 0', { ...change, seq: 0 }],
    ['a number that is text', { ...change, seq: '12' }],
    ['a list that is not https', { ...change, list: 'http://status.example/sl/1' }],
    ['a negative index', { ...change, index: -1 }],
    ['a heartbeat from 0', { ...beat, first: 0 }],
    ['a heartbeat whose last is far below its first', { ...beat, first: 9, last: 7 }],
    ['an issuer that is not the signer', { ...stop, iss: alice.did }],
  ] // prettier-ignore
  test.each(rows)('%s', async (_name, claims) => {
    const token = await sign(claims)
    expect(outcome(() => open(token))).toBe('SCHEMA')
  })

  test('a token of another kind, of another signer, of a forged signature, and one too long', async () => {
    expect(await settled(async () => open(await signJws(change, 'vc+jwt', owner)))).toBe('JWS_TYP')
    expect(await settled(async () => open(await sign(change, alice)))).toBe('SIGNATURE_INVALID')
    expect(await settled(async () => open(await sign(change, { ...mallory, kid: owner.kid })))).toBe(
      'SIGNATURE_INVALID',
    )
    expect(await settled(async () => open(await sign({ ...change, jti: 'x'.repeat(MAX_EVENT) })))).toBe(
      'INPUT_TOO_LARGE',
    )
    expect(outcome(() => open('no token'))).toBe('JWS_FORMAT')
  })
})
