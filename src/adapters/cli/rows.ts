import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { ProcuraError } from '../../errors.js'
import { isObject, parseJson } from '../../json.js'

/** Members of a row: texts, or lists of texts. */
export type Row = Readonly<Record<string, string | readonly string[]>>

/** A row of a file, or why it is none. */
export type Read =
  | { readonly line: number; readonly row: Row }
  | {
      readonly line: number
      readonly why: string
      /** where rows begin cannot be told any more: nothing after it is read */
      readonly isEnd?: true
    }

/** Bytes of a row. */
const MAX_ROW = 64 * 1024

/**
 * The rows of a CSV file (RFC 4180, the first line names the columns) or of an NDJSON file, one at a time, whatever the
 * size of the file. A byte order mark and CRLF are taken; what is empty is passed over.
 *
 * @param columns - true for a name that may stand there
 * @param plain - a file whose first line names no columns is a list of these, one a line; `#` begins a comment
 * @throws NOT_FOUND - it cannot be read; SCHEMA - the first line of a CSV file names an unknown column, or one twice
 */
export async function* rowsOf(file: string, columns: (name: string) => boolean, plain?: string): AsyncGenerator<Read> {
  const lines = linesOf(file)
  let header: readonly string[] | null = null
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
    const { line } = next.value
    if (header === null && next.value.text?.trimStart().startsWith('{') === true) {
      yield* ndjsonOf(next.value, lines, columns)
      return
    }
    if (header === null && plain !== undefined && !namesColumns(next.value, columns)) {
      yield* plainOf(next.value, lines, plain)
      return
    }
    const record = await recordOf(next.value, lines)
    if ('why' in record) {
      yield { line, why: record.why, isEnd: true }
      return
    }
    if (header === null) header = headerOf(record.fields, line, columns)
    else if (record.fields.length === header.length) yield { line, row: named(header, record.fields) }
    else yield { line, why: `has ${record.fields.length} fields, the first line names ${header.length}` }
  }
}

function namesColumns({ text }: Line, columns: (name: string) => boolean): boolean {
  return text?.split(',').some(name => columns(name.trim())) === true
}

async function* plainOf(first: Line, lines: AsyncGenerator<Line>, name: string): AsyncGenerator<Read> {
  let next: IteratorResult<Line> = { done: false, value: first }
  for (; next.done !== true; next = await lines.next()) {
    const { line, text, why = '' } = next.value
    if (text === null) yield { line, why }
    else if (!text.trimStart().startsWith('#')) yield { line, row: { [name]: text.trim() } }
  }
}

async function* ndjsonOf(
  first: Line,
  lines: AsyncGenerator<Line>,
  columns: (name: string) => boolean,
): AsyncGenerator<Read> {
  let next: IteratorResult<Line> = { done: false, value: first }
  for (; next.done !== true; next = await lines.next()) {
    const { line, text, why = '' } = next.value
    yield text === null ? { line, why } : jsonRow(line, text, columns)
  }
}

function jsonRow(line: number, text: string, columns: (name: string) => boolean): Read {
  let value
  try {
    value = parseJson(Buffer.from(text), 'it').value
  } catch (error) {
    return { line, why: error instanceof ProcuraError ? String(error.facts['why'] ?? error.message) : 'is no JSON' }
  }
  if (!isObject(value)) return { line, why: 'is not a JSON object' }
  const row: Record<string, string | readonly string[]> = {}
  for (const [name, one] of Object.entries(value)) {
    if (!columns(name)) return { line, why: `has an unknown member ${JSON.stringify(name)}` }
    if (typeof one === 'string' || typeof one === 'number') row[name] = String(one)
    else if (Array.isArray(one) && one.every(item => typeof item === 'string')) row[name] = one
    else return { line, why: `${name} is not a text, a number or a list of texts` }
  }
  return { line, row }
}

/** A record goes on over line ends as long as a quote is open. */
async function recordOf(
  first: Line,
  lines: AsyncGenerator<Line>,
): Promise<{ readonly fields: readonly string[] } | { readonly why: string }> {
  const parts: string[] = []
  let quotes = 0
  let size = 0
  for (let next: IteratorResult<Line> = { done: false, value: first }; ; next = await lines.next()) {
    if (next.done === true) return { why: 'opens a quote that is never closed' }
    const { text, why = '' } = next.value
    if (text === null) return { why }
    size += text.length + 1
    if (size > MAX_ROW) return { why: `opens a quote that is not closed within ${MAX_ROW} characters` }
    parts.push(text)
    quotes += text.split('"').length - 1
    if (quotes % 2 === 0) break
  }
  // without quotes there is nothing to read but commas
  if (parts.length === 1 && quotes === 0) return { fields: (parts[0] ?? '').split(',') }
  try {
    const [fields = []]: string[][] = parse(parts.join('\n'), { relax_column_count: true, record_delimiter: '\n' })
    return { fields }
  } catch {
    return { why: 'has a quote that is out of place' }
  }
}

function headerOf(fields: readonly string[], line: number, columns: (name: string) => boolean): readonly string[] {
  const names = fields.map(name => name.trim())
  const unknown = names.find(name => !columns(name))
  const twice = names.find((name, n) => names.indexOf(name) !== n)
  if (unknown !== undefined) throw wrong(line, `names an unknown column ${JSON.stringify(unknown)}`)
  if (twice !== undefined) throw wrong(line, `names the column ${JSON.stringify(twice)} twice`)
  return names
}

/** What is empty is not there. */
function named(header: readonly string[], fields: readonly string[]): Row {
  return Object.fromEntries(header.map((name, n) => [name, fields[n] ?? ''] as const).filter(([, text]) => text !== ''))
}

interface Line {
  /** from 1 */
  readonly line: number
  /** `null`: `why` says what is wrong with it */
  readonly text: string | null
  readonly why?: string
}

/** The lines of a file that are not empty. One that is too long is passed over without being kept. */
async function* linesOf(file: string): AsyncGenerator<Line> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let [line, size] = [0, 0]
  let parts: Buffer[] = []
  const finish = (): Line | null => {
    line += 1
    const bytes = Buffer.concat(parts)
    const isLong = size > MAX_ROW
    parts = []
    size = 0
    if (isLong) return { line, text: null, why: `is longer than ${MAX_ROW} bytes` }
    try {
      const text = decoder.decode(bytes).replace(/\r$/, '')
      return text.trim() === '' ? null : { line, text }
    } catch {
      return { line, text: null, why: 'is not UTF-8' }
    }
  }
  const keep = (piece: Buffer): void => {
    size += piece.length
    if (size <= MAX_ROW) parts.push(piece)
    else parts = []
  }
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      let from = 0
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
        keep(chunk.subarray(from, end))
        from = end + 1
        const found = finish()
        if (found !== null) yield found
      }
      keep(chunk.subarray(from))
    }
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new ProcuraError('NOT_FOUND', { what: `readable file ${file} (${code})` }, { cause })
  }
  if (size > 0) {
    const found = finish()
    if (found !== null) yield found
  }
}

function wrong(line: number, why: string): ProcuraError {
  return new ProcuraError('SCHEMA', { at: `line ${line}`, why })
}
