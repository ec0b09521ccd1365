import { isResource } from '../authority/resource.js'
import type { Call } from '../authority/grant.js'
import { s256 } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import { canonicalize, isObject, requireShallow, type JsonObject } from '../json.js'
import type { SignedRequest } from './presentation.js'
import { requireBound, type HttpRequest } from './proof.js'

/** A request as the resource server received it and is about to execute it. Nothing in it comes from the caller's word. */
export interface ReceivedRequest extends HttpRequest {
  readonly action: string
  readonly resource: string
  /** what the server will execute, derived from route, query and body */
  readonly params: JsonObject
  /** the `Agent-Approval` that came along, if any */
  readonly approval?: string
  /** the `traceparent` that came along, if any: for the log, it decides nothing */
  readonly traceparent?: string | undefined
}

/** Deepest nesting of parameters that is digested. */
export const MAX_PARAMS_DEPTH = 64

/** base64url SHA-256 of a raw body, or `null` for none. */
export function bodyDigest(body: Uint8Array | string | null | undefined): string | null {
  return body === null || body === undefined || body.length === 0 ? null : s256(body)
}

/** base64url SHA-256 of the JCS form of the parameters. */
export function paramsDigest(params: JsonObject): string {
  return s256(canonicalize(params))
}

/**
 * Requires that what was signed is what was received: step 15 of profile §6.
 *
 * @param purposes - what the links of the chain state; silent links left out
 * @returns the call, its resource known to be canonical
 * @throws REQUEST_METHOD, REQUEST_URL, REQUEST_BODY, RESOURCE_SYNTAX, REQUEST_ACTION, REQUEST_PARAMS, REQUEST_PURPOSE
 */
export function requireRequest(signed: SignedRequest, received: ReceivedRequest, purposes: readonly string[]): Call {
  // callers without types hand over anything
  const { action, resource, params } = { ...received }
  requireBound(signed, { ...received })
  if (!isResource(resource)) throw new ProcuraError('RESOURCE_SYNTAX', { at: 'request.resource' })
  if (signed.action !== action || signed.resource !== resource) {
    throw new ProcuraError('REQUEST_ACTION', {
      signed: `${signed.action} ${signed.resource}`,
      received: [action, resource].map(one => (typeof one === 'string' ? one : typeof one)).join(' '),
    })
  }
  if (!isObject(params)) throw new ProcuraError('REQUEST_PARAMS', {})
  requireShallow(params, 'params', MAX_PARAMS_DEPTH)
  if (signed.paramsDigest !== paramsDigest(params)) throw new ProcuraError('REQUEST_PARAMS', {})
  if (purposes.some(purpose => purpose !== signed.purpose)) throw new ProcuraError('REQUEST_PURPOSE', {})
  return { action, resource, params }
}
