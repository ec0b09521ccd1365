import { createPrivateKey, sign, type KeyObject } from 'node:crypto'
import { parsePublicKey, verifyEd25519, type PublicKey } from '../ed25519.js'
import { sha256 } from '../encoding.js'
import { ProcuraError } from '../errors.js'

/** A key that signs notes, by its name. */
export interface NoteKey {
  readonly name: string
  readonly key: PublicKey
}

/** Signs notes. */
export interface NoteSigner extends NoteKey {
  sign(text: Uint8Array): Uint8Array
}

/** Signature type of Ed25519. */
const ED25519 = 1
const MAX_SIGNATURES = 100
const NAME = /^[^\s+\p{C}]{1,512}$/u
const LINE = /^— ([^\s+]+) (\S+)$/u
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Writes a note: the text and one signature. @throws AUDIT_BROKEN - no text of a note @see https://c2sp.org/signed-note#format */
export function signNote(text: string, signer: NoteSigner): string {
  if (!isText(text)) throw malformed('its text does not end in a line feed, or holds control characters')
  const signature = Buffer.concat([keyId(signer), signer.sign(Buffer.from(text))])
  return `${text}\n— ${signer.name} ${signature.toString('base64')}\n`
}

/**
 * The text of a note that one of the keys signed. Signatures of others are passed over; one of these that does not verify
 * refuses the note.
 *
 * @throws AUDIT_BROKEN
 * @see https://c2sp.org/signed-note#signatures
 */
export function openNote(bytes: Uint8Array, keys: readonly NoteKey[]): string {
  const note = textOf(bytes)
  const end = note.lastIndexOf('\n\n')
  const text = note.slice(0, end + 1)
  const lines = note.slice(end + 2).split('\n')
  if (end < 0 || !isText(text) || lines.pop() !== '' || lines.length === 0 || lines.length > MAX_SIGNATURES) {
    throw malformed('it is not of the form of one')
  }
  const verified = lines.filter(line => {
    const [, name = '', base64 = ''] = LINE.exec(line) ?? []
    const signature = fromBase64(base64)
    if (!NAME.test(name) || signature === null || signature.length < 5) throw malformed('a signature is malformed')
    const known = keys.find(one => one.name === name && keyId(one).equals(signature.subarray(0, 4)))
    if (known === undefined) return false
    const isRight = signature.length === 68 && verifyEd25519(known.key, Buffer.from(text), signature.subarray(4))
    if (!isRight) throw malformed(`the signature of ${name} does not verify`)
    return true
  })
  if (verified.length === 0) throw malformed('nobody who is known signed it')
  return text
}

/** A public key as text: `name+id+base64`. @see https://pkg.go.dev/golang.org/x/mod/sumdb/note#hdr-Verifying_Notes */
export function formatKey(key: NoteKey): string {
  const typed = Buffer.concat([Uint8Array.of(ED25519), key.key.bytes])
  return `${key.name}+${keyId(key).toString('hex')}+${typed.toString('base64')}`
}

/** Reads a public key. @throws KEY_WEAK; SCHEMA - it is not of that form */
export function parseKey(text: string): NoteKey {
  const [, name = '', id = '', base64 = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text) ?? []
  const typed = fromBase64(base64)
  if (!NAME.test(name) || typed?.length !== 33 || typed[0] !== ED25519) throw noKey()
  const key = { name, key: parsePublicKey(typed.subarray(1), 'the note key') }
  if (keyId(key).toString('hex') !== id) throw noKey()
  return key
}

/** Writes a private key as text: `PRIVATE+KEY+name+id+base64`. @param seed - 32 random bytes */
export function formatSigner(name: string, seed: Uint8Array): string {
  const key = { name, key: publicKeyOf(privateKeyOf(seed)) }
  const typed = Buffer.concat([Uint8Array.of(ED25519), seed])
  return `PRIVATE+KEY+${name}+${keyId(key).toString('hex')}+${typed.toString('base64')}`
}

/** Reads a private key. @throws SCHEMA - it is not of that form */
export function parseSigner(text: string): NoteSigner {
  const [, name = '', id = '', base64 = ''] = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text) ?? []
  const typed = fromBase64(base64)
  if (!NAME.test(name) || typed?.length !== 33 || typed[0] !== ED25519) throw noKey()
  const privateKey = privateKeyOf(typed.subarray(1))
  const key = { name, key: publicKeyOf(privateKey) }
  if (keyId(key).toString('hex') !== id) throw noKey()
  return { ...key, sign: data => sign(null, data, privateKey) }
}

/** What stands before the 32 bytes of a private Ed25519 key. @see https://www.rfc-editor.org/rfc/rfc8410#section-7 */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
}

function publicKeyOf(privateKey: KeyObject): PublicKey {
  const { x = '' } = privateKey.export({ format: 'jwk' })
  return parsePublicKey(Buffer.from(x, 'base64url'), 'the note key')
}

/** @see https://c2sp.org/signed-note#ed25519-signatures */
function keyId({ name, key }: NoteKey): Buffer {
  return Buffer.from(
    sha256(Buffer.concat([Buffer.from(`${name}\n`), Uint8Array.of(ED25519), key.bytes])).subarray(0, 4),
  )
}

/** Decodes base64 that is written as only one text can be; `null` otherwise. */
export function fromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return text !== '' && bytes.toString('base64') === text ? bytes : null
}

function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes)
  } catch (cause) {
    throw malformed('it is not UTF-8', cause)
  }
}

function isText(text: string): boolean {
  return text.endsWith('\n') && !/[\u0000-\u0009\u000b-\u001f]/.test(text)
}

function malformed(why: string, cause?: unknown): ProcuraError {
  return new ProcuraError('AUDIT_BROKEN', { why: `the checkpoint: ${why}` }, { cause })
}

function noKey(): ProcuraError {
  return new ProcuraError('SCHEMA', { at: 'the note key', why: 'is not of the form name+id+base64' })
}
