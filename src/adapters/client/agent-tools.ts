import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { RequestOptions } from '@modelcontextprotocol/sdk/shared/protocol.js'
import { context, propagation } from '@opentelemetry/api'
import { isObject, type Json, type JsonObject } from '../../json.js'
import {
  APPROVAL_META,
  audienceOf,
  bearerRequest,
  PRESENTATION_META,
  toolRequest,
} from '../../presentation/tool-call.js'
import type { Agent, PresentRequest } from '../../wallet/wallet.js'

/** A call of a tool, and what else the agent has to say. */
export interface AgentToolCall extends Pick<PresentRequest, 'chain' | 'identity' | 'onBehalfOf' | 'provenance'> {
  readonly name: string
  readonly arguments?: JsonObject
  /** an approval of exactly this call, where the server asked for one */
  readonly approval?: string
}

/** `client.callTool` with a presentation of the agent, made for this one call. */
export type AgentCallTool = (call: AgentToolCall, options?: RequestOptions) => ReturnType<Client['callTool']>

/**
 * Lets an agent call the guarded tools of an MCP server, over whatever the client is connected by.
 *
 * ```ts
 * const callTool = agentTools(booker, client, 'https://mcp.example/mcp')
 * await callTool({ name: 'book', arguments: { amount: 32_000 } })
 * ```
 *
 * @param server - the server's https URL, from the agent's own configuration: what the agent signs for
 * @returns throws NOT_FOUND, PRESENTATION_AUDIENCE, DENIED_* - the agent holds nothing that allows the call: nothing is
 *   sent; the SDK's McpError, whose `data` is the problem document, where the server refuses
 * @throws RESOURCE_SYNTAX
 */
export function agentTools(
  agent: Pick<Agent, 'present'>,
  client: Pick<Client, 'callTool'>,
  server: string,
): AgentCallTool {
  const audience = audienceOf(server)
  return async ({ name, arguments: args = {}, approval, ...said }, options) => {
    const due: PresentRequest = { ...said, ...toolRequest(server, { name, arguments: args }), audience }
    const attempt = async (request: PresentRequest): ReturnType<Client['callTool']> => {
      const approved = approval === undefined ? {} : { [APPROVAL_META]: approval }
      // the trace that is under way here, if any
      const trace: Record<string, string> = {}
      propagation.inject(context.active(), trace)
      const meta = { ...trace, [PRESENTATION_META]: await agent.present(request), ...approved }
      return client.callTool({ name, arguments: { ...args }, _meta: meta }, undefined, options)
    }
    try {
      return await attempt(due)
    } catch (refused) {
      const nonce = nonceOf(refused)
      if (nonce === undefined) throw refused
      return attempt({ ...due, nonce })
    }
  }
}

/**
 * A bearer token for one HTTP request to an MCP server that knows nothing else.
 *
 * @throws NOT_FOUND, DENIED_* - the agent holds nothing that allows it
 */
export function agentBearer(agent: Pick<Agent, 'present'>, server: string): Promise<string> {
  return agent.present({ ...bearerRequest(server), audience: audienceOf(server) })
}

const NONCE = /^Agent-Proof nonce="([A-Za-z0-9_-]{1,128})"$/

function nonceOf(refused: unknown): string | undefined {
  const data = (refused as { readonly data?: Json }).data ?? null
  const challenge = isObject(data) ? data['www-authenticate'] : undefined
  return typeof challenge === 'string' ? NONCE.exec(challenge)?.[1] : undefined
}
