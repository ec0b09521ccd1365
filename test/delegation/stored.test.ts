import { describe, expect, test } from 'vitest'
import { MAX_CREDENTIAL } from '../../src/credential/credential.js'
import { openOwnChain } from '../../src/delegation/chain.js'
import { isStoredIssuerProved, storedChain, toStored, type StoredChain } from '../../src/delegation/stored.js'
import type { Did } from '../../src/did/did.js'
import type { PublicKey } from '../../src/ed25519.js'
import { digestOf } from '../../src/encoding.js'
import { readJws } from '../../src/jws/compact.js'
import type { Keys } from '../../src/ports/deciding.js'
import type { Credentials, StoredCredential } from '../../src/ports/issuing.js'
import { toStatusJson } from '../../src/status/entry.js'
import { outcome, settled } from '../ground/refusal.js'
import { booker, goodChain, LIST, mint, NOW, owner, planner, SELF, STATUS_BASE, status, type Minted } from '../mint.js'

const nobody: Keys = { all: () => Promise.resolve([]), find: () => Promise.resolve(null) }
async function opened(links: readonly Minted[]) {
  const sealed = links.map(({ token }) => readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'link'))
  return openOwnChain(sealed, owner.publicKey, nobody)
}
const tokensOf = (links: readonly Minted[]): string[] => links.map(({ token }) => token)
const keep = async (...links: readonly Minted[]) => toStored(await opened(links), tokensOf(links), owner.publicKey)

/** An authority that names no status issuer. */
const BARE = { v: 1, hop: 0, more: 0, audience: [SELF], grants: [{ resource: SELF, actions: ['book'] }] }

describe('toStored', () => {
  test('keeps of each link what is needed to find it, to judge it and to take it back', async () => {
    const root = await mint({ signer: owner, to: planner, until: 3600, index: 7 })
    const leaf = await mint({ signer: planner, to: booker, parent: root, index: 8 })
    const ISSUED = NOW - 240
    expect(await keep(root, leaf)).toEqual([
      {
        digest: root.digest,
        id: root.id,
        issuer: owner.did,
        subject: planner.did,
        parent: null,
        issuedAt: ISSUED,
        validUntil: NOW + 3600,
        token: root.token,
        key: owner.publicKey.x,
        status: { url: LIST, index: 7 },
        suspension: null,
      },
      {
        digest: leaf.digest,
        id: leaf.id,
        issuer: planner.did,
        subject: booker.did,
        parent: root.digest,
        issuedAt: ISSUED,
        validUntil: NOW + 1800,
        token: leaf.token,
        key: planner.publicKey.x,
        status: { url: LIST, index: 8 },
        suspension: null,
      },
    ])
  })

  test('a short life needs no status', async () => {
    const [stored] = await keep(await mint({ signer: owner, to: planner, from: 0, until: 300, index: null }))
    expect(stored.status).toBeNull()
  })

  test('keeps where it is revoked, and where it is suspended', async () => {
    const entries = [{ ...toStatusJson(LIST, 9), statusPurpose: 'suspension' }, toStatusJson(LIST, 7)]
    const [stored] = await keep(await mint({ signer: owner, to: planner, claims: { credentialStatus: entries } }))
    expect(stored.status).toEqual({ url: LIST, index: 7 })
    expect(stored.suspension).toEqual({ url: LIST, index: 9 })
  })

  test('takes a list from the status issuers in force only', async () => {
    const other = { iss: status.did, base: 'https://status.other.example/sl/' }
    const both = [{ iss: status.did, base: STATUS_BASE }, other]
    const root = await mint({ signer: owner, to: planner, until: 3600, authority: { statusIssuers: both } })
    const narrowed = await mint({ signer: planner, to: booker, parent: root, authority: { statusIssuers: [other] } })
    const elsewhere = { credentialStatus: toStatusJson(`${other.base}1`, 7) }
    const fitting = await mint({ signer: planner, to: booker, parent: root, authority: { statusIssuers: [other] }, claims: elsewhere }) // prettier-ignore
    expect(await settled(() => keep(root))).toBe('ok')
    expect(await settled(() => keep(root, narrowed))).toBe('STATUS_URL')
    expect(await settled(() => keep(root, fitting))).toBe('ok')
  })

  test.each<[string, Parameters<typeof mint>[0], string]>([
    ['a long life without status', { signer: owner, to: planner, index: null }, 'STATUS_MISSING'],
    ['no status issuer at all', { signer: owner, to: planner, claims: { credentialSubject: { id: planner.did, authority: BARE } } }, 'STATUS_URL'], // prettier-ignore
    ['no status issuer for the list', { signer: owner, to: planner, authority: { statusIssuers: [{ iss: status.did, base: 'https://a.example/' }] } }, 'STATUS_URL'], // prettier-ignore
  ])('keeps no link that could not be taken back: %s', async (_name, options, code) => {
    const link = await mint(options)
    const chain = await opened([link])
    expect(outcome(() => toStored(chain, [link.token], owner.publicKey))).toBe(code)
  })
})

describe('storedChain', () => {
  /** Storage that holds the links given and nothing else. */
  const holding = (...kept: readonly StoredCredential[]): Credentials =>
    ({ find: digest => Promise.resolve(kept.find(one => one.digest === digest) ?? null) }) as Partial<Credentials> as Credentials // prettier-ignore
  const three = async (): Promise<StoredChain> => {
    const [root, second] = await goodChain()
    return keep(root, second, await mint({ signer: booker, to: planner, parent: second }))
  }

  test('follows each parent up to the root', async () => {
    const chain = await three()
    expect(await storedChain(holding(...chain), chain[2]!)).toEqual(chain)
    expect(await storedChain(holding(), chain[0])).toEqual([chain[0]])
  })

  test('names the parent that is missing', async () => {
    const [root, second, third] = (await three()) as [StoredCredential, StoredCredential, StoredCredential]
    await expect(storedChain(holding(second, third), third)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      facts: { what: `credential ${root.digest}` },
    })
  })
})

describe('isStoredIssuerProved', () => {
  const web: Did = 'did:web:a.example'
  const listing = (...keys: readonly PublicKey[]): Keys => ({ ...nobody, all: () => Promise.resolve(keys) })
  const link = async (change: Partial<StoredCredential>): Promise<StoredCredential> => {
    const [root] = await keep(await mint({ signer: owner, to: planner }))
    return { ...root, ...change }
  }

  test('a root by the key it was taken in with, without asking', async () => {
    expect(await isStoredIssuerProved(await link({ issuer: web, key: booker.publicKey.x }), nobody)).toBe(true)
  })

  test.each<[string, Did, string, Keys, boolean]>([
    ['a did:key by itself', planner.did, planner.publicKey.x, nobody, true],
    ['a did:key with the key of another', planner.did, booker.publicKey.x, listing(booker.publicKey), false],
    ['a did:web that lists the key', web, booker.publicKey.x, listing(owner.publicKey, booker.publicKey), true],
    ['a did:web that lists another', web, booker.publicKey.x, listing(owner.publicKey), false],
    ['a did:web that lists none', web, booker.publicKey.x, nobody, false],
  ])('%s', async (_name, issuer, key, keys, due) => {
    const parent = digestOf('parent')
    expect(await isStoredIssuerProved(await link({ parent, issuer, key }), keys)).toBe(due)
  })

  test('keys are those for assertions', async () => {
    let asked: unknown
    const keys: Keys = { ...nobody, all: (...what) => Promise.resolve(((asked = what), [])) }
    await isStoredIssuerProved(await link({ parent: digestOf('parent'), issuer: web }), keys)
    expect(asked).toEqual([web, 'assertionMethod'])
  })
})
