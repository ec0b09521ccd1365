import { request as send } from 'undici'
import { isProcuraError, ProcuraError } from '../../errors.js'

/** Where an https origin is reached: itself, or the address that the `connect` map names. */
export type Reach = (origin: string) => string

/** A request whose body is bytes, because they are signed. */
export interface HttpCall {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | null
  readonly signal?: AbortSignal | undefined
}

/** Sends one HTTP request. @throws SERVICE_UNAVAILABLE - no answer came */
export type Exchange = (url: URL, call: HttpCall) => Promise<Response>

/** Milliseconds to wait for headers, and between two pieces of a body. */
const PATIENCE = 10_000
const WITHOUT_BODY = new Set([101, 204, 205, 304])

/**
 * Sends one HTTP request. Never follows a redirect: what is signed is for one URL.
 *
 * @throws SERVICE_UNAVAILABLE - no answer came
 */
export async function exchange(url: URL, call: HttpCall, reach: Reach): Promise<Response> {
  try {
    const { statusCode, headers, body } = await send(`${reach(url.origin)}${url.pathname}${url.search}`, {
      method: call.method as 'GET',
      headers: { ...call.headers, host: url.host },
      body: call.body,
      headersTimeout: PATIENCE,
      bodyTimeout: PATIENCE,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    })
    const empty = WITHOUT_BODY.has(statusCode)
    if (empty) await body.dump()
    // the body is given as what it iterates to: streams adapted by node:stream break when they are cancelled
    return new Response(empty ? null : body, {
      status: statusCode,
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        (Array.isArray(value) ? value : value === undefined ? [] : [value]).map(one => [name, one]),
      ),
    })
  } catch (cause) {
    if (call.signal?.aborted === true) throw call.signal.reason
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer'
    throw new ProcuraError('SERVICE_UNAVAILABLE', { service: url.origin, why }, { cause })
  }
}

/**
 * The body of an answer, read to its end.
 *
 * @param limit - bytes; one more and the answer is given up
 * @throws SERVICE_UNAVAILABLE
 */
export async function readAtMost(response: Response, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of response.body ?? []) {
      size += (chunk as Uint8Array).length
      if (size > limit)
        throw new ProcuraError('SERVICE_UNAVAILABLE', { service: 'the server', why: 'too long an answer' })
      chunks.push(chunk as Uint8Array)
    }
  } catch (cause) {
    if (isProcuraError(cause) || isAbort(cause)) throw cause
    throw new ProcuraError('SERVICE_UNAVAILABLE', { service: 'the server', why: 'its answer broke off' }, { cause })
  }
  return Buffer.concat(chunks)
}

/** Its caller gave up: that is no fault of the server's. */
function isAbort(cause: unknown): boolean {
  return cause instanceof Error && ['AbortError', 'TimeoutError'].includes(cause.name)
}
