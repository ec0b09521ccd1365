import { ProcuraError } from '../../errors.js'
import { isLoopbackLiteral } from './address.js'

/**
 * An operator's exceptions, as curl's `--connect-to`: https origin → address that is asked in its place, for example
 * `https://registry.acme.example` → `http://127.0.0.1:8021`. The only way to a local listener.
 */
export type Connect = Readonly<Record<string, string>>

/**
 * Reads the exceptions. `http:` is accepted for loopback addresses only, because nothing else stays on this machine.
 *
 * @returns origin → origin
 * @throws CONFIG_INVALID
 */
export function parseConnect(connect: Connect): ReadonlyMap<string, string> {
  for (const [origin, address] of Object.entries(connect)) {
    const at = `connect ${origin}`
    if (originOf(origin)?.protocol !== 'https:') {
      throw new ProcuraError('CONFIG_INVALID', { at, why: 'not a canonical https origin' })
    }
    const target = originOf(address)
    if (target === null || !['https:', 'http:'].includes(target.protocol)) {
      throw new ProcuraError('CONFIG_INVALID', { at, why: `${address} is not a canonical http or https origin` })
    }
    if (target.protocol === 'http:' && !isLoopbackLiteral(target.hostname)) {
      throw new ProcuraError('CONFIG_INVALID', { at, why: `${address}: http is for loopback addresses only` })
    }
  }
  return new Map(Object.entries(connect))
}

function originOf(text: string): URL | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  return url.origin === text ? url : null
}
