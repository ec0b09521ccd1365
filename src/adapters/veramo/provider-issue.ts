import type {
  ICreateVerifiableCredentialArgs,
  IKey,
  IssuerAgentContext,
  VerifiableCredential,
} from '@veramo/core-types'
import { authorityShape } from '../../authority/authority.js'
import {
  CONTEXTS,
  MAX_CREDENTIAL,
  readCredential,
  toCredentialJson,
  type CredentialDraft,
} from '../../credential/credential.js'
import { IDENTITY, identityShape } from '../../credential/identity.js'
import { CAPABILITY, DELEGATION } from '../../delegation/chain.js'
import { isDid, methodOf, type Did } from '../../did/did.js'
import { didKeyUrl, fromDidKey } from '../../did/key.js'
import { parseJwk, parsePublicKey, type PublicKey } from '../../ed25519.js'
import { ProcuraError } from '../../errors.js'
import { canonicalize, isObject, member, type Json, type JsonObject } from '../../json.js'
import { openJws, readJws, signJws, type Signer } from '../../jws/compact.js'
import type { Clock, Ids } from '../../ports/world.js'
import { envelope } from '../../presentation/envelope.js'
import { object, read, text, where, type Shape } from '../../shape.js'
import { fromDate } from '../../time.js'

const VCDM_1 = 'https://www.w3.org/2018/credentials/v1'

const did = where(isDid, 'is not a DID')
const anything: Shape<unknown> = value => value
const date = where(
  (value): value is string => typeof value === 'string' && fromDate(value) !== null,
  'is not YYYY-MM-DDTHH:MM:SSZ',
)

/** What each type of the profile says of its subject. */
const SUBJECTS: ReadonlyMap<string, Shape<{ readonly id: Did }>> = new Map<string, Shape<{ readonly id: Did }>>([
  [CAPABILITY, object({ id: did, authority: authorityShape }, 'CAVEAT_UNKNOWN')],
  [DELEGATION, object({ id: did, authority: authorityShape }, 'CAVEAT_UNKNOWN')],
  [IDENTITY, identityShape],
])

/** A Veramo payload. `issuanceDate` is not read: the plugin writes it into every payload, so it says nothing. */
const payloadShape = object({
  '@context': { optional: anything },
  id: { optional: text() },
  type: anything,
  issuer: did,
  validFrom: { optional: date },
  validUntil: date,
  issuanceDate: { optional: anything },
  cnf: { optional: where(isObject, 'is not an object') },
  credentialSubject: where(isObject, 'is not an object'),
  credentialStatus: { optional: where((value): value is Json => value !== null, 'is null') },
})

/**
 * Signs a payload as a credential of the profile, and opens what was signed as a verifier would before it hands it out:
 * a credential that nobody could use is refused to its issuer, who can correct it.
 *
 * @throws NOT_FOUND and the codes of step 8 of profile §6
 */
export async function issueCredential(
  { credential, keyRef }: ICreateVerifiableCredentialArgs,
  context: IssuerAgentContext,
  { clock, ids }: { readonly clock: Clock; readonly ids: Ids },
): Promise<VerifiableCredential> {
  const draft = readDraft(credential, clock, ids)
  const { signer, key } = await agentSigner(draft.issuer, keyRef, context)
  const token = await signJws(toCredentialJson(draft), 'vc+jwt', signer)
  const sealed = readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'credential')
  readCredential(openJws(sealed, key), sealed, draft.type, subjectOf(draft.type))
  return envelope(token) as unknown as VerifiableCredential
}

function readDraft(payload: Json, clock: Clock, ids: Ids): CredentialDraft {
  const raw = read(payloadShape, payload, 'credential')
  const context = raw['@context'] === undefined ? CONTEXTS : withoutVcdm1(raw['@context'])
  if (canonicalize(context) !== canonicalize(CONTEXTS))
    throw new ProcuraError('CREDENTIAL_CONTEXT', { at: 'credential.@context' })
  const now = clock.now()
  const { id, ...claims } = raw.credentialSubject
  const subject = read(did, id, 'credential.credentialSubject.id')
  return {
    id: raw.id ?? `urn:uuid:${ids.uuid()}`,
    type: typeOf(raw.type),
    issuer: raw.issuer,
    subject,
    key: confirmationKey(subject, raw.cnf),
    issuedAt: now,
    validFrom: raw.validFrom === undefined ? now : (fromDate(raw.validFrom) ?? NaN),
    validUntil: fromDate(raw.validUntil) ?? NaN,
    claims,
    ...(raw.credentialStatus === undefined ? {} : { status: raw.credentialStatus }),
  }
}

/** The plugin puts the context of VCDM 1.1 in front of the caller's own array. */
function withoutVcdm1(context: unknown): unknown {
  return Array.isArray(context) ? context.filter(one => one !== VCDM_1) : context
}

function typeOf(type: unknown): string {
  const [own, ...more] = [type].flat().filter(one => one !== 'VerifiableCredential')
  if (typeof own === 'string' && more.length === 0 && SUBJECTS.has(own)) return own
  throw new ProcuraError('CREDENTIAL_TYPE', {
    at: 'credential.type',
    expected: `one of ${[...SUBJECTS.keys()].join(', ')}`,
  })
}

function subjectOf(type: string): Shape<{ readonly id: Did }> {
  return SUBJECTS.get(type) ?? identityShape
}

/** The subject's key: `cnf`, or the DID itself where it is a key. */
function confirmationKey(subject: Did, cnf: JsonObject | undefined): PublicKey {
  const stated = cnf === undefined ? null : parseJwk(member(cnf, 'jwk') ?? null, 'credential.cnf.jwk')
  const own = methodOf(subject) === 'key' ? fromDidKey(subject) : null
  const key = own ?? stated
  if (key === null || (cnf !== undefined && stated === null)) {
    throw new ProcuraError('SCHEMA', { at: 'credential.cnf', why: 'holds no Ed25519 key as jwk' })
  }
  if (stated !== null && stated.x !== key.x) throw new ProcuraError('KEY_BINDING', { did: subject, purpose: 'cnf' })
  return key
}

/** A key of the agent as a signer. It is named as Veramo's own documents name keys, a did:key as its method does. */
async function agentSigner(
  issuer: Did,
  keyRef: string | undefined,
  { agent }: IssuerAgentContext,
): Promise<{ readonly signer: Signer; readonly key: PublicKey }> {
  const { keys } = await agent.didManagerGet({ did: issuer })
  const own = keys.find(({ type, kid }) => type === 'Ed25519' && (keyRef === undefined || kid === keyRef))
  if (own === undefined) throw new ProcuraError('NOT_FOUND', { what: `Ed25519 key of ${issuer}` })
  const isDidKey = methodOf(issuer) === 'key'
  return {
    key: isDidKey ? fromDidKey(issuer) : publicKeyOf(own),
    signer: {
      did: issuer,
      kid: isDidKey ? didKeyUrl(issuer) : `${issuer}#${own.kid}`,
      async sign(bytes) {
        const data = Buffer.from(bytes).toString()
        const signature = await agent.keyManagerSign({ keyRef: own.kid, algorithm: 'EdDSA', data, encoding: 'utf-8' })
        return Buffer.from(signature, 'base64url')
      },
    },
  }
}

function publicKeyOf({ publicKeyHex, kid }: IKey): PublicKey {
  return parsePublicKey(Buffer.from(publicKeyHex, 'hex'), kid)
}
