import type { Client } from '../../api/client.js'
import { digestOf } from '../../encoding.js'
import { ERRORS, isCode, isProcuraError, ProcuraError } from '../../errors.js'
import { canonicalize, type JsonObject } from '../../json.js'
import type { LeasedIndexes, StatusLeases } from '../../ports/holding.js'
import type { Clock } from '../../ports/world.js'
import type { Signer } from '../../signer.js'
import type { Commitment, Decision, Verifier } from '../../verifier/verifier.js'

/** Indexes leased at once; they are kept, and used up before more are asked for. */
const LEASED_AT_ONCE = 32

/** Leases blocks of status indexes from a service, for holders of chains rooted there. */
export function serviceLeases(as: (signer: Signer) => Client, clock: Clock, kept: LeasedIndexes): StatusLeases {
  return {
    async take({ chain, bases, validUntil, signer }) {
      const take = () => kept.take(signer.did, bases, validUntil, clock.now())
      const ready = await take()
      if (ready !== null) return ready
      const body = { chain: [...chain], count: LEASED_AT_ONCE }
      const { indexes, until } = await as(signer).allocate({ body })
      await kept.keep(signer.did, indexes.slice(0, LEASED_AT_ONCE), until)
      const fresh = await take()
      if (fresh !== null) return fresh
      throw new ProcuraError('SERVICE_UNAVAILABLE', {
        service: bases.join(' '),
        why: 'it leased indexes of no use here',
      })
    },
  }
}

/** For wallets that know no service: delegations of more than 300 s cannot be made. */
export const noLeases: StatusLeases = {
  take: () =>
    Promise.reject(new ProcuraError('STATUS_UNAVAILABLE', { list: 'any', why: 'no service to lease an index from' })),
}

/**
 * A verifier that asks a service (`POST /v1/verify`).
 *
 * @param self - the audience that the client's secret is bound to
 * @param service - names the service in errors
 */
export function remoteVerifier(self: string, client: Client, service: string): Verifier {
  const unavailable = (why: string, cause?: unknown): ProcuraError =>
    new ProcuraError('SERVICE_UNAVAILABLE', { service, why }, { cause })
  /** What the service has against us is not the caller's fault, and none of its business. */
  const asOurTrouble = (cause: unknown): never => {
    throw unavailable(isProcuraError(cause) ? cause.code : 'no answer', cause)
  }
  /** The kind of a refusal is ours: a service of another version may know none, or another. */
  const known = <T extends { readonly allow: boolean; readonly code: string | null }>(answer: T): T => {
    if (answer.allow) return answer
    if (isCode(answer.code)) return { ...answer, kind: ERRORS[answer.code][0] }
    throw unavailable('its answer is no decision')
  }
  return {
    self,

    challenge: async action => (await client.challenge({ body: { action } })).nonce,

    async keepChain(tokens) {
      const leaf = tokens.at(-1) ?? ''
      const digest = digestOf(leaf.slice(0, leaf.lastIndexOf('.')))
      await client.keepChain({ params: { digest }, body: [...tokens] }).catch(asOurTrouble)
      return digest
    },

    commit: async decisionId => known(await client.commit({ body: { decisionId } }).catch(asOurTrouble)) as Commitment,
    release: async decisionId =>
      known(await client.release({ body: { decisionId } }).catch(asOurTrouble)) as Commitment,

    async decide(shown, request, { reserve = false } = {}) {
      const { method, url, bodyDigest, action, resource, params, approval, traceparent } = request
      const trace = traceparent === undefined ? {} : { traceparent }
      const body = {
        ...(typeof shown === 'string' ? { presentation: shown } : shown),
        ...(approval === undefined ? {} : { approval }),
        ...(reserve ? { reserve } : {}),
        // what has no canonical form would be asked as something else
        request: {
          ...{ method, url, bodyDigest, action, resource, ...trace },
          params: JSON.parse(canonicalize(params)) as JsonObject,
        },
      }
      return known(await client.verify({ body }).catch(asOurTrouble)) as Decision
    },
  }
}
