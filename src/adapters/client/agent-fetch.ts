import { ProcuraError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import { bodyDigest } from '../../presentation/request.js'
import type { Agent } from '../../wallet/wallet.js'
import { exchange, type Reach } from './http.js'

/** What the agent wants the server to do; the server derives the same on its own. */
export interface CallAuthority {
  readonly action: string
  readonly params: JsonObject
  /** the URL without its query, if left out */
  readonly resource?: string
}

/** A request that carries a presentation. */
export interface AgentRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** text or bytes go as they are; anything else as JSON */
  readonly body?: unknown
  readonly authority: CallAuthority
  /** an approval of exactly this call, where the server asked for one */
  readonly approval?: string
  readonly signal?: AbortSignal
}

/** `fetch` with a presentation of the agent, made for this one request. Redirects are answers, never followed. */
export type AgentFetch = (url: string, request: AgentRequest) => Promise<Response>

/**
 * Lets an agent call guarded APIs.
 *
 * @throws NOT_FOUND, PRESENTATION_AUDIENCE, DENIED_* - the agent holds nothing that allows the call: nothing is sent;
 *   SERVICE_UNAVAILABLE - no answer
 */
export function agentFetch(agent: Agent, reach: Reach): AgentFetch {
  return async (address, { method = 'GET', headers = {}, body, authority, approval, signal }) => {
    const url = new URL(address)
    if (url.protocol !== 'https:' || url.hash !== '') throw new ProcuraError('RESOURCE_SYNTAX', { at: 'url' })
    const bytes = toBytes(body)
    const attempt = async (nonce?: string): Promise<Response> => {
      const token = await agent.present({
        method,
        url: url.href,
        bodyDigest: bodyDigest(bytes),
        audience: url.origin,
        action: authority.action,
        resource: authority.resource ?? url.origin + (url.pathname === '/' ? '' : url.pathname),
        params: authority.params,
        ...(nonce === undefined ? {} : { nonce }),
      })
      const json: Record<string, string> = isJson(body) ? { 'content-type': 'application/json' } : {}
      const approved: Record<string, string> = approval === undefined ? {} : { 'agent-approval': approval }
      const all = { ...json, ...headers, ...approved, 'agent-presentation': token }
      return exchange(url, { method, headers: all, body: bytes, signal }, reach)
    }
    const response = await attempt()
    const nonce = /^Agent-Proof nonce="([A-Za-z0-9_-]{1,128})"$/.exec(
      response.headers.get('www-authenticate') ?? '',
    )?.[1]
    return response.status === 401 && nonce !== undefined ? attempt(nonce) : response
  }
}

function isJson(body: unknown): boolean {
  return body !== undefined && body !== null && typeof body !== 'string' && !(body instanceof Uint8Array)
}

function toBytes(body: unknown): Uint8Array | null {
  if (body === undefined || body === null || body === '') return null
  if (body instanceof Uint8Array) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}
