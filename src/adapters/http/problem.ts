import { toProcuraError, type Kind } from '../../errors.js'

/** HTTP status by kind. Adding a code never touches the edge. */
export const STATUS: Readonly<Record<Kind, number>> = {
  malformed: 400,
  unauthenticated: 401,
  forbidden: 403,
  unknown: 404,
  conflict: 409,
  limited: 429,
  unavailable: 503,
  misconfigured: 500,
}

const TITLE: Readonly<Record<Kind, string>> = {
  malformed: 'The request is malformed',
  unauthenticated: 'The caller did not prove who it is',
  forbidden: 'The caller may not do this',
  unknown: 'There is no such thing here',
  conflict: 'It exists already',
  limited: 'Too many requests',
  unavailable: 'This cannot be decided now',
  misconfigured: 'The server is at fault',
}

/** A problem document. `code` and `detail` are missing where the caller may learn only the kind. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code?: string
  readonly detail?: string
}

/** What a refusal says, as an error or as a denied decision. */
export interface Refusal {
  readonly code: string
  readonly kind: Kind
  readonly detail: string
}

/** Media type of problem documents. */
export const PROBLEM = 'application/problem+json; charset=utf-8'

/**
 * A refusal as a problem document.
 *
 * @param disclose - false: the caller proved nothing, so it learns only the kind
 * @see https://www.rfc-editor.org/rfc/rfc9457#section-3.1
 */
export function toProblem({ code, kind, detail }: Refusal, disclose: boolean): Problem {
  const status = STATUS[kind]
  const base = { title: TITLE[kind], status }
  if (!disclose || kind === 'misconfigured') return { type: 'about:blank', ...base }
  return { type: `https://w3id.org/procura/v1/errors#${code}`, ...base, code, detail }
}

/** Whatever was thrown, as a refusal; what is not ours is INTERNAL. */
export function toRefusal(thrown: unknown): Refusal {
  const { code, kind, message } = toProcuraError(thrown)
  return { code, kind, detail: message }
}
