import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createKeys } from '../../src/adapters/resolve/keys.js'
import { createStatusLists } from '../../src/adapters/resolve/status-lists.js'
import { systemIds } from '../../src/adapters/system.js'
import { issuingKeys, keyReplacement, type KeyReplacement } from '../../src/adapters/veramo/replace-key.js'
import { toDidDocument } from '../../src/did/document.js'
import { LISTED_AFTER, LISTED_BEFORE } from '../../src/did/replacement.js'
import { didWebUrl } from '../../src/did/web.js'
import { createIssuer, type Issuer } from '../../src/issuer/issuer.js'
import type { StoredCredential } from '../../src/ports/issuing.js'
import type { IssuingKeys } from '../../src/ports/keys.js'
import { createVerifier, type Verifier } from '../../src/verifier/verifier.js'
import { NOW, planner, policyOf, present, REQUEST, SELF, world } from '../mint.js'
import { tableFetch } from '../table.js'
import { openWorld, WEB } from '../veramo/world.js'

const BASE = 'https://procura.example/v1/status/'
const POLICY = policyOf({
  roots: [{ issuer: WEB, maxTtl: 86_400, grants: [{ resource: `${SELF}/**`, actions: ['book'] }] }],
})
const AUTHORITY = { audience: [SELF], grants: [{ resource: `${SELF}/bookings/**`, actions: ['book'] }] }

let now: number
let issuer: Issuer
let own: IssuingKeys
let replacement: KeyReplacement
/** what the service answers at this moment */
const served = new Map<string, string>()
const clock = { now: () => now }

beforeEach(async () => {
  now = NOW
  const { agent, store, vault } = await openWorld()
  await vault.createWebDid(WEB, 'issuer')
  const { signingKeys } = store
  const transaction: typeof store.transaction = work => store.transaction(work)
  own = issuingKeys(WEB, { vault, signingKeys })
  replacement = keyReplacement({ agent, vault, signingKeys, clock, transaction })
  issuer = createIssuer(
    { keys: own, statusBase: BASE },
    {
      ...store,
      clock,
      transaction,
      ids: systemIds,
      keys: { find: () => Promise.resolve(null), all: () => Promise.resolve([]) },
      marker: { reached: 0, raise: () => Promise.resolve() },
      audit: { record: () => Promise.resolve() },
      nextSecond: () => Promise.resolve(void (now += 1)),
    },
  )
})
afterEach(() => served.clear())

const grant = (ttl: number) => issuer.grant({ to: planner.did, key: planner.publicKey, authority: AUTHORITY, ttl })

/** A verifier with copies of its own, up to 300 s old. */
async function openVerifier(): Promise<Verifier> {
  const fetch = tableFetch(url => served.get(url) ?? null)
  const keys = createKeys({ fetch, clock })
  const statusLists = createStatusLists({ fetch, clock })
  return createVerifier(POLICY, { ...(await world()), clock, keys, statusLists })
}

/** Puts in place what is served now: document and lists. */
async function serve(credentials: readonly StoredCredential[]): Promise<void> {
  served.set(didWebUrl(WEB), JSON.stringify(toDidDocument(WEB, await own.listed())))
  const places = credentials.flatMap(({ status, suspension }) => [status, suspension]).filter(place => place !== null)
  for (const url of new Set(places.map(place => place.url))) {
    served.set(url, (await issuer.list(url.slice(BASE.length))).token)
  }
}

/** The code of the refusal, or `allowed`. */
async function ask(verifier: Verifier, credential: StoredCredential): Promise<string> {
  const claims = { iat: now - 2, exp: now + 58 }
  const shown = await present(planner, [credential], { claims })
  const decision = await verifier.decide(shown, REQUEST)
  return decision.code ?? 'allowed'
}

test('from the first step to the last, no valid presentation is refused', async () => {
  const verifiers = [await openVerifier(), await openVerifier(), await openVerifier()]
  const alive: StoredCredential[] = []
  const answers = new Map<string, number>()
  const kids = new Set<string>()
  let asked = 0
  const steps: string[] = []
  const end = NOW + LISTED_BEFORE + LISTED_AFTER + 1200
  for (let tick = 0; now < end; tick += 1) {
    const { done } = steps.at(-1) === 'drop' ? { done: null } : await replacement.proceed(WEB)
    if (done !== null) steps.push(done)
    // some live for a minute, some as long as a root may
    const made = await grant(tick % 2 === 0 ? 86_400 : 60)
    kids.add((await own.signer()).kid)
    alive.push(made)
    const valid = alive.filter(({ validUntil }) => validUntil > now)
    const shown = new Set([made, valid[0]!, valid[tick % valid.length]!])
    await serve([...shown])
    for (const credential of shown) {
      // each verifier reads the document at other moments than the next
      const verifier = verifiers[asked % verifiers.length]!
      const answer = await ask(verifier, credential)
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
      asked += 1
    }
    const sinceStep = Math.min(now - NOW, Math.abs(now - NOW - LISTED_BEFORE), Math.abs(end - 1200 - now))
    now += sinceStep < 700 ? 97 : 2400
  }
  expect(steps).toEqual(['list', 'switch', 'drop'])
  expect(kids.size).toBe(2)
  expect(asked).toBeGreaterThan(120)
  expect([...answers]).toEqual([['allowed', asked]])
}, 30_000)

describe('in an emergency', () => {
  test('what the old key signed is refused at once, and after 300 s by who had read the document', async () => {
    const warm = await openVerifier()
    const stolen = await grant(3600)
    await serve([stolen])
    expect(await ask(warm, stolen)).toBe('allowed')

    await replacement.emergency(WEB)
    // lists are signed once a second at most
    now += 1
    const anew = await grant(3600)
    await serve([stolen, anew])
    expect(await ask(await openVerifier(), stolen)).toBe('KEY_NOT_AUTHORIZED')
    expect(await ask(await openVerifier(), anew)).toBe('allowed')
    now += 300
    await serve([stolen, anew])
    expect(await ask(warm, stolen)).toBe('KEY_NOT_AUTHORIZED')
    expect(await ask(warm, anew)).toBe('allowed')
  })

  test('a status list that the old key signed is not served any more', async () => {
    const { status } = await grant(3600)
    const name = status!.url.slice(BASE.length)
    const before = await issuer.list(name)
    now += 1
    expect(await issuer.list(name)).toEqual(before)
    await replacement.emergency(WEB)
    const after = await issuer.list(name)
    expect(after.version).toBe(before.version + 1)
    expect(Buffer.from(after.token.split('.')[0]!, 'base64url').toString()).toContain((await own.signer()).kid)
  })

  test('its issuer can still revoke what the old key signed, and leases nothing under it', async () => {
    const old = await grant(3600)
    await replacement.emergency(WEB)
    await expect(issuer.leaseUnder([old.token], planner.did, 1)).rejects.toMatchObject({ code: 'ROOT_UNTRUSTED' })
    const revoked = await issuer.revoke([old.token], WEB, true)
    expect(revoked.digest).toBe(old.digest)
    // not what was revoked, and nothing that a thief of the old key may have signed
    await grant(3600)
    const [anew] = await issuer.reissue(planner.did, planner.did, planner.publicKey, WEB)
    expect(anew?.key).toBe((await own.signer()).publicKey.x)
    await replacement.emergency(WEB)
    expect(await issuer.reissue(planner.did, planner.did, planner.publicKey, WEB)).toEqual([])
  })
})
