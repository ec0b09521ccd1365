import type { Did } from '../../did/did.js'
import type { SubjectKind, SubjectState } from '../../ports/register.js'
import type { UnixSeconds } from '../../time.js'
import { table, text, whole } from './entities.js'

/** A row of `subject`: one registration. */
export interface SubjectRow {
  readonly id: string
  readonly did: Did
  readonly key: string
  readonly kind: SubjectKind
  readonly name: string
  readonly state: SubjectState
  readonly owner: string | null
  /** JSON, or `null` for people and organisations */
  readonly agent: string | null
  readonly registeredAt: UnixSeconds
  readonly expiresAt: UnixSeconds | null
}

/** The register. */
export const SubjectTable = table<SubjectRow>({
  name: 'Subject',
  tableName: 'subject',
  columns: {
    id: { ...text, primary: true },
    did: text,
    key: text,
    kind: text,
    name: text,
    state: text,
    owner: { ...text, nullable: true },
    agent: { ...text, nullable: true },
    registeredAt: { ...whole, name: 'registered_at' },
    expiresAt: { ...whole, name: 'expires_at', nullable: true },
  },
  indices: [
    { name: 'subject_did', columns: ['did'], unique: true },
    { name: 'subject_owner', columns: ['owner', 'id'] },
  ],
})

/** A row of `subject_name`: a DID or a key that was ever registered, and by whom. Rows are only ever added. */
export interface SubjectNameRow {
  /** a DID, or `key:` and the base64url of a key */
  readonly name: string
  readonly subject: string
}

/** Names that are taken for good. */
export const SubjectNameTable = table<SubjectNameRow>({
  name: 'SubjectName',
  tableName: 'subject_name',
  columns: { name: { ...text, primary: true }, subject: text },
})

/** All tables of the register. */
export const SUBJECT_ENTITIES = [SubjectTable, SubjectNameTable] as const
