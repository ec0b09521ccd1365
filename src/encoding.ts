import { hash } from 'node:crypto'

/** Encodes bytes as base64url without padding. @see https://www.rfc-editor.org/rfc/rfc4648#section-5 */
export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url')
}

/**
 * Decodes canonical base64url: no padding, no white space, zero trailing bits.
 *
 * @returns the bytes, or `null` if the text is not the one encoding of some bytes
 */
export function fromBase64url(text: string): Buffer | null {
  return whole(text, Buffer.from(text, 'base64url'))
}

/** The same in {@link lent} memory. */
export function lentBase64url(text: string): Buffer | null {
  return text.length > LENT.length ? fromBase64url(text) : whole(text, lent(LENT.write(text, 'base64url')))
}

/** The bytes of a text of ASCII, in {@link lent} memory. */
export function lentAscii(text: string): Buffer {
  return text.length > LENT.length ? Buffer.from(text, 'latin1') : lent(LENT.write(text, 'latin1'))
}

/** What may stand last where 2 or 3 letters are over: the bits that encode nothing are zero. */
const LAST = ['', '', 'AQgw', 'AEIMQUYcgkosw048'] as const

/**
 * What was decoded, if the text has as many letters as that takes. A decoder passes over what is no letter, but it takes
 * those of plain base64 for their like, and of what is not ASCII the low byte.
 */
function whole(text: string, bytes: Buffer): Buffer | null {
  const over = text.length % 4
  const isCanonical = over === 0 || (LAST[over] ?? '').includes(text.charAt(text.length - 1))
  const isComplete = bytes.length === Math.floor((text.length * 3) / 4)
  const isAscii = Buffer.byteLength(text) === text.length
  return isCanonical && isComplete && isAscii && !text.includes('+') && !text.includes('/') ? bytes : null
}

/** Memory for a moment: a buffer made for one look costs more than the look. */
const LENT = Buffer.allocUnsafeSlow(48 * 1024)

/** The first bytes of it. Whoever asks next writes over them, so they are read before anything else is done. */
function lent(length: number): Buffer {
  return LENT.subarray(0, length)
}

/** SHA-256, 32 bytes. Strings are hashed as UTF-8. */
export function sha256(data: string | Uint8Array): Uint8Array {
  return hash('sha256', data, 'buffer')
}

/** base64url SHA-256, 43 characters: `bodyDigest`, `paramsDigest`, `purpose.s256`. */
export function s256(data: string | Uint8Array): string {
  return hash('sha256', data, 'base64url')
}

/** Identity of a credential: multibase, multihash SHA-256; 47 characters that start with `uEi`. */
export type Digest = `uEi${string}`

/** Multihash prefix: SHA-256, 32 bytes. */
const SHA2_256_32 = '1220'

/**
 * Digest of a token's signing input, the ASCII text `header.payload`. The signature is left out because it is malleable.
 *
 * @see https://www.w3.org/TR/controller-document/#multihash
 */
export function digestOf(signingInput: string): Digest {
  return `u${Buffer.from(SHA2_256_32 + hash('sha256', signingInput, 'hex'), 'hex').toString('base64url')}` as Digest
}

/** True for the 47 characters that {@link digestOf} makes. */
export function isDigest(value: unknown): value is Digest {
  if (typeof value !== 'string' || value.length !== 47 || !value.startsWith('u')) return false
  const bytes = fromBase64url(value.slice(1))
  return bytes !== null && bytes[0] === 0x12 && bytes[1] === 0x20
}

/** True for a base64url SHA-256. */
export function isS256(value: unknown): value is string {
  return typeof value === 'string' && value.length === 43 && fromBase64url(value) !== null
}

/** What a terminal would obey instead of showing, or show as another thing; line ends stay. */
const UNSHOWN = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/**
 * The text with every control, bidirectional and other invisible character written as `\uXXXX`: in JSON the same value,
 * in a table something to see.
 */
export function visible(text: string): string {
  return text.replace(UNSHOWN, one =>
    Array.from({ length: one.length }, (_, unit) => `\\u${one.charCodeAt(unit).toString(16).padStart(4, '0')}`).join(
      '',
    ),
  )
}
