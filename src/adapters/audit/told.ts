import type { NoteKey } from '../../audit/note.js'
import { isDid, type Did } from '../../did/did.js'
import type { JsonObject } from '../../json.js'
import { readRecords, sayingOf } from './read.js'

/** A change of status that the log tells. */
export interface ToldStatus {
  /** URL of the list */
  readonly list: string
  readonly indexes: readonly number[]
  readonly to: 'set' | 'cleared'
  readonly by: Did
  readonly at: number
}

/** The changes of status that an audit log tells, oldest first. @throws AUDIT_BROKEN, AUDIT_UNAVAILABLE */
export async function toldStatus(folder: string, key: NoteKey): Promise<readonly ToldStatus[]> {
  const told: ToldStatus[] = []
  for await (const record of readRecords(folder, key)) {
    const saying = sayingOf(record)
    const change = saying === null ? null : read(saying)
    if (change !== null) told.push(change)
  }
  return told
}

function read({ type, change, list, indexes, by, at }: JsonObject): ToldStatus | null {
  if (type !== 'status' || typeof list !== 'string' || !Array.isArray(indexes) || !isDid(by)) return null
  if (typeof at !== 'number') return null
  const whole = indexes.filter((index): index is number => Number.isSafeInteger(index))
  return { list, indexes: whole, to: change === 'resume' ? 'cleared' : 'set', by, at }
}
