import type { ICreateVerifiableCredentialArgs } from '@veramo/core-types'
import { CredentialProviderJWT } from '@veramo/credential-jwt'
import { CredentialPlugin } from '@veramo/credential-w3c'
import { createAgent } from '@veramo/core'
import { beforeAll, describe, expect, test } from 'vitest'
import { toBase64url } from '../../src/encoding.js'
import { openJws, readJws } from '../../src/jws/compact.js'
import { signApproval, type ApprovalRequest } from '../../src/presentation/approval.js'
import { signProof } from '../../src/presentation/proof.js'
import type { JsonObject } from '../../src/json.js'
import { envelope } from '../../src/presentation/envelope.js'
import { toDate } from '../../src/time.js'
import { alice, booker, forged, mallory, NOW, owner, planner, signText } from './actors.js'
import {
  credentialAnswer,
  presentationAnswer,
  stockAgent,
  stockCredential,
  stockPresentation,
  type Agent,
} from './stock.js'
import {
  delegationOf,
  goodChain,
  headerOf,
  INDEX,
  present,
  presentationClaims,
  REQUEST,
  rootClaims,
  rootOf,
  SELF,
  signWith,
  world,
} from './world.js'

const VCDM_1 = 'https://www.w3.org/2018/credentials/v1'

/** A credential that the stock provider accepts and whose typ is ours. */
const forBoth = signText(
  JSON.stringify({ alg: 'EdDSA', kid: owner.kid, typ: 'vc+jwt' }),
  JSON.stringify({
    iss: owner.did,
    '@context': [VCDM_1],
    type: ['VerifiableCredential'],
    credentialSubject: { id: alice.did },
  }),
  owner,
)
const headerWithoutCty = (typ: string): JsonObject => ({ alg: 'EdDSA', kid: owner.kid, typ })
/** A JWT without a signature of its own around another one: Veramo unwraps it. */
const wrapped = (jwt: string): string =>
  forged(signText('{"alg":"EdDSA","cty":"JWT","typ":"JWT"}', JSON.stringify({ iss: owner.did, jwt }), mallory))

describe('which documents the provider claims', () => {
  const { provider } = world()
  const claims = (document: unknown): boolean => provider.canVerifyDocumentType({ document: document as string })
  const credential = stockCredential(owner, alice)

  test.each<[string, () => unknown]>([
    ['a vc+jwt', () => rootOf()],
    ['a vc+jwt with a broken signature', async () => forged(await rootOf())],
    ['a vp+jwt', async () => present(await goodChain())],
    ['an agent-proof+jwt', () => signProof(owner, 'https://api.travel.example', REQUEST, 'j'.repeat(22), NOW)],
    [
      'a typ in other letters, as a full media type',
      () => stockCredential(owner, alice, {}, { typ: 'Application/VC+JWT' }),
    ],
    [
      'typ JWT around claims of the profile',
      () => signText('{"alg":"EdDSA","typ":"JWT"}', JSON.stringify(rootClaims()), owner),
    ],
    ['an envelope of a credential', async () => envelope(await rootOf())],
    [
      'an envelope of a presentation',
      async () => ({ id: `data:application/vp+jwt,${await present(await goodChain())}` }),
    ],
    ['an envelope without a usable id', () => ({ type: 'EnvelopedVerifiableCredential' })],
    [
      'an envelope that also carries a stock proof',
      async () => ({ ...(envelope(await rootOf()) as object), proof: { jwt: credential } }),
    ],
    [
      'an object with a vc+jwt as proof',
      async () => ({ issuer: owner.did, proof: { type: 'x', jwt: await rootOf() } }),
    ],
    ['a stock presentation around a vc+jwt', async () => stockPresentation(mallory, [await rootOf()])],
    ['a stock presentation around an envelope', async () => stockPresentation(mallory, [envelope(await rootOf())])],
    [
      'a stock presentation around JSON text around a vc+jwt',
      async () => stockPresentation(mallory, [JSON.stringify({ proof: { jwt: await rootOf() } })]),
    ],
    ['a nested JWT around a vc+jwt', async () => wrapped(await rootOf())],
    ['a string that is no JWT', () => 'nonsense'],
    ['a JWT whose header cannot be read', () => `e30x.${credential.split('.').slice(1).join('.')}`],
    ['a JWT whose payload cannot be read', () => `${credential.split('.')[0]!}.e30x.AAAA`],
    [
      'something without an end',
      () => {
        const document: { self?: unknown } = {}
        document.self = document
        return document
      },
    ],
  ])('%s: yes', async (_, document) => {
    expect(claims(await document())).toBe(true)
  })

  test.each<[string, unknown]>([
    ['a stock credential', credential],
    ['a stock credential as an object', { issuer: owner.did, proof: { type: 'JwtProof2020', jwt: credential } }],
    ['a stock presentation', stockPresentation(alice, [credential])],
    [
      'a Linked Data credential',
      { '@context': [VCDM_1], type: ['VerifiableCredential'], proof: { type: 'Ed25519Signature2018' } },
    ],
  ])('%s: no', (_, document) => {
    expect(claims(document)).toBe(false)
  })
})

describe('our refusals never fall through to the stock provider', () => {
  const ours = world()

  test('stock credentials and presentations still work behind ours', async () => {
    expect(await ours.credential(stockCredential(owner, alice))).toBe('verified')
    expect(await ours.presentation(stockPresentation(alice, [stockCredential(owner, alice)]))).toBe('verified')
  })

  test('a credential that only the stock provider likes is refused', async () => {
    expect(await credentialAnswer(stockAgent(), forBoth)).toBe('verified')
    expect(await ours.credential(forBoth)).toBe('JSON_NOT_CANONICAL')
  })

  test('the stock provider claims every string, so behind it ours is never asked', async () => {
    expect(new CredentialProviderJWT().canVerifyDocumentType({ document: 'nonsense' })).toBe(true)
    const { provider, agent } = world()
    const [stock] = [new CredentialProviderJWT()]
    const order = (...providers: ConstructorParameters<typeof CredentialPlugin>[0]) =>
      new CredentialPlugin(providers).methods.verifyCredential(
        { credential: forBoth, policies: { now: NOW } },
        {
          agent,
        },
      )
    expect(await order(stock, provider)).toMatchObject({ verified: true })
    expect(await order(provider, stock)).toMatchObject({ verified: false })
  })

  test('anybody can revive an expired stock credential by nesting it; ours nested are refused', async () => {
    const old = stockCredential(owner, alice, { nbf: NOW - 9000, exp: NOW - 6000 })
    expect(await credentialAnswer(stockAgent(), old)).toBe('invalid_jwt')
    expect(await credentialAnswer(stockAgent(), wrapped(old))).toBe('verified')
    expect(await credentialAnswer(stockAgent(), wrapped(forBoth))).toBe('verified')
    expect(await ours.credential(wrapped(forBoth))).toBe('JWS_HEADER')
  })

  test('a stock presentation around a forged vc+jwt is refused', async () => {
    const around = stockPresentation(mallory, [forged(forBoth)])
    expect(await presentationAnswer(stockAgent(), around)).toBe('verified')
    expect(await ours.presentation(around)).toBe('JSON_NOT_CANONICAL')
  })

  test('what cannot be read is refused; stock Veramo throws where a presentation is due', async () => {
    expect(await ours.credential('nonsense')).toBe('JWS_FORMAT')
    expect(await ours.presentation('nonsense')).toBe('JWS_FORMAT')
    await expect(presentationAnswer(stockAgent(), 'nonsense')).rejects.toThrow('invalid_jwt')
  })
})

describe('verifyCredential', () => {
  test('answers with what it verified, for a string and for an envelope', async () => {
    const { agent } = world()
    const token = await rootOf()
    for (const credential of [token, envelope(token) as never]) {
      const result = await agent.verifyCredential({ credential })
      expect(result).toMatchObject({ verified: true, issuer: owner.did, subject: planner.did, validUntil: NOW + 600 })
      expect(result['digest']).toMatch(/^uEi/)
    }
  })

  test('fetches nothing for an issuer that is not a root of the policy', async () => {
    const { fetched, ...ours } = world()
    const stranger = signWith({ ...rootClaims(), issuer: mallory.did, iss: mallory.did }, headerOf(mallory), mallory)
    expect(await ours.credential(stranger)).toBe('ROOT_UNTRUSTED')
    expect(fetched).toEqual([])
    expect(await ours.credential(await rootOf())).toBe('verified')
    expect(fetched).not.toEqual([])
  })

  test('refuses a delegation alone: the link above names its key', async () => {
    const ours = world()
    const [, leaf] = await goodChain()
    expect(await ours.credential(leaf)).toBe('ROOT_UNTRUSTED')
  })

  test('refuses a type outside its place, even of a trusted issuer', async () => {
    const ours = world()
    expect(await ours.credential(await rootOf({ type: 'AgentIdentityCredential' }))).toBe('CREDENTIAL_TYPE')
  })

  test('lets no argument switch a check off', async () => {
    const { agent } = world({ revoked: [INDEX] })
    const policies = {
      credentialStatus: false,
      expirationDate: false,
      issuanceDate: false,
      audience: false,
      now: NOW - 300,
    }
    expect(await credentialAnswer(agent, await rootOf(), { policies })).toBe('STATUS_REVOKED')
    expect(await credentialAnswer(agent, await rootOf({ validUntil: NOW - 1 }), { policies })).toBe('TIME_EXPIRED')
    expect(await credentialAnswer(world().agent, await rootOf(), { policies })).toBe('verified')
  })

  test('asks for status as the riskiest action that is granted does', async () => {
    const ageing = (risk: object) => world({ policy: { risk, maxStatusAge: { low: 300, critical: 0 } }, listAge: 7 })
    expect(await ageing({ book: 'low' }).credential(await rootOf())).toBe('verified')
    expect(await ageing({ quote: 'critical' }).credential(await rootOf())).toBe('STATUS_STALE')
  })

  test.each<[string, (token: string) => unknown]>([
    ['a member more', token => ({ ...(envelope(token) as object), issuer: owner.did })],
    ['a member less', token => ({ id: `data:application/vc+jwt,${token}`, type: 'EnvelopedVerifiableCredential' })],
    ['another context', token => ({ ...(envelope(token) as object), '@context': VCDM_1 })],
    [
      'the type of a presentation',
      token => ({ ...(envelope(token) as object), type: 'EnvelopedVerifiablePresentation' }),
    ],
  ])('refuses an envelope with %s', async (_, change) => {
    const token = await rootOf()
    expect(await world().credential(envelope(token))).toBe('verified')
    expect(await world().credential(change(token))).toBe('SCHEMA')
  })

  test('refuses an envelope whose data URL is of another type', async () => {
    const id = `data:application/vp+jwt,${await rootOf()}`
    expect(await world().credential({ ...(envelope('') as object), id })).toBe('CHAIN_ENVELOPE')
  })

  test('answers a defect of its surroundings with a refusal, not with an exception', async () => {
    const failing = (): never => {
      throw new TypeError('a defect')
    }
    const credential = await rootOf()
    const token = await present(await goodChain())
    const broken = world({ clock: failing }).agent
    expect(await credentialAnswer(broken, credential)).toBe('INTERNAL')
    expect(await presentationAnswer(broken, token, { request: REQUEST })).toBe('INTERNAL')
  })
})

describe('verifyPresentation', () => {
  test('hands out the decision', async () => {
    const { agent } = world()
    const presentation = await present(await goodChain())
    const asked = { presentation, request: REQUEST, domain: 'https://api.travel.example' }
    const { verified, decision } = await agent.verifyPresentation(asked)
    expect(verified).toBe(true)
    expect(decision).toMatchObject({
      allow: true,
      holder: booker.did,
      root: owner.did,
      path: [planner.did, booker.did],
    })
    const again = await agent.verifyPresentation(asked)
    expect(again).toMatchObject({
      verified: false,
      error: { errorCode: 'PRESENTATION_REPLAYED' },
      decision: { allow: false },
    })
  })

  test('hears an approval that came with the request', async () => {
    const grants = [{ resource: `${SELF}/**`, actions: ['book'], perCall: true }]
    const { agent } = world({ policy: { roots: [{ issuer: owner.did, grants, approvers: [alice.did] }] } })
    const presentation = await present(await goodChain())
    const { error, decision } = await agent.verifyPresentation({ presentation, request: REQUEST })
    expect(error).toMatchObject({ errorCode: 'APPROVAL_REQUIRED' })
    const { approval: asked } = decision as { approval: ApprovalRequest }
    const approval = await signApproval(alice, asked, 'terminal', 'A'.repeat(22), NOW)
    expect(await agent.verifyPresentation({ presentation, request: { ...REQUEST, approval } })).toMatchObject({
      verified: true,
      decision: { approvedBy: { did: alice.did } },
    })
  })

  test('accepts an EnvelopedVerifiablePresentation', async () => {
    const ours = world()
    const id = `data:application/vp+jwt,${await present(await goodChain())}`
    const enveloped = {
      '@context': 'https://www.w3.org/ns/credentials/v2',
      id,
      type: 'EnvelopedVerifiablePresentation',
    }
    expect(await ours.presentation({ ...enveloped, holder: booker.did })).toBe('SCHEMA')
    expect(await ours.presentation(enveloped)).toBe('verified')
  })

  test("refuses JSON of the attacker's choice around a good presentation, which stock Veramo reads past", async () => {
    const around = (jwt: string) => ({ holder: mallory.did, proof: { type: 'x', jwt } })
    const good = stockPresentation(alice, [stockCredential(owner, alice)])
    expect(await presentationAnswer(stockAgent(), around(good))).toBe('verified')
    const ours = world()
    const token = await present(await goodChain())
    expect(await ours.presentation(around(token))).toBe('SCHEMA')
    expect(await ours.presentation(token)).toBe('verified')
  })

  test.each<[string, object, string]>([
    ['without a request', {}, 'SCHEMA'],
    ['with half a request', { request: { method: 'POST', url: REQUEST.url } }, 'SCHEMA'],
    ['with params that are no object', { request: { ...REQUEST, params: null } }, 'SCHEMA'],
    ['for another request', { request: { ...REQUEST, params: { fare: 'first' } } }, 'REQUEST_PARAMS'],
    ['for another domain', { request: REQUEST, domain: 'https://api.mallory.example' }, 'PRESENTATION_AUDIENCE'],
    ['with a challenge, which the policy and not the caller checks', { request: REQUEST, challenge: 'n-1' }, 'SCHEMA'],
  ])('refuses a presentation %s, and does not use it up', async (_, extra, code) => {
    const { agent } = world()
    const token = await present(await goodChain())
    expect(await presentationAnswer(agent, token, extra)).toBe(code)
    expect(await presentationAnswer(agent, token, { request: REQUEST })).toBe('verified')
  })

  test('refuses a credential in the place of a presentation, and the other way round', async () => {
    const asked = world()
    expect(await asked.presentation(signWith(rootClaims(), headerWithoutCty('vc+jwt'), owner))).toBe('JWS_TYP')
    expect(await asked.credential(signWith(presentationClaims([]), headerWithoutCty('vp+jwt'), booker))).toBe('JWS_TYP')
  })
})

describe('createVerifiableCredential', () => {
  let agent: Agent
  let issued: ReturnType<typeof world>
  const payload = (): ICreateVerifiableCredentialArgs['credential'] => {
    const { issuer, type, '@context': context, credentialSubject, credentialStatus } = rootClaims()
    const written = {
      issuer,
      type,
      '@context': context,
      credentialSubject,
      credentialStatus,
      validUntil: toDate(NOW + 600),
    }
    return structuredClone(written) as unknown as ICreateVerifiableCredentialArgs['credential']
  }
  const create = (credential: ICreateVerifiableCredentialArgs['credential'], more: object = {}) =>
    agent.createVerifiableCredential({ credential, proofFormat: 'vc+jwt', ...more })

  beforeAll(async () => {
    issued = world()
    agent = issued.agent
    const seed = Buffer.from(owner.privateKey.export({ format: 'jwk' }).d!, 'base64url')
    const privateKeyHex = Buffer.concat([seed, owner.key.bytes]).toString('hex')
    const keys = [{ kid: 'owner-key', kms: 'local', type: 'Ed25519' as const, privateKeyHex }]
    await agent.didManagerImport({ did: owner.did, provider: 'did:key', keys })
  })

  test('signs a credential of the profile that verifies here', async () => {
    const enveloped = await create(payload())
    expect(enveloped).toMatchObject({ type: 'EnvelopedVerifiableCredential' })
    expect(await issued.credential(enveloped)).toBe('verified')
    const token = String(enveloped.id).slice('data:application/vc+jwt,'.length)
    expect(
      await issued.decide(await present([token, await delegationOf(token, { issuedAt: NOW, validFrom: NOW })])),
    ).toBe('verified')
  })

  test("drops what the plugin wrote into the caller's payload", async () => {
    const credential = payload()
    const { id } = await create(credential)
    expect(credential.issuanceDate).toBeDefined()
    expect(credential['@context']).toContain(VCDM_1)
    const claims = Buffer.from(String(id).split('.')[1]!, 'base64url').toString()
    expect(claims).not.toContain('issuanceDate')
    expect(claims).not.toContain(VCDM_1)
  })

  test('takes the key by its reference', async () => {
    expect(await issued.credential(await create(payload(), { keyRef: 'owner-key' }))).toBe('verified')
    await expect(create(payload(), { keyRef: 'another' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('signs for did:web with its Ed25519 key, named as Veramo names it', async () => {
    const did = 'did:web:travel.example'
    const seed = Buffer.from(alice.privateKey.export({ format: 'jwk' }).d!, 'base64url')
    const privateKeyHex = Buffer.concat([seed, alice.key.bytes]).toString('hex')
    const keys = [
      { kid: 'another', kms: 'local', type: 'Secp256k1' as const, privateKeyHex: '11'.repeat(32) },
      { kid: 'k1', kms: 'local', type: 'Ed25519' as const, privateKeyHex },
    ]
    await agent.didManagerImport({ did, provider: 'did:key', keys })
    const { id } = await create({ ...payload(), issuer: did })
    const token = String(id).slice('data:application/vc+jwt,'.length)
    const sealed = readJws(token, 'vc+jwt', 8192, 'credential')
    expect(sealed.kid).toBe('did:web:travel.example#k1')
    expect(openJws(sealed, alice.key)).toMatchObject({ iss: did, issuer: did })
  })

  test.each<[string, object, string]>([
    ['a type outside the profile', { type: ['VerifiableCredential', 'DiplomaCredential'] }, 'CREDENTIAL_TYPE'],
    ['no type of its own', { type: ['VerifiableCredential'] }, 'CREDENTIAL_TYPE'],
    ['two types', { type: ['AgentCapabilityCredential', 'AgentIdentityCredential'] }, 'CREDENTIAL_TYPE'],
    [
      'a status list, which issuers publish and never this way',
      { type: ['BitstringStatusListCredential'] },
      'CREDENTIAL_TYPE',
    ],
    ['another context', { '@context': ['https://www.w3.org/ns/credentials/v2'] }, 'CREDENTIAL_CONTEXT'],
    ['an expiry of VCDM 1.1, which would be lost', { expirationDate: toDate(NOW + 60) }, 'SCHEMA'],
    ['a member nobody would honour', { termsOfUse: [{ type: 'x' }] }, 'SCHEMA'],
    ['no end', { validUntil: undefined }, 'SCHEMA'],
    ['an end in another form', { validUntil: '2026-11-22' }, 'SCHEMA'],
    ['an end before its beginning', { validUntil: toDate(NOW - 1) }, 'TIME_CONFLICT'],
    ['a beginning before it is issued', { validFrom: toDate(NOW - 60) }, 'TIME_CONFLICT'],
    ['a subject without authority', { credentialSubject: { id: planner.did } }, 'SCHEMA'],
    [
      'a subject that holds more',
      { credentialSubject: { ...(rootClaims()['credentialSubject'] as object), role: 'admin' } },
      'CAVEAT_UNKNOWN',
    ],
    [
      "a key that is not the subject's",
      { cnf: { jwk: { kty: 'OKP', crv: 'Ed25519', x: mallory.key.x } } },
      'KEY_BINDING',
    ],
    [
      'a private key',
      { cnf: { jwk: { kty: 'OKP', crv: 'Ed25519', x: planner.key.x, d: planner.key.x } } },
      'KEY_PRIVATE',
    ],
    [
      'a weak key',
      {
        credentialSubject: { ...(rootClaims()['credentialSubject'] as object), id: 'did:web:a.example' },
        cnf: { jwk: { kty: 'OKP', crv: 'Ed25519', x: toBase64url(new Uint8Array(32)) } },
      },
      'KEY_WEAK',
    ],
    ['an id that is no UUID', { id: 'https://travel.example/1' }, 'SCHEMA'],
  ])('refuses a payload with %s', async (_, change, code) => {
    await expect(create({ ...payload(), ...change })).rejects.toMatchObject({ code })
    await expect(create(payload())).resolves.toBeDefined()
  })

  test('refuses to save: the data store cannot hold an envelope', async () => {
    await expect(create(payload(), { save: true })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  test('refuses an issuer whose keys the agent does not hold', async () => {
    await expect(create({ ...payload(), issuer: mallory.did })).rejects.toThrow('must be a DID managed by this agent')
  })

  test('refuses vp+jwt in both places, with its reason', async () => {
    await expect(create(payload(), { proofFormat: 'vp+jwt' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    const presentation = { holder: owner.did, verifiableCredential: [await rootOf()] }
    const made = agent.createVerifiablePresentation({ presentation, proofFormat: 'vp+jwt' })
    await expect(made).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  test('is listed for Ed25519 keys only', async () => {
    const identifier = await agent.didManagerGet({ did: owner.did })
    expect(await agent.listUsableProofFormats(identifier)).toEqual(['vc+jwt', 'jwt'])
    expect(
      issued.provider.getProofFormatsSupportedForKey({ kid: 'k', kms: 'local', type: 'Secp256k1', publicKeyHex: '' }),
    ).toEqual([])
  })
})

test('an agent made from the plugin alone is enough to verify', async () => {
  const { provider } = world()
  const agent = createAgent<Pick<Agent, 'verifyCredential'> & Record<string, never>>({
    plugins: [new CredentialPlugin([provider])],
  })
  expect(await credentialAnswer(agent as unknown as Agent, await rootOf())).toBe('verified')
})
