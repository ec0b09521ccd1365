import { describe, expect, test } from 'vitest'
import { toAuthorityJson, type Authority } from '../../src/authority/authority.js'
import { ProcuraError } from '../../src/errors.js'
import { toDate } from '../../src/time.js'
import { requireLive, type LivePorts, type Watch } from '../../src/verifier/live.js'
import {
  alice,
  booker,
  GRANTS,
  LIST,
  listToken,
  mallory,
  mint,
  NOW,
  owner,
  planner,
  policyOf,
  SELF,
  status,
  STATUS_BASE,
  world,
  type Party,
} from '../mint.js'
import { agency, chainOf, entry, lists, SECOND, suspensions, walk } from './live-scene.js'
import { NO_KEYS, opened, says, sentence } from './scene.js'

test('every link is asked, root first, no older than the risk allows; the age is that of the oldest list', async () => {
  const { asked, ports } = await lists()
  const chain = await chainOf()
  const { told, watch } = await walk(chain, ports, { maxAge: 60 })
  expect(told).toBe('ok')
  expect(asked).toEqual([
    { url: LIST, maxAge: 60 },
    { url: SECOND, maxAge: 60 },
  ])
  expect(watch.link).toBeNull()
  expect(watch.live.map(({ age }) => age)).toEqual([3, 20, null])
  const watched = [
    [0, planner, 3600, [owner.did], [LIST, 10]],
    [1, agency, 1800, [owner.did, planner.did], [SECOND, 11]],
    [2, booker, 300, [owner.did, planner.did, agency.did], null],
  ] as const
  expect(watch.live.map(one => one.watched)).toEqual(
    watched.map(([link, { did }, until, issuers, place]) => ({
      link,
      digest: chain[link].digest,
      subject: did,
      validUntil: NOW + until,
      revokers: [...issuers, status.did],
      entries: place === null ? [] : [{ purpose: 'revocation', url: place[0], index: place[1], issuers: [status.did] }],
    })),
  )
  expect(JSON.parse(JSON.stringify(watch.live))).toEqual(watch.live)
})

describe('a list that serves several links is looked at once, and each link by itself', () => {
  const bases = (...issuers: Party[]) => issuers.map(({ did: iss }) => ({ iss, base: STATUS_BASE }))
  const two = async (statusIssuers: Authority['statusIssuers'] & object) => {
    const root = await mint({
      ...{ signer: owner, to: planner, until: 3600, index: 10 },
      authority: { statusIssuers: bases(status, mallory) },
    })
    return [root, await mint({ signer: planner, to: booker, parent: root, index: 11, authority: { statusIssuers } })]
  }

  test.each<[string, readonly number[], string, number | null]>([
    ['with no bit set', [], 'ok', null],
    ['with the bit of the second', [11], says('STATUS_REVOKED', { index: 11, list: LIST }), 1],
  ])('%s', async (_name, bits, due, link) => {
    const { asked, ports } = await lists({ [LIST]: [await listToken(bits), 3] })
    const { told, watch } = await walk(await two(bases(status, mallory)), ports)
    expect([told, watch.link, asked.length]).toEqual([due, link, 1])
  })

  test('by whom each link trusts', async () => {
    const { ports } = await lists()
    const { told, watch } = await walk(await two(bases(mallory)), ports)
    expect([told, watch.link]).toEqual([says('STATUS_ISSUER', { list: LIST, why: `signed by ${status.did}` }), 1])
  })

  test('for the purpose of each entry', async () => {
    const credentialStatus = [entry(LIST, 5), entry(LIST, 6, 'suspension')]
    const { ports } = await lists()
    const { told } = await walk([await mint({ signer: owner, to: planner, claims: { credentialStatus } })], ports)
    expect(told).toBe(says('STATUS_PURPOSE', { purpose: 'revocation' }))
  })

  test('by the clock of each look', async () => {
    const from = NOW - 299
    const { ports } = await lists({ [LIST]: [await listToken([], 42, { iat: from, validFrom: toDate(from) }), 0] })
    let now = NOW
    const chain = await opened(await two(bases(status, mallory)))
    const watch: Watch = { link: null, live: [] }
    const later = () => (now += 1)
    const age = { pushed: 300, pulled: 300 }
    const told = await sentence(async () => requireLive(chain, [], age, policyOf(), later, ports, watch))
    expect([told, watch.link]).toEqual([says('STATUS_STALE', { list: LIST, age: 301, max: 300 }), 1])
  })
})

test('of two entries of one link both are asked, and the older one counts', async () => {
  const credentialStatus = [entry(LIST, 5), entry(SECOND, 6, 'suspension')]
  const chain = [await mint({ signer: owner, to: planner, claims: { credentialStatus } })]
  const [revocations, suspended] = [await listToken(), await suspensions()]
  for (const [first, second] of [
    [3, 20],
    [20, 3],
  ] as const) {
    const { ports } = await lists({ [LIST]: [revocations, first], [SECOND]: [suspended, second] })
    const { told, watch } = await walk(chain, ports)
    expect([told, watch.live[0]?.age]).toEqual(['ok', 20])
  }
})

test('where no link names a status issuer, no list is one; who issued may still revoke', async () => {
  const authority = toAuthorityJson({ v: 1, hop: 0, more: 3, audience: [SELF], grants: GRANTS })
  const claims = { credentialSubject: { id: planner.did, authority } }
  const { ports } = await lists()
  const short = await mint({ signer: owner, to: planner, from: 0, until: 300, index: null, claims })
  const { told, watch } = await walk([short], ports)
  expect([told, watch.live[0]?.watched.revokers]).toEqual(['ok', [owner.did]])
  const listed = await mint({ signer: owner, to: planner, claims })
  expect((await walk([listed], ports)).told).toBe(says('STATUS_URL', { url: LIST }))
})

describe('what is refused names the link', () => {
  const revoked = (index: number, url = LIST): Promise<string> => listToken([index], 43, { id: url })
  const weak = (why: string): string => says('STATUS_SIGNATURE', { list: LIST, why })
  test.each<[string, () => Promise<Parameters<typeof lists>[0]>, string, number]>([
    [
      'the root',
      async () => ({ [LIST]: [await revoked(10), 0] }),
      says('STATUS_REVOKED', { index: 10, list: LIST }),
      0,
    ],
    [
      'the next',
      async () => ({ [SECOND]: [await revoked(11, SECOND), 0] }),
      says('STATUS_REVOKED', { index: 11, list: SECOND }),
      1,
    ],
    [
      'too old an answer',
      async () => ({ [SECOND]: [await listToken([], 1, { id: SECOND }), 301] }),
      says('STATUS_STALE', { list: SECOND, age: 301, max: 300 }),
      1,
    ],
    [
      'a list without a version',
      async () => ({ [LIST]: [await unversioned(), 0] }),
      says('STATUS_ROLLBACK', { list: LIST, version: 'none', seen: 'unknown' }),
      0,
    ],
    [
      'a list of another key',
      async () => ({ [LIST]: [await listToken([], 42, {}, { ...mallory, did: status.did, kid: status.kid }), 0] }),
      weak('SIGNATURE_INVALID'),
      0,
    ],
    [
      'a key that is not listed',
      async () => ({ [LIST]: [await listToken([], 42, {}, { ...status, kid: `${status.did}#k9` }), 0] }),
      weak(`${status.did}#k9 is not listed under assertionMethod`),
      0,
    ],
  ])('%s', async (_name, served, due, link) => {
    const { ports } = await lists(await served())
    const { told, watch } = await walk(await chainOf(), ports)
    expect([told.slice(0, due.length), watch.link]).toEqual([due, link])
    expect(watch.live).toHaveLength(link)
  })

  test('a copy that is old by its own date is asked for anew; one fresh from its host is too old', async () => {
    const old = await listToken([], 1, { id: SECOND, validFrom: toDate(NOW - 301), iat: NOW - 301 })
    const { ports, asked } = await lists()
    const anew = await listToken([], 1, { id: SECOND })
    const serving = (fresh: string): LivePorts => ({
      ...ports,
      statusLists: {
        async read(url, maxAge) {
          if (url !== SECOND) return ports.statusLists.read(url, maxAge)
          asked.push({ url, maxAge })
          return Promise.resolve({ snapshot: { token: maxAge === 0 ? fresh : old }, age: maxAge === 0 ? 0 : 200 })
        },
      },
    })
    expect((await walk(await chainOf(), serving(anew))).watch.live).toHaveLength(3)
    expect(asked.filter(({ url }) => url === SECOND).map(({ maxAge }) => maxAge)).toEqual([300, 0])
    const { told } = await walk(await chainOf(), serving(old))
    expect(told).toMatch(/^STATUS_STALE/)
  })

  async function unversioned(): Promise<string> {
    const claims = JSON.parse(Buffer.from((await listToken()).split('.')[1]!, 'base64url').toString()) as {
      credentialSubject: { version?: number }
    }
    delete claims.credentialSubject.version
    return listToken([], 42, claims)
  }

  test('a list may not fall below the highest version ever seen, of its signer and its URL', async () => {
    const { ports } = await lists({ [LIST]: [await listToken([], 41), 0] })
    await ports.listVersions.raise(alice.did, LIST, 99)
    await ports.listVersions.raise(status.did, SECOND, 1)
    const chain = await chainOf()
    expect((await walk(chain, ports)).told).toBe('ok')
    await ports.listVersions.raise(status.did, LIST, 42)
    expect((await walk(chain, ports)).told).toBe(says('STATUS_ROLLBACK', { list: LIST, version: 41, seen: 42 }))
  })

  test('a copy that others have seen a newer version of is asked for anew, once', async () => {
    const { ports, asked } = await lists({ [LIST]: [await listToken([], 42), 0], [SECOND]: [await listToken([], 7, { id: SECOND }), 0] }) // prettier-ignore
    await ports.listVersions.raise(status.did, SECOND, 8)
    const newer = await listToken([], 8, { id: SECOND })
    const serving: LivePorts = {
      ...ports,
      statusLists: {
        read: (url, maxAge) =>
          url === SECOND && maxAge === 0
            ? Promise.resolve({ snapshot: { token: newer }, age: 0 })
            : ports.statusLists.read(url, maxAge),
      },
    }
    expect((await walk(await chainOf(), serving)).told).toBe('ok')
    asked.length = 0
    const { told } = await walk(await chainOf(), ports)
    expect(told).toBe(says('STATUS_ROLLBACK', { list: SECOND, version: 7, seen: 8 }))
    expect(asked.filter(({ url }) => url === SECOND).map(({ maxAge }) => maxAge)).toEqual([300, 0])
  })

  test('time is asked after the list was fetched: one that ended meanwhile is none', async () => {
    const { ports } = await lists()
    const told = [NOW + 289, NOW - 41, NOW - 40].map(async now => (await walk(await chainOf(), ports, { now })).told)
    expect((await Promise.all(told)).map(one => one.split(':')[0])).toEqual(['ok', 'STATUS_EXPIRED', 'ok'])
  })
})

describe('the key of a list', () => {
  const because = (why: string): string => says('STATUS_SIGNATURE', { list: LIST, why })
  test('that cannot be looked up: the list does not verify, and why stays the cause', async () => {
    const trouble = new ProcuraError('DID_RESOLUTION', { did: status.did, why: 'down' })
    const { ports } = await lists()
    const down = { ...ports, keys: { ...NO_KEYS, find: () => Promise.reject(trouble) } }
    expect((await walk(await chainOf(), down)).told).toBe(because(trouble.message))
    const watch: Watch = { link: null, live: [] }
    const chain = await opened(await chainOf())
    await expect(
      requireLive(chain, [], { pushed: 300, pulled: 300 }, policyOf(), () => NOW, down, watch),
    ).rejects.toMatchObject({
      code: 'STATUS_SIGNATURE',
      kind: 'unavailable',
      cause: trouble,
    })
  })

  test('a defect stays one', async () => {
    const { ports } = await lists()
    const keys = { ...NO_KEYS, find: () => Promise.reject(new TypeError('a defect')) }
    expect((await walk(await chainOf(), { ...ports, keys })).told).toBe('DEFECT TypeError: a defect')
  })

  test('is asked every time, also of a list that verified before', async () => {
    const snapshot = { token: await listToken() }
    const base = await world()
    const ports = { ...base, statusLists: { read: () => Promise.resolve({ snapshot, age: 0 }) } }
    const chain = [await mint({ signer: owner, to: planner })]
    expect((await walk(chain, ports)).told).toBe('ok')
    const replaced = { ...NO_KEYS, find: () => Promise.resolve(mallory.publicKey) }
    expect((await walk(chain, { ...ports, keys: replaced })).told).toMatch(/^STATUS_SIGNATURE/)
    expect((await walk(chain, ports)).told).toBe('ok')
    const other = [await mint({ signer: owner, to: planner, claims: { credentialStatus: entry(SECOND, 1) } })]
    expect((await walk(other, ports)).told).toBe(says('STATUS_ISSUER', { list: SECOND, why: 'is another list' }))
  })
})
