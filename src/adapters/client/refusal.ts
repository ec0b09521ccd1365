import { isProcuraError, printable } from '../../errors.js'
import { isObject, member, parseJson, type Json, type JsonObject } from '../../json.js'
import { parseApprovalRequest, type ApprovalRequest } from '../../presentation/approval.js'
import { SKEW, type UnixSeconds } from '../../time.js'
import { readAtMost } from './http.js'

/** What a server says of a request that it refused. It is that server's word: nothing in it is signed. */
export interface Refusal {
  /** stable; `null` where the caller may learn only the kind of the refusal */
  readonly code: string | null
  readonly detail: string | null
  /** what a person has to approve: sign it, and call again with the approval */
  readonly approval: ApprovalRequest | null
  /** what the server checks on this route */
  readonly authority: { readonly action: string; readonly resource: string; readonly params: readonly string[] } | null
  /** seconds that the server's clock is ahead of this one; `null` if it did not say */
  readonly clockAhead: number | null
  /** what most likely has to change, in a sentence; `null` if that cannot be told from here */
  readonly advice: string | null
}

/** What was signed, for comparison with what the server checks. */
export interface Signed {
  readonly action: string
  readonly resource: string
  readonly params: JsonObject
}

/** An answer, with what is said in it if it is a refusal. */
export type AgentResponse = Response & {
  /** `null` unless the answer is a problem document; its text is still there to be read */
  readonly refusal: Refusal | null
}

/** Bytes of a problem document. */
const MAX_PROBLEM = 64 * 1024

/** Reads a refusal out of an answer, and leaves it readable. @param now - this side's clock */
export async function withRefusal(response: Response, signed: Signed, now: UnixSeconds): Promise<AgentResponse> {
  const { status, headers } = response
  const isProblem = headers.get('content-type')?.startsWith('application/problem+json') === true
  if (response.ok || !isProblem) return Object.assign(response, { refusal: null })
  const text = await readAtMost(response, MAX_PROBLEM)
  const problem = objectIn(text)
  const refusal = problem === null ? null : refusalOf(problem, headers.get('date'), signed, now)
  return Object.assign(new Response(text, { status, headers }), { refusal })
}

function refusalOf(problem: JsonObject, date: string | null, signed: Signed, now: UnixSeconds): Refusal {
  const text = (name: string): string | null => {
    const value = member(problem, name)
    return typeof value === 'string' ? printable(value) : null
  }
  const at = Date.parse(date ?? '')
  const clockAhead = Number.isNaN(at) ? null : Math.round(at / 1000) - now
  const authority = hintIn(member(problem, 'authority'))
  const told = { code: text('code'), detail: text('detail'), approval: approvalIn(member(problem, 'approval')) }
  return { ...told, authority, clockAhead, advice: adviceOf(told, authority, clockAhead, signed) }
}

function adviceOf(
  { code, approval }: Pick<Refusal, 'code' | 'approval'>,
  authority: Refusal['authority'],
  clockAhead: number | null,
  signed: Signed,
): string | null {
  if (approval !== null)
    return 'a person has to approve this call: hand `approval` to an approver, and call again with what it signs'
  const isOfTime = code === null || /^(TIME|PRESENTATION_EXPIRED)/.test(code)
  if (isOfTime && clockAhead !== null && Math.abs(clockAhead) > SKEW) {
    return `this clock is ${Math.abs(clockAhead)} s ${clockAhead > 0 ? 'behind' : 'ahead of'} the server's: set it right`
  }
  if (authority === null) return null
  for (const name of ['action', 'resource'] as const) {
    if (authority[name] !== signed[name])
      return `the server checks ${name} ${authority[name]}, signed was ${signed[name]}`
  }
  const names = Object.keys(signed.params)
  const missing = authority.params.filter(name => !names.includes(name))
  const surplus = names.filter(name => !authority.params.includes(name))
  if (missing.length > 0) return `the server also checks the parameters ${missing.join(', ')}`
  if (surplus.length > 0) return `the server does not know the parameters ${surplus.join(', ')}`
  return code === 'REQUEST_PARAMS' ? 'the server derived other values of the same parameters' : null
}

function hintIn(value: Json | undefined): Refusal['authority'] {
  if (!isObject(value)) return null
  const { action, resource, params } = value
  if (typeof action !== 'string' || typeof resource !== 'string' || !Array.isArray(params)) return null
  const names = (params as readonly Json[]).filter(one => typeof one === 'string')
  return { action: printable(action), resource: printable(resource), params: names.map(printable) }
}

/** What is not exactly what a person can be shown is not handed on. */
function approvalIn(value: Json | undefined): ApprovalRequest | null {
  if (value === undefined || value === null) return null
  try {
    return parseApprovalRequest(value)
  } catch (error) {
    if (isProcuraError(error)) return null
    throw error
  }
}

function objectIn(text: Uint8Array): JsonObject | null {
  try {
    const { value } = parseJson(text, 'a problem document')
    return isObject(value) ? value : null
  } catch (error) {
    if (isProcuraError(error)) return null
    throw error
  }
}
