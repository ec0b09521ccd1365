import { ProcuraError } from '../errors.js'
import { canonicalize, type JsonObject } from '../json.js'
import { isResource } from '../authority/resource.js'
import { bodyDigest, type ReceivedRequest } from './request.js'

/** Members of `_meta` that a presentation and an approval travel in. */
export const PRESENTATION_META = 'procura/presentation'
/** See {@link PRESENTATION_META}. */
export const APPROVAL_META = 'procura/approval'
/** Where a call's W3C trace context travels. @see https://modelcontextprotocol.io/seps/414-request-meta */
export const TRACE_META = 'traceparent'

/** A call of an MCP tool, whatever it travels over. */
export interface ToolCall {
  readonly name: string
  readonly arguments: JsonObject
}

/**
 * A call of a tool as the request that is signed and received: `POST` to the server's own URL, over stdio too, with the
 * JCS form of name and arguments as its body.
 *
 * @param server - https URL of the MCP server; the resource of its tools
 * @throws JSON_NOT_CANONICAL - arguments that JSON cannot write
 */
export function toolRequest(server: string, { name, arguments: params }: ToolCall): ReceivedRequest {
  return {
    method: 'POST',
    url: server,
    bodyDigest: bodyDigest(canonicalize({ name, arguments: params })),
    action: `mcp:tools/call:${name}`,
    resource: server,
    params,
  }
}

/** What a bearer token of an MCP server is signed for: `POST` to its URL, without a body. */
export function bearerRequest(server: string): ReceivedRequest {
  return { method: 'POST', url: server, bodyDigest: null, action: 'mcp:connect', resource: server, params: {} }
}

/** The audience of an MCP server: the origin of its URL. @throws RESOURCE_SYNTAX */
export function audienceOf(server: string): string {
  if (!isResource(server)) throw new ProcuraError('RESOURCE_SYNTAX', { at: 'URL of the MCP server' })
  return new URL(server).origin
}
