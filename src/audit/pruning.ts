import { isObject, member } from '../json.js'

/** `type` of the record that says which records' content is gone. */
export const PRUNE = 'prune'

/** The number before which content may be gone, as a record of the log itself says so; 0 if it says nothing of the kind. */
export function prunedBefore(entry: Uint8Array): number {
  const text = Buffer.from(entry.buffer, entry.byteOffset, entry.length)
  if (!text.includes(`"type":"${PRUNE}"`)) return 0
  try {
    const value: unknown = JSON.parse(text.toString('utf8'))
    const before = isObject(value) && member(value, 'type') === PRUNE ? member(value, 'before') : 0
    return typeof before === 'number' && Number.isSafeInteger(before) ? before : 0
  } catch {
    return 0
  }
}
