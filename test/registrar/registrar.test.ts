import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Code } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import { alice, booker, mallory, NOW, party, planner } from '../mint.js'
import { admin, as, AUTHORITY, openScene, PROFILE, registrationOf, type Scene } from './scene.js'

let scene: Scene
beforeEach(async () => (scene = await openScene()))
afterEach(() => scene.store.close())

const register = (who = planner, agent: JsonObject | null = PROFILE, ttl?: number) =>
  scene.registrar.register(registrationOf(who, agent, ttl), admin)
const grant = (to = planner.did, ttl = 600, change: object = {}) =>
  scene.registrar.grant({ to, ttl, authority: { ...AUTHORITY, ...change } }, admin)
const refused = (code: Code) => ({ code })
const isRevoked = async ({ status }: { readonly status: { url: string; index: number } | null }): Promise<boolean> => {
  const name = status!.url.split('/').at(-1)!
  return (await scene.store.statusRows.setIn(name)).includes(status!.index)
}
const claimsOf = (token: string): JsonObject =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as JsonObject

describe('registering', () => {
  test('an agent gets its identity credential, which says what was registered', async () => {
    const { subject, identity } = await register()
    expect(subject).toMatchObject({ did: planner.did, kind: 'agent', state: 'active', owner: null, expiresAt: null })
    expect(claimsOf(identity!.token)).toMatchObject({
      type: ['VerifiableCredential', 'AgentIdentityCredential'],
      sub: planner.did,
      cnf: { jwk: { x: planner.publicKey.x } },
      credentialSubject: { id: planner.did, agent: { name: 'planner', ...PROFILE } },
    })
    expect(await scene.store.subjects.find(planner.did)).toStrictEqual(subject)
    expect(await scene.store.subjects.find(subject.id)).toStrictEqual(subject)
  })

  test.each(['person', 'organisation'] as const)('a %s has no autonomy and no identity credential', async kind => {
    const { subject, identity } = await scene.registrar.register({ ...registrationOf(alice, null), kind }, admin)
    expect([subject.kind, subject.agent, identity]).toEqual([kind, null, null])
    await expect(scene.registrar.identify(alice.did, admin)).rejects.toMatchObject(refused('SCHEMA'))
  })

  test.each<[string, Parameters<Scene['registrar']['register']>[0], Code]>([
    ['a person with autonomy', { ...registrationOf(alice, null), agent: PROFILE }, 'SCHEMA'],
    ['an agent of which nothing is said', registrationOf(planner, {}), 'SCHEMA'],
    ['autonomy that is none', registrationOf(planner, { ...PROFILE, autonomy: 'L6' }), 'SCHEMA'],
    ['a member nobody knows', registrationOf(planner, { ...PROFILE, root: true }), 'CAVEAT_UNKNOWN'],
    ['a name of control characters', { ...registrationOf(alice, null), name: 'al\u001bice' }, 'SCHEMA'],
    ['a name that turns the line around', { ...registrationOf(alice, null), name: 'al\u202eice' }, 'SCHEMA'],
    ['a name of 64 KiB', { ...registrationOf(alice, null), name: 'a'.repeat(65_536) }, 'SCHEMA'],
    ['no name', { ...registrationOf(alice, null), name: '' }, 'SCHEMA'],
    ['an agent whose operator is no DID', registrationOf(planner, { ...PROFILE, operator: 'acme' }), 'SCHEMA'],
  ])('%s: nothing is stored', async (_name, registration, code) => {
    await expect(scene.registrar.register(registration, admin)).rejects.toMatchObject(refused(code))
    expect(await scene.registrar.list({ after: null, limit: 10 }, admin)).toEqual([])
  })

  test('twice is refused, and so is a key that another has, under any name', async () => {
    await register()
    await expect(register()).rejects.toMatchObject(refused('SUBJECT_EXISTS'))
    const borrowed = { ...registrationOf(planner), did: 'did:web:acme.example:agents:other' as const }
    await expect(scene.registrar.register(borrowed, admin)).rejects.toMatchObject(refused('SUBJECT_EXISTS'))
    expect(await scene.registrar.list({ after: null, limit: 10 }, admin)).toHaveLength(1)
    // the name that was tried is free again
    const own = { ...borrowed, key: booker.publicKey }
    expect((await scene.registrar.register(own, admin)).subject.did).toBe(borrowed.did)
  })

  test('a retired DID is never used again', async () => {
    await register()
    await scene.registrar.retire(planner.did, admin)
    await expect(register()).rejects.toMatchObject(refused('SUBJECT_EXISTS'))
  })
})

describe('closed by default', () => {
  test('who is not registered gets nothing', async () => {
    await expect(grant(mallory.did)).rejects.toMatchObject(refused('SUBJECT_UNKNOWN'))
    await expect(scene.registrar.requireActive(mallory.did)).rejects.toMatchObject(refused('SUBJECT_UNKNOWN'))
    expect(await scene.store.credentials.heldBy(mallory.did, 0)).toEqual([])
  })

  test('only an admin grants, lists, and deals with others', async () => {
    await register()
    await register(alice, null)
    for (const by of [as(planner), as(alice), as(mallory)]) {
      await expect(scene.registrar.grant({ to: planner.did, ttl: 60, authority: AUTHORITY }, by)).rejects.toMatchObject(
        refused('CALLER_FORBIDDEN'),
      )
      await expect(scene.registrar.list({ after: null, limit: 1 }, by)).rejects.toMatchObject(
        refused('CALLER_FORBIDDEN'),
      )
      for (const verb of ['suspend', 'resume'] as const)
        await expect(scene.registrar[verb](planner.did, by)).rejects.toMatchObject(refused('CALLER_FORBIDDEN'))
    }
    for (const by of [as(alice), as(mallory)]) {
      for (const verb of ['retire', 'show', 'identify'] as const)
        await expect(scene.registrar[verb](planner.did, by)).rejects.toMatchObject(refused('CALLER_FORBIDDEN'))
      // a stranger learns no more of who is not there
      await expect(scene.registrar.show(booker.did, by)).rejects.toMatchObject(refused('CALLER_FORBIDDEN'))
    }
    await expect(scene.registrar.show(booker.did, admin)).rejects.toMatchObject(refused('NOT_FOUND'))
    expect((await scene.registrar.show(planner.did, as(planner))).did).toBe(planner.did)
  })

  test('a grant goes to the registered key', async () => {
    const did = 'did:web:acme.example:agents:planner' as const
    await scene.registrar.register({ ...registrationOf(planner), did }, admin)
    expect(claimsOf((await grant(did)).token)).toMatchObject({ sub: did, cnf: { jwk: { x: planner.publicKey.x } } })
  })
})

describe('suspending', () => {
  const isSuspended = async ({ suspension }: { readonly suspension: { url: string; index: number } | null }) => {
    const name = suspension!.url.split('/').at(-1)!
    return (await scene.store.statusRows.setAmong(name, [suspension!.index])).has(suspension!.index)
  }

  test('reaches what was issued, resuming gives it back, and the lists show it', async () => {
    const { identity } = await register()
    const given = [identity!, await grant()]
    await register(booker)
    const others = await grant(booker.did)
    await scene.registrar.suspend(planner.did, admin)
    for (const one of given) expect([await isSuspended(one), await isRevoked(one)]).toEqual([true, false])
    expect(await isSuspended(others)).toBe(false)
    await scene.registrar.resume(planner.did, admin)
    for (const one of given) expect(await isSuspended(one)).toBe(false)
    const said = (await scene.store.outbox.since(0, 100)).map(({ type }) => type)
    expect(said).toEqual(['suspended', 'suspended', 'resumed', 'resumed'])
  })

  test('goes over to a new key, and nothing resumes who was retired', async () => {
    await register()
    await grant()
    await scene.registrar.suspend(planner.did, admin)
    const rotated = await scene.registrar.rotate(planner.did, booker.did, booker.publicKey, admin)
    const { subject, credentials } = rotated
    expect(subject.state).toBe('suspended')
    for (const one of [...credentials, rotated.identity!]) expect(await isSuspended(one)).toBe(true)
    await scene.registrar.retire(booker.did, admin)
    await expect(scene.registrar.resume(booker.did, admin)).rejects.toMatchObject(refused('SUBJECT_STATE'))
    for (const one of credentials) expect(await isRevoked(one)).toBe(true)
  })
})

describe('states', () => {
  test('active → suspended → active → retired, and no other way', async () => {
    const { registrar } = scene
    await register()
    await expect(registrar.resume(planner.did, admin)).rejects.toMatchObject(refused('SUBJECT_STATE'))
    expect((await registrar.suspend(planner.did, admin)).state).toBe('suspended')
    await expect(registrar.suspend(planner.did, admin)).rejects.toMatchObject(refused('SUBJECT_STATE'))
    await expect(grant()).rejects.toMatchObject(refused('SUBJECT_STATE'))
    await expect(registrar.identify(planner.did, admin)).rejects.toMatchObject(refused('SUBJECT_STATE'))
    await expect(registrar.show(planner.did, as(planner))).rejects.toMatchObject(refused('SUBJECT_STATE'))
    expect((await registrar.resume(planner.did, admin)).state).toBe('active')
    await grant()
    expect((await registrar.retire(planner.did, as(planner))).state).toBe('retired')
    for (const verb of ['suspend', 'resume', 'retire', 'identify'] as const)
      await expect(registrar[verb](planner.did, admin)).rejects.toMatchObject(refused('SUBJECT_STATE'))
    await expect(registrar.rotate(planner.did, booker.did, booker.publicKey, admin)).rejects.toMatchObject(
      refused('SUBJECT_STATE'),
    )
    await expect(grant()).rejects.toMatchObject(refused('SUBJECT_STATE'))
  })

  test('retiring revokes all that was issued, and announces it', async () => {
    const { identity } = await register()
    const given = [identity!, await grant(), await grant(planner.did, 3600)]
    await register(booker)
    const others = await grant(booker.did)
    await scene.registrar.retire(planner.did, admin)
    for (const one of given) expect(await isRevoked(one)).toBe(true)
    expect(await isRevoked(others)).toBe(false)
    const announced = await scene.store.outbox.since(0, 100)
    expect(announced.at(-1)).toMatchObject({ type: 'killed', target: planner.did })
  })

  test('what fails leaves everything as it was', async () => {
    const { store, registrar } = scene
    await register()
    const given = await grant()
    const tables = await store.dataSource.query<{ name: string }[]>(
      "SELECT name FROM sqlite_master WHERE name LIKE '%outbox%' AND type = 'table'",
    )
    for (const { name } of tables) await store.dataSource.query(`DROP TABLE ${name}`)
    await expect(registrar.retire(planner.did, admin)).rejects.toThrow()
    expect((await store.subjects.find(planner.did))?.state).toBe('active')
    expect(await isRevoked(given)).toBe(false)
  })

  test('an ephemeral registration ends by itself, and nothing outlives it', async () => {
    const { identity } = await register(planner, PROFILE, 900)
    expect(identity!.validUntil).toBe(NOW + 900)
    expect((await grant(planner.did, 900)).validUntil).toBe(NOW + 900)
    await expect(grant(planner.did, 901)).rejects.toMatchObject(refused('GRANT_REFUSED'))
    scene.now = NOW + 900
    await expect(grant(planner.did, 60)).rejects.toMatchObject(refused('SUBJECT_STATE'))
    await expect(scene.registrar.requireActive(planner.did)).rejects.toMatchObject(refused('SUBJECT_STATE'))
  })
})

describe('rotating a key', () => {
  test('the registration stays; live credentials go to the new key, the old ones end', async () => {
    const { subject, identity } = await register()
    const given = await grant(planner.did, 3600, { more: 2, onBehalfOf: alice.did })
    scene.now = NOW + 100
    const rotated = await scene.registrar.rotate(planner.did, booker.did, booker.publicKey, as(planner))
    expect(rotated.subject).toMatchObject({ id: subject.id, did: booker.did, key: booker.publicKey.x })
    expect(await scene.store.subjects.find(planner.did)).toBeNull()
    expect(rotated.credentials).toHaveLength(1)
    const [anew] = rotated.credentials.filter(
      ({ token }) => 'authority' in (claimsOf(token)['credentialSubject'] as object),
    )
    expect(anew!.validUntil).toBe(given.validUntil)
    const before = (claimsOf(given.token)['credentialSubject'] as { authority: JsonObject }).authority
    expect(claimsOf(anew!.token)).toMatchObject({
      sub: booker.did,
      cnf: { jwk: { x: booker.publicKey.x } },
      credentialSubject: { authority: before },
    })
    for (const one of [given, identity!]) expect(await isRevoked(one)).toBe(true)
    for (const one of [...rotated.credentials, rotated.identity!]) expect(await isRevoked(one)).toBe(false)
  })

  test('what was taken back is not given again, and what is suspended stays so', async () => {
    await register()
    const [taken, paused, kept] = [await grant(), await grant(planner.did, 900), await grant(planner.did, 1200)]
    await scene.issuer.revoke(taken.digest, admin.did, true)
    await scene.issuer.change(paused.digest, 'suspend', admin.did, true)
    const { credentials } = await scene.registrar.rotate(planner.did, booker.did, booker.publicKey, as(planner))
    expect(credentials.map(({ validUntil }) => validUntil).sort()).toEqual([paused.validUntil, kept.validUntil])
    for (const one of credentials) {
      const name = one.suspension!.url.split('/').at(-1)!
      const suspended = (await scene.store.statusRows.setAmong(name, [one.suspension!.index])).size === 1
      expect(suspended).toBe(one.validUntil === paused.validUntil)
    }
  })

  test('a did:web keeps its name; what was issued under the old key ends', async () => {
    const did = 'did:web:acme.example:agents:planner' as const
    await scene.registrar.register({ ...registrationOf(planner), did }, admin)
    const given = await grant(did)
    const { credentials } = await scene.registrar.rotate(did, did, booker.publicKey, admin)
    expect(await isRevoked(given)).toBe(true)
    for (const one of credentials) expect([one.subject, await isRevoked(one)]).toEqual([did, false])
  })

  test('to a DID or key that was ever registered is refused, and so is the same key', async () => {
    await register()
    await register(booker)
    for (const [to, key] of [
      [booker.did, booker.publicKey],
      [planner.did, planner.publicKey],
      ['did:web:acme.example:agents:other', booker.publicKey],
    ] as const) {
      await expect(scene.registrar.rotate(planner.did, to, key, admin)).rejects.toMatchObject(refused('SUBJECT_EXISTS'))
    }
    await scene.registrar.rotate(planner.did, alice.did, alice.publicKey, admin)
    await expect(scene.registrar.rotate(alice.did, planner.did, planner.publicKey, admin)).rejects.toMatchObject(
      refused('SUBJECT_EXISTS'),
    )
    expect((await scene.store.subjects.find(booker.did))?.did).toBe(booker.did)
  })

  test('is for itself and admins', async () => {
    await register()
    await register(alice, null)
    await expect(scene.registrar.rotate(planner.did, mallory.did, mallory.publicKey, as(alice))).rejects.toMatchObject(
      refused('CALLER_FORBIDDEN'),
    )
  })
})

describe('a did:web below the service', () => {
  const did = 'did:web:travel.example:agents:planner' as const
  const listed = async (): Promise<string[]> => {
    const document = (await scene.hosting.document(did)) as {
      verificationMethod: { publicKeyJwk: { x: string } }[]
    } | null
    return document?.verificationMethod.map(({ publicKeyJwk }) => publicKeyJwk.x) ?? []
  }

  test('is hosted with the key that is registered, until it is retired', async () => {
    await scene.registrar.register({ ...registrationOf(planner), did }, admin)
    expect(await listed()).toEqual([planner.publicKey.x])
    await scene.registrar.suspend(did, admin)
    await scene.registrar.resume(did, admin)
    await scene.registrar.rotate(did, did, booker.publicKey, admin)
    expect(await listed()).toEqual([booker.publicKey.x])
    await scene.registrar.rotate(did, alice.did, alice.publicKey, admin)
    expect(await listed()).toEqual([])
  })

  test('ends with its registration; others and reserved places are not hosted', async () => {
    await scene.registrar.register({ ...registrationOf(planner), did }, admin)
    await scene.registrar.retire(did, admin)
    expect(await listed()).toEqual([])
    const elsewhere = { ...registrationOf(booker), did: 'did:web:acme.example:agents:booker' as const }
    await scene.registrar.register(elsewhere, admin)
    expect(await scene.hosting.document(elsewhere.did)).toBeNull()
    const reserved = { ...registrationOf(alice), did: 'did:web:travel.example:v1:status' as const }
    await expect(scene.registrar.register(reserved, admin)).rejects.toMatchObject(refused('SCHEMA'))
    expect(await scene.store.subjects.find(reserved.did)).toBeNull()
  })
})

describe('sub-agents', () => {
  const sub = (name: string, agent: JsonObject = {}, ttl: number | undefined = 600, by = as(planner)) => {
    const who = party(name)
    return scene.registrar.register(registrationOf(who, { autonomy: 'L1', risk: 'low', ...agent }, ttl), by)
  }

  test('are registered by their owner, who is answerable for them', async () => {
    const { subject: above } = await register()
    const { subject, identity } = await sub('helper')
    expect(subject).toMatchObject({ owner: above.id, expiresAt: NOW + 600 })
    expect(claimsOf(identity!.token)).toMatchObject({
      credentialSubject: { agent: { operator: 'did:web:acme.example', autonomy: 'L1' } },
    })
    const helper = party('helper')
    expect((await scene.registrar.suspend(helper.did, as(planner))).state).toBe('suspended')
    expect((await scene.registrar.resume(helper.did, as(planner))).state).toBe('active')
    await expect(scene.registrar.suspend(planner.did, as(helper))).rejects.toMatchObject(refused('CALLER_FORBIDDEN'))
    expect(await scene.registrar.list({ after: null, limit: 10, owner: above.id }, admin)).toHaveLength(1)
  })

  test.each<[string, JsonObject, number | undefined, Code]>([
    ['more autonomy', { autonomy: 'L3' }, 600, 'SUBJECT_LIMIT'],
    ['more risk', { risk: 'high' }, 600, 'SUBJECT_LIMIT'],
    ['another operator', { operator: 'did:web:mallory.example' }, 600, 'SUBJECT_LIMIT'],
    ['a life without end', {}, undefined, 'SUBJECT_LIMIT'],
    ['a life beyond its class', {}, 86_401, 'SUBJECT_LIMIT'],
  ])('never have %s than their owner', async (_name, agent, ttl, code) => {
    await register()
    const attempt = scene.registrar.register(
      registrationOf(party('helper'), { autonomy: 'L1', risk: 'low', ...agent }, ttl),
      as(planner),
    )
    await expect(attempt).rejects.toMatchObject(refused(code))
  })

  test('never outlive their owner', async () => {
    await register(planner, PROFILE, 500)
    await expect(sub('helper')).rejects.toMatchObject(refused('SUBJECT_LIMIT'))
    expect((await sub('helper', {}, 500)).subject.expiresAt).toBe(NOW + 500)
  })

  test('are as many as the class allows, at a time; also when all come at once', async () => {
    await register(planner, { ...PROFILE, autonomy: 'L4', risk: 'high' })
    const attempts = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => sub(`helper ${n}`)))
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(8)
    for (const one of attempts)
      if (one.status === 'rejected') expect(one.reason).toMatchObject(refused('SUBJECT_LIMIT'))
    scene.now = NOW + 601
    await sub('next')
  })

  test('stand while their owner stands, and end with it, the whole tree', async () => {
    await register()
    const [helper, below] = [party('helper'), party('below')]
    await sub('helper', { autonomy: 'L2' })
    await sub('below', {}, 300, as(helper))
    const given = await grant(below.did, 200)
    await scene.registrar.suspend(planner.did, admin)
    await expect(scene.registrar.requireActive(below.did)).rejects.toMatchObject(refused('SUBJECT_STATE'))
    await scene.registrar.resume(planner.did, admin)
    expect((await scene.registrar.requireActive(below.did)).did).toBe(below.did)
    await scene.registrar.retire(planner.did, admin)
    for (const { did } of [planner, helper, below])
      expect((await scene.store.subjects.find(did))?.state).toBe('retired')
    expect(given.status).toBeNull()
    const killed = (await scene.store.outbox.since(0, 100)).filter(({ type }) => type === 'killed')
    expect(killed.map(({ target }) => target)).toEqual([below.did, helper.did, planner.did])
  })

  test('who is not registered, suspended or ended registers nobody', async () => {
    await expect(sub('helper')).rejects.toMatchObject(refused('SUBJECT_UNKNOWN'))
    await register(planner, PROFILE, 900)
    await scene.registrar.suspend(planner.did, admin)
    await expect(sub('helper')).rejects.toMatchObject(refused('SUBJECT_STATE'))
    await scene.registrar.resume(planner.did, admin)
    scene.now = NOW + 900
    await expect(sub('helper', {}, 1)).rejects.toMatchObject(refused('SUBJECT_STATE'))
  })

  test('a person may own agents of its own operator', async () => {
    await register(alice, null)
    const { subject } = await sub('helper', { autonomy: 'L5', risk: 'high' }, 3600, as(alice))
    expect(subject.agent).toMatchObject({ operator: alice.did, autonomy: 'L5' })
    const person = scene.registrar.register({ ...registrationOf(booker, null), ttl: 60 }, as(alice))
    await expect(person).rejects.toMatchObject(refused('SUBJECT_LIMIT'))
  })
})
