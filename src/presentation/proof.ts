import { isDid, type Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { isS256 } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import { openJws, readJws, signJws, type Sealed, type Signer } from '../jws/compact.js'
import { integer, object, read, text, where } from '../shape.js'
import type { UnixSeconds } from '../time.js'
import { MAX_PROOF } from './presentation.js'

/** Seconds a proof or presentation lives when nothing else is said. */
export const LIFETIME = 60

/** An HTTP request as its parties see it. */
export interface HttpRequest {
  readonly method: string
  /** the whole target URI, query included */
  readonly url: string
  /** base64url SHA-256 of the raw body; `null` exactly when it is empty */
  readonly bodyDigest: string | null
}

/** Claims of an `agent-proof+jwt` without a chain: who calls the service (profile §5.2). */
export interface Proof {
  readonly iss: Did
  readonly aud: string
  readonly iat: UnixSeconds
  readonly exp: UnixSeconds
  readonly jti: string
  readonly request: { readonly htm: string; readonly htu: string; readonly bodyDigest?: string }
}

const proofShape = object({
  iss: where(isDid, 'is not a DID'),
  aud: text(),
  iat: integer(0),
  exp: integer(0),
  jti: text(/^[A-Za-z0-9_-]{22,64}$/),
  request: object({ htm: text(), htu: text(), bodyDigest: { optional: where(isS256, 'is not a SHA-256') } }),
})

/** Signs a proof for one request to the service at `aud`. */
export function signProof(
  signer: Signer,
  aud: string,
  request: HttpRequest,
  jti: string,
  now: UnixSeconds,
): Promise<string> {
  const { method: htm, url: htu, bodyDigest } = request
  const bound = { htm, htu, ...(bodyDigest === null ? {} : { bodyDigest }) }
  const claims: Proof = { iss: signer.did, aud, iat: now, exp: now + LIFETIME, jti, request: bound }
  return signJws(claims, 'agent-proof+jwt', signer)
}

/** Reads form and header of a proof; the caller decides whether its signer may be looked up. @throws the codes of steps 1–3 */
export function readProof(token: string): Sealed {
  return readJws(token, 'agent-proof+jwt', MAX_PROOF, 'proof')
}

/**
 * Verifies a proof's signature and reads its claims. Checks neither time nor request: {@link requireBound} does.
 *
 * @throws SIGNATURE_INVALID, SCHEMA, JWS_KID_MISMATCH
 */
export function openProof(sealed: Sealed, key: PublicKey): Proof {
  const proof = read(proofShape, openJws(sealed, key), 'proof')
  if (proof.iss !== sealed.signer) throw new ProcuraError('JWS_KID_MISMATCH', { kid: sealed.signer, issuer: proof.iss })
  return proof
}

/** Requires what was signed to be the HTTP request that was received. @throws REQUEST_METHOD, REQUEST_URL, REQUEST_BODY */
export function requireBound(signed: Proof['request'], received: HttpRequest): void {
  const { method, url } = received
  if (signed.htm !== method) throw new ProcuraError('REQUEST_METHOD', { signed: signed.htm, received: method })
  if (signed.htu !== url) throw new ProcuraError('REQUEST_URL', {})
  if ((signed.bodyDigest ?? null) !== received.bodyDigest) throw new ProcuraError('REQUEST_BODY', {})
}
