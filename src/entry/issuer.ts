import { createClient } from '../adapters/client/api.js'
import type { Exchange } from '../adapters/client/http.js'
import type { Registration } from '../adapters/client/subjects.js'
import { systemClock, systemIds } from '../adapters/system.js'
import type { Client } from '../api/client.js'
import type { AuthorityDraft } from '../authority/authority.js'
import type { Did } from '../did/did.js'
import type { SubjectKind } from '../ports/register.js'
import { isProcuraError } from '../errors.js'
import type { JsonObject } from '../json.js'
import { openNetwork } from './parts.js'
import { openWallet } from './wallet.js'

/** How an issuer's script reaches its service. */
export interface IssuerOptions {
  /** https origin of the service */
  readonly service: string
  /** the operator's wallet, made by the service's first start: `sqlite://data/var/operator.db` */
  readonly storage: string
  readonly keyFile?: string
  /** development only: https origin → address */
  readonly connect?: Readonly<Record<string, string>>
}

/** Whom to register. */
export interface SubjectRegistration {
  readonly kind: SubjectKind
  readonly did: Did
  /** base64url of its Ed25519 key; may be left out for did:key */
  readonly key?: string
  /** 1 to 128 printable characters */
  readonly name: string
  /** of an agent: `operator`, `autonomy` L0–L5, `risk` low or high, and what else its identity credential says (profile §3.1) */
  readonly agent?: JsonObject
  /** seconds after which the registration ends by itself */
  readonly ttl?: number
}

/** What a root capability grants; the issuer fills in version, hop and status issuers. */
export interface RootGrant {
  /** a registered subject */
  readonly to: Did
  readonly authority: AuthorityDraft
  /** seconds; at most 86 400 */
  readonly ttl: number
}

/** An issuer's admin: every call is signed by the operator's key, and happens once, however often it has to be made. */
export interface OpenIssuer {
  /** DID of the operator */
  readonly operator: Did
  /** The whole HTTP API, as the operator. */
  readonly api: Client
  /**
   * Registers who may receive authority: nobody else does.
   *
   * @returns the subject, and of an agent its identity credential
   * @throws CALLER_FORBIDDEN, SCHEMA, SUBJECT_EXISTS, … as the service answers
   */
  register(subject: SubjectRegistration): Promise<Registration>
  /** The registration of a DID, or `null`. @throws CALLER_FORBIDDEN */
  subject(did: Did): Promise<Registration['subject'] | null>
  /** Issues a root capability to a registered subject. @throws CALLER_FORBIDDEN, SUBJECT_UNKNOWN, GRANT_REFUSED, SCHEMA, … as the service answers */
  grant(grant: RootGrant): ReturnType<Client['grant']>
  /** Revokes by digest or id of a credential the service keeps, or by the chain of one it never saw. */
  revoke(target: string | readonly string[]): ReturnType<Client['revoke']>
  close(): Promise<void>
}

/** Name of the operator's agent in its wallet. */
export const OPERATOR = 'operator'

/**
 * Opens the operator's wallet for calls to its service.
 *
 * @param exchange - how requests get there, if not over the network
 * @throws NOT_FOUND, KEY_FILE, STORAGE_UNAVAILABLE
 */
export async function openIssuer(
  { service, connect = {}, ...where }: IssuerOptions,
  exchange?: Exchange,
): Promise<OpenIssuer> {
  const network = openNetwork(connect)
  const wallet = await openWallet({ ...where, roots: [], service, connect })
  const { holder, did } = await wallet.agent(OPERATOR)
  const how = { service, reach: network.reach, clock: systemClock, ids: systemIds }
  const api = createClient(holder, exchange === undefined ? how : { ...how, exchange })
  return {
    operator: did,
    api,
    async subject(who) {
      try {
        return await api.subject({ params: { did: who } })
      } catch (error) {
        if (isProcuraError(error) && error.code === 'NOT_FOUND') return null
        throw error
      }
    },
    register: body => api.register({ body }),
    grant: ({ to, authority, ttl }) => api.grant({ body: { to, ttl, authority: authority as unknown as JsonObject } }),
    revoke: target =>
      api.revoke({ body: typeof target === 'string' ? { credential: target } : { chain: [...target] } }),
    async close() {
      await wallet.close()
      await network.close()
    },
  }
}
