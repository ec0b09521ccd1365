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
  readonly issuedAt: UnixSeconds
  readonly validUntil: UnixSeconds
  readonly token: string
  readonly key: string
  readonly statusUrl: string | null
  readonly statusIndex: number | null
  readonly suspensionUrl: string | null
  readonly suspensionIndex: number | null
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
    issuedAt: { ...whole, name: 'issued_at' },
    validUntil: { ...whole, name: 'valid_until' },
    token: text,
    key: text,
    statusUrl: { ...text, name: 'status_url', nullable: true },
    statusIndex: { ...whole, name: 'status_index', nullable: true },
    suspensionUrl: { ...text, name: 'suspension_url', nullable: true },
    suspensionIndex: { ...whole, name: 'suspension_index', nullable: true },
  },
  indices: [
    { name: 'stored_credential_id', columns: ['id', 'issuer'] },
    { name: 'stored_credential_subject', columns: ['subject', 'validUntil'] },
    { name: 'stored_credential_parent', columns: ['parent'] },
    { name: 'stored_credential_issuer', columns: ['issuer', 'validUntil'] },
  ],
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
export const ENTITIES: readonly EntitySchema[] = [CredentialTable, InstallationTable]
