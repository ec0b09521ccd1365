import { join } from 'node:path'
import type { NoteKey } from '../../audit/note.js'
import { keysOf, type Keys, type Question } from '../../audit/question.js'
import { leafHash } from '../../audit/tree.js'
import type { JsonObject } from '../../json.js'
import { entriesAt, readRecords, sayingOf, type LogRecord } from './read.js'
import { openSearchIndex, type Place } from './search-index.js'

/** A record that was asked for. */
export interface Answer {
  readonly index: number
  /** what it says; `null` if its content was pruned */
  readonly record: JsonObject | null
}

/** A page of answers in the order of time. */
export interface Answers {
  readonly records: readonly Answer[]
  /** asks for what follows; `null` at the end */
  readonly next: Place | null
}

/** Questions over a log. */
export interface Search {
  /** The first of the records that are meant, `limit` at most; also those put on record just now. */
  ask(question: Question, limit: number, after?: Place | null): Promise<Answers>
  /** Numbers of all records that are meant. */
  numbers(question: Question): Promise<readonly number[]>
  close(): Promise<void>
}

/** Records that are added to the index at once. */
const AT_ONCE = 4096

/**
 * Opens the questions over a log. Its index lies in the log's folder, follows the log whenever it is asked, and is made
 * anew where it is not this log's; it proves nothing, that do the records themselves.
 *
 * @param onDone - told how many records were added
 * @throws STORAGE_UNAVAILABLE, AUDIT_BROKEN
 */
export async function openSearch(
  folder: string,
  key: NoteKey,
  onDone: (done: number) => void = () => undefined,
): Promise<Search> {
  const index = await openSearchIndex(join(folder, 'index.db'))
  let last: Promise<unknown> = Promise.resolve()

  async function follow(): Promise<void> {
    const { size, last: hash } = await index.reached()
    let batch: { readonly index: number; readonly keys: Keys }[] = []
    let latest: LogRecord | null = null
    const add = async (): Promise<void> => {
      if (latest !== null && batch.length > 0) await index.add(batch, hashOf(latest))
      onDone((batch.at(-1)?.index ?? -1) + 1)
      batch = []
    }
    // the last record that is in it shows that it is this log's
    let isOurs = size === 0
    for await (const record of readRecords(folder, key, Math.max(0, size - 1))) {
      if (record.index === size - 1) {
        if (hashOf(record) !== hash) break
        isOurs = true
        continue
      }
      // its last record was pruned
      isOurs = true
      latest = record
      batch.push({ index: record.index, keys: keysOf(sayingOf(record) ?? {}) })
      if (batch.length === AT_ONCE) await add()
    }
    if (batch.length > 0) await add()
    if (isOurs) return
    await index.clear()
    await follow()
  }

  /** Up to what is on record now; one follows after the other. */
  function followed(): Promise<void> {
    const mine = last.then(follow)
    last = mine.catch(() => undefined)
    return mine
  }

  async function read(places: readonly Place[]): Promise<readonly Answer[]> {
    const found = await entriesAt(
      folder,
      key,
      places.map(({ index: number }) => number),
    )
    return places.map(({ index: number }) => {
      const entry = found.get(number)
      return { index: number, record: entry === undefined ? null : sayingOf({ index: number, entry }) }
    })
  }

  return {
    async ask(question, limit, after = null) {
      await followed()
      const places = await index.find(question, limit + 1, after)
      const next = places.length > limit ? (places[limit - 1] ?? null) : null
      return { records: await read(places.slice(0, limit)), next }
    },
    async numbers(question) {
      await followed()
      return (await index.find(question, Number.MAX_SAFE_INTEGER, null)).map(({ index: number }) => number)
    },
    close: () => index.close(),
  }
}

function hashOf({ entry }: LogRecord): string {
  return Buffer.from(leafHash(entry)).toString('base64')
}
