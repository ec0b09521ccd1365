import { CONTEXTS, readTimes, requireType } from '../credential/credential.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import { isObject, member, type JsonObject } from '../json.js'
import { openJws, readJws, type Sealed, type Verified } from '../jws/compact.js'
import type { StatusPurpose } from '../ports/issuing.js'
import { findings } from '../shape.js'
import { toDate, type UnixSeconds } from '../time.js'
import { bitAt, decodeList, encodeList } from './bitstring.js'
import type { StatusEntry } from './entry.js'

/** Type of a list credential. */
export const STATUS_LIST = 'BitstringStatusListCredential'
/** Seconds a list says it is valid. */
export const LIST_TTL = 600
/** Seconds after which a list is signed anew even if unchanged. */
export const RESIGN_AFTER = 120
/** Seconds after its signing at which a list is stale at every risk. */
export const MAX_LIST_AGE = 300
/** Largest list token, in characters: 131 072 incompressible bytes, encoded twice. */
export const MAX_LIST = 256 * 1024

/** A list whose signature verified and whose claims are read; its bits are unpacked on demand. */
export interface StatusList {
  readonly url: string
  readonly purpose: string
  /** only rises; `null` if the list states none */
  readonly version: number | null
  readonly validFrom: UnixSeconds
  readonly validUntil: UnixSeconds
  /** the bits, most significant first. Throws STATUS_ENCODING, STATUS_SIZE, STATUS_LENGTH */
  readonly bits: () => Uint8Array
}

/** The claims of a list (profile §8.1): its `id` is its URL, it has no `sub`. */
export function toListJson(
  url: string,
  issuer: Did,
  bits: Uint8Array,
  version: number,
  now: UnixSeconds,
  purpose: StatusPurpose = 'revocation',
): JsonObject {
  return {
    '@context': CONTEXTS,
    id: url,
    type: ['VerifiableCredential', STATUS_LIST],
    issuer,
    iss: issuer,
    iat: now,
    exp: now + LIST_TTL,
    validFrom: toDate(now),
    validUntil: toDate(now + LIST_TTL),
    credentialSubject: {
      id: `${url}#list`,
      type: 'BitstringStatusList',
      statusPurpose: purpose,
      encodedList: encodeList(bits),
      ttl: 5000,
      version,
    },
  }
}

/**
 * Reads form and header of a list token and requires its signer to be one of those trusted for it.
 *
 * @param before - what was read from this very token before
 * @throws STATUS_SIZE, STATUS_SIGNATURE, STATUS_ISSUER
 */
export function readList(
  token: string,
  { url, issuers }: Pick<StatusEntry, 'url' | 'issuers'>,
  before?: Sealed,
): Sealed {
  if (token.length > MAX_LIST) throw new ProcuraError('STATUS_SIZE', { list: url, max: MAX_LIST })
  const sealed = before ?? asSignature(url, () => readJws(token, 'vc+jwt', MAX_LIST, 'status list'))
  if (!issuers.includes(sealed.signer))
    throw new ProcuraError('STATUS_ISSUER', { list: url, why: `signed by ${sealed.signer}` })
  return sealed
}

/**
 * Verifies a list's signature and reads what it says: signature, then id and type, then times.
 *
 * @throws STATUS_SIGNATURE, STATUS_ISSUER, STATUS_EXPIRED
 */
export function openList(sealed: Sealed, key: PublicKey, url: string): Verified<StatusList> {
  const claims = asSignature(url, () => openJws(sealed, key))
  const subject = member(claims, 'credentialSubject')
  requireIdentity(claims, sealed.signer, url)
  if (!isObject(subject) || member(subject, 'type') !== 'BitstringStatusList') {
    throw new ProcuraError('STATUS_ISSUER', { list: url, why: 'is not a BitstringStatusList' })
  }
  let times = { validFrom: NaN, validUntil: NaN }
  const wrong = findings(report => {
    times = readTimes(claims, 'status list', report)
  })
  if (wrong.length > 0) throw new ProcuraError('STATUS_EXPIRED', { list: url })

  const [purpose, version, encoded] = ['statusPurpose', 'version', 'encodedList'].map(name => member(subject, name))
  let unpacked: Uint8Array | undefined
  const list: StatusList = {
    url,
    purpose: typeof purpose === 'string' ? purpose : '',
    version: typeof version === 'number' && version >= 0 ? version : null,
    validFrom: times.validFrom,
    validUntil: times.validUntil,
    bits: () => (unpacked ??= decodeList(typeof encoded === 'string' ? encoded : '', url)),
  }
  return list as Verified<StatusList>
}

function requireIdentity(claims: JsonObject, signer: Did, url: string): void {
  const wrong = (why: string): ProcuraError => new ProcuraError('STATUS_ISSUER', { list: url, why })
  if (member(claims, 'issuer') !== signer || member(claims, 'iss') !== signer) throw wrong('issuer is not its signer')
  if (member(claims, 'id') !== url) throw wrong('is another list')
  for (const name of ['sub', 'nbf', 'vc', 'vp']) if (Object.hasOwn(claims, name)) throw wrong(`carries ${name}`)
  const [mistyped] = findings(report => requireType(claims, STATUS_LIST, 'status list', report))
  if (mistyped !== undefined) throw wrong('is not of the type of a list')
}

function asSignature<T>(list: string, open: () => T): T {
  try {
    return open()
  } catch (error) {
    if (!isProcuraError(error)) throw error
    throw new ProcuraError('STATUS_SIGNATURE', { list, why: error.message }, { cause: error })
  }
}

/** Requires a list to be valid at `now`. @throws STATUS_EXPIRED */
export function requireValidList({ url, validFrom, validUntil }: StatusList, now: UnixSeconds, skew: number): void {
  if (now < validFrom - skew || now >= validUntil) throw new ProcuraError('STATUS_EXPIRED', { list: url })
}

/**
 * Requires a list to be fresh enough.
 *
 * @param age - seconds since the host last answered
 * @param maxAge - seconds allowed for the action's risk
 * @throws STATUS_STALE
 */
export function requireFreshList({ url, validFrom }: StatusList, age: number, maxAge: number, now: UnixSeconds): void {
  if (age > maxAge) throw new ProcuraError('STATUS_STALE', { list: url, age, max: maxAge })
  if (now - validFrom > MAX_LIST_AGE) {
    throw new ProcuraError('STATUS_STALE', { list: url, age: now - validFrom, max: MAX_LIST_AGE })
  }
}

/** Requires a list of the entry's purpose. @throws STATUS_PURPOSE */
export function requirePurpose({ purpose }: StatusList, entry: StatusEntry): void {
  if (purpose !== entry.purpose) throw new ProcuraError('STATUS_PURPOSE', { purpose: purpose.slice(0, 80) })
}

/** Requires the bit to be unset. @throws STATUS_ENCODING, STATUS_SIZE, STATUS_LENGTH, STATUS_INDEX, STATUS_REVOKED, STATUS_SUSPENDED */
export function requireUnset(list: StatusList, { index, purpose, url }: StatusEntry): void {
  if (!bitAt(list.bits(), index)) return
  throw new ProcuraError(purpose === 'revocation' ? 'STATUS_REVOKED' : 'STATUS_SUSPENDED', { index, list: url })
}
