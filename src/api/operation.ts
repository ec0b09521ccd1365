import type { z } from 'zod'
import type { Code } from '../errors.js'

/**
 * Who may call: anyone; a resource server, by its bearer secret; a subject or an admin, by an `Agent-Proof` bound to the
 * request. What an authenticated caller may do is decided behind.
 */
export type CallerKind = 'anyone' | 'resource-server' | 'subject'

/**
 * What asking twice does. `free`: no harm, so an `Idempotency-Key` is refused. `same`: it is done again, to the same end.
 * `once`: under an `Idempotency-Key` it happens once. Under a key, both answer as the first time.
 */
export type Repeat = 'free' | 'same' | 'once'

/** Kinds of calls that are counted for each caller. */
export type Counted = 'identities' | 'leases' | 'chains'

/** One operation of the HTTP API: what server, client and OpenAPI document are made of. */
export interface Operation<
  C extends CallerKind = CallerKind,
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType | null = z.ZodType | null,
  A extends z.ZodType | null = z.ZodType | null,
> {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** with `{name}` for what `params` reads */
  readonly path: string
  readonly summary: string
  readonly caller: C
  readonly params: P
  readonly query: Q
  /** `null`: it takes none */
  readonly body: B
  /** of success */
  readonly status: 200 | 201 | 204
  /** of a JSON answer; `null`: there is none, or it is no JSON */
  readonly answer: A
  /** media type of the answer; JSON unless given */
  readonly type?: string
  /** media type of what goes on, for who does not ask for JSON */
  readonly stream?: string
  /** `Cache-Control` of what public caches may keep; such an answer has a strong ETag */
  readonly cache?: string
  readonly repeat: Repeat
  /** the kind of call, if it is bounded by more than the number of calls */
  readonly counted?: Counted
  /** a probe: answered however often it is asked */
  readonly isProbe?: boolean
  /** what it may refuse with, beside what {@link codesOf} adds */
  readonly codes: readonly Code[]
}

/** What an operation refuses with, every one of it tested; what a token can be refused for is in README's table. */
export function codesOf({ caller, repeat, codes, isProbe = false }: Operation): readonly Code[] {
  return [
    'SCHEMA',
    ...(caller === 'anyone' ? [] : (['CALLER_UNKNOWN'] as const)),
    ...codes,
    ...(repeat === 'free' ? [] : (['IDEMPOTENCY_CONFLICT'] as const)),
    ...(isProbe ? [] : (['RATE_LIMITED', 'SERVICE_UNAVAILABLE'] as const)),
    ...(caller === 'subject' ? (['STORAGE_UNAVAILABLE'] as const) : []),
  ]
}

/** Keeps the types of an operation. */
export function operation<
  const C extends CallerKind,
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType | null,
  A extends z.ZodType | null,
>(one: Operation<C, P, Q, B, A>): Operation<C, P, Q, B, A> {
  return one
}

/** What a caller of an operation hands over: only what it takes. */
export type InputOf<O extends Operation> = Part<'params', z.input<O['params']>> &
  Part<'query', z.input<O['query']>> &
  (O['body'] extends z.ZodType ? { readonly body: z.input<O['body']> } : unknown)

type Part<N extends string, T> =
  T extends Record<string, never>
    ? unknown
    : Partial<T> extends T
      ? { readonly [K in N]?: T }
      : { readonly [K in N]: T }

/** What an operation answers: a JSON value, a token, or nothing. */
export type AnswerOf<O extends Operation> = O['answer'] extends z.ZodType ? z.output<O['answer']> : string
