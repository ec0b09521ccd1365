import { getAs, getText, postAs } from '../adapters/client/service.js'
import { systemClock, systemIds } from '../adapters/system.js'
import type { AuthorityDraft } from '../authority/authority.js'
import type { Did } from '../did/did.js'
import type { SubjectKind } from '../ports.js'
import { member, type JsonObject } from '../json.js'
import { isProcuraError, ProcuraError } from '../errors.js'
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

/** An issuer's admin: every call is signed by the operator's key. */
export interface OpenIssuer {
  /** DID of the operator */
  readonly operator: Did
  /**
   * Registers who may receive authority: nobody else does.
   *
   * @returns the subject, and of an agent its identity credential
   * @throws CALLER_FORBIDDEN, SCHEMA, SUBJECT_EXISTS, … as the service answers
   */
  register(subject: SubjectRegistration): Promise<JsonObject>
  /** The registration of a DID, or `null`. @throws CALLER_FORBIDDEN */
  subject(did: Did): Promise<JsonObject | null>
  /** A page of the register: `subjects`, and `next` for `after`. @param query - `after`, `limit`, `kind`, `state`, `owner` */
  subjects(query: Readonly<Record<string, string>>): Promise<JsonObject>
  /** Suspends, resumes or retires. @throws NOT_FOUND, SUBJECT_STATE */
  changeSubject(did: Did, verb: 'suspend' | 'resume' | 'retire'): Promise<JsonObject>
  /** Issues a root capability to a registered subject. @throws CALLER_FORBIDDEN, SUBJECT_UNKNOWN, GRANT_REFUSED, SCHEMA, … as the service answers */
  grant(
    grant: RootGrant,
  ): Promise<{ readonly credential: string; readonly digest: string; readonly validUntil: number }>
  /** Revokes by digest or id of a credential the service keeps, or by the chain of one it never saw. */
  revoke(target: string | readonly string[]): Promise<JsonObject>
  /** Posts to `/v1/revocations`: revokes, suspends or resumes, one or many. @throws as the service answers */
  changeStatus(body: JsonObject): Promise<JsonObject>
  /** The token of a status list of the service, by name or URL. @throws NOT_FOUND, SERVICE_UNAVAILABLE */
  statusList(list: string): Promise<string>
  /** Has the lists signed that are due now; answers their names as `lists`. */
  publishStatus(): Promise<JsonObject>
  close(): Promise<void>
}

/** Name of the operator's agent in its wallet. */
export const OPERATOR = 'operator'

/** Opens the operator's wallet for calls to its service. @throws NOT_FOUND, KEY_FILE, STORAGE_UNAVAILABLE */
export async function openIssuer({ service, connect = {}, ...where }: IssuerOptions): Promise<OpenIssuer> {
  const network = openNetwork(connect)
  const wallet = await openWallet({ ...where, roots: [], service, connect })
  const { holder, did } = await wallet.agent(OPERATOR)
  const calls = { service, reach: network.reach, clock: systemClock, ids: systemIds }
  return {
    operator: did,
    async subject(who) {
      try {
        return await getAs(holder, `/v1/subjects/${encodeURIComponent(who)}`, calls)
      } catch (error) {
        if (isProcuraError(error) && error.code === 'NOT_FOUND') return null
        throw error
      }
    },
    subjects: query => getAs(holder, `/v1/subjects?${new URLSearchParams(query).toString()}`, calls),
    changeSubject: (who, verb) => postAs(holder, `/v1/subjects/${encodeURIComponent(who)}/${verb}`, {}, calls),
    register: registration => postAs(holder, '/v1/subjects', { ...registration }, calls),
    async grant({ to, authority, ttl }) {
      const body = { to, ttl, authority: authority as unknown as JsonObject }
      const answer = await postAs(holder, '/v1/grants', body, calls)
      const [credential, digest, validUntil] = ['credential', 'digest', 'validUntil'].map(name => member(answer, name))
      if (typeof credential !== 'string' || typeof digest !== 'string' || typeof validUntil !== 'number') {
        throw new ProcuraError('SERVICE_UNAVAILABLE', { service, why: 'its answer holds no credential' })
      }
      return { credential, digest, validUntil }
    },
    revoke: target =>
      postAs(
        holder,
        '/v1/revocations',
        typeof target === 'string' ? { credential: target } : { chain: [...target] },
        calls,
      ),
    changeStatus: body => postAs(holder, '/v1/revocations', body, calls),
    statusList: list => getText(`/v1/status/${encodeURIComponent(list.slice(list.lastIndexOf('/') + 1))}`, calls),
    publishStatus: () => postAs(holder, '/v1/status/publications', {}, calls),
    async close() {
      await wallet.close()
      await network.close()
    },
  }
}
