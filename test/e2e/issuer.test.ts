import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import { systemIds } from '../../src/adapters/system.js'
import { createIssuer, type IssuerPorts } from '../../src/issuer/issuer.js'
import type { StatusPlace } from '../../src/ports/issuing.js'
import { bitAt, decodeList } from '../../src/status/bitstring.js'
import { alice, booker, issuingAs, mint, NOW, owner, planner, SELF, type Minted } from '../mint.js'

const BASE = 'https://travel.example/v1/status/'
const AUTHORITY = { more: 3, audience: [SELF], grants: [{ resource: `${SELF}/**`, actions: ['book'] }] } as const

let folder: string
let store: Store
let now: number
const records: object[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'procura-issuer-'))
  store = await openStore(`sqlite://${join(folder, 'issuer.db')}`)
  now = NOW
})
afterAll(async () => {
  await store.close()
  await rm(folder, { recursive: true, force: true })
})

/** The issuer over the real store; `broken` replaces verbs that fail. */
function issuerWith(broken: Partial<IssuerPorts> = {}, signer = owner) {
  const keys = { find: () => Promise.resolve(null), all: () => Promise.resolve([]) }
  const ports = {
    clock: { now: () => now },
    ids: systemIds,
    keys,
    credentials: store.credentials,
    statusRows: store.statusRows,
    commits: store.commits,
    outbox: store.outbox,
    reservations: store.reservations,
    marker: { reached: 0, raise: () => Promise.resolve() },
    audit: { record: (entry: object) => Promise.resolve(void records.push(entry)) },
    nextSecond: () => Promise.resolve(void (now += 1)),
    ...broken,
  }
  return createIssuer(
    { keys: issuingAs({ ...signer, publicKey: owner.publicKey }), statusBase: BASE },
    { transaction: work => store.transaction(work), ...ports },
  )
}

const issuing = once(() => issuerWith())
const grant = () => issuing().grant({ to: planner.did, key: planner.publicKey, authority: AUTHORITY, ttl: 3600 })

/** One issuer for all that grant: it takes its indexes ahead. */
function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}

async function bits({ url }: StatusPlace): Promise<{ version: number; isSet: (index: number) => boolean }> {
  const name = url.slice(BASE.length)
  const { token, version } = await issuerWith().list(name)
  const { credentialSubject } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as {
    credentialSubject: { encodedList: string }
  }
  const list = decodeList(credentialSubject.encodedList, name)
  return { version, isSet: index => bitAt(list, index) }
}

describe('issuing is all or nothing', () => {
  const failure = new Error('the disk is gone')
  test.each<[string, () => Promise<unknown>]>([
    [
      'storing fails',
      () =>
        issuerWith({ credentials: { ...bound(store.credentials), save: () => Promise.reject(failure) } }).grant({
          to: planner.did,
          key: planner.publicKey,
          authority: AUTHORITY,
          ttl: 60,
        }),
    ],
    [
      'signing fails',
      () =>
        issuerWith({}, { ...owner, sign: () => Promise.reject(failure) }).grant({
          to: planner.did,
          key: planner.publicKey,
          authority: AUTHORITY,
          ttl: 60,
        }),
    ],
    [
      'a wrong signature is made',
      () =>
        issuerWith({}, { ...owner, sign: data => alice.sign(data) }).grant({
          to: planner.did,
          key: planner.publicKey,
          authority: AUTHORITY,
          ttl: 60,
        }),
    ],
    [
      'what was asked would not verify',
      () =>
        issuerWith().grant({
          to: planner.did,
          key: planner.publicKey,
          authority: { ...AUTHORITY, budgets: [{ unit: 'USD', decimals: 2, max: 1, meter: 'amount' }] },
          ttl: 60,
        }),
    ],
    [
      'the life is too long',
      () => issuerWith().grant({ to: planner.did, key: planner.publicKey, authority: AUTHORITY, ttl: 86_401 }),
    ],
  ])('%s', async (_name, attempt) => {
    const before = await count()
    await expect(attempt()).rejects.toThrow()
    expect(await count()).toEqual(before)
  })

  async function count(): Promise<unknown> {
    return store.dataSource.query('SELECT COUNT(*) AS credentials FROM stored_credential')
  }
})

describe('revoking', () => {
  test('sets one bit, raises the version, and says from which version on', async () => {
    const { digest, status } = await grant()
    const before = await bits(status!)
    expect(before.isSet(status!.index)).toBe(false)
    const revoked = await issuerWith().revoke(digest, owner.did, false)
    const after = await bits(status!)
    expect(after.isSet(status!.index)).toBe(true)
    expect(revoked).toEqual({ digest, list: status!.url, index: status!.index, version: after.version })
    expect(after.version).toBeGreaterThan(before.version)
  })

  test('that fails leaves nothing', async () => {
    const { digest, status } = await grant()
    const rows = { ...bound(store.statusRows), set: () => Promise.reject(new Error('the disk is gone')) }
    await expect(issuerWith({ statusRows: rows }).revoke(digest, owner.did, false)).rejects.toThrow('disk')
    expect((await bits(status!)).isSet(status!.index)).toBe(false)
  })

  test('by id as well as by digest', async () => {
    const { id, status } = await grant()
    await issuerWith().revoke(id, owner.did, false)
    expect((await bits(status!)).isSet(status!.index)).toBe(true)
  })

  test('is refused to a stranger; an admin may', async () => {
    const { digest } = await grant()
    await expect(issuerWith().revoke(digest, alice.did, false)).rejects.toMatchObject({ code: 'CALLER_FORBIDDEN' })
    expect(await issuerWith().revoke(digest, alice.did, true)).toMatchObject({ digest })
  })

  test("a delegation the service never saw, by its issuer and by the root's", async () => {
    const { chain, digest } = await delegation()
    expect(await issuerWith().revoke(chain, planner.did, false)).toMatchObject({ digest })
    const other = await delegation()
    expect(await issuerWith().revoke(other.chain, owner.did, false)).toMatchObject({ digest: other.digest })
    expect(await store.credentials.find(other.digest)).toMatchObject({ issuer: planner.did, subject: booker.did })
  })

  test('a chain of another root is not opened', async () => {
    const foreign = await mint({ signer: alice, to: booker })
    await expect(issuerWith().revoke([foreign.token], alice.did, true)).rejects.toMatchObject({
      code: 'ROOT_UNTRUSTED',
    })
  })

  test('an index that was leased to somebody else is not touched', async () => {
    const { chain } = await delegation(owner.did)
    await expect(issuerWith().revoke(chain, planner.did, false)).rejects.toMatchObject({ code: 'CALLER_FORBIDDEN' })
  })

  test('100 at once on one list: 100 bits', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, grant))
    const issuer = issuerWith()
    await Promise.all(all.map(({ digest }) => issuer.revoke(digest, owner.did, false)))
    const { isSet } = await bits(all[0]!.status!)
    expect(all.filter(({ status }) => isSet(status!.index))).toHaveLength(100)
  })

  async function delegation(leasedTo = planner.did): Promise<{ chain: string[]; digest: string }> {
    const root = await grant()
    const [place] = (await issuerWith().lease(leasedTo, 1, now + 1200)).indexes
    const { credentialSubject } = JSON.parse(Buffer.from(root.token.split('.')[1]!, 'base64url').toString()) as {
      credentialSubject: { authority: Minted['authority'] }
    }
    const parent: Minted = { ...root, authority: credentialSubject.authority }
    const entry = {
      type: 'BitstringStatusListEntry',
      statusPurpose: 'revocation',
      statusListIndex: String(place!.index),
      statusListCredential: place!.url,
    }
    const link = await mint({
      signer: planner,
      to: booker,
      parent,
      from: now - NOW,
      until: now - NOW + 1200,
      claims: { credentialStatus: entry },
    })
    return { chain: [root.token, link.token], digest: link.digest }
  }
})

describe('publishing', () => {
  const granted = async (): Promise<string> => (await grant()).status!.url.slice(BASE.length)

  test('the same bytes until something changes or two minutes pass', async () => {
    const name = await granted()
    now += 200
    const first = await issuerWith().list(name)
    expect(await issuerWith().list(name)).toEqual(first)
    now += 119
    expect(await issuerWith().list(name)).toEqual(first)
    now += 1
    const later = await issuerWith().list(name)
    expect(later.version).toBe(first.version + 1)
  })

  test('twenty readers of an outdated list get one new version', async () => {
    const name = await granted()
    now += 200
    const issuer = issuerWith()
    const versions = await Promise.all(Array.from({ length: 20 }, () => issuer.list(name)))
    expect(new Set(versions.map(({ version }) => version)).size).toBe(1)
  })

  test('an unknown list', async () => {
    await expect(issuerWith().list('none')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})

/** The methods of an object, bound, so that a copy can replace one of them. */
function bound<T extends object>(port: T): T {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(port)).filter(
    name => name !== 'constructor',
  ) as (keyof T)[]
  return Object.fromEntries(names.map(name => [name, (port[name] as (...args: unknown[]) => unknown).bind(port)])) as T
}
