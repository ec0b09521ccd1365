import type { AnswerOf, InputOf, Operation } from './operation.js'
import type { OPERATIONS, OperationName } from './operations.js'

/** How one call is made. */
export interface CallOptions {
  /** for a call that a process may have to make again after a crash; made for the call unless given */
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal
}

/**
 * The HTTP API as functions, named and typed as in its OpenAPI document. Calls that change something are made again when
 * no answer came, and happen once.
 *
 * Each throws the code that the service answered with, and SERVICE_UNAVAILABLE if there was no answer, or one that does
 * not fit.
 */
export type Client = { readonly [N in OperationName]: Called<(typeof OPERATIONS)[N]> }

type Called<O extends Operation> =
  Partial<InputOf<O>> extends InputOf<O>
    ? (input?: InputOf<O>, options?: CallOptions) => Promise<AnswerOf<O>>
    : (input: InputOf<O>, options?: CallOptions) => Promise<AnswerOf<O>>
