import { isDid, type Did } from '../did/did.js'
import { isKeyText, knownKey, parsePublicKey, PRIVATE_MEMBERS, toJwk, type PublicKey } from '../ed25519.js'
import type { Digest } from '../encoding.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import { isObject, member, type Json, type JsonObject } from '../json.js'
import type { Sealed, Verified } from '../jws/compact.js'
import { oneOf, read, text, where, type Report, type Shape } from '../shape.js'
import { fromDate, toDate, type UnixSeconds } from '../time.js'

/** The contexts of every token of the profile, in this order. Never fetched. */
export const CONTEXTS = ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1'] as const

/** Largest credential, in characters of its compact form. */
export const MAX_CREDENTIAL = 8 * 1024

/** What an issuer says of a subject, `S`, and for how long. Read from verified bytes. */
export interface Credential<S> {
  readonly id: string
  readonly digest: Digest
  readonly issuer: Did
  readonly subject: Did
  /** the subject's key: who may sign the next link */
  readonly key: PublicKey
  readonly issuedAt: UnixSeconds
  readonly validFrom: UnixSeconds
  readonly validUntil: UnixSeconds
  readonly claims: S
  /** `credentialStatus` as it stands; judged when the status is checked, not here */
  readonly status: Json | undefined
}

/** What an issuer fills in. */
export interface CredentialDraft {
  readonly id: string
  readonly type: string
  readonly issuer: Did
  readonly subject: Did
  readonly key: PublicKey
  readonly issuedAt: UnixSeconds
  readonly validFrom: UnixSeconds
  readonly validUntil: UnixSeconds
  /** members of `credentialSubject` beside `id` */
  readonly claims: JsonObject
  readonly status?: Json
}

/** The claims of a VC 2.0 `vc+jwt` (profile §2). @see https://www.w3.org/TR/vc-jose-cose/#securing-with-jose */
export function toCredentialJson(draft: CredentialDraft): JsonObject {
  return {
    '@context': CONTEXTS,
    id: draft.id,
    type: ['VerifiableCredential', draft.type],
    issuer: draft.issuer,
    iss: draft.issuer,
    sub: draft.subject,
    iat: draft.issuedAt,
    exp: draft.validUntil,
    validFrom: toDate(draft.validFrom),
    validUntil: toDate(draft.validUntil),
    cnf: { jwk: { ...toJwk(draft.key) } },
    credentialSubject: { id: draft.subject, ...draft.claims },
    ...(draft.status === undefined ? {} : { credentialStatus: draft.status }),
  }
}

/**
 * Reads a credential of the profile from verified claims: step 8 of §6 but for the binding of its key.
 *
 * @param type - the one type due at this place
 * @param subject - reads `credentialSubject` as a whole, `id` included
 * @throws SCHEMA, CAVEAT_UNKNOWN, CREDENTIAL_CONTEXT, CREDENTIAL_TYPE, CREDENTIAL_ISSUER, CREDENTIAL_SUBJECT,
 *   TIME_FORMAT, TIME_CONFLICT, KEY_PRIVATE, KEY_WEAK, and what `subject` reports
 */
export function readCredential<S extends { readonly id: Did }>(
  claims: Verified<JsonObject>,
  { digest }: Pick<Sealed, 'digest'>,
  type: string,
  subject: Shape<S>,
): Credential<S> {
  const shape: Shape<Credential<S>> = (_, at, report) => {
    refuseForeignMembers(claims, at, report)
    requireType(claims, type, at, report)
    const issuer = didShape(member(claims, 'issuer'), `${at}.issuer`, report)
    if (member(claims, 'iss') !== issuer) {
      report(new ProcuraError('CREDENTIAL_ISSUER', { iss: show(member(claims, 'iss')), issuer: show(issuer) }))
    }
    const claimed = subject(member(claims, 'credentialSubject'), `${at}.credentialSubject`, report)
    if (member(claims, 'sub') !== claimed.id) {
      report(new ProcuraError('CREDENTIAL_SUBJECT', { sub: show(member(claims, 'sub')), subject: show(claimed.id) }))
    }
    return {
      id: idShape(member(claims, 'id'), `${at}.id`, report),
      digest,
      issuer,
      subject: claimed.id,
      key: confirmationKey(member(claims, 'cnf'), `${at}.cnf`, report),
      ...readTimes(claims, at, report),
      claims: claimed,
      status: member(claims, 'credentialStatus'),
    }
  }
  return read(shape, claims, 'credential')
}

/** Lower-case v4 or v7 UUID as a URN: a label, not an identity. */
export const URN_UUID = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** Members that would change what a credential means if they were ignored. Others at the top are ignored. */
function refuseForeignMembers(claims: JsonObject, at: string, report: Report): void {
  for (const name of ['vc', 'vp', 'nbf']) {
    if (Object.hasOwn(claims, name))
      report(new ProcuraError('SCHEMA', { at: `${at}.${name}`, why: 'has no place here' }))
  }
  for (const name of ['termsOfUse', 'proof']) {
    if (Object.hasOwn(claims, name)) report(new ProcuraError('CAVEAT_UNKNOWN', { at: `${at}.${name}` }))
  }
}

/** Requires exactly the two contexts. Reports CREDENTIAL_CONTEXT. */
export function requireContext(claims: JsonObject, at: string, report: Report): void {
  if (!isPair(member(claims, '@context'), ...CONTEXTS)) {
    report(new ProcuraError('CREDENTIAL_CONTEXT', { at: `${at}.@context` }))
  }
}

/** Requires the two contexts and the two types. Reports CREDENTIAL_CONTEXT, CREDENTIAL_TYPE. */
export function requireType(
  claims: JsonObject,
  type: string,
  at: string,
  report: Report,
  base = 'VerifiableCredential',
): void {
  requireContext(claims, at, report)
  if (!isPair(member(claims, 'type'), base, type)) {
    report(new ProcuraError('CREDENTIAL_TYPE', { at: `${at}.type`, expected: `${base}, ${type}` }))
  }
}

function isPair(value: Json | undefined, first: string, second: string): boolean {
  return Array.isArray(value) && value.length === 2 && value[0] === first && value[1] === second
}

const didShape = where(isDid, 'is not a DID')
const idShape = text(URN_UUID)
const [ktyShape, crvShape] = [oneOf('OKP'), oneOf('Ed25519')]
const xShape = where(isKeyText, 'is not base64url of 32 bytes')
const JWK_MEMBERS = new Set(['crv', 'kty', 'x', ...PRIVATE_MEMBERS])

/** Reads `iat`, `validFrom`, `validUntil`, `exp` and their order. Reports TIME_FORMAT, TIME_CONFLICT. */
export function readTimes(
  claims: JsonObject,
  at: string,
  report: Report,
): Pick<Credential<unknown>, 'issuedAt' | 'validFrom' | 'validUntil'> {
  const second = (name: string): UnixSeconds => {
    const value = member(claims, name)
    if (typeof value === 'number' && Number.isSafeInteger(value)) return value
    report(new ProcuraError('TIME_FORMAT', { at: `${at}.${name}` }))
    return NaN
  }
  const date = (name: string): UnixSeconds => {
    const value = member(claims, name)
    const instant = typeof value === 'string' ? fromDate(value) : null
    if (instant === null) report(new ProcuraError('TIME_FORMAT', { at: `${at}.${name}` }))
    return instant ?? NaN
  }
  const times = { issuedAt: second('iat'), validFrom: date('validFrom'), validUntil: date('validUntil') }
  const exp = second('exp')
  const conflict = (why: string): void => report(new ProcuraError('TIME_CONFLICT', { why }))
  if (exp !== times.validUntil) conflict('exp is not validUntil')
  if (times.issuedAt > times.validFrom) conflict('iat is after validFrom')
  if (times.validFrom >= times.validUntil) conflict('validUntil is not after validFrom')
  return times
}

/** Reads `{"jwk": {crv, kty, x}}` with exactly these members. Reports SCHEMA, KEY_PRIVATE, KEY_WEAK. */
function confirmationKey(cnf: Json | undefined, at: string, report: Report): PublicKey {
  const jwk = isObject(cnf) ? member(cnf, 'jwk') : undefined
  const schema = (place: string, why: string): void => report(new ProcuraError('SCHEMA', { at: place, why }))
  if (!isObject(cnf) || !isObject(jwk) || Object.keys(cnf).length !== 1) {
    schema(at, 'is not an object with exactly jwk')
    return undefined as never
  }
  const secret = PRIVATE_MEMBERS.find(name => Object.hasOwn(jwk, name))
  if (secret !== undefined) report(new ProcuraError('KEY_PRIVATE', { at: `${at}.jwk.${secret}` }))
  for (const name of Object.keys(jwk)) {
    if (!JWK_MEMBERS.has(name)) schema(`${at}.jwk.${name}`, 'is not a known member')
  }
  ktyShape(member(jwk, 'kty'), `${at}.jwk.kty`, report)
  crvShape(member(jwk, 'crv'), `${at}.jwk.crv`, report)
  const x = member(jwk, 'x')
  const known = typeof x === 'string' ? knownKey(x) : undefined
  if (known !== undefined) return known
  xShape(x, `${at}.jwk.x`, report)
  try {
    return parsePublicKey(Buffer.from(isKeyText(x) ? x : '', 'base64url'), `${at}.jwk`)
  } catch (error) {
    if (isProcuraError(error)) report(error)
    return undefined as never
  }
}

function show(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 80) : typeof value
}
