import { ProcuraError } from '../errors.js'
import { isDid, type Did } from './did.js'

const PREFIX = 'did:web:'
const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const AUTHORITY = new RegExp(`^((?:${LABEL}\\.)*${LABEL})(?:%3A([1-9][0-9]{0,4}))?$`)
const SEGMENT = /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/
const MAX_HOST = 253

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
  if (!segments.every(segment => SEGMENT.test(segment))) throw malformed(did, 'its path is not canonical')
  const origin = `https://${host}${port === undefined ? '' : `:${port}`}`
  return `${[origin, ...(segments.length > 0 ? segments : ['.well-known'])].join('/')}/did.json`
}

/**
 * The did:web whose document is hosted for `url`: an origin, or an origin with a path.
 *
 * @param url - `https://host[:port](/segment)*`, canonical, without trailing slash
 * @throws CONFIG_INVALID - no did:web names this place
 * @see https://w3c-ccg.github.io/did-method-web/#create-register
 */
export function didWebOf(url: string): Did<'web'> {
  const [authority = '', ...segments] = url.slice('https://'.length).split('/')
  const did: Did<'web'> = `${PREFIX}${[authority.replace(':', '%3A'), ...segments].join(':')}`
  if (!isDid(did) || urlOrNull(did) !== `${url}${segments.length > 0 ? '' : '/.well-known'}/did.json`) {
    throw new ProcuraError('CONFIG_INVALID', { at: url, why: 'no did:web names this place' })
  }
  return did
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
