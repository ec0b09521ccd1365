import { setTimeout } from 'node:timers/promises'
import type { NoteKey } from '../../audit/note.js'
import { decodeBundle, entryIn, WIDTH } from '../../audit/tile.js'
import { isProcuraError, ProcuraError } from '../../errors.js'
import { isObject, type JsonObject } from '../../json.js'
import { readTile } from './files.js'
import { recover, type Recovered } from './recover.js'

/** A record at its place in a log. */
export interface LogRecord {
  /** zero-based */
  readonly index: number
  readonly entry: Uint8Array
}

/** Looks how far a log came, also while another process appends to it. @throws AUDIT_BROKEN, AUDIT_UNAVAILABLE */
export async function look(folder: string, key: NoteKey): Promise<Recovered> {
  for (let left = 5; ; left -= 1) {
    try {
      return await recover(folder, key)
    } catch (error) {
      // a journal may have gone into tiles since their checkpoint was read
      if (left === 0 || !isProcuraError(error)) throw error
      await setTimeout(50)
    }
  }
}

/** The records from `from` on, in their order, tiles first and then journals. What was pruned is passed over. @throws as `look` */
export async function* readRecords(folder: string, key: NoteKey, from = 0): AsyncGenerator<LogRecord> {
  const { edge, written } = await look(folder, key)
  for (let index = from; index < edge.size;) {
    const bundle = Math.floor(index / WIDTH)
    const width = Math.min(WIDTH, edge.size - bundle * WIDTH)
    const bytes = await readTile(folder, { level: 'entries', index: bundle, width })
    const entries = bytes === null ? [] : decodeBundle(bytes)
    if (entries === null) throw new ProcuraError('AUDIT_BROKEN', { why: `the bundle of record ${index} is torn` })
    for (const entry of entries.slice(index - bundle * WIDTH, width)) {
      yield { index, entry }
      index += 1
    }
    index = bundle * WIDTH + width
  }
  for (const [at, { entry }] of written.entries()) {
    if (edge.size + at >= from) yield { index: edge.size + at, entry }
  }
}

/** Bundles that are read at once. */
const AT_ONCE = 16

/** Records by their numbers; those whose content was pruned are left out. @throws as `look` */
export async function entriesAt(
  folder: string,
  key: NoteKey,
  numbers: readonly number[],
): Promise<ReadonlyMap<number, Uint8Array>> {
  const { edge, written } = await look(folder, key)
  const found = new Map<number, Uint8Array>()
  const bundles = new Map<number, number[]>()
  for (const number of numbers) {
    const entry = written[number - edge.size]?.entry
    if (entry !== undefined) found.set(number, entry)
    else if (number < edge.size)
      bundles.set(Math.floor(number / WIDTH), [...(bundles.get(Math.floor(number / WIDTH)) ?? []), number])
  }
  const read = async ([index, wanted]: readonly [number, readonly number[]]): Promise<void> => {
    const width = Math.min(WIDTH, edge.size - index * WIDTH)
    const bytes = await readTile(folder, { level: 'entries', index, width })
    if (bytes === null) return
    for (const number of wanted) {
      const entry = entryIn(bytes, number % WIDTH)
      if (entry !== null) found.set(number, entry)
    }
  }
  const all = [...bundles]
  for (let at = 0; at < all.length; at += AT_ONCE) await Promise.all(all.slice(at, at + AT_ONCE).map(read))
  return found
}

/** What a record says; `null` for one that is no JSON object. */
export function sayingOf({ entry }: LogRecord): JsonObject | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(entry).toString('utf8'))
    return isObject(value) ? value : null
  } catch {
    return null
  }
}
