import { toCredentialJson } from '../credential/credential.js'
import { CAPABILITY } from '../delegation/chain.js'
import { toStored } from '../delegation/stored.js'
import type { JsonObject } from '../json.js'
import { signJws } from '../jws/compact.js'
import { MAX_UNLISTED, toStatusJson } from '../status/entry.js'
import type { Issuer, IssuerIdentity, IssuerPorts } from './issuer.js'
import type { Own } from './own.js'

/** Issues root capabilities. */
export function createGrants(
  { signer, publicKey, statusBase }: IssuerIdentity,
  ports: IssuerPorts,
  own: Own,
  lease: Issuer['lease'],
): Issuer['grant'] {
  const { clock, ids, credentials } = ports
  return ({ to, key, authority, ttl, listed = true }) =>
    ports.transaction(async () => {
      const now = clock.now()
      const [place] = listed || ttl > MAX_UNLISTED ? await lease(signer.did, 1) : []
      const filledIn = { v: 1, hop: 0, statusIssuers: [{ iss: signer.did, base: statusBase }] }
      const claims = toCredentialJson({
        id: `urn:uuid:${ids.uuid()}`,
        type: CAPABILITY,
        issuer: signer.did,
        subject: to,
        key,
        issuedAt: now,
        validFrom: now,
        validUntil: now + ttl,
        claims: { authority: { more: 0, ...authority, ...filledIn } as unknown as JsonObject },
        ...(place === undefined ? {} : { status: toStatusJson(place.url, place.index) }),
      })
      const token = await signJws(claims, 'vc+jwt', signer)
      const [stored] = toStored(await own.open([token]), [token], publicKey)
      await credentials.save(stored)
      return stored
    })
}
