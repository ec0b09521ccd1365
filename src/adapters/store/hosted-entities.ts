import type { Did, DidUrl } from '../../did/did.js'
import { table, text } from './entities.js'

/** A row of `hosted_key`. */
export interface HostedKeyRow {
  readonly kid: DidUrl
  readonly did: Did
  /** base64url of the Ed25519 key */
  readonly key: string
  /** names, with a blank between them */
  readonly relationships: string
}

/** The keys of did:web names whose documents are served here. */
export const HostedKeyTable = table<HostedKeyRow>({
  name: 'HostedKey',
  tableName: 'hosted_key',
  columns: { kid: { ...text, primary: true }, did: text, key: text, relationships: text },
  indices: [{ name: 'hosted_key_did', columns: ['did'] }],
})
