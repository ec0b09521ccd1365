/** A decentralized identifier without path, query or fragment. */
export type Did<Method extends string = string> = `did:${Method}:${string}`
/** A DID with a fragment: the name of a key. */
export type DidUrl = `${Did}#${string}`

/** Longest DID or DID URL, in characters. */
export const MAX_DID = 512

const DID = /^did:[a-z0-9]+:(?:(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})*:)*(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+$/
const FRAGMENT = /^[A-Za-z0-9._~!$&'()*+,;=:@/?-]+$/

/**
 * True for a DID of at most {@link MAX_DID} characters.
 *
 * ```abnf
 * did = "did:" method-name ":" *( *idchar ":" ) 1*idchar
 * ```
 *
 * @see https://www.w3.org/TR/did-core/#did-syntax
 */
export function isDid(value: unknown): value is Did {
  return typeof value === 'string' && value.length <= MAX_DID && DID.test(value)
}

/** True for `did#fragment`: absolute, no path, no query. @see https://www.w3.org/TR/did-core/#did-url-syntax */
export function isDidUrl(value: unknown): value is DidUrl {
  if (typeof value !== 'string' || value.length > MAX_DID) return false
  const hash = value.indexOf('#')
  return hash > 0 && isDid(value.slice(0, hash)) && FRAGMENT.test(value.slice(hash + 1))
}

/** The DID that a DID URL belongs to. */
export function didOf(url: DidUrl): Did {
  return url.slice(0, url.indexOf('#')) as Did
}

/** The method name: `web` of `did:web:example.org`. */
export function methodOf(did: Did): string {
  return did.slice(4, did.indexOf(':', 4))
}

// what starts as a DID is looked up as one
const ALIAS = /^(?!did:)[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,128}$/u

/** True for what a DID may be called here: 1 to 128 characters, no control or invisible ones, not `did:…`. */
export function isAlias(value: unknown): value is string {
  return typeof value === 'string' && ALIAS.test(value)
}
