import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

const NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/
const LOCAL = new Set(['localhost', 'local', 'internal'])

/**
 * True for a host that no name from outside may lead to, told without asking anyone: an IP literal in any notation, a
 * single label, a name that ends in a dot, and names below `localhost`, `local` and `internal`.
 *
 * @param host - as in a URL, lower case, without port
 * @see https://w3c-ccg.github.io/did-method-web/#method-specific-identifier - IP addresses are excluded
 */
export function isForbiddenHost(host: string): boolean {
  const labels = host.split('.')
  const last = labels[labels.length - 1] ?? ''
  return host.startsWith('[') || labels.length === 1 || last === '' || NUMBER.test(last) || LOCAL.has(last)
}

/**
 * True for an address of the public Internet. IPv4 inside IPv6 (`::ffff:0:0/96`) is judged as IPv4. Everything that wraps
 * another address is refused (NAT64, 6to4, Teredo, ISATAP, IPv4-compatible), as is IPv6 outside `2000::/3`, the only part
 * that is given out.
 *
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry/
 */
export function isPublicAddress(text: string): boolean {
  if (isIP(text) === 0) return false
  const address = ipaddr.process(text)
  if (address.range() !== 'unicast') return false
  return !('parts' in address) || (isGivenOut(address.parts) && !isIsatap(address.parts))
}

/** True for an IPv4 or IPv6 loopback literal as the host of a URL. */
export function isLoopbackLiteral(host: string): boolean {
  const text = host.startsWith('[') ? host.slice(1, -1) : host
  return isIP(text) !== 0 && ipaddr.process(text).range() === 'loopback'
}

function isGivenOut(parts: readonly number[]): boolean {
  return ((parts[0] ?? 0) & 0xe000) === 0x2000
}

function isIsatap(parts: readonly number[]): boolean {
  return ((parts[4] ?? 0) & ~0x0200) === 0 && parts[5] === 0x5efe
}
