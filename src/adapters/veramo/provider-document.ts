import { CONTEXTS } from '../../credential/credential.js'
import { ProcuraError } from '../../errors.js'
import { canonicalize, isObject, member, type Json, type JsonObject } from '../../json.js'

/** The two tokens that come wrapped in an object. */
export type Enveloped = 'vc+jwt' | 'vp+jwt'

const NAMES: Readonly<Record<Enveloped, string>> = {
  'vc+jwt': 'EnvelopedVerifiableCredential',
  'vp+jwt': 'EnvelopedVerifiablePresentation',
}

const MARKS: ReadonlySet<string> = new Set([...Object.values(NAMES), CONTEXTS[1]])
const DATA_URL = /^\s*data:\s*application\/v[cp]\+jwt/i
/** A media type as RFC 7515 §4.1.9 compares them: without regard to case, `application/` left out or not. */
const TYP = /^(?:application\/)?(?:v[cp]|agent-proof|agent-approval|secevent)\+jwt$/i

/**
 * True if a document is or holds, at any depth, a token, an envelope or the context of the profile; also for a string
 * that cannot be read as a JWT.
 *
 * The provider behind this one claims every string and every `proof.jwt`, verifies no inner credential, and unwraps
 * nested JWTs (`cty: JWT`) whose outer signature nobody made. So a token refused here must not be found worthy there in
 * another wrapping, and what cannot be read here could be read there: doubt is claimed, then refused.
 */
export function holdsOurs(document: unknown): boolean {
  try {
    return (typeof document === 'string' && readJwt(document) === null) || isMarked(document)
  } catch {
    return true
  }
}

function isMarked(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(isMarked)
  if (typeof value !== 'string') return false
  if (MARKS.has(value) || DATA_URL.test(value)) return true
  const jwt = readJwt(value)
  if (jwt !== null) return isOurTyp(member(jwt.header, 'typ')) || isMarked(jwt.payload)
  return /^\s*[{[]/.test(value) && isMarked(readJson(value))
}

function isOurTyp(typ: Json | undefined): boolean {
  return typeof typ === 'string' && TYP.test(typ)
}

/** Reads a JWT as laxly as the laxest reader: it is looked at to be refused, never to be believed. */
function readJwt(text: string): { readonly header: JsonObject; readonly payload: Json } | null {
  const [head, body, signature] = text.split('.')
  if (head === undefined || body === undefined || signature === undefined) return null
  const header = readJson(Buffer.from(head, 'base64url').toString())
  const payload = readJson(Buffer.from(body, 'base64url').toString())
  return isObject(header) && isObject(payload) ? { header, payload } : null
}

function readJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

/**
 * The token of a document: a compact string, or an envelope with exactly its three members. JSON around a token, as in
 * `{…, proof: {jwt}}`, is vouched for by nobody, so it is not accepted even where it repeats the token.
 *
 * @throws SCHEMA, CHAIN_ENVELOPE
 */
export function tokenOf(document: unknown, typ: Enveloped): string {
  if (typeof document === 'string') return document
  const id = isObject(document) ? member(document, 'id') : undefined
  const envelope = { '@context': CONTEXTS[0], id, type: NAMES[typ] }
  if (typeof id !== 'string' || canonicalize(document) !== canonicalize(envelope)) {
    throw new ProcuraError('SCHEMA', { at: 'document', why: `is neither a ${typ} nor exactly an ${NAMES[typ]}` })
  }
  const prefix = `data:application/${typ},`
  if (!id.startsWith(prefix)) throw new ProcuraError('CHAIN_ENVELOPE', { at: 'document' })
  return id.slice(prefix.length)
}
