import { EntitySchema, type EntitySchemaColumnOptions, EntitySchemaOptions, type ObjectLiteral } from 'typeorm'
import type { Did } from '../../did/did.js'
import type { Digest } from '../../encoding.js'
import type { UnixSeconds } from '../../time.js'

/** A column of text. */
export const text: EntitySchemaColumnOptions = { type: 'text' }
/** An integer of up to 53 bits; some drivers read 64-bit columns as text. */
export const whole: EntitySchemaColumnOptions = {
  type: 'bigint',
  transformer: {
    to: (value: unknown) => value,
    from: (value: string | number | null) => (value === null ? null : Number(value)),
  },
}

/** A table whose rows are `R`. */
export function table<R extends ObjectLiteral>(
  options: Pick<EntitySchemaOptions<R>, 'name' | 'tableName' | 'columns' | 'indices' | 'foreignKeys'>,
): EntitySchema<R> {
  return new EntitySchema(Object.assign(new EntitySchemaOptions<R>(), options))
}

/** A row of `stored_credential`. */
export interface CredentialRow {
  readonly digest: Digest
  readonly id: string
  readonly issuer: Did
  readonly subject: Did
  readonly parent: Digest | null
  readonly validUntil: UnixSeconds
  readonly token: string
  readonly key: string
  readonly statusUrl: string | null
  readonly statusIndex: number | null
}

/** Credentials issued or held; found by digest, id, subject or parent. */
export const CredentialTable = table<CredentialRow>({
  name: 'StoredCredential',
  tableName: 'stored_credential',
  columns: {
    digest: { ...text, primary: true },
    id: text,
    issuer: text,
    subject: text,
    parent: { ...text, nullable: true },
    validUntil: { ...whole, name: 'valid_until' },
    token: text,
    key: text,
    statusUrl: { ...text, name: 'status_url', nullable: true },
    statusIndex: { ...whole, name: 'status_index', nullable: true },
  },
  indices: [
    { name: 'stored_credential_id', columns: ['id'] },
    { name: 'stored_credential_subject', columns: ['subject', 'validUntil'] },
    { name: 'stored_credential_parent', columns: ['parent'] },
  ],
})

/** A row of `status_list`. */
export interface ListRow {
  readonly name: string
  /** bits */
  readonly length: number
  /** base64url, 32 bytes, secret: who has it can tell from an index when it was handed out */
  readonly key: string
  /** how many indexes are out */
  readonly taken: number
  /** no index is handed out any more */
  readonly closed: boolean
  readonly version: number
  readonly token: string | null
  readonly signedAt: UnixSeconds
  readonly signedRevoked: number
}

/** Status lists. */
export const ListTable = table<ListRow>({
  name: 'StatusList',
  tableName: 'status_list',
  columns: {
    name: { ...text, primary: true },
    length: whole,
    key: text,
    taken: whole,
    closed: { type: 'boolean' },
    version: whole,
    token: { ...text, nullable: true },
    signedAt: { ...whole, name: 'signed_at' },
    signedRevoked: { ...whole, name: 'signed_revoked' },
  },
})

/** A row of `status_index`. */
export interface IndexRow {
  readonly list: string
  readonly index: number
  readonly issuer: Did
}

/** Indexes that were handed out, and to whom. */
export const IndexTable = table<IndexRow>({
  name: 'StatusIndex',
  tableName: 'status_index',
  columns: { list: { ...text, primary: true }, index: { ...whole, primary: true }, issuer: text },
  foreignKeys: [{ target: 'StatusList', columnNames: ['list'], referencedColumnNames: ['name'] }],
})

/** A row of `status_revocation`. */
export interface RevocationRow {
  readonly list: string
  readonly index: number
  readonly by: Did
  readonly at: UnixSeconds
}

/** Indexes that are revoked; rows are only ever added. */
export const RevocationTable = table<RevocationRow>({
  name: 'StatusRevocation',
  tableName: 'status_revocation',
  columns: { list: { ...text, primary: true }, index: { ...whole, primary: true }, by: text, at: whole },
  foreignKeys: [{ target: 'StatusIndex', columnNames: ['list', 'index'], referencedColumnNames: ['list', 'index'] }],
})

/** A row of `installation`. */
export interface InstallationRow {
  readonly name: string
  readonly value: string
}

/** What belongs to this one installation, such as its DID. */
export const InstallationTable = table<InstallationRow>({
  name: 'Installation',
  tableName: 'installation',
  columns: { name: { ...text, primary: true }, value: text },
})

/** All tables of ours. */
export const ENTITIES: readonly EntitySchema[] = [
  CredentialTable,
  ListTable,
  IndexTable,
  RevocationTable,
  InstallationTable,
]
