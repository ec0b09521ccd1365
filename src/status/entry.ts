import type { StatusIssuer } from '../authority/authority.js'
import { ProcuraError } from '../errors.js'
import { isObject, member, type Json, type JsonObject } from '../json.js'
import type { Did } from '../did/did.js'
import type { StatusPurpose } from '../ports/issuing.js'

/** Where a credential's status stands; its list is trusted from `issuers` only. */
export interface StatusEntry {
  readonly purpose: StatusPurpose
  readonly url: string
  readonly index: number
  readonly issuers: readonly Did[]
}

/** Longest life, in seconds, that needs no status: revoke the parent instead. */
export const MAX_UNLISTED = 300

const INDEX = /^(?:0|[1-9][0-9]{0,9})$/
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
const MEMBERS = ['id', 'type', 'statusPurpose', 'statusListIndex', 'statusListCredential', 'statusSize']

/** An entry of `credentialStatus`: the credential's bit of a purpose stands at `index` of the list at `url`. */
export function toStatusJson(url: string, index: number, purpose: StatusPurpose = 'revocation'): JsonObject {
  return {
    id: `${url}#${index}`,
    type: 'BitstringStatusListEntry',
    statusPurpose: purpose,
    statusListIndex: String(index),
    statusListCredential: url,
  }
}

/**
 * Reads `credentialStatus`: the first half of profile §8.2, in its order.
 *
 * @param lifetime - seconds the credential lives
 * @param issuers - the `statusIssuers` in force for its link
 * @returns empty only for a credential of at most 300 s that has none
 * @throws SCHEMA, STATUS_MISSING, STATUS_TYPE, STATUS_PURPOSE, STATUS_INDEX, STATUS_URL
 * @see https://www.w3.org/TR/vc-bitstring-status-list/#bitstringstatuslistentry
 */
export function readStatus(
  status: Json | undefined,
  lifetime: number,
  issuers: readonly StatusIssuer[],
): readonly StatusEntry[] {
  if (status === undefined) {
    if (lifetime > MAX_UNLISTED) throw new ProcuraError('STATUS_MISSING', { seconds: lifetime })
    return []
  }
  const entries: readonly Json[] = Array.isArray(status) ? (status as readonly Json[]) : [status]
  if (entries.length > 2 || !entries.every(isObject)) {
    throw new ProcuraError('SCHEMA', { at: 'credentialStatus', why: 'is not one or two status entries' })
  }
  const purposes = entries.map(entry => member(entry, 'statusPurpose'))
  if (!purposes.includes('revocation') || new Set(purposes).size < purposes.length) {
    throw new ProcuraError('STATUS_MISSING', { seconds: lifetime })
  }
  entries.forEach(requireType)
  // one member of all entries before the next: the codes stand in that order
  const known = entries.map(entry => checkPurpose(member(entry, 'statusPurpose')))
  const indexes = entries.map(entry => checkIndex(member(entry, 'statusListIndex')))
  return entries.map((entry, at) => {
    const { url, issuers: serving } = checkUrl(member(entry, 'statusListCredential'), issuers)
    return { purpose: known[at] as StatusPurpose, index: indexes[at] as number, url, issuers: serving }
  })
}

function requireType(entry: JsonObject): void {
  const wrong = (why: string): ProcuraError => new ProcuraError('STATUS_TYPE', { why })
  if (member(entry, 'type') !== 'BitstringStatusListEntry') throw wrong('type is not BitstringStatusListEntry')
  if (Object.hasOwn(entry, 'statusSize') && member(entry, 'statusSize') !== 1) throw wrong('statusSize is not 1')
  const foreign = Object.keys(entry).find(name => !MEMBERS.includes(name))
  if (foreign !== undefined) throw wrong(`member ${foreign.slice(0, 80)} is not understood`)
}

function checkPurpose(purpose: Json | undefined): StatusPurpose {
  if (purpose === 'revocation' || purpose === 'suspension') return purpose
  throw new ProcuraError('STATUS_PURPOSE', { purpose: typeof purpose === 'string' ? purpose.slice(0, 80) : 'unknown' })
}

function checkIndex(index: Json | undefined): number {
  if (typeof index === 'string' && INDEX.test(index)) return Number(index)
  throw new ProcuraError('STATUS_INDEX', {
    index: typeof index === 'string' ? index.slice(0, 20) : typeof index,
    length: '?',
  })
}

/** The list must be a plain name below the base of a status issuer in force. */
function checkUrl(url: Json | undefined, issuers: readonly StatusIssuer[]): Pick<StatusEntry, 'url' | 'issuers'> {
  if (typeof url === 'string' && url.length <= 512) {
    const serving = issuers.filter(({ base }) => url.startsWith(base) && NAME.test(url.slice(base.length)))
    if (serving.length > 0) return { url, issuers: serving.map(({ iss }) => iss) }
  }
  throw new ProcuraError('STATUS_URL', { url: typeof url === 'string' ? url.slice(0, 200) : typeof url })
}
