import { authorityShape, toAuthorityJson, type Authority } from '../../authority/authority.js'
import { breadthOf } from '../../authority/breadth.js'
import { formatAuthority } from '../../authority/format.js'
import { isObject, member, parseJson, type JsonObject } from '../../json.js'
import { read } from '../../shape.js'
import { toDate, type UnixSeconds } from '../../time.js'
import { members, show, warn, type Output } from './output.js'
import type { Terminal } from './terminal.js'

/** A credential that was just made, with those above it. */
export interface Granted {
  readonly to: string
  readonly digest: string
  readonly id: string
  readonly validUntil: UnixSeconds
  /** tokens, root first */
  readonly chain: readonly string[]
  readonly authority: Authority
}

/**
 * Says what was granted: for people a sentence on standard error and the chain on standard output, a token a line, as
 * `procura receive` takes it; for programs one document.
 *
 * @param seconds - how long it lives
 */
export function showGranted(terminal: Terminal, options: Output, granted: Granted, seconds: number): void {
  const { authority, chain, to, digest, id, validUntil } = granted
  const sentence = formatAuthority(authority, to, seconds)
  const warnings = breadthOf(authority, seconds)
  warn(terminal, options, warnings)
  if (options.output === 'table') {
    terminal.tell([sentence, ...members({ digest, id, until: toDate(validUntil) }, 6)].join('\n'))
  }
  show(
    terminal,
    options,
    { to, digest, id, validUntil, sentence, warnings, authority: toJson(authority), chain },
    () => chain,
  )
}

/** The authority in a credential that its own issuer just answered with: nobody else has to be believed. @throws SCHEMA */
export function authorityIn(credential: string): Authority {
  const { value } = parseJson(Buffer.from(credential.split('.')[1] ?? '', 'base64url'), 'credential')
  const subject = isObject(value) ? member(value, 'credentialSubject') : undefined
  return read(authorityShape, isObject(subject) ? member(subject, 'authority') : undefined, 'authority')
}

/** An authority as JSON writes it. */
export function toJson(authority: Authority): JsonObject {
  return toAuthorityJson(authority) as JsonObject
}
