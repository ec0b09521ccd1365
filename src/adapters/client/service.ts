import { digestOf } from '../../encoding.js'
import { ERRORS, isCode, isProcuraError, ProcuraError, printable } from '../../errors.js'
import { canonicalize, isObject, member, parseJson, type JsonObject } from '../../json.js'
import type { Clock, Ids, LeasedIndexes, StatusLeases, StatusPlace } from '../../ports.js'
import { signProof } from '../../presentation/proof.js'
import { bodyDigest } from '../../presentation/request.js'
import type { Signer } from '../../signer.js'
import type { Commitment, Decision, Verifier } from '../../verifier/verifier.js'
import { exchange, readAtMost, type Reach } from './http.js'

/** Milliseconds for a whole call. */
const PATIENCE = 15_000
/** Bytes of an answer. */
const MAX_ANSWER = 1024 * 1024
/** It goes into a header. */
const NONCE = /^[A-Za-z0-9_-]{1,128}$/

/** What calls to a service need. */
export interface ServiceOptions {
  /** https origin of the service */
  readonly service: string
  readonly reach: Reach
  readonly clock: Clock
  readonly ids: Ids
}

/**
 * Posts JSON to a service, proved to come from `signer` and bound to this one request.
 *
 * @returns the answer's JSON object
 * @throws the code the service answered with; SERVICE_UNAVAILABLE
 */
export function postAs(signer: Signer, path: string, body: JsonObject, options: ServiceOptions): Promise<JsonObject> {
  return sendAs(signer, 'POST', path, Buffer.from(JSON.stringify(body)), options)
}

/** Gets JSON from a service, proved as `postAs` does. @throws as `postAs` */
export function getAs(signer: Signer, path: string, options: ServiceOptions): Promise<JsonObject> {
  return sendAs(signer, 'GET', path, null, options)
}

/** Gets what is public at a service, as text. @throws the code the service answered with; SERVICE_UNAVAILABLE */
export async function getText(path: string, { service, reach }: ServiceOptions): Promise<string> {
  const init = { method: 'GET', headers: {}, body: null, signal: AbortSignal.timeout(PATIENCE) }
  const response = await exchange(new URL(`${service}${path}`), init, reach)
  const text = Buffer.from(await readAtMost(response, MAX_ANSWER)).toString('utf8')
  if (response.ok) return text
  if (response.status === 404) throw new ProcuraError('NOT_FOUND', { what: path })
  throw new ProcuraError('SERVICE_UNAVAILABLE', { service, why: `status ${response.status}` })
}

async function sendAs(
  signer: Signer,
  method: 'GET' | 'POST',
  path: string,
  body: Uint8Array | null,
  options: ServiceOptions,
): Promise<JsonObject> {
  const { service, clock, ids } = options
  const url = `${service}${path}`
  const bound = { method, url, bodyDigest: bodyDigest(body) }
  const proof = await signProof(signer, service, bound, ids.token(), clock.now())
  return send(method, url, body, { 'agent-proof': proof }, options)
}

async function send(
  method: 'GET' | 'POST' | 'PUT',
  url: string,
  body: Uint8Array | null,
  headers: Record<string, string>,
  { service, reach }: ServiceOptions,
): Promise<JsonObject> {
  const all = {
    ...headers,
    accept: 'application/json',
    ...(body === null ? {} : { 'content-type': 'application/json' }),
  }
  const init = { method, headers: all, body, signal: AbortSignal.timeout(PATIENCE) }
  const response = await exchange(new URL(url), init, reach)
  if (response.status === 204) return {}
  const answer = await readAnswer(response, service)
  if (response.ok) return answer
  const [code, detail] = [member(answer, 'code'), member(answer, 'detail')]
  if (!isCode(code)) throw new ProcuraError('SERVICE_UNAVAILABLE', { service, why: `status ${response.status}` })
  throw new ProcuraError(code, {} as never, { message: typeof detail === 'string' ? detail : code })
}

async function readAnswer(response: Response, service: string): Promise<JsonObject> {
  const { value } = parseJson(await readAtMost(response, MAX_ANSWER), `answer of ${printable(service)}`)
  if (isObject(value)) return value
  throw new ProcuraError('SERVICE_UNAVAILABLE', { service, why: 'its answer is not an object' })
}

/** Indexes leased at once; they are kept, and used up before more are asked for. */
const LEASED_AT_ONCE = 32

/** Leases blocks of status indexes from a service, for holders of chains rooted there. */
export function serviceLeases(options: ServiceOptions, kept: LeasedIndexes): StatusLeases {
  const noIndex = (why: string): ProcuraError =>
    new ProcuraError('SERVICE_UNAVAILABLE', { service: options.service, why })
  return {
    async take({ chain, bases, validUntil, signer }) {
      const take = () => kept.take(signer.did, bases, validUntil, options.clock.now())
      const ready = await take()
      if (ready !== null) return ready
      const body = { chain: [...chain], count: LEASED_AT_ONCE }
      const { indexes, until } = await postAs(signer, '/v1/status/allocations', body, options)
      if (!Array.isArray(indexes) || !indexes.every(isPlace) || !Number.isSafeInteger(until)) {
        throw noIndex('it leased no indexes')
      }
      await kept.keep(signer.did, indexes.slice(0, LEASED_AT_ONCE), until as number)
      const fresh = await take()
      if (fresh === null) throw noIndex('it leased indexes of no use here')
      return fresh
    },
  }
}

function isPlace(value: unknown): value is StatusPlace {
  const { url, index } = (isObject(value) ? value : {}) as { readonly url?: unknown; readonly index?: unknown }
  return typeof url === 'string' && url.length <= 512 && Number.isSafeInteger(index)
}

/** For wallets that know no service: delegations of more than 300 s cannot be made. */
export const noLeases: StatusLeases = {
  take: () =>
    Promise.reject(new ProcuraError('STATUS_UNAVAILABLE', { list: 'any', why: 'no service to lease an index from' })),
}

/**
 * A verifier that asks a service (`POST /v1/verify`).
 *
 * @param self - the audience that the secret is bound to
 * @param secret - the resource server's bearer secret
 */
export function remoteVerifier(self: string, secret: string, options: ServiceOptions): Verifier {
  const headers = { authorization: `Bearer ${secret}` }
  /** What the service has against us is not the caller's fault, and none of its business. */
  const asOurTrouble = (cause: unknown): never => {
    const why = isProcuraError(cause) ? cause.code : 'no answer'
    throw new ProcuraError('SERVICE_UNAVAILABLE', { service: options.service, why }, { cause })
  }
  const requireAnswer = (answer: JsonObject): JsonObject => {
    const { allow, code } = answer
    if (allow === true) return answer
    // the kind is ours: a service of another version may know none, or another
    if (allow === false && isCode(code)) return { ...answer, kind: ERRORS[code][0] }
    throw new ProcuraError('SERVICE_UNAVAILABLE', { service: options.service, why: 'its answer is no decision' })
  }
  const close = async (how: 'commit' | 'release', decisionId: string): Promise<Commitment> => {
    const body = Buffer.from(JSON.stringify({ decisionId }))
    const answer = await send('POST', `${options.service}/v1/${how}`, body, headers, options).catch(asOurTrouble)
    return requireAnswer(answer) as unknown as Commitment
  }
  return {
    self,

    async challenge(action) {
      const body = Buffer.from(JSON.stringify({ action }))
      const { nonce } = await send('POST', `${options.service}/v1/challenges`, body, headers, options)
      return typeof nonce === 'string' && NONCE.test(nonce) ? nonce : null
    },

    async keepChain(tokens) {
      const leaf = tokens.at(-1) ?? ''
      const digest = digestOf(leaf.slice(0, leaf.lastIndexOf('.')))
      const body = Buffer.from(JSON.stringify(tokens))
      await send('PUT', `${options.service}/v1/chains/${digest}`, body, headers, options).catch(asOurTrouble)
      return digest
    },

    commit: decisionId => close('commit', decisionId),
    release: decisionId => close('release', decisionId),

    async decide(shown, request, { reserve = false } = {}) {
      const { method, url, bodyDigest, action, resource, params } = request
      const body = canonicalize({
        ...(typeof shown === 'string' ? { presentation: shown } : shown),
        ...(request.approval === undefined ? {} : { approval: request.approval }),
        ...(reserve ? { reserve } : {}),
        request: { method, url, bodyDigest, action, resource, params },
      })
      const answer = await send('POST', `${options.service}/v1/verify`, Buffer.from(body), headers, options).catch(
        asOurTrouble,
      )
      return requireAnswer(answer) as unknown as Decision
    },
  }
}
