import { ProcuraError } from '../../errors.js'

/** What a database URL may say beside user, password, host and database; anything else is refused, not ignored. */
const PARAMETERS = new Set(['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host', 'options', 'application_name'])
/** No TLS, or TLS with a certificate that fits the host. What lies between would not notice who is in the middle. */
const TLS: Readonly<Record<string, string>> = {
  disable: 'disable',
  require: 'verify-full',
  'verify-full': 'verify-full',
}
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** Where a PostgreSQL database is. */
export interface PostgresPlace {
  /** for the driver; may hold a password */
  readonly url: string
  /** for people and errors: without user and password */
  readonly name: string
}

/**
 * Reads `postgres://user:password@host:port/database`, with `?host=/folder` for the socket in a folder.
 *
 * Without `sslmode` there is no TLS on the machine itself, and `verify-full` elsewhere.
 *
 * @throws CONFIG_INVALID - never with the password
 */
export function parsePostgresUrl(text: string): PostgresPlace {
  const refuse = (why: string): never => {
    throw new ProcuraError('CONFIG_INVALID', { at: 'database', why })
  }
  if (!URL.canParse(text)) return refuse('not of the form postgres://user:password@host:port/database')
  const url = new URL(text)
  const folder = url.searchParams.get('host')
  for (const name of url.searchParams.keys()) {
    if (!PARAMETERS.has(name)) refuse(`${name} is not one of ${[...PARAMETERS].join(', ')}`)
    if (url.searchParams.getAll(name).length > 1) refuse(`${name} is there twice`)
  }
  if (folder !== null && !folder.startsWith('/')) refuse('host is not the absolute path of a folder')
  if (folder === null && !HOST.test(url.hostname)) refuse('names no host')
  if (url.pathname.length < 2) refuse('names no database')
  const isLocal = folder !== null || LOOPBACK.test(url.hostname)
  const asked = url.searchParams.get('sslmode') ?? (isLocal ? 'disable' : 'verify-full')
  url.searchParams.set('sslmode', TLS[asked] ?? refuse('sslmode is not disable, require or verify-full'))
  return { url: url.href, name: `postgres://${folder ?? url.host}${url.pathname}` }
}
