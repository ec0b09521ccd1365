import { isResource } from '../../authority/resource.js'
import { ProcuraError } from '../../errors.js'
import { canonicalize, isObject, requireShallow, type JsonObject } from '../../json.js'
import type { ApprovalRequest } from '../../presentation/approval.js'
import { bodyDigest, MAX_PARAMS_DEPTH, type ReceivedRequest } from '../../presentation/request.js'
import type { Decision, Shown, Verifier } from '../../verifier/verifier.js'
import { toAllowed, type Allowed } from './allowed.js'
import { toProblem, toRefusal, type Problem } from './problem.js'

/** The header a presentation travels in. */
export const PRESENTATION_HEADER = 'agent-presentation'
/** The header a proof travels in that names a chain uploaded before. */
export const PROOF_HEADER = 'agent-proof'
/** The header an approval travels in. */
export const APPROVAL_HEADER = 'agent-approval'

/** A request as any HTTP framework hands it over. */
export interface RawRequest {
  readonly method: string
  /** path and query exactly as they came over the wire */
  readonly target: string
  /** path that the framework routed by, where something may have rewritten it */
  readonly routed?: string
  readonly body: Uint8Array | null
  /** all values a header came with, in order */
  readonly header: (name: string) => readonly string[]
}

/** What a route is about to do. Derived by the server; never read from the caller's word. */
export interface Intent {
  readonly action: string
  /** what is not in here is not constrained; a route without parameters says `{}` */
  readonly params: JsonObject
  /** path of the resource; the request's own path if left out */
  readonly path?: string
}

/** What a guard is told of a route. `params` is mandatory: what is not in it is not constrained. */
export interface Guarding<R> {
  readonly action: string
  /** all that the handler acts on, derived from route, query and body */
  readonly params: (request: R) => JsonObject
  /** path of the resource; the request's own path if left out */
  readonly path?: (request: R) => string
  /** hold the charge until the handler calls `commit` or `release` of the decision */
  readonly reserve?: boolean
}

/** What the route is about to do with this request. */
export function intentOf<R>({ action, params, path }: Guarding<R>, request: R): Intent {
  return { action, params: params(request), ...(path === undefined ? {} : { path: path(request) }) }
}

/** What a caller shows: a presentation or proof, and an approval if there is one. */
export interface Credentials {
  readonly shown: Shown
  readonly approval?: string | undefined
}

/** One call: what is about to happen, and what the caller shows for it. */
export interface Call {
  readonly received: ReceivedRequest
  readonly credentials: () => Credentials
}

/** The answer to a guarded request: go on with a decision, or send a problem. */
export type Verdict = { readonly allow: true; readonly authority: Allowed } | Refusing

/** What is sent instead of going on. */
export interface Refusing {
  readonly allow: false
  readonly problem: Refused
  readonly headers: Readonly<Record<string, string>>
}

/** A problem document, with what helps an honest client to do better. */
export interface Refused extends Problem {
  readonly authority?: Hint
  /** what a person has to approve; sign it and call again */
  readonly approval?: ApprovalRequest
}

/** Tells an honest client what would be checked. Unsigned: a hint, not a promise. */
export interface Hint {
  readonly action: string
  readonly resource: string
  readonly params: readonly string[]
}

/** The values of a header as they came over the wire: `node:http` would join or drop repeated ones. */
export function headerValues(
  { rawHeaders }: { readonly rawHeaders: readonly string[] },
  name: string,
): readonly string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
}

const TRICKS = /[%\\;]|\/\/|\/\.{1,2}(?:\/|$)|.\/$/

/**
 * Refuses raw paths that two programs could read differently (profile §4.1), before anything is derived from them.
 *
 * @param target - path and query as they came over the wire
 * @throws RESOURCE_SYNTAX
 */
export function requirePlainPath(target: string): void {
  const path = target.split('?', 1)[0] ?? ''
  if (!path.startsWith('/') || TRICKS.test(path) || target.includes('#'))
    throw new ProcuraError('RESOURCE_SYNTAX', { at: 'request path' })
}

/** What {@link requirePlainPath} refuses, for a framework that can refuse it before anything else. */
export function refusePath(target: string): Refusing | null {
  try {
    requirePlainPath(target)
    return null
  } catch (thrown) {
    return { allow: false, problem: toProblem(toRefusal(thrown), true), headers: {} }
  }
}

/** Decides one request of a protected route. Never throws: whatever goes wrong is a refusal. */
export function judge(verifier: Verifier, raw: RawRequest, intent: () => Intent, reserve = false): Promise<Verdict> {
  return answer(verifier, reserve, () => {
    requirePlainPath(raw.target)
    if (raw.header('content-encoding').length > 0) throw new ProcuraError('REQUEST_BODY', {})
    const received = toReceived(verifier.self, raw, intent())
    const [traceparent] = raw.header('traceparent')
    const credentials = () => ({ shown: shownBy(raw), approval: atMostOne(raw, APPROVAL_HEADER) })
    return { received: { ...received, traceparent }, credentials }
  })
}

/**
 * Decides one call, however it came. Never throws: whatever goes wrong is a refusal.
 *
 * @param read - derives the call; what it throws refuses it
 */
export async function answer(verifier: Verifier, reserve: boolean, read: () => Call): Promise<Verdict> {
  let hint: Hint | undefined
  try {
    const { received, credentials } = read()
    hint = { action: received.action, resource: received.resource, params: Object.keys(received.params) }
    const { shown, approval } = credentials()
    const asked = { ...received, ...(approval === undefined ? {} : { approval }) }
    const decision = await decideOrFail(verifier, shown, asked, reserve)
    if (!('allow' in decision)) return await refuse(decision, hint, verifier)
    if (decision.allow) return { allow: true, authority: toAllowed(decision, verifier, reserve) }
    const problem = toProblem(decision, decision.disclose || decision.code === 'CHAIN_UNKNOWN')
    return await refuse(
      decision.approval === null ? problem : { ...problem, approval: decision.approval },
      hint,
      verifier,
    )
  } catch (thrown) {
    return await refuse(toProblem(toRefusal(thrown), true), hint, verifier)
  }
}

/** What a verifier throws is the server's own trouble: the caller learns only its kind. */
async function decideOrFail(
  verifier: Verifier,
  shown: Shown,
  received: ReceivedRequest,
  reserve: boolean,
): Promise<Decision | Problem> {
  try {
    return await verifier.decide(shown, received, { reserve })
  } catch (thrown) {
    return toProblem(toRefusal(thrown), false)
  }
}

function shownBy(raw: RawRequest): Shown {
  const [presentation, proof] = [atMostOne(raw, PRESENTATION_HEADER), atMostOne(raw, PROOF_HEADER)]
  // an empty header shows nothing
  if (presentation && proof === undefined) return presentation
  if (proof && presentation === undefined) return { proof }
  throw new ProcuraError('CALLER_UNKNOWN', { why: 'one of Agent-Presentation and Agent-Proof is due' })
}

function atMostOne(raw: RawRequest, name: string): string | undefined {
  const [value, ...more] = raw.header(name)
  if (more.length > 0) throw new ProcuraError('CALLER_UNKNOWN', { why: `more than one ${name} header` })
  return value
}

/**
 * Parameters as they will be digested. What has no canonical form (a promise, a Map, a member that is undefined) would
 * be digested as something else.
 *
 * @throws REQUEST_PARAMS - they are no object; JSON_DEPTH, JSON_NOT_CANONICAL
 */
export function toParams(derived: JsonObject): JsonObject {
  if (!isObject(derived)) throw new ProcuraError('REQUEST_PARAMS', {})
  requireShallow(derived, 'params', MAX_PARAMS_DEPTH)
  return JSON.parse(canonicalize(derived)) as JsonObject
}

function toReceived(self: string, raw: RawRequest, { action, params: derived, path }: Intent): ReceivedRequest {
  const params = toParams(derived)
  const own = raw.target.split('?', 1)[0] ?? '/'
  // a server that rewrites paths has to say which resource it means: one path would be judged, another one run
  if (path === undefined && (raw.routed ?? own) !== own) {
    throw new ProcuraError('RESOURCE_SYNTAX', { at: 'rewritten request path' })
  }
  const resource = `${self}${path ?? (own === '/' ? '' : own)}`
  if (!isResource(resource) || path?.startsWith('/') === false)
    throw new ProcuraError('RESOURCE_SYNTAX', { at: 'request path' })
  return { method: raw.method, url: `${self}${raw.target}`, bodyDigest: bodyDigest(raw.body), action, resource, params }
}

async function refuse(problem: Refused, hint: Hint | undefined, verifier: Verifier): Promise<Verdict> {
  const headers: Record<string, string> = {}
  if (problem.status === 401) {
    // without a nonce the caller is refused once more, and told so then
    const nonce = await verifier.challenge(hint?.action).catch(() => null)
    headers['www-authenticate'] = nonce === null ? 'Agent-Proof' : `Agent-Proof nonce="${nonce}"`
  }
  if (problem.status === 429 || problem.status === 503) headers['retry-after'] = '1'
  return { allow: false, headers, problem: hint === undefined ? problem : { ...problem, authority: hint } }
}
