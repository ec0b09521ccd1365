import { Identifier } from '@veramo/data-store'
import type { DataSource, Repository } from 'typeorm'
import type { Did } from '../../did/did.js'
import type { SigningKey, SigningKeys } from '../../ports/keys.js'
import { SigningKeyTable } from './key-entities.js'

/** Times of signing keys in one table; which one signs is what Veramo calls the controller key. */
export class SigningKeyRows implements SigningKeys {
  readonly #rows: Repository<SigningKey>
  readonly #identifiers: Repository<Identifier>

  constructor(dataSource: DataSource) {
    this.#rows = dataSource.getRepository(SigningKeyTable)
    this.#identifiers = dataSource.getRepository(Identifier)
  }

  /** Of one DID, in the order of listing. */
  async of(did: Did): Promise<readonly SigningKey[]> {
    return this.#rows.find({ where: { did }, order: { listedAt: 'ASC', kid: 'ASC' } })
  }

  /** Puts a row in place. */
  async save(key: SigningKey): Promise<void> {
    await this.#rows.upsert(key, ['kid'])
  }

  /** Names the key that signs. */
  async control(did: Did, kid: string): Promise<void> {
    await this.#identifiers.update(did, { controllerKeyId: kid })
  }
}
