import { printable } from '../../errors.js'
import { canonicalize, isObject, member, parseJson, type Json } from '../../json.js'
import { parseApprovalRequest, type ApprovalRequest } from '../../presentation/approval.js'

/**
 * Reads what a verifier asks a person to approve.
 *
 * @param bytes - JSON: the request itself, or the refusal that holds it as `approval` (a problem document, a decision)
 * @throws JSON_SYNTAX, SCHEMA, JSON_DEPTH, JSON_NOT_CANONICAL; REQUEST_PARAMS - the digest is not of what is displayed
 */
export function readApprovalRequest(bytes: Uint8Array): ApprovalRequest {
  const { value } = parseJson(bytes, 'the approval request')
  const inner = isObject(value) ? member(value, 'approval') : undefined
  return parseApprovalRequest(inner === undefined ? value : inner)
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
