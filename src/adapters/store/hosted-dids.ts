import type { DataSource, Repository } from 'typeorm'
import type { Did } from '../../did/did.js'
import { parsePublicKey } from '../../ed25519.js'
import type { Relationship } from '../../ports/deciding.js'
import type { HostedDids, HostedKey } from '../../ports/register.js'
import type { Transactions } from '../../ports/world.js'
import { type HostedKeyRow, HostedKeyTable } from './hosted-entities.js'

/** Keys of hosted DIDs in one table. */
export class HostedRows implements HostedDids {
  readonly #rows: Repository<HostedKeyRow>
  readonly #transactions: Transactions

  constructor(dataSource: DataSource, transactions: Transactions) {
    this.#rows = dataSource.getRepository(HostedKeyTable)
    this.#transactions = transactions
  }

  /** Puts the keys in place of those that stood there. */
  async publish(did: Did, keys: readonly HostedKey[]): Promise<void> {
    const rows = keys.map(({ kid, key, relationships }) => ({
      kid,
      did,
      key: key.x,
      relationships: relationships.join(' '),
    }))
    await this.#transactions.transaction(async () => {
      await this.#rows.delete({ did })
      await this.#rows.insert(rows)
    })
  }

  /** Deletes them all. */
  async withdraw(did: Did): Promise<boolean> {
    return this.#transactions.transaction(async () => {
      const stood = await this.#rows.existsBy({ did })
      await this.#rows.delete({ did })
      return stood
    })
  }

  /** By `kid`. */
  async find(did: Did): Promise<readonly HostedKey[] | null> {
    const rows = await this.#rows.find({ where: { did }, order: { kid: 'ASC' } })
    return rows.length === 0 ? null : rows.map(toKey)
  }
}

function toKey({ kid, key, relationships }: HostedKeyRow): HostedKey {
  return {
    kid,
    key: parsePublicKey(Buffer.from(key, 'base64url'), kid),
    relationships: relationships.split(' ') as Relationship[],
  }
}
