import { type DataSource, IsNull, MoreThan, type Repository } from 'typeorm'
import type { Did } from '../../did/did.js'
import { isDigest } from '../../encoding.js'
import type { Credentials, StoredCredential } from '../../ports.js'
import type { UnixSeconds } from '../../time.js'
import { type CredentialRow, CredentialTable } from './entities.js'
import { insertMissing } from './insert.js'

/** Credentials in one table. Every method throws STORAGE_UNAVAILABLE if the database cannot be used. */
export class CredentialRows implements Credentials {
  readonly #dataSource: DataSource
  readonly #rows: Repository<CredentialRow>

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
    this.#rows = dataSource.getRepository(CredentialTable)
  }

  /** Keeps the credential. The first token kept under a digest stays: others differ in the signature only. */
  async save({ status, ...credential }: StoredCredential): Promise<void> {
    const row = { ...credential, statusUrl: status?.url ?? null, statusIndex: status?.index ?? null }
    await insertMissing(this.#dataSource, CredentialTable, row)
  }

  /** By digest. */
  async find(digest: string): Promise<StoredCredential | null> {
    const row = isDigest(digest) ? await this.#rows.findOneBy({ digest }) : null
    return row === null ? null : toCredential(row)
  }

  /** By `id`, among the roots of one issuer; of several, the one that ends last. */
  async findRoot(issuer: Did, id: string): Promise<StoredCredential | null> {
    const row = await this.#rows.findOne({
      where: { issuer, id, parent: IsNull() },
      order: { validUntil: 'DESC', digest: 'ASC' },
    })
    return row === null ? null : toCredential(row)
  }

  /** Those of a subject that end after `now`, the latest end first. */
  async heldBy(subject: Did, now: UnixSeconds): Promise<readonly StoredCredential[]> {
    const where = { subject, validUntil: MoreThan(now) }
    const rows = await this.#rows.find({ where, order: { validUntil: 'DESC', digest: 'ASC' } })
    return rows.map(toCredential)
  }
}

function toCredential({ statusUrl, statusIndex, ...row }: CredentialRow): StoredCredential {
  return { ...row, status: statusUrl === null || statusIndex === null ? null : { url: statusUrl, index: statusIndex } }
}
