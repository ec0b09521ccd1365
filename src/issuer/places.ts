import type { Did } from '../did/did.js'
import { ProcuraError } from '../errors.js'
import type { StatusPlace, StatusPurpose, StoredCredential } from '../ports/issuing.js'
import type { IssuerIdentity, IssuerPorts } from './issuer.js'

/** A credential's bit in one of our lists. */
export interface Placed {
  readonly credential: StoredCredential
  readonly list: string
  readonly place: StatusPlace
}

/** Finds the bits of credentials in the lists of this issuer. */
export interface Places {
  /**
   * Where each credential's bit of a purpose stands, or why it cannot be changed: NOT_FOUND where it has none here,
   * CALLER_FORBIDDEN where its index was leased to somebody else. So nobody revokes another's by copying its index.
   */
  find(credentials: readonly StoredCredential[], purpose: StatusPurpose): Promise<readonly (Placed | ProcuraError)[]>
  /**
   * Those whose bit of a purpose is set. Inside a transaction: until it ends nobody sets or clears one of these bits.
   *
   * @returns digests
   */
  held(credentials: readonly StoredCredential[], purpose: StatusPurpose): Promise<ReadonlySet<string>>
  /** Requires that none of the credentials is revoked or suspended here. @throws STATUS_REVOKED, STATUS_SUSPENDED */
  requireUnset(credentials: readonly StoredCredential[]): Promise<void>
}

/** The place of a credential's bit. */
export function placeOf({ status, suspension }: StoredCredential, purpose: StatusPurpose): StatusPlace | null {
  return purpose === 'revocation' ? status : suspension
}

/** Places in the lists of an issuer. */
export function createPlaces({ statusBase }: IssuerIdentity, { statusRows }: IssuerPorts): Places {
  async function ownersIn(places: readonly StatusPlace[]): Promise<ReadonlyMap<string, Did | null>> {
    const owners = new Map<string, Did | null>()
    for (const [url, indexes] of byList(places)) {
      const found = await statusRows.ownersOf(url.slice(statusBase.length), indexes)
      indexes.forEach((index, n) => owners.set(`${url}#${index}`, found[n] ?? null))
    }
    return owners
  }

  return {
    async find(credentials, purpose) {
      const here = credentials.map(credential => {
        const place = placeOf(credential, purpose)
        return place?.url.startsWith(statusBase) === true ? place : null
      })
      const owners = await ownersIn(here.filter(place => place !== null))
      return credentials.map((credential, n) => {
        const place = here[n]
        if (place === null || place === undefined) {
          return new ProcuraError('NOT_FOUND', { what: `${purpose} entry of ${credential.digest} here` })
        }
        if (owners.get(`${place.url}#${place.index}`) !== credential.issuer) {
          return new ProcuraError('CALLER_FORBIDDEN', {
            caller: credential.issuer,
            what: 'use a status index of somebody else',
          })
        }
        return { credential, place, list: place.url.slice(statusBase.length) }
      })
    },

    async held(credentials, purpose) {
      const standing = new Set<string>()
      const placed = credentials
        .flatMap(one => placeOf(one, purpose) ?? [])
        .filter(({ url }) => url.startsWith(statusBase))
      for (const [url, indexes] of byList(placed)) {
        const list = url.slice(statusBase.length)
        await statusRows.lock(list)
        for (const index of await statusRows.setAmong(list, indexes)) standing.add(`${url}#${index}`)
      }
      const isSet = (place: StatusPlace | null): boolean =>
        place !== null && standing.has(`${place.url}#${place.index}`)
      return new Set(credentials.filter(one => isSet(placeOf(one, purpose))).map(({ digest }) => digest))
    },

    async requireUnset(credentials) {
      for (const purpose of ['revocation', 'suspension'] as const) {
        const places = credentials.map(one => placeOf(one, purpose)).filter(place => place !== null)
        for (const [url, indexes] of byList(places.filter(place => place.url.startsWith(statusBase)))) {
          const [index] = await statusRows.setAmong(url.slice(statusBase.length), indexes)
          const code = purpose === 'revocation' ? 'STATUS_REVOKED' : 'STATUS_SUSPENDED'
          if (index !== undefined) throw new ProcuraError(code, { index, list: url })
        }
      }
    },
  }
}

/** Indexes by the URL of their list, in the order of the URLs: who changes several lists takes them in one order. */
export function byList(places: readonly StatusPlace[]): readonly (readonly [string, readonly number[]])[] {
  const lists = new Map<string, number[]>()
  for (const { url, index } of places) {
    const indexes = lists.get(url)
    if (indexes === undefined) lists.set(url, [index])
    else indexes.push(index)
  }
  return [...lists].sort(([a], [b]) => (a < b ? -1 : 1))
}
