import type { AuthorityDraft } from '../authority/authority.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { Signer } from '../jws/compact.js'
import type {
  Clock,
  Credentials,
  Ids,
  Keys,
  Outbox,
  StatusPlace,
  StatusRows,
  StoredCredential,
  Transactions,
} from '../ports.js'
import { createGrants } from './grant.js'
import { createForSubjects, type IdentityRequest } from './issued.js'
import { createLeases } from './lease.js'
import { ownOf } from './own.js'
import { createPublisher, type PublishedList } from './publish.js'
import { createRevocations } from './revoke.js'

/** Who grants, and below which URL its status lists stand. */
export interface IssuerIdentity {
  readonly signer: Signer
  readonly publicKey: PublicKey
  /** https URL that ends in `/` */
  readonly statusBase: string
}

/** What an issuer needs of the world. */
export interface IssuerPorts extends Transactions {
  readonly clock: Clock
  readonly ids: Ids
  readonly keys: Keys
  readonly credentials: Credentials
  readonly statusRows: StatusRows
  readonly outbox: Outbox
}

/** What an issuer is asked to grant. The rest of the authority (`v`, `hop`, status issuers) it fills in itself. */
export interface GrantRequest {
  readonly to: Did
  /** the recipient's key; needed for DIDs that do not contain it */
  readonly key: PublicKey
  readonly authority: AuthorityDraft
  /** seconds; at most 86 400 */
  readonly ttl: number
  /** false: without a status entry, if it lives at most 300 s; it ends by itself then, or by what is announced */
  readonly listed?: boolean
}

/** A revocation that took effect. */
export interface Revoked {
  readonly digest: string
  readonly list: string
  readonly index: number
  /** the first list version that shows it */
  readonly version: number
}

/** Grants roots, publishes status lists, takes authority back. */
export interface Issuer {
  readonly did: Did
  /** Issues a root capability and keeps it; all of it or nothing. @throws the codes of steps 8 and 9 for what would not verify */
  grant(request: GrantRequest): Promise<StoredCredential>
  /** Hands out status indexes that only `holder` may use. @param count - 1 to 1024 */
  lease(holder: Did, count: number): Promise<readonly StatusPlace[]>
  /**
   * Hands out status indexes to the holder of a live chain rooted here, for the delegations it will sign itself.
   *
   * @throws CALLER_FORBIDDEN, TIME_NOT_YET_VALID, TIME_EXPIRED, STATUS_REVOKED and what opening the chain throws
   */
  leaseUnder(chain: readonly string[], by: Did, count: number): Promise<readonly StatusPlace[]>
  /**
   * Revokes the last credential of a chain for its issuer, for an issuer above it or for this service's own.
   *
   * @param chain - tokens, root → the one to revoke; or the digest or id of one this service keeps
   * @param by - who asks, already authenticated
   * @throws NOT_FOUND, CALLER_FORBIDDEN and what opening the chain throws
   */
  revoke(chain: readonly string[] | string, by: Did, isAdmin: boolean): Promise<Revoked>
  /** Issues the credential that says who an agent is, and keeps it. Grants nothing. @throws SCHEMA, CAVEAT_UNKNOWN */
  identify(request: IdentityRequest): Promise<StoredCredential>
  /** Roots and identity credentials of this issuer that a subject holds, the latest end first. */
  liveOf(subject: Did): Promise<readonly StoredCredential[]>
  /**
   * Issues what a subject holds of this issuer anew, to another DID or key, for the rest of its life, and revokes the old.
   *
   * @param by - who asked for it
   */
  reissue(from: Did, to: Did, key: PublicKey, by: Did): Promise<readonly StoredCredential[]>
  /** Stops an agent for good: what it holds of this issuer is revoked, and it is announced. @param by - who asked for it */
  kill(agent: Did, by: Did): Promise<void>
  /** The signed list, published anew if a row changed or it is {@link RESIGN_AFTER} seconds old. @throws NOT_FOUND */
  list(name: string): Promise<PublishedList>
}

/** An issuer over storage and a signing key. */
export function createIssuer(identity: IssuerIdentity, ports: IssuerPorts): Issuer {
  const own = ownOf(identity, ports)
  const list = createPublisher(identity, ports)
  const { lease, leaseUnder } = createLeases(identity, ports, own)
  const grant = createGrants(identity, ports, own, lease)
  return {
    did: identity.signer.did,
    grant,
    lease,
    leaseUnder,
    ...createForSubjects(identity, ports, own, { lease, grant }),
    revoke: createRevocations(identity, ports, own, list),
    list,
  }
}
