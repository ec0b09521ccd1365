import { CONTEXTS, MAX_CREDENTIAL, requireContext, requireType } from '../credential/credential.js'
import { isDid, type Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { isDigest, isS256, type Digest } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import { isObject, member, type Json } from '../json.js'
import { openJws, readJws, type Sealed, type Verified } from '../jws/compact.js'
import { entryShape, envelope, openEnvelope } from './envelope.js'
import { integer, listOf, object, read, text, where, type Report, type Shape } from '../shape.js'
import { SKEW, type UnixSeconds } from '../time.js'

/** Largest presentation, or proof by reference with identity credentials in it, in characters of its compact form. */
export const MAX_PRESENTATION = 48 * 1024
/** Longest life of a presentation, in seconds. */
export const MAX_LIFETIME = 120

/** The type beside VerifiablePresentation. */
export const PRESENTATION = 'AgentRequestPresentation'

/** What a presentation binds itself to (profile §5.1). */
export interface SignedRequest {
  readonly htm: string
  readonly htu: string
  readonly bodyDigest?: string
  readonly action: string
  readonly resource: string
  readonly paramsDigest: string
  readonly purpose?: string
  readonly provenance?: readonly { readonly source: string; readonly s256: string }[]
}

/** The claims of a `vp+jwt`, without its credentials. */
export interface Presentation {
  readonly holder: Did
  readonly iss: Did
  readonly aud: string
  readonly iat: UnixSeconds
  readonly exp: UnixSeconds
  readonly jti: string
  readonly nonce?: string
  /** identity credentials, enveloped; read with the frame */
  readonly identity?: readonly Json[]
  readonly request: SignedRequest
}

/** Largest proof that carries nothing, in characters. */
export const MAX_PROOF = 4 * 1024
/** A presentation whose frame is sound and whose signature is not verified yet. */
export interface SealedPresentation {
  readonly sealed: Sealed
  /** root first; at least one */
  readonly credentials: readonly [Sealed, ...Sealed[]]
  /** identity credentials, in any order */
  readonly identities: readonly Sealed[]
}

const did = where(isDid, 'is not a DID')
const digest = where(isS256, 'is not a SHA-256')
const source = where(
  (value): value is string => isDid(value) || (typeof value === 'string' && /^https:\/\/\S{1,504}$/.test(value)),
  'is neither a DID nor an https URL',
)

const requestShape: Shape<SignedRequest> = object({
  htm: text(),
  htu: text(),
  bodyDigest: { optional: digest },
  action: text(),
  resource: text(),
  paramsDigest: digest,
  purpose: { optional: digest },
  provenance: { optional: listOf(object({ source, s256: digest }), 1, 8) },
})

const entries = listOf(entryShape, 0, Infinity)

const anything: Shape<Json> = value => value ?? null

/** What binds a holder to one request, whether the chain comes along or is named. */
const bound = {
  '@context': anything,
  holder: did,
  iss: did,
  aud: text(),
  iat: integer(0),
  exp: integer(0),
  jti: text(/^[A-Za-z0-9_-]{22,64}$/),
  nonce: { optional: text() },
  request: requestShape,
  identity: { optional: entries },
}

const presentationShape = object({
  ...bound,
  type: anything,
  verifiableCredential: entries,
})

/** The link that was read from this very text before, if it is remembered. */
export type Recall = (token: string) => Sealed | undefined

const NOTHING: Recall = () => undefined

/**
 * Reads the frame of a presentation and of every credential in it: steps 1 to 4 of profile §6. Verifies no signature.
 *
 * @param maxChain - links; the policy's bound
 * @param recall - spares reading a link again that was read before
 * @throws the codes of steps 1 to 4
 */
export function readPresentation(token: string, maxChain: number, recall = NOTHING): SealedPresentation {
  const sealed = readJws(token, 'vp+jwt', MAX_PRESENTATION, 'presentation')
  const frame = read(framed, sealed.unverified, 'presentation')
  if (frame.verifiableCredential.length === 0) throw new ProcuraError('CHAIN_EMPTY', {})
  requireShort(Math.max(frame.verifiableCredential.length, frame.identity?.length ?? 0), maxChain)
  const tokens = frame.verifiableCredential.map((entry, index) => openEnvelope(entry, `verifiableCredential[${index}]`))
  const identityTokens = openIdentities(frame)
  const credentials = requireSome(readLinks(tokens, recall))
  const identities = readIdentities(identityTokens)
  requireDistinct([...credentials, ...identities])
  return { sealed, credentials, identities }
}

function openIdentities({ identity = [] }: { readonly identity?: readonly string[] }): readonly string[] {
  return identity.map((entry, index) => openEnvelope(entry, `identity[${index}]`))
}

function readIdentities(tokens: readonly string[]): readonly Sealed[] {
  return tokens.map((token, index) => readJws(token, 'vc+jwt', MAX_CREDENTIAL, `identity ${index}`))
}

function readLinks(tokens: readonly string[], recall: Recall): readonly Sealed[] {
  return tokens.map((token, index) => recall(token) ?? readJws(token, 'vc+jwt', MAX_CREDENTIAL, `link ${index}`))
}

function requireSome(sealed: readonly Sealed[]): readonly [Sealed, ...Sealed[]] {
  const [root, ...rest] = sealed
  if (root === undefined) throw new ProcuraError('CHAIN_EMPTY', {})
  return [root, ...rest]
}

const referenceShape = object({ ...bound, leaf: where(isDigest, 'is not a credential digest') })

/** A presentation that names its chain instead of carrying it (profile §5.2). */
export interface Reference {
  readonly sealed: Sealed
  readonly leaf: Digest
  readonly identities: readonly Sealed[]
}

/** Reads the frame of an `agent-proof+jwt` with a leaf: steps 1 to 4 of profile §6 as far as they apply. */
export function readReference(token: string, maxChain: number): Reference {
  const sealed = readJws(token, 'agent-proof+jwt', MAX_PRESENTATION, 'proof')
  const frame = read(
    (value, at, report) => {
      const found = referenceShape(value, at, report)
      if (isObject(value)) requireContext(value, at, report)
      return found
    },
    sealed.unverified,
    'proof',
  )
  requireShort(frame.identity?.length ?? 0, maxChain)
  const identities = readIdentities(openIdentities(frame))
  requireDistinct(identities)
  return { sealed, leaf: frame.leaf, identities }
}

const framed: Shape<ReturnType<typeof presentationShape>> = (value, at, report: Report) => {
  const frame = presentationShape(value, at, report)
  if (isObject(value)) requireType(value, PRESENTATION, at, report, 'VerifiablePresentation')
  return frame
}

/**
 * Reads form and header of each credential of a chain (steps 1 to 3); no two may be the same.
 *
 * @param tokens - root first
 * @param recall - spares reading again what was read before
 * @throws the codes of steps 1–3, CHAIN_EMPTY, CHAIN_TOO_LONG, CHAIN_DUPLICATE
 */
export function readTokens(
  tokens: readonly string[],
  maxChain: number,
  recall = NOTHING,
): readonly [Sealed, ...Sealed[]] {
  requireShort(tokens.length, maxChain)
  const sealed = requireSome(readLinks(tokens, recall))
  requireDistinct(sealed)
  return sealed
}

function requireShort(length: number, max: number): void {
  if (length > max) throw new ProcuraError('CHAIN_TOO_LONG', { length, max })
}

function requireDistinct(all: readonly Sealed[]): void {
  const seen = new Map<string, number>()
  for (const [second, { digest }] of all.entries()) {
    const first = seen.get(digest)
    if (first !== undefined) throw new ProcuraError('CHAIN_DUPLICATE', { first, second })
    seen.set(digest, second)
  }
}

/**
 * What a presentation or proof says it was signed for, before anybody verified it: for tools that show it. A resource
 * server never goes by it: it derives the request itself.
 *
 * @throws the codes of steps 1 to 3, SCHEMA
 */
export function statedRequest(token: string, typ: 'vp+jwt' | 'agent-proof+jwt'): SignedRequest {
  const { unverified } = readJws(token, typ, MAX_PRESENTATION, 'presentation')
  return read(requestShape, isObject(unverified) ? member(unverified, 'request') : undefined, 'request')
}

/** The claims of an `agent-proof+jwt` that names the chain by its leaf. */
export function toReferenceJson(presentation: Presentation, leaf: Digest): object {
  return { '@context': CONTEXTS, ...presentation, leaf }
}

/** The claims of a `vp+jwt` over a chain of tokens, root first. */
export function toPresentationJson(presentation: Presentation, chain: readonly string[]): object {
  const type = ['VerifiablePresentation', PRESENTATION]
  return { '@context': CONTEXTS, type, ...presentation, verifiableCredential: chain.map(envelope) }
}

/**
 * Verifies who presents: step 11 of profile §6.
 *
 * @param leaf - subject and key of the chain's last link
 * @throws SIGNATURE_INVALID, PRESENTATION_HOLDER
 */
export function openPresentation(
  { sealed }: SealedPresentation,
  leaf: { readonly subject: Did; readonly key: PublicKey },
): Verified<Presentation> {
  const claims = openJws(sealed, leaf.key, leaf.subject)
  const { holder, iss } = claims as unknown as Presentation
  if (holder !== iss || holder !== leaf.subject || holder !== sealed.signer) {
    throw new ProcuraError('PRESENTATION_HOLDER', {})
  }
  return claims as unknown as Verified<Presentation>
}

/** Requires a presentation to be short-lived and in time: step 13, first half. @throws PRESENTATION_LIFETIME, TIME_NOT_YET_VALID, PRESENTATION_EXPIRED */
export function requireFresh({ iat, exp }: Pick<Presentation, 'iat' | 'exp'>, now: UnixSeconds): void {
  if (exp <= iat || exp - iat > MAX_LIFETIME) {
    throw new ProcuraError('PRESENTATION_LIFETIME', { seconds: exp - iat, max: MAX_LIFETIME })
  }
  if (iat > now + SKEW) throw new ProcuraError('TIME_NOT_YET_VALID', { at: 'iat', seconds: iat - now })
  if (now >= exp + SKEW) throw new ProcuraError('PRESENTATION_EXPIRED', { seconds: now - exp })
}
