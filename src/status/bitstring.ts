import { constants, crc32, gzipSync, inflateRawSync } from 'node:zlib'
import { fromBase64url, toBase64url } from '../encoding.js'
import { ProcuraError } from '../errors.js'

/** Fewest bits of a list, so that one bit hides among many. */
export const MIN_BITS = 131_072
/** Most bytes of an unpacked list: 1 048 576 bits. */
export const MAX_BYTES = 131_072

/**
 * Reads one bit. Index 0 is the most significant bit of the first byte.
 *
 * @param index - zero-based, below `8 * list.length`
 * @throws STATUS_INDEX - an index outside the list is an error, never "not revoked"
 * @see https://www.w3.org/TR/vc-bitstring-status-list/#bitstring-encoding
 */
export function bitAt(list: Uint8Array, index: number): boolean {
  const length = list.length * 8
  if (!Number.isInteger(index) || index < 0 || index >= length)
    throw new ProcuraError('STATUS_INDEX', { index, length })
  return (((list[index >>> 3] ?? 0) >>> (7 - (index & 7))) & 1) === 1
}

/** A list of `length` bits with those at `indexes` set. @throws STATUS_INDEX */
export function bitsOf(length: number, indexes: Iterable<number>): Uint8Array {
  const list = new Uint8Array(length / 8)
  for (const index of indexes) {
    bitAt(list, index)
    list[index >>> 3] = (list[index >>> 3] ?? 0) | (0x80 >>> (index & 7))
  }
  return list
}

/** Multibase `u` of the gzipped list. @see https://www.w3.org/TR/vc-bitstring-status-list/#bitstring-generation-algorithm */
export function encodeList(list: Uint8Array): string {
  return `u${toBase64url(gzipSync(list, { strategy: constants.Z_RLE }))}`
}

/**
 * Unpacks a list: multibase `u`, exactly one gzip member, nothing after it, within bounds.
 *
 * @param name - the list's URL, for messages
 * @throws STATUS_ENCODING, STATUS_SIZE, STATUS_LENGTH
 * @see https://www.w3.org/TR/vc-bitstring-status-list/#bitstring-expansion-algorithm
 */
export function decodeList(encoded: string, name: string): Uint8Array {
  const packed = encoded.startsWith('u') ? fromBase64url(encoded.slice(1)) : null
  if (packed === null) throw new ProcuraError('STATUS_ENCODING', { list: name })
  const list = unpack(packed, name)
  if (list.length * 8 < MIN_BITS)
    throw new ProcuraError('STATUS_LENGTH', { list: name, length: list.length * 8, min: MIN_BITS })
  return list
}

const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0)
const HEADER_BYTES = 10
const TRAILER_BYTES = 8

/**
 * Unpacks one gzip member without optional header fields. `gunzipSync` would join several members silently, so the
 * deflate stream is read on its own and must end exactly where the trailer begins.
 *
 * @see https://www.rfc-editor.org/rfc/rfc1952#section-2.3
 */
function unpack(packed: Uint8Array, list: string): Uint8Array {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length)
  if (!GZIP_HEADER.every((byte, index) => bytes[index] === byte)) throw new ProcuraError('STATUS_ENCODING', { list })
  const { buffer, engine } = inflate(bytes.subarray(HEADER_BYTES), list)
  const end = HEADER_BYTES + engine.bytesWritten
  if (
    end + TRAILER_BYTES !== bytes.length ||
    bytes.readUInt32LE(end) !== crc32(buffer) ||
    bytes.readUInt32LE(end + 4) !== buffer.length
  ) {
    throw new ProcuraError('STATUS_ENCODING', { list })
  }
  return buffer
}

/** What `inflateRawSync` answers with `info`. */
interface Inflated {
  readonly buffer: Buffer
  readonly engine: { readonly bytesWritten: number }
}

function inflate(deflated: Uint8Array, list: string): Inflated {
  try {
    return inflateRawSync(deflated, { maxOutputLength: MAX_BYTES, info: true }) as unknown as Inflated
  } catch (cause) {
    const tooLarge = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    if (tooLarge) throw new ProcuraError('STATUS_SIZE', { list, max: MAX_BYTES }, { cause })
    throw new ProcuraError('STATUS_ENCODING', { list }, { cause })
  }
}
