import { isDid, type Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { isDigest } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import { isObject, member, type Json, type JsonObject } from '../json.js'
import { openJws, readJws, type Sealed } from '../jws/compact.js'
import type { Announced } from '../ports/issuing.js'
import { integer, object, oneOf, read, text, where } from '../shape.js'
import type { UnixSeconds } from '../time.js'

/** Longest token of a feed, in characters. */
export const MAX_EVENT = 4096
/** Seconds between two heartbeats (profile §8.3). */
export const HEARTBEAT = 10
/** Seconds without a heartbeat after which a stream counts as down (profile §8.3). */
export const SILENCE = 30

/** @see https://openid.net/specs/openid-caep-1_0-final.html#name-credential-change */
const CHANGE = 'https://schemas.openid.net/secevent/caep/event-type/credential-change'
/** @see https://openid.net/specs/openid-caep-1_0-final.html#name-session-revoked */
const STOP = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked'
/** @see https://openid.net/specs/openid-sharedsignals-framework-1_0-final.html#name-verification */
const BEAT = 'https://schemas.openid.net/secevent/ssf/event-type/verification'

/** What is said of the feed itself: signed, so that nobody between can pretend that a cut feed is whole. */
export interface Heartbeat {
  /** the lowest number that the feed still has */
  readonly first: number
  /** the highest number that was given out; `first` − 1 if the feed has none */
  readonly last: number
  readonly at: UnixSeconds
}

/** What a token of a feed says. */
export type FeedEvent =
  | { readonly type: 'heartbeat'; readonly heartbeat: Heartbeat }
  | { readonly type: 'announced'; readonly announced: Announced }

/**
 * The claims of an announcement (profile §8.3): a CAEP credential-change for a credential, which the feed names by its
 * digest, a session-revoked for an agent. The same announcement always makes the same claims.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8417#section-2.2
 */
export function toEventJson({ type, target, status, version, seq, at }: Announced, issuer: Did): JsonObject {
  const where = status === null ? {} : { list: status.url, index: status.index }
  const common = { iss: issuer, iat: at, jti: `event-${seq}`, seq, ...where, ...(version === null ? {} : { version }) }
  if (type === 'killed') return { ...common, sub_id: { format: 'did', url: target }, events: { [STOP]: {} } }
  const change = { credential_type: 'verifiable-credential', change_type: type === 'revoked' ? 'revoke' : 'update' }
  return {
    ...common,
    ...(type === 'revoked' ? {} : { state: type }),
    digest: target,
    sub_id: { format: 'jwt_id', iss: issuer, jti: target },
    events: { [CHANGE]: change },
  }
}

/** The claims of a heartbeat: an SSF verification event with what the feed has. */
export function toHeartbeatJson({ first, last, at }: Heartbeat, issuer: Did): JsonObject {
  const sub_id = { format: 'opaque', id: 'revocations' }
  return { iss: issuer, iat: at, jti: `heartbeat-${last}-${at}`, sub_id, events: { [BEAT]: {} }, first, last }
}

const did = where(isDid, 'is not a DID')
const digest = where(isDigest, 'is not a digest')
const count = integer(0)
const place = { list: { optional: text(/^https:\/\//) }, index: { optional: count }, version: { optional: count } }
const frame = { iss: did, iat: count, jti: text() }

const changeShape = object({
  ...frame,
  ...place,
  seq: integer(1),
  digest,
  state: { optional: oneOf('suspended', 'resumed') },
  sub_id: object({ format: oneOf('jwt_id'), iss: did, jti: digest }),
  events: object({
    [CHANGE]: object({ credential_type: oneOf('verifiable-credential'), change_type: oneOf('revoke', 'update') }),
  }),
})
const stopShape = object({
  ...frame,
  ...place,
  seq: integer(1),
  sub_id: object({ format: oneOf('did'), url: did }),
  events: object({ [STOP]: object({}) }),
})
const beatShape = object({
  ...frame,
  sub_id: object({ format: oneOf('opaque'), id: oneOf('revocations') }),
  events: object({ [BEAT]: object({}) }),
  first: integer(1),
  last: count,
})

/**
 * Reads form and header of a token of a feed and requires that the feed's issuer signed it. Verifies nothing.
 *
 * @throws INPUT_TOO_LARGE, JWS_*, JSON_*, SIGNATURE_INVALID
 */
export function readEvent(token: unknown, issuer: Did): Sealed {
  const sealed = readJws(token, 'secevent+jwt', MAX_EVENT, 'event')
  if (sealed.signer !== issuer) throw new ProcuraError('SIGNATURE_INVALID', { by: issuer })
  return sealed
}

/**
 * Verifies the signature, then reads what the token says. Members and events we do not know are refused: the stream
 * would go on as if they had been heeded.
 *
 * @throws SIGNATURE_INVALID, SCHEMA
 */
export function openEvent(sealed: Sealed, key: PublicKey): FeedEvent {
  const claims = openJws(sealed, key)
  const events = member(claims, 'events')
  const [kind] = isObject(events) ? Object.keys(events) : []
  const event = kind === BEAT ? toHeartbeat(claims) : kind === STOP ? toKill(claims) : toChange(claims)
  if (claims['iss'] !== sealed.signer) throw malformed('iss', 'is not the signer')
  return event
}

function toHeartbeat(claims: Json): FeedEvent {
  const { first, last, iat } = read(beatShape, claims, 'event')
  if (last < first - 1) throw malformed('last', 'is below first')
  return { type: 'heartbeat', heartbeat: { first, last, at: iat } }
}

function toKill(claims: Json): FeedEvent {
  const { sub_id, ...rest } = read(stopShape, claims, 'event')
  return { type: 'announced', announced: { type: 'killed', target: sub_id.url, ...toPlace(rest) } }
}

function toChange(claims: Json): FeedEvent {
  const { digest: target, sub_id, events, state, ...rest } = read(changeShape, claims, 'event')
  const type = events[CHANGE].change_type === 'revoke' ? 'revoked' : state
  if (type === undefined || (type === 'revoked' && state !== undefined))
    throw malformed('state', 'does not fit the change')
  if (sub_id.jti !== target || sub_id.iss !== rest.iss) throw malformed('sub_id', 'names something else')
  return { type: 'announced', announced: { type, target, ...toPlace(rest) } }
}

function toPlace({
  seq,
  iat,
  list,
  index,
  version,
}: {
  readonly seq: number
  readonly iat: UnixSeconds
  readonly list?: string
  readonly index?: number
  readonly version?: number
}): Omit<Announced, 'type' | 'target'> {
  if ((list === undefined) !== (index === undefined)) throw malformed('list', 'and index come together')
  const status = list === undefined || index === undefined ? null : { url: list, index }
  return { status, version: version ?? null, seq, at: iat }
}

function malformed(member: string, why: string): ProcuraError {
  return new ProcuraError('SCHEMA', { at: `event.${member}`, why })
}
