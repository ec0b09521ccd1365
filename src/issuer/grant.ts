import { toCredentialJson } from '../credential/credential.js'
import { CAPABILITY, leafOf } from '../delegation/chain.js'
import { toStored } from '../delegation/stored.js'
import type { JsonObject } from '../json.js'
import { signJws } from '../jws/compact.js'
import type { Issuer, IssuerIdentity, IssuerPorts } from './issuer.js'
import type { Leases } from './lease.js'
import type { OpenOwn } from './own.js'

/**
 * Issues root capabilities. Indexes come first: one that is not used is burned, and signing holds no transaction up. What
 * cannot be put on record is not issued.
 */
export function createGrants(
  { keys, statusBase }: IssuerIdentity,
  { clock, ids, credentials, audit }: IssuerPorts,
  open: OpenOwn,
  leases: Pick<Leases, 'placesFor'>,
): Issuer['grant'] {
  return async ({ to, key, authority, ttl, listed, suspendable, by = keys.did }) => {
    const now = clock.now()
    const { json } = await leases.placesFor(now, now + ttl, { listed, suspendable })
    const filledIn = { v: 1, hop: 0, statusIssuers: [{ iss: keys.did, base: statusBase }] }
    const claims = toCredentialJson({
      id: `urn:uuid:${ids.uuid()}`,
      type: CAPABILITY,
      issuer: keys.did,
      subject: to,
      key,
      issuedAt: now,
      validFrom: now,
      validUntil: now + ttl,
      claims: { authority: { more: 0, ...authority, ...filledIn } as unknown as JsonObject },
      ...(json === null ? {} : { status: json }),
    })
    const token = await signJws(claims, 'vc+jwt', await keys.signer())
    const { chain, rootKey } = await open([token])
    const [stored] = toStored(chain, [token], rootKey)
    const { digest, validUntil } = stored
    const { onBehalfOf = null, grants } = leafOf(chain).claims.authority
    const allowed = grants.map(({ resource, actions }) => ({ resource, actions }))
    await audit.record({
      type: 'grant',
      at: now,
      by,
      issuer: keys.did,
      to,
      digest,
      onBehalfOf,
      grants: allowed,
      validUntil,
    })
    await credentials.save(stored)
    return stored
  }
}
