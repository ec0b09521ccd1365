import { formatFinding, type Finding } from '../../audit/compare.js'
import { delegationsOf, formatDelegations, formatMermaid } from '../../audit/delegations.js'
import { keysOf, type Question } from '../../audit/question.js'
import { printable, ProcuraError } from '../../errors.js'
import { member, type JsonObject } from '../../json.js'
import { show, type Output } from './output.js'
import { progressOf, type ProgressStream } from './progress.js'
import type { Terminal } from './terminal.js'

/** A log that can be verified and taken away. */
export interface AuditedLog {
  /** Reads all of it. */
  verify(onDone: (done: number, all: number) => void): Promise<{
    readonly checkpoint: { readonly origin: string; readonly size: number } | null
    readonly records: number
    readonly pruned: number
    readonly findings: readonly Finding[]
  }>
  /** Lines of a bundle. */
  bundle(): AsyncIterable<string>
}

/** What the commands write to. */
export interface AuditDesk {
  readonly log: AuditedLog
  readonly terminal: Terminal
  readonly stream: ProgressStream
}

/** Verifies a log. @returns 0 if everything in it is as it was put on record */
export async function verifyCommand(options: Output, { log, terminal, stream }: AuditDesk): Promise<number> {
  const { checkpoint, records, pruned, findings } = await log.verify(progressOf('records', stream))
  const { origin = null, size = null } = checkpoint ?? {}
  show(terminal, options, { log: origin, records, signed: size, pruned, findings }, () => [
    `log        ${printable(origin ?? 'without a checkpoint that verifies')}`,
    `records    ${records}, ${size ?? 0} of them under the signed checkpoint`,
    ...(pruned > 0 ? [`pruned     ${pruned}, of which the hashes are there`] : []),
    ...findings.map(finding => `wrong      ${printable(formatFinding(finding))}`),
    findings.length === 0 ? 'everything is as it was put on record' : `${findings.length} findings`,
  ])
  return findings.length === 0 ? 0 : 1
}

/** Asks a log. */
export interface AskedLog {
  ask(
    question: Question,
    limit: number,
  ): Promise<readonly { readonly index: number; readonly record: JsonObject | null }[]>
}

/** Options that say which records are meant; times as RFC 3339, or seconds since 1970. */
export interface QuestionOptions extends Omit<Question, 'since' | 'until'> {
  readonly since?: string
  readonly until?: string
}

/** The question that options ask, or `null` if they ask nothing. @throws SCHEMA - no time */
export function questionOf(options: QuestionOptions): Question | null {
  const { principal, agent, resource, action, decision, type, correlation } = options
  const [since, until] = [timeOf('since', options.since), timeOf('until', options.until)]
  const question = { principal, agent, resource, action, decision, type, correlation, since, until }
  return Object.values(question).every(value => value === undefined) ? null : question
}

/** Options of `procura audit query`. */
export interface QueryOptions extends QuestionOptions {
  readonly limit: string
  readonly output: 'json' | 'table' | 'tree' | 'mermaid'
}

/** Prints the records that are meant: a line each, or who delegated to whom in them. @throws SCHEMA - no time, no number */
export async function queryCommand(
  { limit, output, ...options }: QueryOptions,
  { log, terminal }: { readonly log: AskedLog; readonly terminal: Terminal },
): Promise<void> {
  if (!/^[1-9]\d{0,6}$/.test(limit))
    throw new ProcuraError('SCHEMA', { at: '--limit', why: 'is not a number up to 9999999' })
  const found = await log.ask(questionOf(options) ?? {}, Number(limit))
  const records = found.flatMap(({ record }) => (record === null ? [] : [record]))
  if (output === 'json') for (const one of found) terminal.print(JSON.stringify(one))
  if (output === 'table') for (const one of found) terminal.print(rowOf(one.index, one.record))
  if (output === 'tree') for (const line of formatDelegations(delegationsOf(records))) terminal.print(line)
  if (output === 'mermaid') for (const line of formatMermaid(delegationsOf(records))) terminal.print(line)
  if (found.length === Number(limit)) terminal.tell(`the first ${limit}; --limit for more`)
}

/** Number, time, what, who, on whose behalf, which resource, and what came of it. */
function rowOf(index: number, record: JsonObject | null): string {
  if (record === null) return `${index}  (pruned)`
  const { at, type, principal, resource, action, decision, code, parties } = keysOf(record)
  const [who = parties[0] ?? '-', change] = [firstText(record, 'holder', 'to', 'by'), firstText(record, 'change')]
  const when = new Date(at * 1000).toISOString().slice(0, 19)
  const what = [action ?? change ?? type, resource ?? '-', code ?? decision ?? type]
  return printable([index, `${when}Z`, who, principal ?? '-', ...what].join('  '))
}

function firstText(record: JsonObject, ...names: readonly string[]): string | undefined {
  return names.map(name => member(record, name)).find(value => typeof value === 'string')
}

function timeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,12}$/.test(text)) return Number(text)
  const at = /^\d{4}-\d\d-\d\d(T|$)/.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(at))
    throw new ProcuraError('SCHEMA', { at: `--${name}`, why: 'is not a time such as 2026-11-26T10:00:00Z' })
  return Math.ceil(at / 1000)
}

/** Options of `procura audit prune`. */
export interface PruneOptions extends Output {
  readonly before: string
  readonly dryRun?: boolean
}

/** Takes the content of old records away. @throws SCHEMA - no time; AUDIT_UNAVAILABLE - a service appends to the log */
export async function pruneCommand(
  { before, dryRun = false, output }: PruneOptions,
  { terminal, count, prune }: PruneDesk,
): Promise<void> {
  const records = await count(timeOf('before', before) ?? 0)
  if (!dryRun && records > 0) await prune(records)
  show(terminal, { output }, { records, dryRun }, () => [
    `${records} records${dryRun ? ' would lose' : ' lost'} their content; their hashes stay`,
  ])
}

/** What pruning works with. */
export interface PruneDesk {
  readonly terminal: Terminal
  /** how many records lie before an instant */
  readonly count: (before: number) => Promise<number>
  readonly prune: (count: number) => Promise<void>
}

/** Prints a bundle. */
export async function exportCommand({ log, terminal }: AuditDesk): Promise<void> {
  for await (const line of log.bundle()) terminal.print(line)
}
