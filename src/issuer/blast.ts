import { authorityShape } from '../authority/authority.js'
import type { Did } from '../did/did.js'
import type { Digest } from '../encoding.js'
import { isObject, member, parseJson } from '../json.js'
import type { StoredCredential } from '../ports/issuing.js'
import { read } from '../shape.js'
import type { UnixSeconds } from '../time.js'

/** A credential that a revocation would end. */
export interface Ended {
  readonly digest: Digest
  /** the one above it that would end too; `null` at the top */
  readonly parent: Digest | null
  readonly issuer: Did
  /** who holds it */
  readonly agent: Did
  readonly validUntil: UnixSeconds
  /** what it allows */
  readonly grants: readonly { readonly resource: string; readonly actions: readonly string[] }[]
}

/** Credentials as the tree they stand in. */
export function treeOf(all: readonly StoredCredential[]): readonly Ended[] {
  const digests = new Set(all.map(({ digest }) => digest))
  return all.map(({ digest, parent, issuer, subject, validUntil, token }) => ({
    digest,
    parent: parent !== null && digests.has(parent) ? parent : null,
    issuer,
    agent: subject,
    validUntil,
    grants: grantsOf(token),
  }))
}

/** It was verified before it was kept. An identity credential allows nothing. */
function grantsOf(token: string): Ended['grants'] {
  const { value } = parseJson(Buffer.from(token.split('.')[1] ?? '', 'base64url'), 'credential')
  const subject = isObject(value) ? member(value, 'credentialSubject') : undefined
  const authority = isObject(subject) ? member(subject, 'authority') : undefined
  if (authority === undefined) return []
  return read(authorityShape, authority, 'authority').grants.map(({ resource, actions }) => ({
    resource,
    actions: [...actions],
  }))
}
