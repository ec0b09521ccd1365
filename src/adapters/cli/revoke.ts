import { createHash } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import type { Client } from '../../api/client.js'
import { isDid } from '../../did/did.js'
import { printable, ProcuraError } from '../../errors.js'
import { fromDate } from '../../time.js'
import { progressOf, type ProgressStream } from './progress.js'
import type { Terminal } from './terminal.js'

/** Options of `procura revoke`. */
export interface RevokeOptions {
  /** further targets, one a line */
  readonly file?: string
  readonly dryRun?: boolean
  /** revoke everything the DIDs issued before this time: `2026-11-26T10:00:00Z` */
  readonly before?: string
  readonly suspend?: boolean
  readonly resume?: boolean
  readonly output: 'json' | 'table'
}

/** What the command needs. */
export interface RevokeWorld {
  readonly terminal: Terminal
  /** where progress is shown */
  readonly stream: ProgressStream
  readonly admin: { readonly api: Pick<Client, 'revoke'> }
}

/** Targets in one call, and largest file. */
const AT_ONCE = 500
const MAX_FILE = 64 * 1024 * 1024

/**
 * Revokes credentials by digest or id, agents by DID, or what issuers made before a time; with `suspend` and `resume` the
 * same for suspensions. Long lists go in pieces; a journal beside the file remembers how far they are, so that the same
 * command after an interruption goes on there.
 *
 * @returns 0 if all was done, 77 if some was refused
 */
export async function revokeCommand(
  targets: readonly string[],
  options: RevokeOptions,
  { admin: { api }, stream, terminal }: RevokeWorld,
): Promise<number> {
  const { file, dryRun = false, before, suspend = false, resume = false, output } = options
  const change = suspend ? 'suspend' : resume ? 'resume' : 'revoke'
  const listed = file === undefined ? [] : linesOf(await terminal.read(file, MAX_FILE))
  const all = [...targets, ...listed]
  if (all.length === 0) throw new ProcuraError('SCHEMA', { at: 'targets', why: 'are missing: name some, or --file' })
  const agents = all.filter(isDid)
  const credentials = all.filter(one => !isDid(one))
  const print = (answer: object): void => terminal.print(output === 'json' ? JSON.stringify(answer) : lineOf(answer))

  if (before !== undefined) {
    if (credentials.length > 0) throw new ProcuraError('SCHEMA', { at: '--before', why: 'goes with DIDs of issuers' })
    const instant = fromDate(before)
    if (instant === null) throw new ProcuraError('SCHEMA', { at: '--before', why: 'is no UTC time' })
    for (const issuer of agents) print(await api.revoke({ body: { issuer, before: instant } }))
    return 0
  }
  for (const agent of agents) print(await api.revoke({ body: { agent, change, dryRun } }))

  const journal = file === undefined || dryRun ? null : await openJournal(`${file}.done`, credentials, change)
  const tell = progressOf('credentials', stream)
  let refused = 0
  for (let from = journal?.done ?? 0; from < credentials.length; from += AT_ONCE) {
    const some = credentials.slice(from, from + AT_ONCE)
    const answer = await api.revoke({ body: { revocations: some, change, dryRun } })
    if (dryRun) print(answer)
    else {
      for (const [n, result] of resultsOf(answer).entries()) {
        if ('code' in result) refused += 1
        print({ target: some[n] ?? '', ...result })
      }
    }
    await journal?.keep(from + some.length)
    tell(from + some.length, credentials.length)
  }
  await journal?.end()
  return refused === 0 ? 0 : 77
}

function linesOf(bytes: Uint8Array): readonly string[] {
  const lines = Buffer.from(bytes).toString('utf8').split('\n')
  return lines.map(line => line.trim()).filter(line => line !== '' && !line.startsWith('#'))
}

type Answer = Awaited<ReturnType<Client['revoke']>>

function resultsOf(answer: Answer): readonly object[] {
  if ('results' in answer) return answer.results
  throw new ProcuraError('SERVICE_UNAVAILABLE', { service: 'the service', why: 'no results' })
}

/** A line for people: names and values. */
function lineOf(answer: object): string {
  const text = (value: unknown): string => {
    if (Array.isArray(value)) return value.length > 5 ? `${value.length} in all` : value.map(String).join(' ')
    return typeof value === 'string' ? value : JSON.stringify(value)
  }
  return printable(
    Object.entries(answer)
      .map(([name, value]) => `${name} ${text(value)}`)
      .join('  '),
  )
}

interface Journal {
  readonly done: number
  keep(done: number): Promise<void>
  end(): Promise<void>
}

/** How far a list is, for this very list and change; another's journal counts for nothing. */
async function openJournal(path: string, all: readonly string[], change: string): Promise<Journal> {
  const what = createHash('sha256')
    .update(JSON.stringify([change, all]))
    .digest('base64url')
  const text = await readFile(path, 'utf8').catch(() => '')
  const [of, done] = text.trim().split(' ')
  return {
    done: of === what && /^\d{1,9}$/.test(done ?? '') ? Number(done) : 0,
    async keep(count) {
      await writeFile(`${path}.new`, `${what} ${count}\n`, { mode: 0o600 })
      await rename(`${path}.new`, path)
    },
    end: () => rm(path, { force: true }),
  }
}
