import { describe, expect, test } from 'vitest'
import { listAge } from '../../src/policy/feeds.js'
import { MAX_STATUS_AGE, parsePolicy } from '../../src/policy/policy.js'
import type { Json } from '../../src/json.js'
import type { Risk } from '../../src/policy/risk.js'
import { alice, owner, SELF } from '../mint.js'

const FEED = { issuer: owner.did, url: 'https://id.acme.example/v1/events' }
const policy = (feeds: Json): Json => ({
  self: SELF,
  roots: [{ issuer: owner.did, grants: [{ resource: `${SELF}/**`, actions: ['book'] }] }],
  feeds,
})

describe('how old a list may be', () => {
  test.each<[Risk, number, number]>([
    ['low', 300, 300],
    ['medium', 300, 60],
    ['high', 10, 0],
    ['critical', 0, 0],
  ])('at %s risk: %i s while the feed is healthy, else %i s', (risk, pushed, pulled) => {
    expect(listAge(risk, MAX_STATUS_AGE, [FEED])).toEqual({ pushed, pulled })
  })

  test.each<Risk>(['low', 'medium', 'high', 'critical'])('at %s risk without feeds: as the policy says', risk => {
    expect(listAge(risk, MAX_STATUS_AGE, [])).toEqual({ pushed: MAX_STATUS_AGE[risk], pulled: MAX_STATUS_AGE[risk] })
  })

  test('a policy that is stricter at low risk than at medium does not make medium stricter', () => {
    expect(listAge('medium', { ...MAX_STATUS_AGE, low: 5 }, [FEED])).toEqual({ pushed: 60, pulled: 60 })
  })
})

describe('feeds of a policy', () => {
  test('are kept, and there are none unless named', () => {
    expect(parsePolicy(policy([FEED, { ...FEED, issuer: alice.did }])).feeds).toEqual([
      FEED,
      { ...FEED, issuer: alice.did },
    ])
    expect(parsePolicy(policy([])).feeds).toEqual([])
  })

  test('make another policy: what was decided under one is not committed under the other', () => {
    expect(parsePolicy(policy([FEED])).version).not.toBe(parsePolicy(policy([])).version)
  })

  test.each<[string, Json]>([
    ['an issuer twice', [FEED, { ...FEED, url: 'https://b.example/events' }]],
    ['an issuer that is no DID', [{ ...FEED, issuer: 'acme' }]],
    ['no URL', [{ issuer: owner.did }]],
    ['a member that is not known', [{ ...FEED, secret: 'x' }]],
    ...[
      'http://a.example/e',
      'https://a.example/e?x',
      'https://a.example/e#x',
      'https://u@a.example/e',
      'https://A.example/e',
      'wss://a.example',
      'events',
      `https://a.example/${'e'.repeat(500)}`,
    ].map((url): [string, Json] => [`the URL ${url.slice(0, 30)}`, [{ ...FEED, url }]]),
  ])('with %s are refused', (_name, feeds) => {
    expect(() => parsePolicy(policy(feeds))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error)
  })
})
