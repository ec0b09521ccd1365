import { ProcuraError } from '../errors.js'
import { isDid, MAX_DID, type Did } from './did.js'

const PREFIX = 'did:web:'
const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const AUTHORITY = new RegExp(`^((?:${LABEL}\\.)*${LABEL})(?:%3A([1-9][0-9]{0,4}))?$`)
const SEGMENT = /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/
const MAX_HOST = 253
const WELL_KNOWN = '.well-known'
const DOCUMENT = /^(https:\/\/[^/]+(?:\/.+)?)\/did\.json$/

/**
 * The https URL of a did:web's document.
 *
 * ```abnf
 * did-web = "did:web:" host ["%3A" port] *(":" segment)  ; lower-case LDH host, port never 443
 * segment = 1*(ALPHA / DIGIT / "." / "-" / "_")          ; never "." or ".."
 * ```
 *
 * Only parses: whether the host may be asked (an IP literal, `localhost`) is decided where the network is.
 * Any other `%` is refused, because `%2F` and `%2e` would let two readers disagree about the path.
 *
 * @throws DID_RESOLUTION - malformed
 * @see https://w3c-ccg.github.io/did-method-web/#read-resolve
 */
export function didWebUrl(did: Did): string {
  const [authority = '', ...segments] = did.startsWith(PREFIX) ? did.slice(PREFIX.length).split(':') : []
  const [, host, port] = AUTHORITY.exec(authority) ?? []
  if (host === undefined || host.length > MAX_HOST) throw malformed(did, 'its host is not a lower-case host name')
  if (port !== undefined && (Number(port) > 65535 || port === '443')) throw malformed(did, 'its port is not canonical')
  // `did:web:host:.well-known` would be a second name for the place of `did:web:host`
  if (!segments.every(segment => SEGMENT.test(segment)) || segments.join('/') === WELL_KNOWN) {
    throw malformed(did, 'its path is not canonical')
  }
  const origin = `https://${host}${port === undefined ? '' : `:${port}`}`
  return `${[origin, ...(segments.length > 0 ? segments : [WELL_KNOWN])].join('/')}/did.json`
}

/**
 * The did:web whose document is hosted for `url`: an origin, or an origin with a path.
 *
 * @param url - `https://host[:port](/segment)*`, canonical, without trailing slash
 * @throws CONFIG_INVALID - no did:web names this place
 * @see https://w3c-ccg.github.io/did-method-web/#create-register
 */
export function didWebOf(url: string): Did<'web'> {
  const isOrigin = !url.slice('https://'.length).includes('/')
  const did = didWebAt(`${url}${isOrigin ? '/.well-known' : ''}/did.json`)
  if (did === null) throw new ProcuraError('CONFIG_INVALID', { at: url, why: 'no did:web names this place' })
  return did
}

/** The did:web whose document stands at this https URL; `null` if it is no canonical place of one. */
export function didWebAt(url: string): Did<'web'> | null {
  const place = url.length <= 2 * MAX_DID ? DOCUMENT.exec(url)?.[1] : undefined
  if (place === undefined) return null
  const [authority = '', ...segments] = place.slice('https://'.length).split('/')
  const path = segments.join('/') === WELL_KNOWN ? [] : segments
  const did: Did<'web'> = `${PREFIX}${[authority.replace(':', '%3A'), ...path].join(':')}`
  return isDid(did) && urlOrNull(did) === url ? did : null
}

/** True for a did:web that names exactly one place. */
export function isWebDid(did: Did): did is Did<'web'> {
  return urlOrNull(did) !== null
}

function urlOrNull(did: Did): string | null {
  try {
    return didWebUrl(did)
  } catch {
    return null
  }
}

function malformed(did: Did, why: string): ProcuraError {
  return new ProcuraError('DID_RESOLUTION', { did, why })
}
