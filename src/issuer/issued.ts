import { toAuthorityJson, type AuthorityDraft } from '../authority/authority.js'
import { MAX_CREDENTIAL, readCredential, toCredentialJson, type Credential } from '../credential/credential.js'
import { IDENTITY, identityShape, type AgentProfile, type Identity } from '../credential/identity.js'
import { leafOf } from '../delegation/chain.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { ProcuraError } from '../errors.js'
import type { JsonObject } from '../json.js'
import { openJws, readJws, signJws } from '../jws/compact.js'
import type { StoredCredential } from '../ports.js'
import { readStatus, toStatusJson } from '../status/entry.js'
import type { Issuer, IssuerIdentity, IssuerPorts } from './issuer.js'
import type { Own } from './own.js'

/** Says who an agent is, and for how long. */
export interface IdentityRequest {
  readonly to: Did
  readonly key: PublicKey
  readonly agent: AgentProfile
  /** seconds */
  readonly ttl: number
}

/** What an issuer does for the subjects of a register. */
export type ForSubjects = Pick<Issuer, 'identify' | 'liveOf' | 'reissue' | 'kill'>

/** Issues identity credentials, and everything anew when a key is replaced. */
export function createForSubjects(
  { signer, publicKey, statusBase }: IssuerIdentity,
  ports: IssuerPorts,
  own: Own,
  { lease, grant }: Pick<Issuer, 'lease' | 'grant'>,
): ForSubjects {
  const { clock, ids, credentials, statusRows, outbox } = ports

  /** Verified as it will be: what no verifier would take is not issued. */
  function openIdentity(token: string): Credential<Identity> {
    const sealed = readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'identity credential')
    return readCredential(openJws(sealed, publicKey), sealed, IDENTITY, identityShape)
  }

  const identify: Issuer['identify'] = ({ to, key, agent, ttl }) =>
    ports.transaction(async () => {
      const now = clock.now()
      const [place] = await lease(signer.did, 1)
      if (place === undefined) throw new ProcuraError('LIST_FULL', { why: 'no index was leased' })
      const claims = toCredentialJson({
        id: `urn:uuid:${ids.uuid()}`,
        type: IDENTITY,
        issuer: signer.did,
        subject: to,
        key,
        issuedAt: now,
        validFrom: now,
        validUntil: now + ttl,
        claims: { agent: agent as unknown as JsonObject },
        status: toStatusJson(place.url, place.index),
      })
      const token = await signJws(claims, 'vc+jwt', signer)
      const { digest, id, issuer, subject, validUntil, status } = openIdentity(token)
      readStatus(status, ttl, [{ iss: signer.did, base: statusBase }])
      const stored = { digest, id, issuer, subject, validUntil, token, parent: null, key: publicKey.x, status: place }
      await credentials.save(stored)
      return stored
    })

  const liveOf: Issuer['liveOf'] = async subject => {
    const held = await credentials.heldBy(subject, clock.now())
    return held.filter(({ issuer, parent }) => issuer === signer.did && parent === null)
  }

  async function revoke(credential: StoredCredential, by: Did): Promise<void> {
    if (credential.status === null) return
    const { name, status } = await own.statusOf(credential)
    await statusRows.revoke(name, status.index, by, clock.now())
  }

  async function issueAgain(
    { token, validUntil }: StoredCredential,
    to: Did,
    key: PublicKey,
  ): Promise<StoredCredential> {
    const ttl = validUntil - clock.now()
    const sealed = readJws(token, 'vc+jwt', MAX_CREDENTIAL, 'issued credential')
    const { type } = openJws(sealed, publicKey)
    if (Array.isArray(type) && type.includes(IDENTITY)) {
      return identify({ to, key, agent: openIdentity(token).claims.agent, ttl })
    }
    const { authority } = leafOf(await own.open([token])).claims
    const draft: unknown = toAuthorityJson(authority)
    return grant({ to, key, authority: draft as AuthorityDraft, ttl })
  }

  return {
    identify,
    liveOf,
    reissue: (from, to, key, by) =>
      ports.transaction(async () => {
        const anew: StoredCredential[] = []
        for (const old of await liveOf(from)) {
          anew.push(await issueAgain(old, to, key))
          await revoke(old, by)
        }
        return anew
      }),
    kill: (did, by) =>
      ports.transaction(async () => {
        for (const one of await liveOf(did)) await revoke(one, by)
        await outbox.append([{ type: 'killed', target: did, status: null, version: null }], clock.now())
      }),
  }
}
