import { describe, expect, test } from 'vitest'
import { MAX_CREDENTIAL } from '../../src/credential/credential.js'
import { isIssuerProved, isSubjectProved, openChain, openOwnChain, requireInTime } from '../../src/delegation/chain.js'
import { requireHop } from '../../src/delegation/narrowing.js'
import type { PublicKey } from '../../src/ed25519.js'
import { ProcuraError } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import { readJws, type Sealed } from '../../src/jws/compact.js'
import type { Keys } from '../../src/ports/deciding.js'
import { outcome, settled } from '../ground/refusal.js'
import { alice, booker, mallory, mint, NOW, owner, party, planner, type Minted, type MintOptions } from '../mint.js'

const web = party('web agent', 'did:web:acme.example:agents:web')

/** A document of `web` that lists the given keys for every purpose; nobody else has one. Counts the look-ups. */
function documentOf(...listed: readonly PublicKey[]): Keys & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    all: (did, relationship) => {
      asked.push(`${did} ${relationship}`)
      if (did === web.did) return Promise.resolve(listed)
      return Promise.reject(new ProcuraError('DID_RESOLUTION', { did, why: 'no such host' }))
    },
    find: () => Promise.resolve(null),
  }
}
const sealed = (...links: readonly Minted[]): Sealed[] => links.map(({ token }) => readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'link')) // prettier-ignore
const root = (options: Partial<MintOptions> = {}) => mint({ signer: owner, to: web, until: 3600, ...options })

describe('openOwnChain', () => {
  test('bounds no life and looks nobody up', async () => {
    const long = await root({ until: 1e8 })
    const short = await root({ until: 86_160 })
    const keys = documentOf()
    expect(await settled(() => openOwnChain(sealed(long), owner.publicKey, keys))).toBe('TIME_LIFETIME')
    const [link] = await openOwnChain(sealed(short), owner.publicKey, keys)
    expect(link.proved).toBe(false)
    expect(keys.asked).toEqual([])
  })

  test.each<[string, readonly PublicKey[], string]>([
    ['its document lists the key', [mallory.publicKey, web.publicKey], 'ok'],
    ['its document lists another', [mallory.publicKey], 'KEY_BINDING'],
    ['its document lists none', [], 'KEY_BINDING'],
  ])('looks a name up where a list of recipients depends on it: %s -> %s', async (_name, listed, code) => {
    const first = await root({ to: planner, authority: { to: [web.did] } })
    const second = await mint({ signer: planner, to: web, parent: first })
    const keys = documentOf(...listed)
    expect(await settled(() => openOwnChain(sealed(first, second), owner.publicKey, keys))).toBe(code)
    expect(keys.asked).toEqual([`${web.did} authentication`])
  })

  test('does not look up what fails otherwise', async () => {
    const first = await root({ authority: { to: [web.did] } })
    const keys = documentOf(web.publicKey)
    expect(await settled(() => openOwnChain(sealed(first), mallory.publicKey, keys))).toBe('SIGNATURE_INVALID')
    expect(await settled(() => openOwnChain([], owner.publicKey, keys))).toBe('CHAIN_EMPTY')
    expect(keys.asked).toEqual([])
  })

  test('lets a defect through as it is', async () => {
    const defect = new TypeError('a defect')
    const broken = { get token(): string { throw defect } } as unknown as Sealed // prettier-ignore
    await expect(openOwnChain([broken], owner.publicKey, documentOf())).rejects.toBe(defect)
  })
})

describe('a name in a chain', () => {
  /** web → booker under `cnf`, so that nothing is proved for web. */
  const opened = async () => {
    const first = await root()
    const second = await mint({ signer: web, to: booker, parent: first })
    return openOwnChain(sealed(first, second), owner.publicKey, documentOf())
  }
  test.each<[string, readonly PublicKey[], boolean]>([
    ['whose document lists the key', [mallory.publicKey, web.publicKey], true],
    ['whose document lists another', [mallory.publicKey], false],
    ['whose document lists none', [], false],
  ])('%s', async (_name, listed, proved) => {
    const chain = await opened()
    const keys = documentOf(...listed)
    expect(await isSubjectProved(chain[0], keys)).toBe(proved)
    expect(await isIssuerProved(chain, 1, keys)).toBe(proved)
    expect(keys.asked).toEqual([`${web.did} assertionMethod`, `${web.did} assertionMethod`])
  })

  test('of a root and of a did:key needs no look-up', async () => {
    const chain = await opened()
    const keys = documentOf()
    expect(await isIssuerProved(chain, 0, keys)).toBe(true)
    expect(await isSubjectProved(chain[1]!, keys)).toBe(true)
    expect(await isIssuerProved(chain, 2, keys)).toBe(true)
    expect(keys.asked).toEqual([])
  })

  test('whose document cannot be read is not a no', async () => {
    const elsewhere = party('elsewhere', 'did:web:elsewhere.example')
    const [link] = await openOwnChain(sealed(await root({ to: elsewhere })), owner.publicKey, documentOf())
    expect(await settled(() => isSubjectProved(link, documentOf()))).toBe('DID_RESOLUTION')
  })

  test('was proved when its chain was kept', async () => {
    const keys = documentOf()
    const chain = await openChain(sealed(await root()), owner.publicKey, { maxTtl: 86_400, binding: 'kept', keys })
    expect(chain[0].proved).toBe(true)
    expect(keys.asked).toEqual([])
  })
})

describe('a refusal names', () => {
  const first = (options: Partial<MintOptions> = {}) => root({ to: planner, ...options })
  const second = async (options: Partial<MintOptions>) => {
    const parent = await first({ authority: { rate: { max: 10, per: 60 } } })
    return [parent, await mint({ signer: planner, to: booker, parent, ...options })]
  }
  const digest = `uEi${'A'.repeat(44)}` as const
  test.each<[string, () => Promise<readonly Minted[]>, object]>([
    ["the hop of a root", async () => [await first({ authority: { hop: 2 } })], { hop: 2, expected: 0 }],
    ['the parent that is named, and the one above', async () => {
      const parent = await first()
      return [parent, await mint({ signer: planner, to: booker, parent, authority: { parent: { id: parent.id, digest } } })]
    }, { named: digest, actual: expect.stringMatching(/^uEi(?!AAAA)/) as string }],
    ['the issuer, and who holds the link above', () => second({ signer: { ...planner, did: mallory.did, kid: mallory.kid } }), { issuer: mallory.did, holder: planner.did }],
    ['who signed, and who is said to', async () => [await first({ signer: { ...owner, kid: mallory.kid } })], { kid: mallory.did, issuer: owner.did }],
    ['the audience', () => second({ authority: { audience: ['https://b.example'] } }), { asked: 'https://b.example' }],
    ['the status issuer', () => second({ authority: { statusIssuers: [{ iss: owner.did, base: 'https://b.example/' }] } }), { asked: 'https://b.example/' }],
    ['the DID of a method nobody knows', async () => [await first({ to: { ...planner, did: 'did:jwk:abc' } })], { did: 'did:jwk:abc' }],
    ['the place of what is missing', async () => [await first({ claims: { credentialSubject: { id: planner.did } } })], { at: 'credential.credentialSubject.authority' }],
    ['the key by the name in the link above', () => second({ signer: { ...mallory, did: planner.did, kid: planner.kid } }), { by: planner.did }],
    ["the root's key by its kid", async () => [await first({ signer: { ...mallory, did: owner.did, kid: owner.kid } })], { by: owner.kid }],
    ['the purpose of a leaf', async () => [await first({ to: { ...planner, publicKey: mallory.publicKey } })], { did: planner.did, purpose: 'authentication' }],
    ['the purpose of who delegates', async () => {
      const parent = await first({ to: { ...planner, publicKey: mallory.publicKey } })
      return [parent, await mint({ signer: planner, to: booker, parent })]
    }, { did: planner.did, purpose: 'assertionMethod' }],
    ['a life of a root', async () => [await first({ from: 0, until: 86_401 })], { seconds: 86_401, max: 86_400 }],
    ['the hop that is due', () => second({ authority: { hop: 3 } }), { hop: 3, expected: 1 }],
    ['the hops that are left', () => second({ authority: { more: 3 } }), { more: 3, left: 3 }],
    ['the start', () => second({ from: -241 }), { at: 'validFrom' }],
    ['the end', () => second({ until: 3601 }), { at: 'validUntil' }],
    ['the issue', () => second({ claims: { iat: 1 } }), { at: 'iat' }],
    ['both rates', () => second({ authority: { rate: { max: 11, per: 60 } } }), { asked: '11/60 s', granted: '10/60 s' }],
    ['a principal where none is granted', () => second({ authority: { onBehalfOf: alice.did } }), { asked: alice.did, granted: 'none' }],
    ['the receiver', async () => {
      const parent = await first({ authority: { to: [alice.did] } })
      return [parent, await mint({ signer: planner, to: booker, parent })]
    }, { did: booker.did }],
  ])('%s', async (_name, make, facts) => {
    const links = await make()
    await expect(openOwnChain(sealed(...links), owner.publicKey, documentOf())).rejects.toMatchObject({ facts })
  }) // prettier-ignore
})

describe('a link', () => {
  test('whose document lists another key is refused by its name', async () => {
    const keys = documentOf(mallory.publicKey)
    const open = openChain(sealed(await root()), owner.publicKey, { maxTtl: 86_400, binding: 'cnf+did', keys })
    await expect(open).rejects.toMatchObject({
      code: 'KEY_BINDING',
      facts: { did: web.did, purpose: 'authentication' },
    })
  })

  test('with a member beside its authority is not understood', async () => {
    const { authority } = await root()
    const json = { ...authority, grants: [{ resource: 'https://a.example', actions: ['book'] }] }
    const claims = { credentialSubject: { id: web.did, authority: json, role: 'admin' } } as unknown as JsonObject
    const links = sealed(await root({ claims }))
    expect(await settled(() => openOwnChain(links, owner.publicKey, documentOf()))).toBe('CAVEAT_UNKNOWN')
  })

  test('out of its time says by how much', async () => {
    const chain = await openOwnChain(sealed(await root()), owner.publicKey, documentOf())
    expect(() => requireInTime(chain, NOW - 271)).toThrow(
      expect.objectContaining({ code: 'TIME_NOT_YET_VALID', facts: { at: 'validFrom', seconds: 31 } }),
    )
    expect(() => requireInTime(chain, NOW + 3607)).toThrow(
      expect.objectContaining({ code: 'TIME_EXPIRED', facts: { seconds: 7 } }),
    )
    expect(outcome(() => requireInTime(chain, NOW))).toBe('ok')
  })

  test('with nothing above it is no delegation, whatever parent it names', async () => {
    const first = await root()
    const links = sealed(first, await mint({ signer: web, to: booker, parent: first }))
    const chain = await openOwnChain(links, owner.publicKey, documentOf())
    expect(outcome(() => requireHop(chain[0], []))).toBe('PARENT_MISSING')
    expect(outcome(() => requireHop(chain[1]!, []))).toBe('PARENT_MISSING')
  })
})
