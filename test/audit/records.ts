import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KEY } from '../../src/adapters/audit/files.js'
import { readRecords } from '../../src/adapters/audit/read.js'
import { parseKey } from '../../src/audit/note.js'

/** What the records of a log say, in their order; also of one that another process appends to. */
export async function recordsOf(folder: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const key = parseKey((await readFile(join(folder, KEY), 'utf8')).trim())
  const records: Readonly<Record<string, unknown>>[] = []
  for await (const { entry } of readRecords(folder, key)) {
    records.push(JSON.parse(Buffer.from(entry).toString('utf8')) as Readonly<Record<string, unknown>>)
  }
  return records
}
