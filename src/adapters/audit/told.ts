import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { isDid, type Did } from '../../did/did.js'
import { isObject } from '../../json.js'

/** A change of status that the log tells. */
export interface ToldStatus {
  /** URL of the list */
  readonly list: string
  readonly indexes: readonly number[]
  readonly to: 'set' | 'cleared'
  readonly by: Did
  readonly at: number
}

/** The changes of status that an audit log tells, oldest first. Lines that are not whole are passed over. */
export async function toldStatus(path: string): Promise<readonly ToldStatus[]> {
  const told: ToldStatus[] = []
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    const change = line.includes('"type":"status"') ? read(line) : null
    if (change !== null) told.push(change)
  }
  return told
}

function read(line: string): ToldStatus | null {
  try {
    const entry: unknown = JSON.parse(line)
    if (!isObject(entry)) return null
    const { type, change, list, indexes, by, at } = entry
    if (type !== 'status' || typeof list !== 'string' || !Array.isArray(indexes) || !isDid(by)) return null
    if (typeof at !== 'number') return null
    const whole = indexes.filter((index): index is number => Number.isSafeInteger(index))
    return { list, indexes: whole, to: change === 'resume' ? 'cleared' : 'set', by, at }
  } catch {
    return null
  }
}
