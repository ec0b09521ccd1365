import { toAuthorityJson, type AuthorityDraft } from '../authority/authority.js'
import { MAX_CREDENTIAL, readCredential, toCredentialJson } from '../credential/credential.js'
import { IDENTITY, identityShape, type AgentProfile } from '../credential/identity.js'
import { leafOf } from '../delegation/chain.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { JsonObject } from '../json.js'
import { draftJws, openJws, readJws, UNSIGNED } from '../jws/compact.js'
import type { StoredCredential } from '../ports/issuing.js'
import { readStatus } from '../status/entry.js'
import { batchesOf, type Changes } from './change.js'
import type { Issuer, IssuerIdentity, IssuerPorts } from './issuer.js'
import type { Leases } from './lease.js'
import { ownKey, requireSigned, type OpenOwn } from './own.js'
import type { Places } from './places.js'

/** Says who an agent is, and for how long. */
export interface IdentityRequest {
  readonly to: Did
  readonly key: PublicKey
  readonly agent: AgentProfile
  /** seconds */
  readonly ttl: number
}

/** What an issuer does for the subjects of a register. */
export type ForSubjects = Pick<Issuer, 'identify' | 'liveOf' | 'reissue'>

/** What issuing to subjects builds on. */
export interface Issuing extends Pick<Issuer, 'grant'> {
  readonly leases: Pick<Leases, 'placesFor'>
  readonly changes: Changes
  readonly places: Pick<Places, 'held'>
}

/** Issues identity credentials, and everything anew when a key is replaced. */
export function createForSubjects(
  { keys, statusBase }: IssuerIdentity,
  ports: IssuerPorts,
  open: OpenOwn,
  { grant, leases, changes, places }: Issuing,
): ForSubjects {
  const { clock, ids, credentials, audit } = ports

  const identify: Issuer['identify'] = async ({ to, key, agent, ttl }) => {
    const now = clock.now()
    const { status: place, suspension, json } = await leases.placesFor(now, now + ttl)
    const claims = toCredentialJson({
      id: `urn:uuid:${ids.uuid()}`,
      type: IDENTITY,
      issuer: keys.did,
      subject: to,
      key,
      issuedAt: now,
      validFrom: now,
      validUntil: now + ttl,
      claims: { agent: agent as unknown as JsonObject },
      ...(json === null ? {} : { status: json }),
    })
    const signer = await keys.signer()
    const draft = draftJws(claims, 'vc+jwt', MAX_CREDENTIAL, 'identity credential', signer)
    const read = readCredential(draft.claims, UNSIGNED, IDENTITY, identityShape)
    readStatus(read.status, ttl, [{ iss: keys.did, base: statusBase }])
    const token = await draft.sign()
    const { id, issuer, subject, issuedAt, validUntil } = read
    const digest = requireSigned(token, signer)
    const names = { digest, id, issuer, subject, issuedAt, validUntil, parent: null }
    const stored = { ...names, token, key: signer.publicKey.x, status: place, suspension }
    await audit.record({ type: 'identity', at: now, issuer, to, digest, validUntil })
    await credentials.save(stored)
    return stored
  }

  const liveOf: Issuer['liveOf'] = async subject => {
    const held = await credentials.heldBy(subject, clock.now())
    return held.filter(({ issuer, parent }) => issuer === keys.did && parent === null)
  }

  /**
   * Nothing comes of an identity credential, and nothing of a root whose key was dropped: who stole that may have signed it.
   */
  async function issueAgain(
    { token, validUntil }: StoredCredential,
    to: Did,
    key: PublicKey,
    by: Did,
    isSuspended: boolean,
  ): Promise<StoredCredential | null> {
    const ttl = validUntil - clock.now()
    const sealed = readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'issued credential')
    const { key: signedWith } = await ownKey(keys, sealed.kid)
    const { type } = openJws(sealed, signedWith)
    if (Array.isArray(type) && type.includes(IDENTITY)) return null
    const { chain, isListed } = await open([token])
    if (!isListed) return null
    const draft: unknown = toAuthorityJson(leafOf(chain).claims.authority)
    // what is suspended must be able to stay so, however short it lives
    const suspendable = isSuspended ? { suspendable: true } : {}
    return grant({ to, key, authority: draft as AuthorityDraft, ttl, by, ...suspendable })
  }

  return {
    identify,
    liveOf,
    reissue: (from, to, key, by) =>
      ports.transaction(async () => {
        await audit.record({ type: 'rekey', at: clock.now(), by, from, to, key: key.x })
        const old = await liveOf(from)
        const [revoked, suspended] = [await places.held(old, 'revocation'), await places.held(old, 'suspension')]
        const anew: StoredCredential[] = []
        for (const one of old.filter(({ digest }) => !revoked.has(digest))) {
          const made = await issueAgain(one, to, key, by, suspended.has(one.digest))
          if (made === null) continue
          anew.push(made)
          if (suspended.has(one.digest)) await changes.apply(batchesOf([made]), 'suspend', by)
        }
        await changes.apply(batchesOf(old), 'revoke', by)
        return anew
      }),
  }
}
