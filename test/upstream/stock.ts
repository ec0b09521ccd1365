import { createAgent } from '@veramo/core'
import type {
  IAgentPlugin,
  ICredentialPlugin,
  IDIDManager,
  IKeyManager,
  IResolver,
  IVerifyResult,
  TAgent,
  W3CVerifiableCredential,
} from '@veramo/core-types'
import { CredentialProviderJWT } from '@veramo/credential-jwt'
import { CredentialPlugin, type ICredentialProvider } from '@veramo/credential-w3c'
import { DIDManager, MemoryDIDStore } from '@veramo/did-manager'
import { KeyDIDProvider } from '@veramo/did-provider-key'
import { DIDResolverPlugin } from '@veramo/did-resolver'
import { KeyManager, MemoryKeyStore, MemoryPrivateKeyStore } from '@veramo/key-manager'
import { KeyManagementSystem } from '@veramo/kms-local'
import { getResolver } from 'key-did-resolver'
import { NOW, signText, type Actor } from './actors.js'

export type Agent = TAgent<ICredentialPlugin & IDIDManager & IKeyManager & IResolver>

/** Veramo 7.0.1 as its documentation sets it up; other providers stand before the stock one. */
export function stockAgent(
  providers: readonly ICredentialProvider[] = [],
  plugins: readonly IAgentPlugin[] = [],
): Agent {
  return createAgent<ICredentialPlugin & IDIDManager & IKeyManager & IResolver>({
    plugins: [
      new KeyManager({
        store: new MemoryKeyStore(),
        kms: { local: new KeyManagementSystem(new MemoryPrivateKeyStore()) },
      }),
      new DIDManager({
        store: new MemoryDIDStore(),
        defaultProvider: 'did:key',
        providers: { 'did:key': new KeyDIDProvider({ defaultKms: 'local' }) },
      }),
      new DIDResolverPlugin({ ...getResolver() }),
      new CredentialPlugin([...providers, new CredentialProviderJWT()]),
      ...plugins,
    ],
  })
}

/** A status plugin that says "revoked" of everything, and counts how often it was asked. */
export class RevokedPlugin implements IAgentPlugin {
  asked = 0
  readonly methods = {
    checkCredentialStatus: (): Promise<{ revoked: boolean }> => {
      this.asked += 1
      return Promise.resolve({ revoked: true })
    },
  }
}

const HEADER = { alg: 'EdDSA', typ: 'JWT' }
const VCDM_1 = 'https://www.w3.org/2018/credentials/v1'

/** A VCDM 1.1 credential for `subject` as Veramo's JWT provider makes it; `payload` overrides claims, `undefined` drops one. */
export function stockCredential(issuer: Actor, subject: Actor, payload: object = {}, header: object = {}): string {
  const claims = {
    iss: issuer.did,
    sub: subject.did,
    nbf: NOW - 600,
    exp: NOW + 600,
    vc: { '@context': [VCDM_1], type: ['VerifiableCredential'], credentialSubject: { may: 'book' } },
    ...payload,
  }
  return signText(JSON.stringify({ ...HEADER, ...header }), JSON.stringify(claims), issuer)
}

/** A VCDM 1.1 presentation for nobody in particular. */
export function stockPresentation(
  holder: Actor,
  credentials: readonly unknown[],
  payload: object = {},
  header: object = {},
): string {
  const vp = { '@context': [VCDM_1], type: ['VerifiablePresentation'], verifiableCredential: credentials }
  const claims = { iss: holder.did, nbf: NOW - 10, exp: NOW + 50, vp, ...payload }
  return signText(JSON.stringify({ ...HEADER, ...header }), JSON.stringify(claims), holder)
}

const AT_NOW = { policies: { now: NOW } }

/** `verified`, or the error code of `agent.verifyCredential` at {@link NOW}. */
export async function credentialAnswer(agent: Agent, credential: unknown, extra: object = {}): Promise<string> {
  return nameOf(
    await agent.verifyCredential({ credential: credential as W3CVerifiableCredential, ...AT_NOW, ...extra }),
  )
}

/** `verified`, or the error code of `agent.verifyPresentation` at {@link NOW}. */
export async function presentationAnswer(agent: Agent, presentation: unknown, extra: object = {}): Promise<string> {
  return nameOf(await agent.verifyPresentation({ presentation: presentation as string, ...AT_NOW, ...extra }))
}

function nameOf({ verified, error }: IVerifyResult): string {
  return verified ? 'verified' : (error?.errorCode ?? 'no code')
}
