import { Readable } from 'node:stream'
import { ProcuraError } from '../../errors.js'
import { isObject, parseJson, requireShallow, type Json } from '../../json.js'
import { MAX_PARAMS_DEPTH } from '../../presentation/request.js'
import { HttpRefusal } from './http-refusal.js'

/** Bytes of a body, unless a route says otherwise. */
export const BODY_LIMIT = 1024 * 1024

/** A request that may have been read before. */
interface Unread extends Readable {
  readonly body?: unknown
}

/**
 * The body as it came over the wire. A body that somebody has read before is not here any more, and to take it for an
 * empty one would leave it unbound: that is refused, loudly, as the server's own fault.
 *
 * @param limit - bytes
 * @throws CONFIG_INVALID - something before the guard has read the body; INPUT_TOO_LARGE, as 413
 */
export async function readBody(request: Unread, limit = BODY_LIMIT): Promise<Buffer> {
  if (request.body !== undefined || request.readableDidRead || request.readableFlowing !== null) throw wasRead()
  return collect(request, limit)
}

/**
 * All bytes of a stream. Where there are too many it stops reading, and leaves the stream open for the answer.
 *
 * @param limit - bytes
 * @throws CONFIG_INVALID - the stream was told to decode; INPUT_TOO_LARGE, as 413
 */
export async function collect(stream: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) throw wasRead()
    size += chunk.length
    if (size > limit)
      throw new HttpRefusal(new ProcuraError('INPUT_TOO_LARGE', { what: 'body', size, max: limit }), 413)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Whoever decides without the body as it came would leave it unbound. */
export function wasRead(): ProcuraError {
  const why = 'the guard did not see the body as it came: put all of it before whatever reads bodies'
  return new ProcuraError('CONFIG_INVALID', { at: 'requireAuthority', why })
}

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json[ \t]*(?:;|$)/i

/**
 * A body as its media type says: JSON as its value, none as `undefined`, anything else as its bytes.
 *
 * @throws JSON_SYNTAX, JSON_DEPTH, SCHEMA - a member that would reach for a prototype
 */
export function readAs(type: string | undefined, body: Buffer): unknown {
  if (body.length === 0) return undefined
  if (!JSON_TYPE.test(type ?? '')) return body
  const { value } = parseJson(body, 'body')
  requireShallow(value, 'body', MAX_PARAMS_DEPTH)
  requirePlain(value, 'body')
  return value
}

/**
 * Refuses members that mean more than their name to JavaScript, as Fastify does: a handler that copies such an object
 * acts on something that nobody derived. The value is known to be shallow.
 *
 * @throws SCHEMA
 */
export function requirePlain(value: Json, at: string): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    const reaches =
      name === '__proto__' || (name === 'constructor' && isObject(inner) && Object.hasOwn(inner, 'prototype'))
    if (reaches) throw new ProcuraError('SCHEMA', { at: `${at}.${name}`, why: 'has no place here' })
    requirePlain(inner, at)
  }
}

/** A body that was read, as the stream that Fastify goes on to parse. */
export function streamOf(body: Uint8Array): Readable & { readonly receivedEncodedLength: number } {
  return Object.assign(Readable.from(body.length === 0 ? [] : [body]), { receivedEncodedLength: body.length })
}
