import { createAgent } from '@veramo/core'
import type { ICreateVerifiableCredentialArgs, ICreateVerifiablePresentationArgs } from '@veramo/core-types'
import { CredentialPlugin, type ICredentialProvider } from '@veramo/credential-w3c'
import { expect, test } from 'vitest'
import { envelope } from '../../src/presentation/envelope.js'
import { credentialAnswer, RevokedPlugin, stockAgent } from './stock.js'
import { rootOf, world } from './world.js'

const VCDM_1 = 'https://www.w3.org/2018/credentials/v1'
const VCDM_2 = 'https://www.w3.org/ns/credentials/v2'

/** A provider that says yes to everything and keeps what reached it. */
function recorder(): { readonly provider: ICredentialProvider; readonly seen: unknown[] } {
  const seen: unknown[] = []
  const keep = (args: unknown): Promise<never> => {
    seen.push(args)
    return Promise.resolve({ verified: true } as never)
  }
  return {
    seen,
    provider: {
      getProofFormatsSupportedForKey: () => [],
      canIssueProofFormat: () => true,
      canVerifyDocumentType: () => true,
      createVerifiableCredential: keep,
      createVerifiablePresentation: keep,
      verifyCredential: keep,
      verifyPresentation: keep,
    },
  }
}

test("createVerifiableCredential writes issuanceDate, and VCDM 1.1 into the arrays, of the caller's own object", async () => {
  const { provider, seen } = recorder()
  const agent = stockAgent([provider])
  const { did } = await agent.didManagerCreate({ provider: 'did:key' })
  const credential: ICreateVerifiableCredentialArgs['credential'] = { issuer: did, '@context': [VCDM_2], type: ['Own'] }
  await agent.createVerifiableCredential({ credential, proofFormat: 'vc+jwt' })
  expect(credential.issuanceDate).toMatch(/^\d{4}-/)
  expect(credential['@context']).toEqual([VCDM_1, VCDM_2])
  expect(credential.type).toEqual(['VerifiableCredential', 'Own'])
  expect(seen).toEqual([expect.objectContaining({ credential, proofFormat: 'vc+jwt' })])
})

test('createVerifiablePresentation fails on an enveloped credential before a provider is asked', async () => {
  const { provider, seen } = recorder()
  const agent = stockAgent([provider])
  const make = (verifiableCredential: unknown) =>
    agent.createVerifiablePresentation({
      presentation: {
        holder: 'did:example:1',
        verifiableCredential,
      } as ICreateVerifiablePresentationArgs['presentation'],
      proofFormat: 'vp+jwt',
    })
  await expect(make([envelope(await rootOf())])).rejects.toThrow(TypeError)
  expect(seen).toEqual([])
  await make([await rootOf()])
  expect(seen).toHaveLength(1)
})

test('extra arguments of verifyPresentation reach the provider', async () => {
  const { provider, seen } = recorder()
  const request = { method: 'GET' }
  await stockAgent([provider]).verifyPresentation({ presentation: 'x', request })
  expect(seen).toEqual([{ presentation: 'x', request }])
})

test('the first provider that claims a document answers alone', async () => {
  const { provider, seen } = recorder()
  const second = recorder()
  expect(await stockAgent([provider, second.provider]).verifyCredential({ credential: 'x' })).toEqual({
    verified: true,
  })
  expect(seen).toHaveLength(1)
  expect(second.seen).toHaveLength(0)
})

test('an object with credentialStatus makes verifyCredential throw where no status plugin is installed', async () => {
  const { provider } = recorder()
  const verify = (credential: object) => stockAgent([provider]).verifyCredential({ credential: credential as never })
  await expect(verify({ credentialStatus: { id: 'x', type: 'x' } })).rejects.toThrow('invalid_setup')
  expect(await verify({})).toEqual({ verified: true })
})

test('a status plugin is asked about an object that our provider refused, and hides the code', async () => {
  const status = new RevokedPlugin()
  const agent = stockAgent([world().provider], [status])
  const refused = { credentialStatus: { id: 'https://mallory.example' }, proof: { jwt: await rootOf() } }
  expect(await credentialAnswer(agent, refused, { policies: { credentialStatus: false } })).toBe('SCHEMA')
  expect(status.asked).toBe(0)
  expect(await credentialAnswer(agent, refused)).toBe('revoked')
  expect(status.asked).toBe(1)
})

test('execute() turns every result into JSON text, so a result with a cycle is lost in an exception', async () => {
  let written = 0
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const plain = { toJSON: () => (written += 1) }
  const agent = createAgent({
    plugins: [{ methods: { answer: () => Promise.resolve(plain), goRound: () => Promise.resolve(cycle) } }],
  })
  expect(await agent.execute('answer', {})).toBe(plain)
  expect(written).toBe(1)
  await expect(agent.execute('goRound', {})).rejects.toThrow('circular')
})

test('KeyDIDProvider makes an Ed25519 key when asked for Secp256r1', async () => {
  const agent = stockAgent()
  const made = async (type: string) => {
    const { keys } = await agent.didManagerCreate({ provider: 'did:key', options: { key: { type } } })
    return keys.map(key => key.type)
  }
  expect(await made('Secp256r1')).toEqual(['Ed25519'])
  expect(await made('Secp256k1')).toEqual(['Secp256k1'])
})

test('a document that no provider claims is an exception', async () => {
  const agent = createAgent({ plugins: [new CredentialPlugin([])] })
  await expect(agent.execute('verifyCredential', { credential: 'x' })).rejects.toThrow('invalid_setup')
})
