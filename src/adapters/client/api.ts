import { setTimeout } from 'node:timers/promises'
import type { CallOptions, Client } from '../../api/client.js'
import type { Operation } from '../../api/operation.js'
import { OPERATIONS } from '../../api/operations.js'
import { isCode, isProcuraError, ProcuraError, printable } from '../../errors.js'
import { isObject, member, parseJson, type Json } from '../../json.js'
import type { Clock, Ids } from '../../ports/world.js'
import { signProof } from '../../presentation/proof.js'
import { bodyDigest } from '../../presentation/request.js'
import type { Signer } from '../../signer.js'
import { exchange, readAtMost, type Exchange, type Reach } from './http.js'

/** What calls to a service need. */
export interface ServiceOptions {
  /** https origin of the service */
  readonly service: string
  readonly reach: Reach
  /** how requests get there, if not over the network */
  readonly exchange?: Exchange
  readonly clock: Clock
  readonly ids: Ids
}

/** What a caller shows: the key of its DID, the secret of a resource server, or nothing. */
export type Credential = Signer | { readonly secret: string } | null

interface Input {
  readonly params?: Readonly<Record<string, unknown>>
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: Json
}

/** Milliseconds for one attempt. */
const PATIENCE = 15_000
/** Bytes of an answer. */
const MAX_ANSWER = 1024 * 1024
/** Milliseconds before a call is made again. */
const PAUSES = [200, 800]

/** A client of the service that `options` name. */
export function createClient(credential: Credential, options: ServiceOptions): Client {
  const all = Object.entries(OPERATIONS).map(([name, operation]) => [
    name,
    (input: Input = {}, how: CallOptions = {}) => call(operation, input, how, credential, options),
  ])
  return Object.fromEntries(all) as Client
}

async function call(
  operation: Operation,
  input: Input,
  { idempotencyKey, signal }: CallOptions,
  credential: Credential,
  options: ServiceOptions,
): Promise<unknown> {
  const { method, repeat, answer: schema } = operation
  const url = new URL(`${options.service}${targetOf(operation, input)}`)
  const body = input.body === undefined ? null : Buffer.from(JSON.stringify(input.body))
  const key = repeat === 'free' ? idempotencyKey : (idempotencyKey ?? options.ids.token())
  const headers = {
    accept: 'application/json',
    ...(body === null ? {} : { 'content-type': 'application/json' }),
    ...(key === undefined ? {} : { 'idempotency-key': key }),
  }
  const attempt = async (): Promise<unknown> => {
    const shown = await show(credential, { method, url: url.href, body }, options)
    const late = AbortSignal.timeout(PATIENCE)
    const until = signal === undefined ? late : AbortSignal.any([signal, late])
    try {
      const init = { method, headers: { ...headers, ...shown }, body, signal: until }
      const answer = await (options.exchange?.(url, init) ?? exchange(url, init, options.reach))
      return await read(answer, schema, options.service)
    } catch (cause) {
      if (!late.aborted || signal?.aborted === true) throw cause
      throw new ProcuraError('SERVICE_UNAVAILABLE', { service: options.service, why: 'no answer in time' }, { cause })
    }
  }
  for (const pause of method === 'GET' || key !== undefined ? PAUSES : []) {
    try {
      return await attempt()
    } catch (error) {
      if (!isProcuraError(error) || error.code !== 'SERVICE_UNAVAILABLE' || signal?.aborted === true) throw error
    }
    await setTimeout(pause, undefined, signal === undefined ? {} : { signal })
  }
  return attempt()
}

function targetOf({ path }: Operation, { params = {}, query = {} }: Input): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])))
  const asked = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  )
  return asked.length === 0 ? filled : `${filled}?${new URLSearchParams(asked).toString()}`
}

/** What proves the caller; a proof is for one attempt. */
async function show(
  credential: Credential,
  { method, url, body }: { readonly method: string; readonly url: string; readonly body: Uint8Array | null },
  { service, clock, ids }: ServiceOptions,
): Promise<Readonly<Record<string, string>>> {
  if (credential === null) return {}
  if ('secret' in credential) return { authorization: `Bearer ${credential.secret}` }
  const bound = { method, url, bodyDigest: bodyDigest(body) }
  return { 'agent-proof': await signProof(credential, service, bound, ids.token(), clock.now()) }
}

/** Reads an answer by the operation's schema; what a newer service says beside is left out. */
async function read(response: Response, schema: Operation['answer'], service: string): Promise<unknown> {
  if (response.status === 204) return ''
  const bytes = await readAtMost(response, MAX_ANSWER)
  if (response.ok && schema === null) return Buffer.from(bytes).toString('utf8')
  const { value } = parseAnswer(bytes, response.status, service)
  if (response.ok) {
    const result = schema?.safeParse(value)
    if (result?.success === true) return result.data
    throw new ProcuraError('SERVICE_UNAVAILABLE', { service, why: 'its answer is not as documented' })
  }
  const [code, detail] = isObject(value) ? [member(value, 'code'), member(value, 'detail')] : []
  if (!isCode(code)) throw new ProcuraError('SERVICE_UNAVAILABLE', { service, why: `status ${response.status}` })
  throw new ProcuraError(code, {} as never, { message: typeof detail === 'string' ? detail : code })
}

function parseAnswer(bytes: Uint8Array, status: number, service: string): { readonly value: Json } {
  try {
    return parseJson(bytes, `answer of ${printable(service)}`)
  } catch (cause) {
    throw new ProcuraError('SERVICE_UNAVAILABLE', { service, why: `status ${status}, and no JSON` }, { cause })
  }
}
