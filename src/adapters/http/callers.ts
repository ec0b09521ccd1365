import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { methodOf, type Did } from '../../did/did.js'
import { ProcuraError } from '../../errors.js'
import type { Clock, Keys, Ledger } from '../../ports.js'
import { requireFresh } from '../../presentation/presentation.js'
import { openProof, readProof, requireBound } from '../../presentation/proof.js'
import { bodyDigest } from '../../presentation/request.js'
import { SKEW } from '../../time.js'
import type { Verifier } from '../../verifier/verifier.js'
import { headerValues, PROOF_HEADER } from './guard.js'

/** A resource server that may ask for decisions: bound to its own audience and policy. */
export interface ResourceServer {
  readonly name: string
  /** base64url SHA-256 of its bearer secret */
  readonly secretHash: string
  readonly verifier: Verifier
}

/** What is needed to know a caller by its proof. */
export interface ProofPorts {
  readonly clock: Clock
  readonly keys: Keys
  readonly ledger: Ledger
}

/**
 * Who calls, by an `Agent-Proof` bound to this request and used once (profile §5.2).
 *
 * Says who it is, not what it may do. Only did:key and the DIDs named are looked up, so no stranger makes us fetch.
 *
 * @param origin - the service's own https origin
 * @throws CALLER_UNKNOWN and the codes of steps 1–3, 7 and 13–15
 */
export async function proveCaller(
  request: FastifyRequest,
  rawBody: Uint8Array | null,
  origin: string,
  known: ReadonlySet<Did>,
  { clock, keys, ledger }: ProofPorts,
): Promise<Did> {
  const [token, ...more] = headerValues(request.raw, PROOF_HEADER)
  if (token === undefined || more.length > 0)
    throw new ProcuraError('CALLER_UNKNOWN', { why: 'one Agent-Proof header is due' })
  const sealed = readProof(token)
  if (methodOf(sealed.signer) !== 'key' && !known.has(sealed.signer)) {
    throw new ProcuraError('CALLER_UNKNOWN', { why: `${sealed.signer} is not known here` })
  }
  const key = await keys.find(sealed.kid, 'authentication')
  if (key === null) throw new ProcuraError('KEY_NOT_AUTHORIZED', { kid: sealed.kid, purpose: 'authentication' })
  const proof = openProof(sealed, key)
  if (proof.aud !== origin) throw new ProcuraError('PRESENTATION_AUDIENCE', { at: 'aud', self: origin })
  requireFresh(proof, clock.now())
  const url = `${origin}${request.raw.url ?? ''}`
  requireBound(proof.request, { method: request.method, url, bodyDigest: bodyDigest(rawBody) })
  const { jti, iat: issuedAt, exp } = proof
  const use = { key: `${key.x}:${jti}`, issuedAt, until: exp + SKEW }
  const once = { uses: [use], throttles: [], charges: [], hold: null, now: clock.now() }
  if ((await ledger.settle(once)) !== null) {
    throw new ProcuraError('PRESENTATION_REPLAYED', {})
  }
  return proof.iss
}

/** The resource server whose bearer secret this is. All hashes are compared, each in constant time. @throws CALLER_UNKNOWN */
export function proveResourceServer(request: FastifyRequest, servers: readonly ResourceServer[]): ResourceServer {
  const secret = /^Bearer ([A-Za-z0-9._~+/=-]{16,512})$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
  const hash = createHash('sha256').update(secret).digest()
  const matching = servers.filter(({ secretHash }) => {
    const expected = Buffer.from(secretHash, 'base64url')
    return expected.length === hash.length && timingSafeEqual(expected, hash)
  })
  const [server] = matching
  if (secret === '' || server === undefined)
    throw new ProcuraError('CALLER_UNKNOWN', { why: 'no bearer secret of a resource server' })
  return server
}
