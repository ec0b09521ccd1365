import { isResource } from '../../authority/resource.js'
import { ProcuraError } from '../../errors.js'
import { canonicalize, requireShallow, type JsonObject } from '../../json.js'
import type { ApprovalRequest } from '../../presentation/approval.js'
import { bodyDigest, MAX_PARAMS_DEPTH, type ReceivedRequest } from '../../presentation/request.js'
import type { Decision, Shown, Verifier } from '../../verifier/verifier.js'
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

/** The answer to a guarded request: go on with a decision, or send a problem. */
export type Verdict =
  | { readonly allow: true; readonly decision: Decision }
  | {
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

const TRICKS = /[%\\;#]|\/\/|\/\.{1,2}(?:\/|$)|.\/$/

/**
 * Refuses raw paths that two programs could read differently (profile §4.1), before anything is derived from them.
 *
 * @param target - path and query as they came over the wire
 * @throws RESOURCE_SYNTAX
 */
export function requirePlainPath(target: string): void {
  const path = target.split('?', 1)[0] ?? ''
  if (!path.startsWith('/') || TRICKS.test(path)) throw new ProcuraError('RESOURCE_SYNTAX', { at: 'request path' })
}

/** Decides one request of a protected route. Never throws: whatever goes wrong is a refusal. */
export async function judge(
  verifier: Verifier,
  raw: RawRequest,
  intent: () => Intent,
  reserve: boolean,
): Promise<Verdict> {
  let hint: Hint | undefined
  try {
    requirePlainPath(raw.target)
    if (raw.header('content-encoding').length > 0) throw new ProcuraError('REQUEST_BODY', {})
    const received = toReceived(verifier.self, raw, intent())
    hint = { action: received.action, resource: received.resource, params: Object.keys(received.params) }
    const shown = shownBy(raw)
    const approval = atMostOne(raw, APPROVAL_HEADER)
    const asked = { ...received, ...(approval === undefined ? {} : { approval }) }
    const decision = await decideOrFail(verifier, shown, asked, reserve)
    if (!('allow' in decision)) return await refuse(decision, hint, verifier)
    if (decision.allow) return { allow: true, decision }
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
  if (presentation !== undefined && proof === undefined) return presentation
  if (proof !== undefined && presentation === undefined) return { proof }
  throw new ProcuraError('CALLER_UNKNOWN', { why: 'one of Agent-Presentation and Agent-Proof is due' })
}

function atMostOne(raw: RawRequest, name: string): string | undefined {
  const [value, ...more] = raw.header(name)
  if (more.length > 0) throw new ProcuraError('CALLER_UNKNOWN', { why: `more than one ${name} header` })
  return value
}

function toReceived(self: string, raw: RawRequest, { action, params: derived, path }: Intent): ReceivedRequest {
  // what has no canonical form (a promise, a Map, a member that is undefined) would be digested as something else
  requireShallow(derived, 'params', MAX_PARAMS_DEPTH)
  const params = JSON.parse(canonicalize(derived)) as JsonObject
  const own = raw.target.split('?', 1)[0] ?? '/'
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
