import {
  And,
  type DataSource,
  type FindOptionsWhere,
  In,
  LessThan,
  MoreThan,
  type ObjectLiteral,
  type Repository,
  type SelectQueryBuilder,
} from 'typeorm'
import { covering, type Selector } from '../../authority/resource.js'
import type { Did } from '../../did/did.js'
import type { Digest } from '../../encoding.js'
import type { GrantUse, Holding, HoldingQuery, HoldingRecord, Holdings } from '../../ports/holding.js'
import type { Transactions } from '../../ports/world.js'
import type { UnixSeconds } from '../../time.js'
import { CredentialTable } from './entities.js'
import { type HoldingGrantRow, HoldingGrantTable, type HoldingRow, HoldingTable } from './holding-entities.js'
import { insertMissing } from './insert.js'

/** What agents hold, in two tables beside the credentials. */
export class HoldingRows implements Holdings {
  readonly #dataSource: DataSource
  readonly #transactions: Transactions
  readonly #rows: Repository<HoldingRow>
  readonly #grants: Repository<HoldingGrantRow>

  constructor(dataSource: DataSource, transactions: Transactions) {
    this.#dataSource = dataSource
    this.#transactions = transactions
    this.#rows = dataSource.getRepository(HoldingTable)
    this.#grants = dataSource.getRepository(HoldingGrantTable)
  }

  /** Files it, unless it stands already: its counts stay. */
  async add({ grants, ...row }: Holding): Promise<void> {
    const { digest, holder, principal, validUntil } = row
    const rows = grants.flatMap(({ resource: selector, actions }, grant) =>
      actions.map(action => ({
        ...{ digest, grant, action, selector, holder, principal, validUntil },
        ...{ uses: 0, lastUsed: null },
      })),
    )
    await this.#transactions.transaction(async () => {
      if (await insertMissing(this.#dataSource, HoldingTable, row)) await this.#grants.insert(rows)
    })
  }

  /** Digests, the latest end first. A resource is compared with the selectors that could cover it, by text. */
  async find(query: HoldingQuery, now: UnixSeconds, limit?: number): Promise<readonly Digest[]> {
    const { holder, resource, action, before, principal, digest } = query
    const where = {
      holder,
      validUntil: before === undefined ? MoreThan(now) : And(MoreThan(now), LessThan(before)),
      ...(principal === undefined ? {} : { principal }),
      ...(digest === undefined ? {} : { digest }),
    }
    const rows = await (resource === undefined && action === undefined
      ? this.#rows.find({ select: DIGEST, where, order: LATEST, ...(limit === undefined ? {} : { take: limit }) })
      : this.#grants.find({
          select: DIGEST,
          where: {
            ...where,
            ...(resource === undefined ? {} : { selector: In([...covering(resource as Selector)]) }),
            ...(action === undefined ? {} : { action }),
          },
          order: LATEST,
        }))
    // one credential may grant a thing twice
    return [...new Set(rows.map(row => row.digest))].slice(0, limit)
  }

  /** Adds to the counts, all or none. */
  async use(uses: readonly GrantUse[]): Promise<void> {
    await this.#transactions.transaction(async () => {
      for (const { digest, grant, action, times, last } of uses) {
        await this.#grants
          .createQueryBuilder()
          .update()
          .set({ uses: () => 'uses + :times', lastUsed: last })
          .where({ digest, grant, action })
          .setParameters({ times })
          .execute()
      }
    })
  }

  /**
   * All of one holder, or of all, with their credentials' names and places: as they come from the driver, because making
   * entities of tens of thousands of rows takes longer than reading them.
   */
  async list(now: UnixSeconds, holder?: Did): Promise<readonly HoldingRecord[]> {
    const where = { ...(holder === undefined ? {} : { holder }), validUntil: MoreThan(now) }
    const uses = await this.#usesOf(where)
    const query = this.#rows.createQueryBuilder('h').innerJoin(CredentialTable.options.name, 'c', 'c.digest = h.digest')
    const rows = await select(query, RECORD)
      .where(where)
      .orderBy({ 'h.holder': 'ASC', 'h.validUntil': 'DESC', 'h.digest': 'ASC' })
      .getRawMany<Raw<typeof RECORD>>()
    return rows.map(({ url, index, ...row }) => {
      const [more, receivedAt, validUntil] = [Number(row.more), Number(row.receivedAt), Number(row.validUntil)]
      const status = url === null || index === null ? null : { url, index: Number(index) }
      const times = { more, receivedAt, validUntil, given: Boolean(row.given) }
      return { ...row, ...times, status, uses: uses.get(row.digest) ?? [] } as HoldingRecord
    })
  }

  async #usesOf(where: FindOptionsWhere<HoldingGrantRow>): Promise<ReadonlyMap<string, HoldingRecord['uses']>> {
    const rows = await select(this.#grants.createQueryBuilder('g'), USE)
      .where(where)
      .orderBy({ 'g.grant': 'ASC', 'g.action': 'ASC' })
      .getRawMany<Raw<typeof USE>>()
    const all = new Map<string, HoldingRecord['uses'][number][]>()
    for (const { digest, grant, action, resource, times, last } of rows) {
      const use = { grant: Number(grant), action, resource, times: Number(times), last: numberOrNull(last) }
      const others = all.get(digest)
      if (others === undefined) all.set(digest, [use])
      else others.push(use)
    }
    return all
  }

  /** Forgets them, and the tokens that were received and that no other chain goes through. */
  async drop(holder: Did): Promise<void> {
    await this.#transactions.transaction(async () => {
      await this.#dataSource
        .createQueryBuilder()
        .delete()
        .from(CredentialTable)
        .where('digest IN (SELECT h.digest FROM holding h WHERE h.holder = :holder AND h.given = :given)')
        .andWhere('NOT EXISTS (SELECT 1 FROM stored_credential c WHERE c.parent = stored_credential.digest)')
        .setParameters({ holder, given: false })
        .execute()
      await this.#grants.delete({ holder })
      await this.#rows.delete({ holder })
    })
  }
}

/** name → column; {@link Raw} says what comes back under that name */
const RECORD = {
  digest: 'h.digest',
  holder: 'h.holder',
  root: 'h.root',
  rootKey: 'h.rootKey',
  principal: 'h.principal',
  more: 'h.more',
  receivedAt: 'h.receivedAt',
  validUntil: 'h.validUntil',
  given: 'h.given',
  id: 'c.id',
  issuer: 'c.issuer',
  url: 'c.statusUrl',
  index: 'c.statusIndex',
} as const
const USE = {
  digest: 'g.digest',
  grant: 'g.grant',
  action: 'g.action',
  resource: 'g.selector',
  times: 'g.uses',
  last: 'g.lastUsed',
} as const

type Nullable = 'principal' | 'url' | 'index' | 'last'
/** Some drivers read 64-bit columns as text, and booleans as numbers. */
type Raw<T> = { readonly [K in keyof T]: K extends Nullable ? string | null : string }

function select<R extends ObjectLiteral>(
  query: SelectQueryBuilder<R>,
  columns: Readonly<Record<string, string>>,
): SelectQueryBuilder<R> {
  query.select([])
  for (const [name, column] of Object.entries(columns)) query.addSelect(column, name)
  return query
}

function numberOrNull(value: number | string | null): number | null {
  return value === null ? null : Number(value)
}

const DIGEST = { digest: true, validUntil: true } as const
const LATEST = { validUntil: 'DESC', digest: 'ASC' } as const
