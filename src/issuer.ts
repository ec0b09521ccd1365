import type { AuthorityDraft } from './authority/authority.js'
import { MAX_CREDENTIAL, toCredentialJson } from './credential/credential.js'
import {
  CAPABILITY,
  isIssuerProved,
  isSubjectProved,
  leafOf,
  openOwnChain,
  requireInTime,
  type Chain,
} from './delegation/chain.js'
import type { Did } from './did/did.js'
import type { PublicKey } from './ed25519.js'
import { ProcuraError } from './errors.js'
import type { JsonObject } from './json.js'
import { readJws, signJws, type Signer } from './jws/compact.js'
import type {
  Clock,
  Credentials,
  Ids,
  Keys,
  StatusRows,
  StatusPlace,
  StoredCredential,
  StoredList,
  Transactions,
} from './ports.js'
import { bitsOf } from './status/bitstring.js'
import { toStatusJson } from './status/entry.js'
import { storedChain, toStored } from './delegation/stored.js'
import { RESIGN_AFTER, toListJson } from './status/list.js'

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
}

/** What an issuer is asked to grant. The rest of the authority (`v`, `hop`, status issuers) it fills in itself. */
export interface GrantRequest {
  readonly to: Did
  /** the recipient's key; needed for DIDs that do not contain it */
  readonly key: PublicKey
  readonly authority: AuthorityDraft
  /** seconds; at most 86 400 */
  readonly ttl: number
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
  /** The signed list, published anew if a row changed or it is {@link RESIGN_AFTER} seconds old. @throws NOT_FOUND */
  list(name: string): Promise<{ readonly token: string; readonly version: number }>
}

/** An issuer over storage and a signing key. */
export function createIssuer({ signer, publicKey, statusBase }: IssuerIdentity, ports: IssuerPorts): Issuer {
  const { clock, ids, keys, credentials, statusRows } = ports
  const publishing = new Map<string, Promise<{ token: string; version: number }>>()

  /** Our own eyes are the verifier's: what would not open as a chain rooted here is neither issued nor revoked. */
  async function open(tokens: readonly string[]): Promise<Chain> {
    const sealed = tokens.map((token, index) => readJws(token, 'vc+jwt', MAX_CREDENTIAL, `link ${index}`))
    const [root] = sealed
    if (root === undefined) throw new ProcuraError('CHAIN_EMPTY', {})
    if (root.kid !== signer.kid) throw new ProcuraError('ROOT_UNTRUSTED', { root: root.kid })
    return openOwnChain(sealed, publicKey, keys)
  }

  async function tokensOf(name: string): Promise<readonly string[]> {
    const found = (await credentials.find(name)) ?? (await credentials.findRoot(signer.did, name))
    if (found === null) throw new ProcuraError('NOT_FOUND', { what: `credential ${name}` })
    return (await storedChain(credentials, found)).map(({ token }) => token)
  }

  async function publish(name: string): Promise<{ token: string; version: number }> {
    for (;;) {
      const stored = await statusRows.find(name)
      if (stored === null) throw new ProcuraError('NOT_FOUND', { what: `status list ${name}` })
      if (stored.token !== null && !isOutdated(stored)) return { token: stored.token, version: stored.version }
      const indexes = await statusRows.revokedIn(name)
      const now = clock.now()
      const version = stored.version + 1
      const claims = toListJson(`${statusBase}${name}`, signer.did, bitsOf(stored.length, indexes), version, now)
      const token = await signJws(claims, 'vc+jwt', signer)
      if (await statusRows.publish(name, token, version, now, indexes.length)) return { token, version }
    }
  }

  function isOutdated({ revoked, signedRevoked, signedAt }: StoredList): boolean {
    return revoked !== signedRevoked || clock.now() - signedAt >= RESIGN_AFTER
  }

  /** True if the DID issued one of the links, and its name is proved there. */
  async function isIssuerOf(chain: Chain, did: Did): Promise<boolean> {
    for (const [index, link] of chain.entries()) {
      if (link.issuer === did && (await isIssuerProved(chain, index, keys))) return true
    }
    return false
  }

  /** The credential's place in one of our lists, where its issuer leased it: nobody revokes another's by copying an index. */
  async function ownStatus({
    digest,
    issuer,
    status,
  }: StoredCredential): Promise<{ name: string; status: StatusPlace }> {
    if (status?.url.startsWith(statusBase) !== true)
      throw new ProcuraError('NOT_FOUND', { what: `status entry of ${digest} here` })
    const name = status.url.slice(statusBase.length)
    if ((await statusRows.ownerOf(name, status.index)) !== issuer) {
      throw new ProcuraError('CALLER_FORBIDDEN', { caller: issuer, what: 'use a status index of somebody else' })
    }
    return { name, status }
  }

  const issuer: Issuer = {
    did: signer.did,

    grant({ to, key, authority, ttl }) {
      return ports.transaction(async () => {
        const now = clock.now()
        const [status] = await issuer.lease(signer.did, 1)
        if (status === undefined) throw new ProcuraError('LIST_FULL', { why: 'no index was leased' })
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
          status: toStatusJson(status.url, status.index),
        })
        const token = await signJws(claims, 'vc+jwt', signer)
        const [stored] = toStored(await open([token]), [token], publicKey)
        await credentials.save(stored)
        return stored
      })
    },

    async lease(holder, count) {
      const { list, indexes } = await statusRows.lease(holder, count)
      return indexes.map(index => ({ url: `${statusBase}${list}`, index }))
    },

    async leaseUnder(chain, by, count) {
      const opened = await open(chain)
      requireInTime(opened, clock.now())
      if (leafOf(opened).subject !== by)
        throw new ProcuraError('CALLER_FORBIDDEN', { caller: by, what: 'lease for another holder' })
      if (!(await isSubjectProved(leafOf(opened), keys))) {
        throw new ProcuraError('KEY_BINDING', { did: by, purpose: 'assertionMethod' })
      }
      for (const one of toStored(opened, chain, publicKey)) {
        if (one.status === null) continue
        const { name, status } = await ownStatus(one)
        const isRevoked = (await statusRows.revokedIn(name)).includes(status.index)
        if (isRevoked) throw new ProcuraError('STATUS_REVOKED', { index: status.index, list: status.url })
      }
      return issuer.lease(by, count)
    },

    async revoke(target, by, isAdmin) {
      const tokens = typeof target === 'string' ? await tokensOf(target) : target
      const chain = await open(tokens)
      const leaf = leafOf(chain)
      if (!isAdmin && !(await isIssuerOf(chain, by))) {
        throw new ProcuraError('CALLER_FORBIDDEN', { caller: by, what: `revoke ${leaf.digest}` })
      }
      if (!(await isIssuerProved(chain, chain.length - 1, keys))) {
        throw new ProcuraError('KEY_BINDING', { did: leaf.issuer, purpose: 'assertionMethod' })
      }
      const stored = toStored(chain, tokens, publicKey)
      const { name, status } = await ownStatus(stored.at(-1) ?? stored[0])
      await ports.transaction(async () => {
        for (const one of stored) await credentials.save(one)
        await statusRows.revoke(name, status.index, by, clock.now())
      })
      const { version } = await issuer.list(name)
      return { digest: leaf.digest, list: status.url, index: status.index, version }
    },

    list(name) {
      const running = publishing.get(name)
      if (running !== undefined) return running.then(() => publish(name))
      const work = publish(name).finally(() => publishing.delete(name))
      publishing.set(name, work)
      return work
    },
  }
  return issuer
}
