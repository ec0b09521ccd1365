import type { Chain } from '../delegation/chain.js'
import { nearest } from '../delegation/narrowing.js'
import type { Did } from '../did/did.js'
import { envelope } from '../presentation/envelope.js'
import { type Presentation } from '../presentation/presentation.js'
import { LIFETIME } from '../presentation/proof.js'
import { paramsDigest } from '../presentation/request.js'
import type { UnixSeconds } from '../time.js'
import type { PresentRequest } from './wallet.js'

/** The claims that bind a holder and its chain to one request. @param jti - fresh, 22 to 64 base64url characters */
export function bindRequest(
  holder: Did,
  links: Chain,
  request: PresentRequest,
  jti: string,
  now: UnixSeconds,
): Presentation {
  const { method, url, bodyDigest, action, resource, params, nonce, provenance, identity } = request
  const stated = nearest(
    links.map(link => link.claims.authority),
    'purpose',
  )
  const purpose = request.purpose ?? stated?.s256
  return {
    holder,
    iss: holder,
    aud: request.audience,
    iat: now,
    exp: now + LIFETIME,
    jti,
    ...(nonce === undefined ? {} : { nonce }),
    ...(identity === undefined ? {} : { identity: identity.map(envelope) }),
    request: {
      htm: method,
      htu: url,
      ...(bodyDigest === null ? {} : { bodyDigest }),
      action,
      resource,
      paramsDigest: paramsDigest(params),
      ...(purpose === undefined ? {} : { purpose }),
      ...(provenance === undefined ? {} : { provenance }),
    },
  }
}
