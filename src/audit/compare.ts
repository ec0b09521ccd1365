import { isSame, leafHash, type Hash } from './tree.js'

/** Something that is not as the log says, at a record or at several. */
export interface Finding {
  /** first record concerned, zero-based */
  readonly from: number
  /** last record concerned */
  readonly to: number
  readonly what: string
}

/** One line, as people read it. */
export function formatFinding({ from, to, what }: Finding): string {
  return `${from === to ? `record ${from}` : `records ${from} to ${to}`}: ${what}`
}

/**
 * What was done to the entries of one bundle, told from the hashes that its tile has for them.
 *
 * @param first - number of the first record
 */
export function compare(first: number, entries: readonly Uint8Array[], hashes: readonly Hash[]): readonly Finding[] {
  const found = entries.map(leafHash)
  const count = Math.max(found.length, hashes.length)
  const wrong = Array.from({ length: count }, (_, n) => n).filter(n => !isAt(found[n], hashes[n]))
  const [start] = wrong
  if (start === undefined) return []
  const one = (at: number, what: string): Finding => ({ from: first + at, to: first + at, what })
  // everything behind it moved by one place
  if (isShifted(found.slice(start), hashes.slice(start + 1))) return [one(start, 'is missing')]
  if (isShifted(found.slice(start + 1), hashes.slice(start))) return [one(start, 'was inserted')]
  const places = new Map(hashes.map((hash, n) => [keyOf(hash), n]))
  return wrong.map(at => {
    const hash = found[at]
    if (hash === undefined) return one(at, 'is missing')
    if (at >= hashes.length) return one(at, 'was inserted')
    const from = places.get(keyOf(hash))
    return one(at, from === undefined ? 'was changed' : `holds record ${first + from} instead`)
  })
}

/** True if two rows are the same as far as both reach, and at least two of each do. */
function isShifted(one: readonly Hash[], other: readonly Hash[]): boolean {
  const count = Math.min(one.length, other.length)
  return count > 1 && one.slice(0, count).every((hash, at) => isAt(hash, other[at]))
}

function isAt(one: Hash | undefined, other: Hash | undefined): boolean {
  return one !== undefined && other !== undefined && isSame(one, other)
}

function keyOf(hash: Hash): string {
  return Buffer.from(hash).toString('base64')
}
