import { type DataSource, In, IsNull, LessThan, MoreThan, type Repository } from 'typeorm'
import type { Did } from '../../did/did.js'
import { isDigest, type Digest } from '../../encoding.js'
import type { Credentials, StatusPlace, StoredCredential } from '../../ports/issuing.js'
import type { UnixSeconds } from '../../time.js'
import { type CredentialRow, CredentialTable } from './entities.js'
import { changed, insertMissing } from './insert.js'

/** Names in one query: far below any driver's bound of parameters. */
const NAMES_AT_ONCE = 500
/** Rows forgotten in one statement, so that others get their turn. */
const ENDED_AT_ONCE = 100

/** Credentials in one table. Every method throws STORAGE_UNAVAILABLE if the database cannot be used. */
export class CredentialRows implements Credentials {
  readonly #dataSource: DataSource
  readonly #rows: Repository<CredentialRow>

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
    this.#rows = dataSource.getRepository(CredentialTable)
  }

  /** Keeps the credential. The first token kept under a digest stays: others differ in the signature only. */
  async save({ status, suspension, ...credential }: StoredCredential): Promise<void> {
    const row: CredentialRow = {
      ...credential,
      statusUrl: status?.url ?? null,
      statusIndex: status?.index ?? null,
      suspensionUrl: suspension?.url ?? null,
      suspensionIndex: suspension?.index ?? null,
    }
    await insertMissing(this.#dataSource, CredentialTable, row)
  }

  /** By digest. */
  async find(digest: string): Promise<StoredCredential | null> {
    const row = isDigest(digest) ? await this.#rows.findOneBy({ digest }) : null
    return row === null ? null : toCredential(row)
  }

  /** By `id`, among the roots of one issuer; of several, the one that ends last. */
  async findRoot(issuer: Did, id: string): Promise<StoredCredential | null> {
    // ordered here: asked for an order, SQLite goes through all that the issuer issued, which are in it already
    const rows = await this.#rows.findBy({ issuer, id, parent: IsNull() })
    const [row] = rows.sort((a, b) => b.validUntil - a.validUntil || (a.digest < b.digest ? -1 : 1))
    return row === undefined ? null : toCredential(row)
  }

  /** Those of a subject that end after `now`, the latest end first. */
  async heldBy(subject: Did, now: UnixSeconds): Promise<readonly StoredCredential[]> {
    const where = { subject, validUntil: MoreThan(now) }
    const rows = await this.#rows.find({ where, order: { validUntil: 'DESC', digest: 'ASC' } })
    return rows.map(toCredential)
  }

  /** Those of an issuer that it issued before an instant and that end after `now`. */
  async issuedBy(issuer: Did, before: UnixSeconds, now: UnixSeconds): Promise<readonly StoredCredential[]> {
    const where = { issuer, validUntil: MoreThan(now), issuedAt: LessThan(before) }
    const rows = await this.#rows.find({ where, order: { digest: 'ASC' } })
    return rows.map(toCredential)
  }

  /** Those that end after `now` and name one of these as their parent. */
  async below(parents: readonly Digest[], now: UnixSeconds): Promise<readonly StoredCredential[]> {
    const found: StoredCredential[] = []
    for (let from = 0; from < parents.length; from += NAMES_AT_ONCE) {
      const parent = In(parents.slice(from, from + NAMES_AT_ONCE))
      const rows = await this.#rows.findBy({ parent, validUntil: MoreThan(now) })
      found.push(...rows.map(toCredential))
    }
    return found
  }

  /** Forgets some of those of an issuer that ended before an instant; `true` if there may be more. */
  async forget(issuer: Did, before: UnixSeconds): Promise<boolean> {
    const ended = `SELECT digest FROM stored_credential WHERE issuer = $1 AND valid_until < $2 LIMIT ${ENDED_AT_ONCE}`
    const forgotten = await changed(this.#dataSource, `DELETE FROM stored_credential WHERE digest IN (${ended})`, [
      issuer,
      before,
    ])
    return forgotten === ENDED_AT_ONCE
  }
}

function toCredential(row: CredentialRow): StoredCredential {
  const { statusUrl, statusIndex, suspensionUrl, suspensionIndex, ...credential } = row
  return { ...credential, status: placeOf(statusUrl, statusIndex), suspension: placeOf(suspensionUrl, suspensionIndex) }
}

function placeOf(url: string | null, index: number | null): StatusPlace | null {
  return url === null || index === null ? null : { url, index }
}
