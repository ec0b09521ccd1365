import { readFileSync } from 'node:fs'
import type { RedisOptions } from 'ioredis'
import { ProcuraError } from '../../errors.js'

/** Where a Redis is. */
export interface RedisPlace {
  /** for the driver; may hold a password */
  readonly options: RedisOptions
  /** for people and errors: without user and password */
  readonly name: string
}

/**
 * Reads `redis://user:password@host:port/0`; over TLS `rediss://…`, with `?ca=/path/of/ca.pem` for a CA of one's own. The
 * certificate has to fit the host. Anything else in it is refused, not ignored.
 *
 * @throws CONFIG_INVALID - never with the password
 */
export function parseRedisUrl(text: string): RedisPlace {
  const refuse = (why: string): never => {
    throw new ProcuraError('CONFIG_INVALID', { at: 'state', why })
  }
  if (!/^rediss?:\/\//.test(text) || !URL.canParse(text)) {
    return refuse('not of the form redis://user:password@host:port/0, or rediss://… for TLS')
  }
  const url = new URL(text)
  const db = /^\/?(\d{0,2})$/.exec(url.pathname)?.[1]
  if (url.hostname === '') return refuse('names no host')
  if (db === undefined) return refuse('what follows the host is not the number of a database')
  for (const name of url.searchParams.keys()) if (name !== 'ca') refuse(`${name} is not one of ca`)
  const isTls = url.protocol === 'rediss:'
  const ca = url.searchParams.get('ca')
  if (ca !== null && !isTls) return refuse('ca is for rediss://')
  return {
    name: `${url.protocol}//${url.host}${db === '' ? '' : `/${db}`}`,
    options: {
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port === '' ? 6379 : Number(url.port),
      db: Number(db),
      ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
      ...(isTls ? { tls: ca === null ? {} : { ca: readCa(ca) } } : {}),
    },
  }
}

function readCa(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new ProcuraError('CONFIG_INVALID', { at: 'state', why: `ca ${path} cannot be read (${code})` }, { cause })
  }
}
