import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { MAX_CREDENTIAL } from '../../src/credential/credential.js'
import { openOwnChain, readNext, type Chain, type Link } from '../../src/delegation/chain.js'
import { toJwk } from '../../src/ed25519.js'
import { ProcuraError } from '../../src/errors.js'
import type { Json, JsonObject } from '../../src/json.js'
import { draftJws, readJws, signJws } from '../../src/jws/compact.js'
import type { Keys } from '../../src/ports/deciding.js'
import { but } from '../ground/but.js'
import { settled } from '../ground/refusal.js'
import { booker, mallory, mint, owner, party, planner, type Minted, type Party } from '../mint.js'

const web = party('web agent', 'did:web:acme.example:agents:web')
const keys: Keys = {
  find: () => Promise.resolve(null),
  all: did =>
    did === web.did
      ? Promise.resolve([web.publicKey])
      : Promise.reject(new ProcuraError('DID_RESOLUTION', { did, why: 'no such host' })),
}
const sealed = (...tokens: readonly string[]) => tokens.map(token => readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'link'))
const claimsOf = ({ token }: Minted) => sealed(token)[0]!.unverified as JsonObject

/** What a link would be if it were signed, as whoever is about to sign it reads it. */
async function before(above: readonly Link[], claims: JsonObject, signer: Party): Promise<Omit<Link, 'digest'>> {
  const draft = draftJws(claims, 'vc+jwt', MAX_CREDENTIAL, 'link', signer)
  return but((await readNext(above, draft.claims, signer, keys)) as Link, 'digest')
}

/** The link as others read it, signed. */
async function after(tokens: readonly string[], claims: JsonObject, signer: Party): Promise<Omit<Link, 'digest'>> {
  const token = await signJws(claims, 'vc+jwt', signer)
  const chain = await openOwnChain(sealed(...tokens, token), owner.publicKey, keys)
  return but(chain.at(-1)!, 'digest')
}

/** Every place in a value, the value itself included. */
function placesIn(value: Json, at: readonly string[] = []): readonly (readonly string[])[] {
  const below = typeof value === 'object' && value !== null ? Object.entries(value as JsonObject) : []
  return [at, ...below.flatMap(([name, inner]) => placesIn(inner, [...at, name]))]
}

/** A copy with something else at a place, or nothing. */
function changed(value: Json, [name, ...rest]: readonly string[], to: Json | undefined): Json {
  if (name === undefined) return to ?? null
  const copy = structuredClone(value) as Record<string, Json>
  if (rest.length === 0 && to === undefined) Reflect.deleteProperty(copy, name)
  else copy[name] = changed(copy[name] ?? null, rest, to)
  return copy
}

/** The claims with another subject. */
function handedTo({ did, publicKey }: Pick<Party, 'did' | 'publicKey'>, claims: JsonObject): JsonObject {
  const credentialSubject = { ...(claims['credentialSubject'] as JsonObject), id: did }
  return { ...claims, sub: did, cnf: { jwk: { ...toJwk(publicKey) } }, credentialSubject }
}

describe('what will be signed is read as others read it', () => {
  let root: Minted
  let above: Chain
  let roots: JsonObject
  let hops: JsonObject
  beforeAll(async () => {
    root = await mint({ signer: owner, to: planner, authority: { to: [web.did, booker.did] } })
    above = await openOwnChain(sealed(root.token), owner.publicKey, keys)
    roots = claimsOf(root)
    hops = claimsOf(await mint({ signer: planner, to: booker, parent: root }))
  })

  test.each<[string, Party, (claims: JsonObject) => JsonObject, string]>([
    ['a delegation', planner, claims => claims, 'ok'],
    ["another's key", mallory, claims => claims, 'SIGNATURE_INVALID'],
    ['a name of another', { ...planner, kid: mallory.kid }, claims => claims, 'JWS_KID_MISMATCH'],
    [
      'a member nobody knows',
      planner,
      claims => changed(claims, ['credentialSubject', 'authority', 'x'], 1) as JsonObject,
      'CAVEAT_UNKNOWN',
    ],
    [
      'an action that was not granted',
      planner,
      claims =>
        changed(claims, ['credentialSubject', 'authority', 'grants', '0', 'actions', '0'], 'drop') as JsonObject,
      'WIDENED_ACTION',
    ],
    ['somebody who may not receive it', planner, claims => handedTo(mallory, claims), 'DELEGATE_NOT_ALLOWED'],
    ['a name that has to be looked up', planner, claims => handedTo(web, claims), 'ok'],
    [
      "a name with another's key",
      planner,
      claims => handedTo({ ...web, publicKey: booker.publicKey }, claims),
      'KEY_BINDING',
    ],
  ])('%s', async (_name, signer, change, code) => {
    const claims = change(hops)
    expect(await settled(() => before(above, claims, signer))).toBe(code)
    expect(await settled(() => after([root.token], claims, signer))).toBe(code)
    if (code === 'ok') expect(await before(above, claims, signer)).toEqual(await after([root.token], claims, signer))
  })

  test.each<[string, Party, (claims: JsonObject) => JsonObject, string]>([
    ['a root', owner, claims => claims, 'ok'],
    ['a name of another', { ...owner, kid: mallory.kid }, claims => claims, 'JWS_KID_MISMATCH'],
    ['a delegation without a root', owner, () => hops, 'CREDENTIAL_TYPE'],
    [
      'a longer life than a root may have',
      owner,
      claims => ({ ...claims, validUntil: '2027-11-21T00:00:00Z', exp: 1_826_755_200 }),
      'TIME_LIFETIME',
    ],
    [
      "a did:key with another's key",
      owner,
      claims => changed(claims, ['cnf', 'jwk', 'x'], mallory.publicKey.x) as JsonObject,
      'KEY_BINDING',
    ],
    [
      'a DID of a method nobody knows',
      owner,
      claims => ({
        ...claims,
        sub: 'did:jwk:abc',
        credentialSubject: { ...(claims['credentialSubject'] as JsonObject), id: 'did:jwk:abc' },
      }),
      'DID_METHOD',
    ],
  ])('%s', async (_name, signer, change, code) => {
    const claims = change(roots)
    expect(await settled(() => before([], claims, signer))).toBe(code)
    expect(await settled(() => after([], claims, signer))).toBe(code)
    if (code === 'ok') expect(await before([], claims, signer)).toEqual(await after([], claims, signer))
  })

  test('whatever one place of it becomes', async () => {
    const junk = fc.oneof(
      fc.constantFrom<Json | undefined>(undefined, null, '', 0, -1, true, [], {}, mallory.did, '**'),
      fc.string(),
      fc.integer(),
    )
    const drawn = fc.tuple(fc.boolean(), fc.nat(), junk)
    await fc.assert(
      fc.asyncProperty(drawn, async ([isRoot, at, to]) => {
        const [claims, links, tokens, signer] = isRoot ? [roots, [], [], owner] : [hops, above, [root.token], planner]
        // the place 0 is all of it
        const places = placesIn(claims).slice(1)
        const draft = changed(claims, places[at % places.length] ?? [], to) as JsonObject
        const code = await settled(() => after(tokens, draft, signer))
        expect(await settled(() => before(links, draft, signer))).toBe(code)
        if (code === 'ok') expect(await before(links, draft, signer)).toEqual(await after(tokens, draft, signer))
      }),
      { numRuns: 2000 },
    )
  })
})
