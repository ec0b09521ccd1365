import type { Client } from '../../api/client.js'
import { isDid } from '../../did/did.js'
import { ProcuraError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import { fromDate } from '../../time.js'
import type { BulkWork } from './bulk.js'
import { show, textOf, type Output } from './output.js'
import { treeLines } from './revoke-tree.js'
import { rowsOf, type Row } from './rows.js'
import type { Terminal } from './terminal.js'

/** Options of `procura revoke`. */
export interface RevokeOptions extends Output {
  /** further targets: a list, CSV or NDJSON */
  readonly file?: string
  readonly dryRun?: boolean
  /** revoke everything the DIDs issued before this time: `2026-11-26T10:00:00Z` */
  readonly before?: string
  readonly suspend?: boolean
  readonly resume?: boolean
}

/** What the command needs. */
export interface RevokeWorld {
  readonly terminal: Terminal
  readonly admin: { readonly api: Pick<Client, 'revoke'> }
  /** Works through a file, and says what became of it. @returns the exit code */
  readonly workThrough: (file: string, work: BulkWork) => Promise<number>
}

type Change = 'revoke' | 'suspend' | 'resume'
type Answer = Awaited<ReturnType<Client['revoke']>>

/** Targets in one call. */
const AT_ONCE = 500
/** What names the target in a row; answers of `bulk grant` are taken as they are. */
const NAMES = ['target', 'digest', 'did', 'id'] as const
const BESIDE = new Set<string>([...NAMES, 'line', 'row', 'to', 'credential', 'validUntil'])

/**
 * Revokes credentials by digest or id, agents by DID, or what issuers made before a time; with `suspend` and `resume` the
 * same for suspensions. A file goes in pieces, and the same command after an interruption goes on where it was.
 *
 * @returns 0 if all was done, 77 if some was refused
 */
export async function revokeCommand(
  targets: readonly string[],
  options: RevokeOptions,
  world: RevokeWorld,
): Promise<number> {
  const { file, dryRun = false, before, suspend = false, resume = false } = options
  const change = suspend ? 'suspend' : resume ? 'resume' : 'revoke'
  if (targets.length === 0 && file === undefined) {
    throw new ProcuraError('SCHEMA', { at: 'targets', why: 'are missing: name some, or --file' })
  }
  if (before !== undefined) return revokeBefore(before, await allOf(targets, file), options, world)
  if (dryRun) return foresee(await allOf(targets, file), change, options, world)
  const { terminal, admin } = world
  let refused = 0
  for (let from = 0; from < targets.length; from += AT_ONCE) {
    const some = targets.slice(from, from + AT_ONCE)
    for (const [n, result] of (await revokeAll(some, change, admin.api)).entries()) {
      const answer = result instanceof ProcuraError ? { code: result.code, detail: result.message } : result
      if ('code' in answer) refused += 1
      const shown = { target: some[n] ?? '', ...answer }
      show(terminal, options, shown, () => [lineOf(shown)])
    }
  }
  const code = file === undefined ? 0 : await world.workThrough(file, revokeWork(change, admin.api))
  return refused === 0 ? code : 77
}

function revokeWork(change: Change, api: Pick<Client, 'revoke'>): BulkWork {
  return {
    what: change,
    rows: AT_ONCE,
    calls: 1,
    isFree: true,
    plain: 'target',
    columns: name => BESIDE.has(name),
    do: tasks =>
      revokeAll(
        tasks.map(({ row }) => targetOf(row)),
        change,
        api,
      ),
  }
}

/** Agents one by one, credentials together. @returns in the order of the targets */
async function revokeAll(
  targets: readonly string[],
  change: Change,
  api: Pick<Client, 'revoke'>,
): Promise<readonly (JsonObject | ProcuraError)[]> {
  const results = new Map<number, JsonObject | ProcuraError>()
  const credentials = [...targets.entries()].filter(([, target]) => !isDid(target))
  for (const [n, agent] of targets.entries()) {
    if (isDid(agent)) results.set(n, { ...(await api.revoke({ body: { agent, change } })) })
  }
  if (credentials.length > 0) {
    const answer = await api.revoke({ body: { revocations: credentials.map(([, one]) => one), change } })
    for (const [n, result] of resultsOf(answer).entries()) results.set(credentials[n]?.[0] ?? -1, toOutcome(result))
  }
  return targets.map((_, n) => results.get(n) ?? unanswered())
}

async function revokeBefore(
  before: string,
  targets: readonly string[],
  options: RevokeOptions,
  { admin, terminal }: RevokeWorld,
): Promise<number> {
  const issuers = targets.filter(isDid)
  if (issuers.length < targets.length) {
    throw new ProcuraError('SCHEMA', { at: '--before', why: 'goes with DIDs of issuers' })
  }
  const instant = fromDate(before)
  if (instant === null) throw new ProcuraError('SCHEMA', { at: '--before', why: 'is no UTC time' })
  if (options.dryRun === true) throw new ProcuraError('SCHEMA', { at: '--before', why: 'goes without --dry-run' })
  for (const issuer of issuers) {
    const answer = await admin.api.revoke({ body: { issuer, before: instant } })
    show(terminal, options, answer, () => [lineOf(answer)])
  }
  return 0
}

/** Shows what would end. */
async function foresee(
  targets: readonly string[],
  change: Change,
  options: RevokeOptions,
  { admin: { api }, terminal }: RevokeWorld,
): Promise<number> {
  const print = (answer: Answer): void => {
    if (!('tree' in answer)) throw unanswered()
    show(terminal, options, answer, () => treeLines(answer))
  }
  for (const agent of targets.filter(isDid)) print(await api.revoke({ body: { agent, change, dryRun: true } }))
  const credentials = targets.filter(one => !isDid(one))
  for (let from = 0; from < credentials.length; from += AT_ONCE) {
    print(await api.revoke({ body: { revocations: credentials.slice(from, from + AT_ONCE), change, dryRun: true } }))
  }
  return 0
}

async function allOf(targets: readonly string[], file: string | undefined): Promise<readonly string[]> {
  const all = [...targets]
  if (file === undefined) return all
  for await (const read of rowsOf(file, name => BESIDE.has(name), 'target')) {
    if ('why' in read) throw new ProcuraError('SCHEMA', { at: `${file}:${read.line}`, why: read.why })
    all.push(targetOf(read.row))
  }
  return all
}

function targetOf(row: Row): string {
  const target = NAMES.map(name => row[name]).find(one => one !== undefined)
  return typeof target === 'string' ? target : ''
}

function resultsOf(answer: Answer): readonly object[] {
  if ('results' in answer) return answer.results
  throw unanswered()
}

function toOutcome(result: object): JsonObject | ProcuraError {
  if (!('code' in result && 'detail' in result)) return result as JsonObject
  return new ProcuraError(result.code as never, {}, { message: String(result.detail) })
}

function unanswered(): ProcuraError {
  return new ProcuraError('SERVICE_UNAVAILABLE', { service: 'the service', why: 'no results' })
}

/** A line for people: names and values. */
function lineOf(answer: object): string {
  return Object.entries(answer)
    .map(([name, value]) => `${name} ${textOf(value)}`)
    .join('  ')
}
