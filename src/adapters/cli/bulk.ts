import { rm } from 'node:fs/promises'
import { isProcuraError, ProcuraError, type Code } from '../../errors.js'
import { s256 } from '../../encoding.js'
import { canonicalize, type JsonObject } from '../../json.js'
import type { Clock } from '../../ports/world.js'
import { measure, openJournal, openLines, readDone, type Journal } from './bulk-files.js'
import { progressOf, type ProgressStream } from './progress.js'
import { rowsOf, type Read, type Row } from './rows.js'

/** A row to work on. */
export interface Task {
  readonly line: number
  readonly row: Row
  /** under one key the work happens once, and is answered as the first time */
  readonly key: string
}

/** What is done with the rows of a file. */
export interface BulkWork {
  /** names the work in the journal */
  readonly what: string
  /** rows in one call, and calls under way at once */
  readonly rows: number
  readonly calls: number
  /** doing it again does no harm: a run that came to its end is forgotten */
  readonly isFree: boolean
  /** the member that a line holds in a file that is neither CSV nor NDJSON */
  readonly plain?: string
  /** True for a name that may stand in a row. */
  columns(name: string): boolean
  /**
   * Does the work.
   *
   * @returns an answer for each, or what refuses it
   * @throws what refuses all of them; kinds `unavailable` and `limited` end the run
   */
  do(tasks: readonly Task[]): Promise<readonly (JsonObject | ProcuraError)[]>
}

/** What a run needs. */
export interface BulkWorld {
  /** where progress is shown */
  readonly stream: ProgressStream
  readonly clock: Clock
  /** aborted when the person wants to go: what is under way is waited for */
  readonly signal: AbortSignal
}

/** What became of a file. */
export interface BulkReport {
  readonly file: string
  /** rows done, by this run and before */
  readonly done: number
  readonly doneBefore: number
  readonly failed: number
  /** file with an answer for each row that was done */
  readonly answers: string
  /** file with the reason for each row that was not */
  readonly failures: string
  /** why the run ended early; `null` if it saw all rows */
  readonly ended: ProcuraError | 'interrupted' | null
}

/** Seconds that a service is relied on to remember a key: it does for a day. */
const REMEMBERED = 23 * 3600

/**
 * Does something with each row of a file, several at once, each exactly once: its key is made of the file's content when
 * it was first given and the number of its line, and what was answered is in a file before the row counts as done. The
 * same command after an interruption, of whatever kind, goes on where it was; rows that failed are tried again. A row that
 * was done and now says something else fails.
 *
 * @throws NOT_FOUND, SCHEMA - the file, or what stands beside it, is not what it should be; STORAGE_UNAVAILABLE
 */
export async function runBulk(file: string, work: BulkWork, world: BulkWorld): Promise<BulkReport> {
  const { name, lines } = await measure(file)
  const [answers, failures] = [`${file}.done.ndjson`, `${file}.failed.ndjson`]
  const done = await readDone(answers)
  const doneBefore = done.count
  const journal = await openJournal(`${file}.journal`, name, work.what, done)
  const [out, bad] = [await openLines(answers, false), await openLines(failures, true)]
  const tell = progressOf('rows', world.stream)
  const isOld = world.clock.now() - journal.at > REMEMBERED
  const under = new Set<Promise<void>>()
  let waiting: Task[] = []
  let [seen, failed] = [0, 0]
  let ended: BulkReport['ended'] = null

  async function fail(line: number, code: Code, why: string): Promise<void> {
    failed += 1
    await bad.add(JSON.stringify({ line, code, why }))
  }

  async function call(tasks: readonly Task[]): Promise<void> {
    try {
      await journal.add(tasks.map(({ line }) => `+${line}`).join('\n'))
      const results = await work.do(tasks).catch((error: unknown) => {
        if (!isProcuraError(error) || error.kind === 'unavailable' || error.kind === 'limited') throw error
        return tasks.map(() => error)
      })
      await settle(tasks, results)
    } catch (error) {
      if (!isProcuraError(error)) throw error
      ended ??= error
    }
  }

  async function settle(tasks: readonly Task[], results: readonly (JsonObject | ProcuraError)[]): Promise<void> {
    const refused = tasks.flatMap(({ line }, n) => {
      const result = results[n]
      return result instanceof ProcuraError ? [{ line, code: result.code, why: result.message }] : []
    })
    const answered = tasks.flatMap(({ line, row }, n) => {
      const result = results[n]
      if (result instanceof ProcuraError) return []
      done.add(line, markOf(row))
      return [JSON.stringify({ line, row: hexOf(markOf(row)), ...result })]
    })
    if (answered.length > 0) await out.add(answered.join('\n'))
    if (refused.length > 0) {
      await journal.add(refused.map(({ line }) => `-${line}`).join('\n'))
      await bad.add(refused.map(one => JSON.stringify(one)).join('\n'))
      failed += refused.length
    }
    seen += tasks.length
    tell(Math.min(seen, lines - 1), lines, failed)
  }

  async function send(): Promise<void> {
    if (waiting.length === 0) return
    if (under.size >= work.calls) await Promise.race(under)
    const task = call(waiting).finally(() => under.delete(task))
    // whoever waits for all hears of it
    task.catch(() => undefined)
    under.add(task)
    waiting = []
  }

  async function take(read: Read): Promise<void> {
    const { line } = read
    seen += 'why' in read ? 1 : 0
    if ('why' in read) {
      await fail(line, 'SCHEMA', read.isEnd === true ? `${read.why}; nothing after it was read` : read.why)
      return
    }
    const before = done.markOf(line)
    if (before === markOf(read.row)) seen += 1
    else if (before !== 0) await fail(line, 'SCHEMA', 'was done before, and said something else then')
    else if (isOld && !work.isFree && journal.sent.has(line)) await fail(line, 'IDEMPOTENCY_CONFLICT', inDoubt(journal))
    else waiting.push({ line, row: read.row, key: s256(`${journal.name} ${line}`) })
    if (waiting.length >= work.rows) await send()
  }

  try {
    for await (const read of rowsOf(file, one => work.columns(one), work.plain)) {
      if (world.signal.aborted) ended ??= 'interrupted'
      if (ended !== null) break
      await take(read)
    }
    if (ended === null) await send()
    await Promise.all(under)
  } finally {
    await Promise.allSettled(under)
    for (const each of [journal, out, bad]) await each.close()
  }
  if (ended === null) tell(lines, lines, failed)
  if (failed === 0) await rm(failures)
  if (ended === null && work.isFree) for (const path of [answers, `${file}.journal`]) await rm(path)
  return { file, done: done.count, doneBefore, failed, answers, failures, ended }
}

function inDoubt({ at }: Journal): string {
  return `was sent before ${new Date(at * 1000).toISOString()}, and its answer is not known: look in the audit log`
}

function hexOf(mark: number): string {
  return mark.toString(16).padStart(8, '0')
}

/** 32 bits that tell what a row says from what it said; never 0. */
function markOf(row: Row): number {
  const digest = Buffer.from(s256(canonicalize(row as JsonObject)), 'base64url')
  return digest.readUInt32BE() || 1
}
