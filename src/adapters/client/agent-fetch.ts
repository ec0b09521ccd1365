import { context, propagation } from '@opentelemetry/api'
import { ProcuraError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import { bodyDigest } from '../../presentation/request.js'
import type { Clock } from '../../ports/world.js'
import type { Agent, PresentRequest } from '../../wallet/wallet.js'
import { exchange, readAtMost, type Reach } from './http.js'
import { withRefusal, type AgentResponse } from './refusal.js'

/** What the agent wants the server to do, which the server derives on its own; and what else it has to say. */
export interface CallAuthority extends Pick<PresentRequest, 'chain' | 'identity' | 'onBehalfOf' | 'provenance'> {
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

/**
 * `fetch` with a presentation of the agent, made for this one request. Redirects are answers, never followed; of a refusal
 * the answer says in `refusal` what the server said, and what would have to change.
 */
export type AgentFetch = (url: string, request: AgentRequest) => Promise<AgentResponse>

/**
 * Lets an agent call guarded APIs.
 *
 * @throws NOT_FOUND, PRESENTATION_AUDIENCE, DENIED_* - the agent holds nothing that allows the call: nothing is sent;
 *   SERVICE_UNAVAILABLE - no answer
 */
export function agentFetch(agent: Agent, reach: Reach, clock: Clock): AgentFetch {
  /** origins that took no chain: there, presentations go whole */
  const whole = new Set<string>()
  return async (address, { method = 'GET', headers = {}, body, authority, approval, signal }) => {
    const url = new URL(address)
    if (url.protocol !== 'https:' || url.hash !== '') throw new ProcuraError('RESOURCE_SYNTAX', { at: 'url' })
    const bytes = toBytes(body)
    const json: Record<string, string> = isJson(body) ? { 'content-type': 'application/json' } : {}
    // the trace that is under way here, if any
    const trace: Record<string, string> = {}
    propagation.inject(context.active(), trace)
    const approved: Record<string, string> = approval === undefined ? {} : { 'agent-approval': approval }
    const { action, resource, params, ...said } = authority
    const due: PresentRequest = {
      ...said,
      method,
      url: url.href,
      bodyDigest: bodyDigest(bytes),
      audience: url.origin,
      action,
      resource: resource ?? url.origin + (url.pathname === '/' ? '' : url.pathname),
      params,
    }
    const send = (shown: Record<string, string>): Promise<Response> =>
      exchange(
        url,
        { method, headers: { ...trace, ...json, ...headers, ...approved, ...shown }, body: bytes, signal },
        reach,
      )
    /** By reference; a server that does not know the chain is given it once. */
    const byReference = async (request: PresentRequest): Promise<Response> => {
      const { proof, chain, leaf } = await agent.prove(request)
      const response = await send({ 'agent-proof': proof })
      const answer = await settle(response)
      if (!answer.isUnknown) return answer.response
      const upload = new URL(`${CHAINS_PATH}${leaf}`, url.origin)
      const asked = { 'content-type': 'application/json' }
      const tokens = Buffer.from(JSON.stringify(chain))
      const kept = await exchange(upload, { method: 'PUT', headers: asked, body: tokens, signal }, reach)
      await kept.body?.cancel()
      if (kept.ok) return send({ 'agent-proof': (await agent.prove(request)).proof })
      // only what will not change by itself is remembered
      if ([404, 405, 501].includes(kept.status)) whole.add(url.origin)
      return send({ 'agent-presentation': await agent.present(request) })
    }

    const attempt = async (request: PresentRequest): Promise<Response> => {
      const token = await agent.present(request)
      return token.length > MAX_INLINE && !whole.has(url.origin)
        ? byReference(request)
        : send({ 'agent-presentation': token })
    }
    const response = await attempt(due)
    const nonce = NONCE.exec(response.headers.get('www-authenticate') ?? '')?.[1]
    if (response.status !== 401 || nonce === undefined) return withRefusal(response, due, clock.now())
    await response.body?.cancel()
    return withRefusal(await attempt({ ...due, nonce }), due, clock.now())
  }
}

/** Characters of a presentation that still travel in a header (profile §5.2). */
const MAX_INLINE = 6144
const NONCE = /^Agent-Proof nonce="([A-Za-z0-9_-]{1,128})"$/
/** Bytes of a problem document. */
const MAX_PROBLEM = 64 * 1024
/** Where a resource server takes chains. */
const CHAINS_PATH = '/.well-known/procura/chains/'

/** Whether a 401 asks for the chain; its body is read to know, so the answer is handed on with what was read. */
async function settle(response: Response): Promise<{ readonly isUnknown: boolean; readonly response: Response }> {
  if (response.status !== 401) return { isUnknown: false, response }
  const text = await readAtMost(response, MAX_PROBLEM)
  const { status, headers } = response
  return { isUnknown: Buffer.from(text).includes('"CHAIN_UNKNOWN"'), response: new Response(text, { status, headers }) }
}

function isJson(body: unknown): boolean {
  return body !== undefined && body !== null && typeof body !== 'string' && !(body instanceof Uint8Array)
}

function toBytes(body: unknown): Uint8Array | null {
  if (body === undefined || body === null || body === '') return null
  if (body instanceof Uint8Array) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}
