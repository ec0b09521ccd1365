import { ACTION } from '../../authority/grant.js'
import { isResource } from '../../authority/resource.js'
import { isDigest, isS256 } from '../../encoding.js'
import { printable, ProcuraError } from '../../errors.js'
import { canonicalize, isObject, member, parseJson, requireShallow, type Json } from '../../json.js'
import type { ApprovalRequest } from '../../presentation/approval.js'
import { MAX_PARAMS_DEPTH, paramsDigest } from '../../presentation/request.js'
import { object, read, text, where } from '../../shape.js'

/** Nothing but parameters may hold white space: in the lines of a terminal it could pass for another line. */
const requestShape = object({
  audience: text(/^\S+$/),
  leaf: where(isDigest, 'is not a credential digest'),
  action: text(ACTION),
  resource: where(isResource, 'is not a canonical resource'),
  paramsDigest: where(isS256, 'is not a SHA-256'),
  display: where(isObject, 'is not an object'),
})

/**
 * Reads what a verifier asks a person to approve.
 *
 * @param bytes - JSON: the request itself, or the refusal that holds it as `approval` (a problem document, a decision)
 * @throws JSON_SYNTAX, SCHEMA, JSON_DEPTH, JSON_NOT_CANONICAL; REQUEST_PARAMS - the digest is not of what is displayed
 */
export function readApprovalRequest(bytes: Uint8Array): ApprovalRequest {
  const { value } = parseJson(bytes, 'the approval request')
  const inner = isObject(value) ? member(value, 'approval') : undefined
  const request = read(requestShape, inner === undefined ? value : inner, 'approval')
  requireShallow(request.display, 'the parameters', MAX_PARAMS_DEPTH)
  if (paramsDigest(request.display) !== request.paramsDigest) throw new ProcuraError('REQUEST_PARAMS', {})
  return request
}

/** What will run, for a person to read: a line for each fact and each parameter, nothing left out, nothing invisible. */
export function formatApprovalRequest({ audience, leaf, action, resource, display }: ApprovalRequest): string {
  const parameters = Object.entries(display).map(([name, value]) => `  ${visible(name)}: ${visible(value)}`)
  return [
    `verifier    ${printable(audience)}`,
    `action      ${action}`,
    `resource    ${resource}`,
    `delegation  ${leaf}`,
    parameters.length === 0 ? 'parameters  none' : 'parameters',
    ...parameters,
    // a long value may have pushed the lines above off the screen
    `this is     ${action} on ${resource}`,
  ].join('\n')
}

/** What does not show, or shows as another thing: two values that differ must not look the same. */
const UNSEEN = /[\p{C}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Z}|(?<= ) /gu

/** A value as JSON, with every character that could hide or pass for a line of its own written as its number. */
function visible(value: Json): string {
  const shown = canonicalize(value).replace(UNSEEN, one => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`)
  return shown.replace(/[^]{1,500}/gu, piece => printable(piece))
}
