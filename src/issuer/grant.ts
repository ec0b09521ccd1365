import { MAX_CREDENTIAL, toCredentialJson } from '../credential/credential.js'
import { CAPABILITY, readNext } from '../delegation/chain.js'
import { toStored } from '../delegation/stored.js'
import type { JsonObject } from '../json.js'
import { draftJws, UNSIGNED } from '../jws/compact.js'
import type { Issuer, IssuerIdentity, IssuerPorts } from './issuer.js'
import type { Leases } from './lease.js'
import { requireSigned } from './own.js'

/**
 * Issues root capabilities. Indexes come first: one that is not used is burned, and signing holds no transaction up. What
 * will be signed is read first as others will read it: what no verifier would take is not signed. What cannot be put on
 * record is not issued.
 */
export function createGrants(
  { keys, statusBase }: IssuerIdentity,
  { clock, ids, credentials, audit, keys: resolved }: IssuerPorts,
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
    const signer = await keys.signer()
    const draft = draftJws(claims, 'vc+jwt', MAX_CREDENTIAL, 'root', signer)
    const root = await readNext([], draft.claims, signer, resolved)
    const [unsigned] = toStored([{ ...root, ...UNSIGNED }], [''], signer.publicKey)
    const token = await draft.sign()
    const digest = requireSigned(token, signer)
    const stored = { ...unsigned, token, digest }
    const { validUntil } = stored
    const { onBehalfOf = null, grants } = root.claims.authority
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
