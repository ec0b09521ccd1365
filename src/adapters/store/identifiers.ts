import type { IIdentifier, IKey, ManagedKeyInfo, TKeyType } from '@veramo/core-types'
import { DIDStore, Identifier, Key, KeyStore } from '@veramo/data-store'
import type { DataSource } from 'typeorm'
import { gatheringOn } from './gathering.js'
import { changed, insertMissing } from './insert.js'
import { readShared } from './reading.js'

interface KeyRow {
  readonly kid: string
  readonly kms: string
  readonly type: TKeyType
  readonly publicKeyHex: string
  readonly meta: string | null
}

interface DidRow extends KeyRow {
  readonly did: string
  readonly provider: string
  readonly alias: string | null
  readonly controllerKeyId: string | null
  readonly services: number | string
}

/** The stock store asks for all three by its type, and is given one. */
interface Wanted {
  did?: string
  alias?: string
  provider?: string
}

const KEY = 'k.kid, k.kms, k.type, k."publicKeyHex", k.meta'
const SERVICES = '(SELECT COUNT(*) FROM service s WHERE s."identifierDid" = i.did) AS services'
const DID = `SELECT i.did, i.provider, i.alias, i."controllerKeyId", ${SERVICES}, ${KEY} FROM identifier i LEFT JOIN "key" k ON k."identifierDid" = i.did WHERE i.`

/**
 * Veramo's store of DIDs on the same tables, with plain statements where an agent is looked up or made: what the stock
 * store spends goes into turning rows into objects and back. Whatever else is asked is left to that.
 */
export class ProcuraDidStore extends DIDStore {
  readonly #dataSource: DataSource

  constructor(dataSource: DataSource) {
    super(dataSource)
    this.#dataSource = dataSource
  }

  /** By DID or alias. @throws Error `Identifier not found` */
  override async getDID(by: Wanted): Promise<IIdentifier> {
    const { did, alias } = by
    // whether a new one's alias is free is told when it is written
    if (did === undefined && gatheringOn(this.#dataSource) !== undefined) throw new Error('Identifier not found')
    const asStock = (): Promise<IIdentifier> => super.getDID(by as Parameters<DIDStore['getDID']>[0])
    if ((did === undefined) === (alias === undefined)) return asStock()
    const rows = await this.#rows(did === undefined ? 'alias' : 'did', did ?? alias ?? '')
    const [first] = rows
    if (first === undefined) throw new Error('Identifier not found')
    // no DID that is made here has services
    if (Number(first.services) > 0 || rows.some(row => row.did !== first.did)) return asStock()
    return identifierOf(rows)
  }

  /** That an alias is free is told by one plain statement. */
  override async listDIDs(query: { alias?: string; provider?: string }): Promise<IIdentifier[]> {
    if (query.provider !== undefined || query.alias === undefined || query.alias === '') return super.listDIDs(query)
    return (await this.#rows('alias', query.alias)).length === 0 ? [] : super.listDIDs(query)
  }

  /** Keeps a DID whose keys are kept already; over one that stands, as the stock store does it. */
  override async importDID(identifier: IIdentifier): Promise<boolean> {
    const { did, alias, controllerKeyId, provider, keys, services } = identifier
    const now = new Date()
    const isNew =
      services.length === 0 &&
      keys.length === 1 &&
      (await insertMissing(this.#dataSource, Identifier, {
        ...{ did, provider, saveDate: now, updateDate: now },
        ...(alias === undefined || alias === '' ? {} : { alias }),
        ...(controllerKeyId === undefined || controllerKeyId === '' ? {} : { controllerKeyId }),
      }))
    if (!isNew) return super.importDID(identifier)
    // a new DID and the key that controls it are written together
    if (controllerKeyId === keys[0]?.kid && gatheringOn(this.#dataSource) !== undefined) return true
    const [value, place] = [0, 1].map(at => this.#dataSource.driver.createParameter('', at))
    const sql = `UPDATE "key" SET "identifierDid" = ${value} WHERE kid = ${place}`
    return (await changed(this.#dataSource, sql, [did, keys[0]?.kid])) === 1 || super.importDID(identifier)
  }

  #rows(column: 'did' | 'alias', value: string): Promise<readonly DidRow[]> {
    return readShared<DidRow>(this.#dataSource, `${DID}${column} = ?`, [value])
  }
}

/** Veramo's store of keys on the same table: one statement to find a key, one to keep a new one. */
export class ProcuraKeyStore extends KeyStore {
  readonly #dataSource: DataSource

  constructor(dataSource: DataSource) {
    super(dataSource)
    this.#dataSource = dataSource
  }

  /** By kid. @throws Error `Key not found` */
  override async getKey({ kid }: { kid: string }): Promise<IKey> {
    const [row] = await readShared<KeyRow>(this.#dataSource, `SELECT ${KEY} FROM "key" k WHERE k.kid = ?`, [kid])
    if (row === undefined) throw new Error('Key not found')
    return keyOf(row)
  }

  /** Keeps a key; over one that stands, as the stock store does it. */
  override async importKey(key: IKey): Promise<boolean> {
    const { kid, kms, type, publicKeyHex, meta = null } = key
    const isNew = await insertMissing(this.#dataSource, Key, { kid, kms, type, publicKeyHex, meta })
    return isNew || super.importKey(key)
  }
}

function identifierOf(rows: readonly DidRow[]): IIdentifier {
  const [{ did, provider, alias, controllerKeyId }] = rows as [DidRow]
  return {
    ...{ did, provider, services: [], keys: rows.filter(({ kid }) => (kid as string | null) !== null).map(keyOf) },
    // null where none was named, as the stock store answers
    controllerKeyId: controllerKeyId as string,
    ...(alias === null ? {} : { alias }),
  }
}

function keyOf({ kid, kms, type, publicKeyHex, meta }: KeyRow): ManagedKeyInfo {
  const said = meta === null ? {} : { meta: JSON.parse(meta) as NonNullable<IKey['meta']> }
  return { kid, kms, type, publicKeyHex, ...said }
}
