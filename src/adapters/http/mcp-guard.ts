import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { MessageExtraInfo } from '@modelcontextprotocol/sdk/types.js'
import { s256 } from '../../encoding.js'
import { ProcuraError } from '../../errors.js'
import { canonicalize, isObject, member, without, type Json, type JsonObject } from '../../json.js'
import { APPROVAL_META, audienceOf, PRESENTATION_META, toolRequest, TRACE_META } from '../../presentation/tool-call.js'
import type { Verifier } from '../../verifier/verifier.js'
import type { Allowed } from './allowed.js'
import { answer, toParams, type Call } from './guard.js'
import { GuardedTransport, type Door, type Judge } from './mcp-transport.js'
import { requirePlain } from './raw-body.js'

/** A tool that may be called. */
export interface PinnedTool {
  /** {@link toolDigest} of its definition as it was reviewed; while the server shows another one, no call runs */
  readonly digest: string
  /** hold the charge until the tool calls `commit` or `release` of the decision */
  readonly reserve?: boolean
}

/** What a guard is told of an MCP server. */
export interface ToolGuardOptions {
  /** the server's own https URL, below the verifier's audience: what calls are signed for, over any transport */
  readonly url: string
  /** a tool that is not named is not called */
  readonly tools: Readonly<Record<string, PinnedTool>>
}

/**
 * The digest of a tool's definition as `tools/list` shows it, without its `_meta`: names, description, schemas,
 * annotations. Whoever relies on the tool has read them.
 */
export function toolDigest(tool: object): string {
  // members that are undefined are not sent, so they are not told apart from none
  const shown = JSON.parse(JSON.stringify(tool)) as JsonObject
  return s256(canonicalize(without(shown, '_meta')))
}

/**
 * Guards the tools of an MCP server at its transport, so that a call reaches the server only if the verifier allows it.
 * Other requests (`tools/list`, resources, prompts) pass. A tool finds the decision with {@link authorityOf}.
 *
 * ```ts
 * const guard = guardTools(verifier, { url: 'https://mcp.example/mcp', tools: { book: { digest: 'iuVM…' } } })
 * await server.connect(guard(new StdioServerTransport()))
 * ```
 *
 * @throws CONFIG_INVALID - the URL is no resource of the verifier's
 */
export function guardTools(verifier: Verifier, { url, tools }: ToolGuardOptions): (transport: Transport) => Transport {
  if (audienceOf(url) !== verifier.self) {
    throw new ProcuraError('CONFIG_INVALID', { at: 'guardTools', why: `${url} is not below ${verifier.self}` })
  }
  const judge: Judge = async (request, door) => {
    const name = member(request.params, 'name')
    const pinned = typeof name === 'string' && Object.hasOwn(tools, name) ? tools[name] : undefined
    const isSame = pinned !== undefined && (await findTool(name as string, door)) === pinned.digest
    return answer(verifier, pinned?.reserve === true, () => {
      const call = readCall(request.params, url)
      const { action } = call.received
      if (pinned === undefined) throw new ProcuraError('DENIED_ACTION', { action })
      if (!isSame)
        throw door.report(new ProcuraError('CONFIG_INVALID', { at: action, why: 'is not the tool that was pinned' }))
      return call
    })
  }
  return transport => new GuardedTransport(transport, judge, toAuthInfo)
}

/** The digest of the tool as the server shows it now; `null` if it shows none. */
async function findTool(name: string, door: Door): Promise<string | null> {
  let cursor: Json | undefined
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const result = await door.ask('tools/list', cursor === undefined ? {} : { cursor })
    const tools = member(result, 'tools')
    for (const tool of Array.isArray(tools) ? (tools as readonly Json[]) : []) {
      if (isObject(tool) && member(tool, 'name') === name) return toolDigest(tool)
    }
    cursor = member(result, 'nextCursor')
    if (cursor === undefined) break
  }
  return null
}

/** Pages of a list of tools that are looked through. */
const MAX_PAGES = 64

function readCall(params: JsonObject, url: string): Call {
  const [name, given = {}, meta = {}] = ['name', 'arguments', '_meta'].map(one => member(params, one))
  const wrong = (at: string, why: string): ProcuraError => new ProcuraError('SCHEMA', { at: `params.${at}`, why })
  if (typeof name !== 'string') throw wrong('name', 'is not a string')
  if (!isObject(given)) throw wrong('arguments', 'is not an object')
  // a task goes on after its call was answered, and hands out its result to whoever asks
  if (member(params, 'task') !== undefined) throw wrong('task', 'is not taken: a guarded tool runs within its call')
  const args = toParams(given)
  requirePlain(args, 'params.arguments')
  const credentials = () => {
    const [shown, approval] = [PRESENTATION_META, APPROVAL_META].map(one => (isObject(meta) ? member(meta, one) : null))
    if (typeof shown !== 'string')
      throw new ProcuraError('CALLER_UNKNOWN', { why: `_meta has no ${PRESENTATION_META}` })
    if (approval !== undefined && typeof approval !== 'string') throw wrong(APPROVAL_META, 'is not a string')
    return { shown, approval }
  }
  const trace = isObject(meta) ? member(meta, TRACE_META) : undefined
  const traceparent = typeof trace === 'string' ? trace : undefined
  return { received: { ...toolRequest(url, { name, arguments: args }), traceparent }, credentials }
}

const authorities = new WeakMap<object, Allowed>()

/** What the SDK hands on to a tool: the caller by its DID, and the decision behind it. */
export function toAuthInfo(authority: Allowed, scope: string, before: Partial<AuthInfo> = {}): AuthInfo {
  const { decisionId, holder, validUntil } = authority
  const info: AuthInfo = {
    token: decisionId, // the presentation is used up; the name of the decision finds it in the log
    ...before,
    clientId: holder ?? '',
    scopes: [...(before.scopes ?? []), scope],
    ...(validUntil === null ? {} : { expiresAt: validUntil }),
  }
  authorities.set(info, authority)
  return info
}

/**
 * The decision that allowed this call.
 *
 * @param extra - the second argument of a tool's handler (the first, where the tool takes no arguments)
 * @throws CALLER_UNKNOWN - nothing was decided: the transport is not guarded
 */
export function authorityOf(extra: Pick<MessageExtraInfo, 'authInfo'>): Allowed {
  const authority = extra.authInfo === undefined ? undefined : authorities.get(extra.authInfo)
  if (authority !== undefined) return authority
  throw new ProcuraError('CALLER_UNKNOWN', { why: 'the transport of this server is not guarded' })
}
